"""Carries deliveries to outside partners: leased before the socket opens, settled by the answer's own decision."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared import store
from shared.clock import Clock
from shared.core import Answer, Channel, Doubtful, Event, Resource, TryLater
from shared.failpoints import Failpoints
from shared.failures import described
from shared.ports import Conflict, Database, Outside, Transaction, Unavailable
from shared.run import Runner

log = logging.getLogger("carepod.deliveries")

LEASE = timedelta(seconds=8)
"""A lease that ran out means the process is gone. It is renewed while a call is under way; where it cannot be, the call
is given up well before."""
RENEWED, GIVEN_UP = 1 / 3, 3 / 4
"""Parts of a lease after which it is renewed, and after which a call whose lease was not is given up."""
LONGEST_CALL = 45.0
"""Seconds a call may take, however often its lease is renewed."""
AT_ONCE = 16
"""Deliveries of one channel under way at once in one process."""
FIRST_WAIT = 1.0
GROWTH = 1.5
"""Each wait is about a third of the time already waited: a partner that is back is noticed that soon. Attempts that
a partner itself asked for soon count for no more than the time they took."""
LONGEST_WAIT = 300.0
LONGEST_ASKED_FOR = 86_400.0
"""A partner that asks for more than a day (or for no time a calendar has) is tried after a day."""
ATTEMPTS = 200
"""After so many attempts (about fifteen hours) a delivery is parked for a person."""
NOT_SEEN = "not seen by the partner"
"""Asked once and unknown: it may be on its way. Only when it is unknown again, after a wait, is it sent again."""


NOT_SEEN_WAIT = 5.0
"""Seconds until it is asked for the second time."""


class _StillInDoubt(Exception):
    """Asking did not end the doubt: why, and when to ask again where that is known."""

    def __init__(self, why: str, after_seconds: float | None = None) -> None:
        super().__init__(why)
        self.after_seconds = after_seconds


@dataclass(frozen=True, eq=False, slots=True)
class _Call:
    """A call to a partner under way: until when it may take, and when it ends whatever its lease."""

    delivery: store.Delivery
    limit: asyncio.Timeout
    ends: float


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
        longest_call: float = LONGEST_CALL,
    ) -> None:
        self._runner, self.channel, self._database, self._outside = runner, channel, database, outside
        self._clock, self._failpoints, self._lease, self._longest_call = clock, failpoints, lease, longest_call
        self._reader = store.DatabaseReader(database, runner.border.stored)
        self._running: set[asyncio.Task[None]] = set()
        self._calls: set[_Call] = set()
        self._renewing: asyncio.Task[None] | None = None
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
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

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
            answer = await self._leased(delivery)
        except TryLater as later:
            await self._deferred(delivery, "prepared", later.after_seconds, str(later))
        except _StillInDoubt as still:
            await self._deferred(delivery, "in-doubt", still.after_seconds, str(still))
        except Doubtful as doubt:
            await self._deferred(delivery, "in-doubt", doubt.after_seconds, str(doubt))
        except Exception as error:  # noqa: BLE001
            # Whatever broke, the partner may have taken it: only doubt is honest, and it is never given up in silence.
            log.warning("a delivery over %s broke: %s", delivery.channel, described(error))
            await self._deferred(delivery, "in-doubt", None, described(error))
        else:
            await self._settled(delivery, answer)

    async def _leased(self, delivery: store.Delivery) -> Answer:
        """Calls the partner while the lease is ours. Raises TimeoutError when it no longer is: then nobody knows."""
        limit = asyncio.timeout(self._lease.total_seconds() * GIVEN_UP)
        call = _Call(delivery, limit, asyncio.get_running_loop().time() + self._longest_call)
        async with limit:
            self._calls.add(call)
            if self._renewing is None or self._renewing.done():
                self._renewing = asyncio.create_task(self._renewed(), name=f"leases over {self.channel.name}")
            try:
                return await self._answer(delivery)
            finally:
                self._calls.discard(call)

    async def _renewed(self) -> None:
        """Renews the leases of all calls under way at once, counted from before it is asked for."""
        loop, seconds = asyncio.get_running_loop(), self._lease.total_seconds()
        while self._calls:
            await asyncio.sleep(seconds * RENEWED)
            asked = loop.time()
            calls = [call for call in self._calls if call.ends > asked]
            try:
                async with self._database.writing() as tx:
                    ours = await store.renew(tx, [call.delivery for call in calls], self._clock() + self._lease)
            except (Unavailable, Conflict):
                continue  # while they are not renewed, the time of the calls runs out before the leases do
            for call in self._calls.intersection(calls):
                if not call.limit.expired():
                    call.limit.reschedule(asked + seconds * GIVEN_UP if call.delivery.id in ours else asked)

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
            "answer", answer.reason, answer.lane or delivery.lane, now, now, answer.resources, delivery.resource,
            answer.source or delivery.channel, delivery.id,
        )  # fmt: skip
        try:
            await self._runner.take(event, admit=admit, identities=answer.identities, beside=(delivery.lane,))
            if delivery.problem:
                await self._runner.hearing.asking.delivery_settled(delivery.id, delivery.lane)
        except Exception as error:  # noqa: BLE001
            log.warning("an answer over %s could not be decided: %s", delivery.channel, described(error))
            await self._deferred(delivery, "in-doubt", None, described(error))

    def _backoff(self, delivery: store.Delivery) -> float:
        """Seconds to the next attempt where nobody said when."""
        waited = max(0.0, (self._clock() - delivery.since).total_seconds())
        grown = FIRST_WAIT * GROWTH ** min(delivery.attempt - 1, 20)
        return min(LONGEST_WAIT, grown, FIRST_WAIT + waited / 3)

    async def _deferred(self, delivery: store.Delivery, state: str, after: float | None, problem: str) -> None:
        wait = min(after, LONGEST_ASKED_FOR) if after is not None else self._backoff(delivery)
        if delivery.attempt >= ATTEMPTS:
            log.warning("a delivery over %s is parked after %d attempts", delivery.channel, delivery.attempt)
            await self._runner.hearing.asking.set_delivery_aside(delivery, problem)
            return
        async with self._database.writing() as tx:
            await store.defer(tx, delivery, state, self._clock() + timedelta(seconds=wait), problem)
