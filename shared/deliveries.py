"""Carries deliveries to outside partners: leased before the socket opens, settled by the answer's own decision."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from shared import store
from shared.clock import Clock
from shared.core import Answer, Channel, Doubtful, Event, Resource, TryLater
from shared.failpoints import Failpoints
from shared.failures import described
from shared.ports import Database, Outside, Transaction
from shared.run import Runner

log = logging.getLogger("carepod.deliveries")

LEASE = timedelta(seconds=60)
"""A lease that ran out means the process is gone: what is under way is given up well before."""
AT_ONCE = 16
"""Deliveries of one channel under way at once in one process."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 300.0
ATTEMPTS = 200
"""After so many attempts (about sixteen hours) a delivery is parked for a person."""
NOT_SEEN = "not seen by the partner"
"""Asked once and unknown: it may be on its way. Only when it is unknown again, after a wait, is it sent again."""


NOT_SEEN_WAIT = 5.0
"""Seconds until it is asked for the second time."""


class _StillInDoubt(Exception):
    """Asking did not end the doubt: why, and when to ask again where that is known."""

    def __init__(self, why: str, after_seconds: float | None = None) -> None:
        super().__init__(why)
        self.after_seconds = after_seconds


class Deliveries:
    """Sends one service's due deliveries of one channel."""

    def __init__(
        self,
        runner: Runner,
        channel: Channel,
        database: Database,
        outside: Outside,
        clock: Clock,
        failpoints: Failpoints,
        lease: timedelta = LEASE,
    ) -> None:
        self._runner, self.channel, self._database, self._outside = runner, channel, database, outside
        self._clock, self._failpoints, self._lease = clock, failpoints, lease
        self._reader = store.DatabaseReader(database, runner.border.stored)
        self._running: set[asyncio.Task[None]] = set()
        self.ended: Callable[[], None] = lambda: None
        """Called whenever one has ended: there may be room for the next."""

    async def once(self) -> int:
        """Starts what is due, up to `AT_ONCE` under way; the number started."""
        claimed = await self._claimed(AT_ONCE - len(self._running))
        for delivery in claimed:
            task = asyncio.create_task(self._carried(delivery), name=f"delivery over {delivery.channel}")
            self._running.add(task)
            task.add_done_callback(self._left)
        return len(claimed)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.ended()

    async def stop(self, within: float) -> None:
        """Lets what is under way end, bounded; what is cut off stays leased and is then in doubt."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _claimed(self, most: int) -> list[store.Delivery]:
        if most <= 0:
            return []
        async with self._database.reading() as tx:
            if not await store.are_due(tx, self.channel.name, self._clock()):
                return []
        async with self._database.writing() as tx:
            return await store.claim(tx, self.channel.name, self._clock(), self._lease, most)

    async def _carried(self, delivery: store.Delivery) -> None:
        """One delivery, to an end of its own: whatever happens to it, the others do not notice."""
        try:
            await self._attempted(delivery)
        except Exception as error:  # noqa: BLE001
            # Not even its state could be written: the lease runs out, then it is in doubt.
            log.warning("a delivery over %s is left to its lease: %s", delivery.channel, described(error))

    async def _attempted(self, delivery: store.Delivery) -> None:
        try:
            async with asyncio.timeout(self._lease.total_seconds() * 0.75):
                answer = await self._answer(delivery)
        except TryLater as later:
            await self._deferred(delivery, "prepared", later.after_seconds, str(later))
        except _StillInDoubt as still:
            await self._deferred(delivery, "in-doubt", still.after_seconds, str(still))
        except Doubtful as doubt:
            await self._deferred(delivery, "in-doubt", None, str(doubt))
        except Exception as error:  # noqa: BLE001
            # Whatever broke, the partner may have taken it: only doubt is honest, and it is never given up in silence.
            log.warning("a delivery over %s broke: %s", delivery.channel, described(error))
            await self._deferred(delivery, "in-doubt", None, described(error))
        else:
            await self._settled(delivery, answer)

    async def _answer(self, delivery: store.Delivery) -> Answer:
        resource = await self._reader.read(delivery.resource.partition("/")[2])
        if resource is None:
            raise LookupError("the resource of a delivery is not stored")
        if delivery.state == "in-doubt" and (known := await self._known(delivery, resource)) is not None:
            return known
        self._failpoints.reach("delivery.before_send")
        answer = await self.channel.send(resource, self._reader, self._outside)
        self._failpoints.reach("delivery.before_store")
        return answer

    async def _known(self, delivery: store.Delivery, resource: Resource) -> Answer | None:
        """What ends the doubt: an Answer, or None to send again."""
        if self.channel.doubt == "ask":
            return Answer(f"{self.channel.name}-in-doubt")
        if self.channel.doubt == "idempotent" or self.channel.inquire is None:
            return None
        try:
            found = await self.channel.inquire(resource, self._reader, self._outside)
        except TryLater as later:
            # The partner has not taken the question; whether it took the delivery is as unknown as before.
            raise _StillInDoubt(str(later), later.after_seconds) from None
        if found is None and delivery.problem != NOT_SEEN:
            raise _StillInDoubt(NOT_SEEN, NOT_SEEN_WAIT)
        return found

    async def _settled(self, delivery: store.Delivery, answer: Answer) -> None:
        """The answer is an event like any other; it counts only while this process still holds the fence."""
        now = self._clock()

        async def admit(tx: Transaction) -> bool:
            return await store.answered(tx, delivery, now)

        event = Event(
            "answer", answer.reason, delivery.lane, now, now, answer.resources, delivery.resource, delivery.channel,
            delivery.id,
        )  # fmt: skip
        try:
            await self._runner.take(event, admit=admit)
        except Exception as error:  # noqa: BLE001
            log.warning("an answer over %s could not be decided: %s", delivery.channel, described(error))
            await self._deferred(delivery, "in-doubt", None, described(error))

    async def _deferred(self, delivery: store.Delivery, state: str, after: float | None, problem: str) -> None:
        wait = after if after is not None else min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(delivery.attempt, 20))
        state = "parked" if delivery.attempt >= ATTEMPTS else state
        if state == "parked":
            log.warning("a delivery over %s is parked after %d attempts", delivery.channel, delivery.attempt)
        async with self._database.writing() as tx:
            await store.defer(tx, delivery, state, self._clock() + timedelta(seconds=wait), problem)
