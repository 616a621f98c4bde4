"""Whether there is room for one more that is sent: refused in time, nothing is lost and nothing grows without bound.

Law of this file: what is refused here was not read and not stored, so the same request later is right. A broker that is
away shuts no door: what waits for it is in the database, up to as many messages as may wait there at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from shared.app import Application
from shared.clock import stamp
from shared.fhir.outcomes import Issue
from shared.web.requests import Refused

AT_ONCE = 512
"""Bodies that are worked on at one time in one process."""
BEHIND = timedelta(seconds=30)
"""A message that has waited so long, while the broker takes messages, is late."""
LATE = 2_000
"""So many late messages are an overload: the relay does not keep up with what comes in. Few are one lane's trouble."""
WAITING = 200_000
"""Messages that may wait for the broker at all, however long it is away."""
LOOK = 1.0
"""Seconds one look at the outbox counts."""
AGAIN = 5
"""Seconds after which to come again."""

_UNSENT = "select 1 from outbox where sent_at is null and created_at < $1 order by created_at limit $2"
_COUNTED = f"select count(*) from ({_UNSENT}) as unsent"  # noqa: S608 (ours)


class Admission:
    """Asked before a body is read; one look at the outbox serves all requests of a second."""

    def __init__(self, app: Application, monotonic: Callable[[], float] | None = None) -> None:
        self._app, self._monotonic = app, monotonic or time.monotonic
        self._inside = 0
        self._looked = float("-inf")
        self._full = False
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Room for one body. Raises Refused, 503 with Retry-After, where there is none."""
        if self._inside >= AT_ONCE or await self._is_full():
            text = "nothing was stored; the same request after a moment would be right"
            raise Refused(503, [Issue("throttled", "", text)], {"Retry-After": str(AGAIN)})
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def _is_full(self) -> bool:
        """Whether too much waits in the outbox of this process's door, by a look no older than a second."""
        if self._monotonic() - self._looked >= LOOK and not self._looking.locked():
            async with self._looking:
                self._full = await self._look()
                self._looked = self._monotonic()
        return self._full

    async def _look(self) -> bool:
        door = self._app.door
        if door is None:
            return False
        late = await self._unsent(stamp(self._app.clock() - BEHIND), LATE)
        if late < LATE:
            return False
        return await self._app.broker.ready() or await self._unsent(stamp(self._app.clock()), WAITING) >= WAITING

    async def _unsent(self, before: str, most: int) -> int:
        """How many messages older than this wait, counted no further than `most`."""
        door = self._app.door
        assert door is not None
        async with door.database.reading() as tx:
            return int((await tx.fetch(_COUNTED, before, most))[0][0])
