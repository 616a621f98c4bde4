"""What an owner tells one service anew: a message for each lane with the current version of all that service reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared import store
from shared.borders import Border
from shared.clock import Clock, uuid7
from shared.core import Decision, Resource, Service, reference
from shared.decide import UNSENT
from shared.messages import BACKFILLED, address_of, following, headers_of, new_trace, partition_of, written
from shared.ports import Database, Incoming
from shared.repair.pacing import Pace

LANES = 50
"""Lanes told of in one transaction."""

Handed = Callable[[Sequence[Incoming]], Awaitable[None]]
"""Takes messages to a hearer that does not run, beside the broker."""


@dataclass(frozen=True, slots=True)
class Backfilled:
    """How many messages an owner says to a service, and how many resources they carry."""

    messages: int = 0
    resources: int = 0
    is_relayed: bool = True


@dataclass(frozen=True, slots=True)
class Backfill:
    """One owner's part in bringing a service up to date."""

    owner: Service
    hearer: Service
    database: Database
    clock: Clock
    partitions: int

    async def said(
        self, patience: float, lanes: Sequence[str] | None = None, handed: Handed | None = None
    ) -> Backfilled:
        """Puts the messages of these lanes (None: every lane) into the owner's outbox, for its relay to send.

        Each is written under its lane's lock, so what the owner says later comes later. `handed` gets them, too, once
        they are committed. Safe to repeat.
        """
        pace, after, total = Pace(self.database, patience), "", Backfilled()
        while page := await self._page(after, lanes):
            after = page[-1]
            messages, resources = await self._told(page)
            if handed is not None and messages:
                await handed(messages)
            await pace.kept()
            total = Backfilled(total.messages + len(messages), total.resources + resources, pace.is_relayed)
        return total

    async def _page(self, after: str, lanes: Sequence[str] | None) -> list[str]:
        if lanes is not None:
            return sorted(lane for lane in lanes if lane > after)[:LANES]
        async with self.database.reading() as tx:
            return await store.lanes_owned(tx, self.owner.name, self._types(), after, LANES)

    def _types(self) -> list[str]:
        return sorted((self.hearer.listens & self.owner.owns) - UNSENT)

    async def _told(self, lanes: Sequence[str]) -> tuple[list[Incoming], int]:
        """The messages about these lanes, and how many resources they carry."""
        messages, resources = list[Incoming](), 0
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            epoch = await store.epoch_of(tx)
            for lane in lanes:
                held = await store.owned(tx, self.owner.name, lane, self._types())
                if read := Border(self.hearer, lambda r, p: ()).read(held):
                    messages.append(self._enqueued(unit, unit.lane(lane), epoch, read))
                    resources += len(read)
            await unit.flush()
        return messages, resources

    def _enqueued(self, unit: store.Unit, lane: store.Lane, epoch: int, resources: Sequence[Resource]) -> Incoming:
        """A message that names none before it: it stands for all of them."""
        at = lane.tick(self.clock())
        message_id, partition = uuid7(at), partition_of(lane.key, self.partitions)
        lane.seq = following(lane.seq, epoch)
        lane.previous[self.hearer.name] = message_id
        decision = Decision(BACKFILLED, focus=reference(resources[-1]))
        bundle = written(self.owner.name, message_id, decision, resources, at)
        headers = headers_of(
            self.owner.name, lane.key, lane.seq, epoch, lane.causes, {}, lane.previous, new_trace(message_id)
        )
        unit.enqueue(lane, partition, bundle, BACKFILLED, (address_of(self.hearer.name, partition),), headers, at)
        return Incoming(message_id, BACKFILLED, headers, store.text_of(bundle).encode())
