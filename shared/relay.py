"""Moves committed messages from the outbox to the broker: in lane order, many lanes at once, marked only when taken."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from shared import store
from shared.clock import Clock
from shared.failpoints import Failpoints
from shared.messages import outgoing
from shared.ports import Broker, Database, Row, Unavailable, Unroutable

log = logging.getLogger("carepod.relay")

BATCH = 400
LONGEST_WAIT = {"unroutable": timedelta(seconds=30), "unavailable": timedelta(seconds=5)}
"""A lane whose message was not taken is left out for longer each time, up to this; the other lanes go on."""
LONGEST = max(LONGEST_WAIT.values())
"""Who seems to wait for longer than this was told so before the clock was set back."""


@dataclass(frozen=True, slots=True)
class _Failure:
    lane: str
    id: str
    problem: str


@dataclass(slots=True)
class _Waiting:
    until: datetime
    times: int


class Relay:
    """Sends one service's unsent outbox rows of the partitions this process holds."""

    def __init__(
        self, database: Database, broker: Broker, clock: Clock, partitions: int, failpoints: Failpoints
    ) -> None:
        self._database, self._broker, self._clock = database, broker, clock
        self._partitions, self._failpoints = partitions, failpoints
        self._waiting: dict[str, _Waiting] = {}

    async def once(self) -> int:
        """Sends what is unsent now; the number of messages the broker took. What failed stays for a later time."""
        held = [n for n in range(self._partitions) if await self._database.hold(n)]
        if not held:
            return 0
        now = self._clock()
        out = sorted(lane for lane, waiting in self._waiting.items() if now < waiting.until <= now + LONGEST)
        async with self._database.reading() as tx:
            rows = await store.unsent(tx, held, out, BATCH)
        if not rows:
            return 0
        self._failpoints.reach("relay.before_publish")
        by_lane = [list(g) for _, g in groupby(sorted(rows, key=itemgetter(0)), key=itemgetter(0))]
        results = await asyncio.gather(*(self._lane(lane) for lane in by_lane))
        sent = [message_id for ids, _ in results for message_id in ids]
        failures = [f for _, f in results if f is not None]
        self._failpoints.reach("relay.before_mark")
        await self._marked(sent, failures)
        self._remember({rows[0][0] for rows in by_lane}, failures)
        return len(sent)

    async def _lane(self, rows: Sequence[Row]) -> tuple[list[str], _Failure | None]:
        """Publishes one lane in order, one unconfirmed at a time, and stops at its first failure."""
        sent: list[str] = []
        for lane, message_id, reason, keys, headers, body in rows:
            try:
                await self._broker.publish(outgoing((message_id, reason, keys, headers, body)))
            except Unroutable:
                return sent, _Failure(lane, message_id, "unroutable")
            except Unavailable:
                return sent, _Failure(lane, message_id, "unavailable")
            sent.append(message_id)
        return sent, None

    async def _marked(self, sent: Sequence[str], failures: Sequence[_Failure]) -> None:
        counts = Counter(f.problem for f in failures)
        async with self._database.writing() as tx:
            await store.sent(tx, sent, self._clock())
            for problem in sorted(counts):
                await store.unsendable(tx, [f.id for f in failures if f.problem == problem], problem)
        for problem, count in sorted(counts.items()):
            log.warning("%d messages not taken by the broker: %s", count, problem)

    def _remember(self, lanes: set[str], failures: Sequence[_Failure]) -> None:
        failed = {f.lane: f.problem for f in failures}
        for lane in lanes - set(failed):
            self._waiting.pop(lane, None)
        for lane, problem in failed.items():
            times = self._waiting[lane].times + 1 if lane in self._waiting else 0
            wait = min(LONGEST_WAIT[problem], timedelta(seconds=0.5 * 2 ** min(times, 10)))
            self._waiting[lane] = _Waiting(self._clock() + wait, times)
