"""What a service does whose database was restored to an earlier point: a new epoch, and back what others still hold.

Law of this file: it is done in one transaction, before the service starts; what could not be had back is listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from shared import store
from shared.clock import Clock, instant, minted, stamp
from shared.core import ROUSED, Resource, Service, derived_id, reference
from shared.messages import BACKFILLED, Catalogue, hearers, merged, partition_of, routing_keys
from shared.ports import Database, Transaction
from shared.repair.backfilling import Backfill, Backfilled
from shared.repair.evidence import Evidence, Said, gathered, newest
from shared.run import Runner

OVERLAP = timedelta(hours=1)
"""A restored database may lack what was decided this long before the last of what it has: commits are not in order."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it.

    versions      how many versions came back; lanes: whose decisions were lost in part or whole.
    messages      how many messages came back: they are sent again.
    doubtful      how many deliveries are asked about.
    lost_messages (lane, id) of messages others name and nobody has.
    lost          `Type/id` of resources that are referred to and nobody has; `seat of <id>` where a seat is taken.
    """

    epoch: int
    versions: int
    messages: int
    doubtful: int
    lanes: frozenset[str]
    lost_messages: tuple[tuple[str, str], ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a service has back, and (owner, hearer, what the one tells the other) so that neither lacks anything."""

    restored: Restored
    told: tuple[tuple[str, str, Backfilled], ...]


async def recovered(
    runner: Runner, databases: Mapping[str, Database], partitions: int, epoch: int | None, patience: float
) -> Recovered:
    """The whole of it: back what others hold, a new epoch, then everybody backfills the service and it everybody.

    The service holds what it is backfilled before it starts: else its timers would decide without the others.
    """
    service, catalogue, clock = runner.service, runner.catalogue, runner.clock
    others = {name: other for name, other in databases.items() if name != service.name}
    restored = await Restoring(service, databases[service.name], others, catalogue, clock, partitions).done(epoch)
    told = []
    for owner, hearer in _pairs(service, catalogue.services):
        work = Backfill(owner, hearer, databases[owner.name], clock, partitions)
        if owner.name == service.name:
            said = await work.said(0.0, sorted(restored.lanes))
        else:
            said = await work.said(patience, handed=runner.hearing.hold)
        told.append((owner.name, hearer.name, said))
    return Recovered(restored, tuple(told))


def _pairs(service: Service, declared: Sequence[Service]) -> list[tuple[Service, Service]]:
    """(owner, hearer): whom this service hears, then who hears it."""
    others = [s for s in declared if s.name != service.name]
    heard = [(o, service) for o in others if o.owns & service.listens]
    return heard + [(service, h) for h in others if h.listens & service.owns]


@dataclass(frozen=True, slots=True)
class Restoring:
    """One restored service among the others."""

    service: Service
    database: Database
    others: Mapping[str, Database]
    catalogue: Catalogue
    clock: Clock
    partitions: int

    async def done(self, epoch: int | None = None) -> Restored:
        """Recovers and begins the next epoch (or this one, where it is higher); the service must not be running."""
        last = await self._last()
        found = await gathered(self.service, self.others, last - OVERLAP if last else None)
        async with self.database.writing() as tx:
            now = self.clock()
            next_ = max(found.epoch + 1, await store.epoch_of(tx) + 1, epoch or 0)
            said = await self._unknown(tx, found)
            lost_messages = await _lost_messages(tx, found)
            back = await _unknown_versions(tx, found)
            lanes = {lane for lane, _ in back} | {s.lane for s in said} | {lane for lane, _ in lost_messages}
            unit = store.Unit(tx, await store.locked(tx, lanes))
            deliveries = await self._deliveries(tx, back, now)
            taken = await self._kept(unit, back)
            self._said_again(unit, said)
            unit.deliveries += deliveries
            unit.wakes.update({(lane, ROUSED): now for lane in lanes})
            await unit.flush()
            doubtful = await store.doubt_all(tx, now)
            await store.begin_epoch(tx, next_, now)
            lost = await _lost(tx, found)
        return Restored(
            next_, len(back), len(said), doubtful, frozenset(lanes), tuple(lost_messages), (*lost, *taken)
        )  # fmt: skip

    async def _last(self) -> datetime | None:
        """When the last decision was made that the restored database knows."""
        async with self.database.reading() as tx:
            rows = await tx.fetch("select max(at) from decision")
        return instant(rows[0][0]) if rows[0][0] else None

    async def _unknown(self, tx: Transaction, found: Evidence) -> list[Said]:
        """Messages others have and our outbox has not, in the order of their lanes; a backfill is said anew."""
        known = await store.outbox_has(tx, list(found.said))
        said = (s for s in found.said.values() if s.id not in known and s.reason != BACKFILLED)
        return sorted(said, key=attrgetter("lane", "seq"))

    async def _kept(self, unit: store.Unit, back: Sequence[tuple[str, Resource]]) -> list[str]:
        """Takes versions into history and the newest of each as the current one; seats others have taken meanwhile."""
        tx, service = unit.tx, self.service
        for _, resource in back:
            at, text = resource["meta"]["lastUpdated"], store.text_of(resource)
            unit.history.append((resource["id"], *store.version_of(resource), at, text))
        current = newest(back)
        for lane, resource in current:
            await unit.keep(service, service.name, lane, [resource], instant(resource["meta"]["lastUpdated"]))
        await unit.write()
        resources = [resource for _, resource in current]
        if service.capacity is None:
            return []
        seats = [(seat, r["id"]) for r in resources for seat in service.capacity(r)]
        refused = await store.seat_free(tx, [r["id"] for r in resources], seats)
        return [f"seat of {id_}" for id_ in sorted(refused)]

    def _said_again(self, unit: store.Unit, said: Sequence[Said]) -> None:
        """Puts messages back into the outbox as they were: whoever lacks one gets it, whoever has it ignores it."""
        for key, messages in groupby(said, key=attrgetter("lane")):
            lane, partition = unit.lane(key), partition_of(key, self.partitions)
            for message in messages:
                types = sorted({r["resourceType"] for r in message.resources})
                keys = routing_keys(types[0], types, partition)
                at = lane.tick(minted(message.id) or self.clock())
                unit.outbox.append((
                    message.id, key, message.seq, partition, message.reason, json.dumps(list(keys)),
                    json.dumps(dict(message.headers)), message.body, stamp(at),
                ))  # fmt: skip
                lane.seq = max(lane.seq, message.seq)
                lane.causes = merged(lane.causes, message.causes)
                heard = sorted(hearers(keys, self.service.name, self.catalogue))
                lane.previous.update(dict.fromkeys(heard, message.id))

    async def _deliveries(
        self, tx: Transaction, back: Sequence[tuple[str, Resource]], now: datetime
    ) -> list[store.Prepared]:
        """What the versions that came back had begun to deliver; where it was answered, its channel finds out."""
        held = await store.current(tx, sorted({r["id"] for _, r in back}))
        prepared: list[store.Prepared] = []
        for id_, versions in groupby(back, key=lambda found: found[1]["id"]):
            before: Resource | None = held[id_].resource if id_ in held else None
            for lane, after in versions:
                prepared += self._due(before, after, lane, now)
                before = after
        return prepared

    def _due(self, before: Resource | None, after: Resource, lane: str, now: datetime) -> Iterable[store.Prepared]:
        for channel in self.service.channels:
            if (occurrence := channel.due(before, after)) is not None:
                key = derived_id(self.service.prefix, "delivery", channel.name, after["id"], occurrence)
                yield store.Prepared(key, channel.name, reference(after), occurrence, lane, now, now)


async def _unknown_versions(tx: Transaction, found: Evidence) -> list[tuple[str, Resource]]:
    """(lane, version) of what our history has not, each resource's oldest first."""
    known = await store.history_has(tx, sorted({id_ for id_, _, _ in found.versions}))
    return [found.versions[key] for key in sorted(found.versions) if key not in known]


async def _lost_messages(tx: Transaction, found: Evidence) -> list[tuple[str, str]]:
    known = await store.outbox_has(tx, list(found.named))
    return sorted((lane, id_) for id_, lane in found.named.items() if id_ not in known and id_ not in found.said)


async def _lost(tx: Transaction, found: Evidence) -> list[str]:
    ids = sorted({place.partition("/")[2] for place in found.referred})
    held = await store.versions(tx, ids)
    return sorted(place for place in found.referred if place.partition("/")[2] not in held)
