"""What waits for an instant does not wait longer because the clock was set back: it is looked at at once."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from shared import store
from shared.clock import Clock
from shared.deliveries import LEASE
from shared.ports import Database

log = logging.getLogger("carepod.clock")

TOLERATED = timedelta(seconds=2)
"""What a clock may go back, as it does when a second is told twice, before anything is done about it."""


class Timekeeping:
    """Sees that the clock of one service's process went back, or is behind what an earlier process wrote."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._latest: datetime | None = None

    async def once(self) -> int:
        """Has everything that waits for an instant tried at once where that instant was told by a clock ahead."""
        now = self._clock()
        latest = self._latest or await self._written()
        if latest is not None and now < latest - TOLERATED:
            async with self._database.writing() as tx:
                await store.hurry(tx, now, LEASE)
            behind = (latest - now).total_seconds()
            log.warning("the clock is %.0f s behind what it was: what waits is tried now", behind)
        self._latest = now
        return 0

    async def _written(self) -> datetime | None:
        async with self._database.reading() as tx:
            return await store.last_decided(tx)
