"""Compares a service's copies with their owners every night, and keeps what differs where a person can see it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from zoneinfo import ZoneInfo

from shared import store
from shared.clock import Clock, stamp
from shared.core import Service
from shared.ports import Database
from shared.repair.digests import Compared, Owners, compared

log = logging.getLogger("carepod.digest")

NIGHT = range(2, 5)
"""Hours of the practice's day in which it is done, once."""
SETTLE = 60.0
"""Seconds after which a difference is no longer taken to be on its way."""
NOTED = 1000
"""Differences that are kept of one night."""
KEY = "digest"


class Nightly:
    """One service's comparison; only the process that relays its first partition does it."""

    def __init__(
        self, service: Service, database: Database, declared: Sequence[Service], owners: Owners, clock: Clock,
        zone: ZoneInfo, settle: float = SETTLE,
    ) -> None:  # fmt: skip
        self._service, self._database, self._declared = service, database, declared
        self._owners, self._clock, self._zone, self._settle = owners, clock, zone, settle
        self._done_on = ""

    async def once(self) -> int:
        """Compares where it is night and has not been done tonight; 0, for nothing is left to do at once."""
        local = self._clock().astimezone(self._zone)
        tonight = local.date().isoformat()
        if local.hour not in NIGHT or self._done_on == tonight or not await self._database.hold(0):
            return 0
        async with self._database.reading() as tx:
            noted = await store.noted(tx, KEY)
        if noted is None or json.loads(noted)["night"] != tonight:
            await self.done(tonight)
        self._done_on = tonight
        return 0

    async def done(self, night: str) -> list[Compared]:
        """Compares with every owner heard, notes what differs and says how much that is."""
        heard = [o for o in self._declared if o.name != self._service.name and o.owns & self._service.listens]
        found = [await compared(o, self._service, self._database, self._owners, self._settle) for o in heard]
        drift = [asdict(d) for c in found for d in c.drift]
        report = {"night": night, "at": stamp(self._clock()), "count": len(drift), "drift": drift[:NOTED]}
        async with self._database.writing() as tx:
            await store.note(tx, KEY, json.dumps(report))
        for c in found:
            if c.drift or c.state != "compared":
                log.warning("%s: %d copies of %s differ (%s)", self._service.name, len(c.drift), c.owner, c.state)
        return found
