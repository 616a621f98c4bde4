"""The run loop: lanes, inbox row, gather, coordinate, save, commit.

Decisions on messages are committed in `hearing.py`, what the loop says by itself in `asking.py`, all others here.

Law of this file:
* every transaction first locks the lanes it needs, sorted; what it decides, it decides on facts read under those locks;
* inbox row, saves, history, capacity, wakes, deliveries, audit and outbox are one transaction or none;
* a message, a command, an answer and a wake go the same way; only what admits them differs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from shared import store
from shared.borders import Border, Check, Upcasts
from shared.clock import Clock
from shared.core import Event, Service
from shared.decide import ROUNDS, Decider, MoreLanes, Outcome, Unfit, pause
from shared.failpoints import Failpoints
from shared.hearing import Advance, Hearing
from shared.messages import Catalogue, new_trace
from shared.ports import Conflict, Database, Incoming, Transaction

__all__ = ["Outcome", "Runner", "Unfit"]

Admit = Callable[[Transaction], Awaitable[bool]]


class _PassedInVain(Exception):
    """What was passed on is refused: nothing of the event it came with may stay, and the refusal is decided alone."""

    def __init__(self, event: Event) -> None:
        super().__init__("what was passed on is refused")
        self.event = event


class Runner:
    """Runs the events of one service, from anywhere, one transaction each (messages: one a batch)."""

    def __init__(
        self,
        service: Service,
        database: Database,
        catalogue: Catalogue,
        check: Check,
        clock: Clock,
        partitions: int,
        failpoints: Failpoints,
        upcasts: Upcasts | None = None,
    ) -> None:
        self.service, self.database, self.catalogue = service, database, catalogue
        self.clock, self.failpoints = clock, failpoints
        self.border = Border(service, check, upcasts or {})
        self._decider = Decider(service, catalogue, self.border, clock, partitions)
        self.committed: list[Callable[[store.Unit], None]] = []
        """Called after every commit with what it wrote: nudges of the relay and the workers it gave something to do."""
        self.hearing = Hearing(
            service, database, catalogue, self.border, self._decider, clock, failpoints, self._after_commit
        )

    async def receive(self, messages: Sequence[Incoming]) -> None:
        """Takes a batch of messages of other services (`Hearing.receive`)."""
        await self.hearing.receive(messages)

    async def advance(self, lane: str) -> Advance:
        """Decides what can be decided of one lane's inbox (`Hearing.advance`)."""
        return await self.hearing.advance(lane)

    async def take(
        self,
        event: Event,
        *,
        admit: Admit | None = None,
        identities: Sequence[tuple[str, str, str]] = (),
        beside: Sequence[str] = (),
    ) -> Outcome | None:
        """Decides one event and commits; None when `admit`, asked under the lanes, says it is no longer wanted.

        `beside` are lanes held besides the event's own, where what it moves still lies. Raises Conflict or Unavailable
        when it could not be decided: the same may be asked again.
        """
        lanes = frozenset({event.lane, *beside})
        for turn in range(ROUNDS):
            try:
                outcome = await self._taken(event, lanes, admit, identities)
            except MoreLanes as more:
                lanes |= more.lanes
            except _PassedInVain as vain:
                event, lanes = vain.event, lanes | {vain.event.lane}
            except Conflict:
                await pause(turn)
            else:
                return outcome
        raise Conflict("no decision within the rounds allowed")

    async def _taken(
        self, event: Event, lanes: frozenset[str], admit: Admit | None, identities: Sequence[tuple[str, str, str]]
    ) -> Outcome | None:
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            if admit is not None and not await admit(tx):
                return None
            await store.identify(tx, event.source, identities)
            outcome = await self._decided(unit, event)
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        self._after_commit(unit)
        return outcome

    async def _decided(self, unit: store.Unit, event: Event) -> Outcome:
        """Decides an event and, in the same transaction, what it passes on: both are kept or neither."""
        event = replace(event, at=unit.lane(event.lane).tick(event.at))
        outcome = await self._decider.decided(unit, event, new_trace(event.id or event.lane))
        onward = outcome.decision.passes
        if onward is None:
            return outcome
        if onward.lane not in unit.held:
            raise MoreLanes({onward.lane})
        passed = await self._decided(unit, onward)
        if passed.is_refused:
            raise _PassedInVain(onward)
        return passed

    def _after_commit(self, unit: store.Unit) -> None:
        for nudge in self.committed:
            nudge(unit)
