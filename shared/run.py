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
        self.committed: list[Callable[[], None]] = []
        """Called after every commit: nudges of the relay and the workers."""
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
        self, event: Event, *, admit: Admit | None = None, identities: Sequence[tuple[str, str, str]] = ()
    ) -> Outcome | None:
        """Decides one event and commits; None when `admit`, asked under the lanes, says it is no longer wanted.

        Raises Conflict or Unavailable when it could not be decided: the same may be asked again.
        """
        lanes = frozenset({event.lane})
        for turn in range(ROUNDS):
            try:
                outcome = await self._taken(event, lanes, admit, identities)
            except MoreLanes as more:
                lanes |= more.lanes
            except Conflict:
                await pause(turn)
            else:
                self._after_commit()
                return outcome
        raise Conflict("no decision within the rounds allowed")

    async def _taken(
        self, event: Event, lanes: frozenset[str], admit: Admit | None, identities: Sequence[tuple[str, str, str]]
    ) -> Outcome | None:
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            if admit is not None and not await admit(tx):
                return None
            event = replace(event, at=unit.lane(event.lane).tick(event.at))
            await store.identify(tx, event.source, identities)
            outcome = await self._decider.decided(unit, event, new_trace(event.id or event.lane))
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        return outcome

    def _after_commit(self) -> None:
        for nudge in self.committed:
            nudge()
