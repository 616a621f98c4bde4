"""What the run loop says by itself: that a message could not be taken, and that this is over.

Law of this file: a lane never stands still because of what is said about it; where saying fails, less is said.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from shared import refused, store
from shared.borders import Border
from shared.clock import Clock
from shared.core import Decision, Event, Resource, Service, reference
from shared.decide import ROUNDS, Decider, MoreLanes, pause
from shared.failures import described
from shared.messages import Letter, Malformed, new_trace
from shared.ports import Conflict, Database, Unavailable

log = logging.getLogger("carepod.run")


class Telling(IntEnum):
    """Who is told: all; all but this service itself, whose coordinator may be what fails; nobody."""

    NOBODY = 0
    OTHERS = 1
    ALL = 2


Work = Callable[[store.Unit, Telling], Awaitable[None]]


def _of_delivery(delivery: store.Delivery, resources: Sequence[Resource], at: datetime) -> Letter:
    """What a question about a delivery is asked of, as if it had been a message to us."""
    return Letter(
        delivery.id, delivery.channel, delivery.lane, 0, delivery.channel, delivery.resource, at, tuple(resources),
        {}, {}, {}, "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asking:
    """Parks messages that cannot be taken, asks a person about them, and closes what it asked."""

    service: Service
    database: Database
    border: Border
    decider: Decider
    clock: Clock
    done: Callable[[store.Unit], None]

    async def set_aside(self, row: store.Unfinished, attempt: int, malformed: Malformed) -> None:
        """Parks a message and asks a person about it in the same transaction; where asking fails, without."""

        async def park(unit: store.Unit, telling: Telling) -> None:
            await self._park(unit, row, attempt, malformed, telling)

        await self._told_to_as_many_as_can_be(row.lane, park)
        log.warning("message parked after %d attempts: %s", attempt, malformed.reason)

    async def set_delivery_aside(self, delivery: store.Delivery, problem: str) -> None:
        """Parks a delivery that was tried in vain, and asks a person about it in the same transaction."""
        now = self.clock()

        async def park(unit: store.Unit, telling: Telling) -> None:
            if await store.defer(unit.tx, delivery, "parked", now, problem):
                held = await store.current(unit.tx, [delivery.resource.partition("/")[2]])
                letter = _of_delivery(delivery, [stored.resource for stored in held.values()], now)
                reason = f"delivery-parked: {delivery.channel} after {delivery.attempt} attempts"
                await self._ask(unit, Malformed(reason, letter), now, telling)

        await self._told_to_as_many_as_can_be(delivery.lane, park)

    async def delivery_settled(self, delivery_id: str, lane: str) -> None:
        """Closes the question about a delivery that was answered after all."""
        if refused.KIND not in self.service.profiles:
            return
        asked = refused.question_id(self.service, delivery_id)
        async with self.database.reading() as tx:
            if not await store.current(tx, [asked]):
                return

        async def close(unit: store.Unit, telling: Telling) -> None:
            if telling:
                await self._closed(unit, [asked], telling)

        await self._told_to_as_many_as_can_be(lane, close)

    async def _told_to_as_many_as_can_be(self, lane: str, work: Work) -> None:
        """Commits this under the lane, telling all; where that fails, fewer, at last nobody."""
        for telling in sorted(Telling, reverse=True):
            try:
                await self._committed(lane, work, telling)
            except Unavailable:
                raise
            except Exception as error:
                if not telling:
                    raise
                log.error("what is parked could not be told of: %s", described(error))
            else:
                break

    async def _committed(self, lane: str, work: Work, telling: Telling) -> None:
        lanes = frozenset({lane})
        for turn in range(ROUNDS):
            try:
                async with self.database.writing() as tx:
                    unit = store.Unit(tx, await store.locked(tx, lanes))
                    await work(unit, telling)
                    await unit.flush()
            except MoreLanes as more:
                lanes |= more.lanes
            except Conflict:
                await pause(turn)
            else:
                self.done(unit)
                return
        raise Conflict("not parked within the rounds allowed")

    async def _park(
        self, unit: store.Unit, row: store.Unfinished, attempt: int, malformed: Malformed, telling: Telling
    ) -> None:
        """Parks a message and asks, but not about what was said anew already or another process has dealt with."""
        unit.lane(row.lane)  # so that `close` looks into this lane
        if await store.park(unit.tx, row.id, attempt, malformed.problem):
            late = await self.close(unit, telling)
            if row.id not in late:
                await self._ask(unit, malformed, row.received_at, telling)

    async def _ask(self, unit: store.Unit, malformed: Malformed, at: datetime, telling: Telling) -> None:
        """Asks about a message that was parked, where this service says what it asks under which profile."""
        letter = malformed.letter
        if telling and letter is not None and refused.KIND in self.service.profiles:
            asked = refused.question(self.service, letter, malformed, at)
            await self._said(unit, letter.lane, "message-refused", asked, at, letter.id, telling)

    async def close(self, unit: store.Unit, telling: Telling) -> Collection[str]:
        """Closes what is parked and was said anew, and the questions about that and about what was taken after all.

        Returns the ids of the messages that were said anew.
        """
        if not telling:
            return ()
        await unit.write()
        late = await store.close_superseded(unit.tx, sorted(unit.changed))
        await self._closed(unit, [refused.question_id(self.service, id_) for id_ in (*late, *unit.retried)], telling)
        return late

    async def _closed(self, unit: store.Unit, ids: Sequence[str], telling: Telling) -> None:
        """Closes these questions, as far as they were asked and are open."""
        for id_, stored in (await unit.view.current(ids)).items():
            question = self.border.stored(stored.resource)
            if question["status"] == "requested":
                at = unit.lane(stored.lane).tick(self.clock())
                await self._said(unit, stored.lane, "message-taken", refused.closed(question), at, id_, telling)

    async def _said(
        self, unit: store.Unit, lane: str, reason: str, task: Resource, at: datetime, cause: str, telling: Telling
    ) -> None:
        """Saves what there is to say; a service that reads such questions hears its own at once."""
        event = Event("message", reason, lane, at, at, (), reference(task), self.service.name, cause)
        trace = new_trace(cause)
        outcome = await self.decider.asserted(unit, event, Decision(reason, (task,)), trace, {})
        if telling is Telling.ALL and outcome.saved and refused.KIND in self.service.reads:
            await self.decider.decided(unit, replace(event, resources=outcome.saved), trace)
