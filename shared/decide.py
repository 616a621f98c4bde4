"""One decision inside its transaction: gather, coordinate, save with versions, capacity, deliveries, message, audit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared import store
from shared.borders import Border, undeclared, worded
from shared.clock import Clock, stamp, uuid7
from shared.core import ROUSED, Channel, Decision, Event, Needs, Resource, Service, derived_id, reference
from shared.messages import Catalogue, following, headers_of, partition_of, routing_keys, written
from shared.ports import Conflict

ROUNDS = 60
"""How often one event may ask for more lanes or meet a conflict before it counts as failed."""
UNSENT = frozenset({"Binary"})
"""What no message carries: the bytes of a document stay with their owner, who gives them by their id."""
ASKS_FIRST = timedelta(days=30)
"""After a restore, how long a partner that can be asked is asked before anything is sent to it."""
_TOLD = 5
"""Issues that are told of a resource that may not be saved."""


class Unfit(Exception):
    """A coordinator decided what its declaration or the FHIR profile does not allow; the text names no value."""

    @property
    def told(self) -> str:
        """What may be said of it anywhere."""
        return str(self)


class MoreLanes(Exception):
    """The decision needs lanes that are not held."""

    def __init__(self, lanes: Iterable[str]) -> None:
        super().__init__("more lanes are needed")
        self.lanes = frozenset(lanes)


async def pause(turn: int) -> None:
    """A little longer each time: who holds what is wanted may be done then."""
    await asyncio.sleep(min(0.1, 0.005 * (turn + 1)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event led to: the event as decided, the decision, and what it saved (with versions)."""

    event: Event
    decision: Decision
    saved: tuple[Resource, ...]

    @property
    def is_refused(self) -> bool:
        """Whether it was refused whole: nothing was saved, and not because there was nothing to change."""
        return bool(self.decision.refusals) and not self.saved and not self.decision.reason.startswith("nothing-")


class Decider:
    """Decides the events of one service."""

    def __init__(self, service: Service, catalogue: Catalogue, border: Border, clock: Clock, partitions: int) -> None:
        self._service, self._catalogue, self._border = service, catalogue, border
        self._clock, self._partitions = clock, partitions
        self._epoch: int | None = None
        self._asks_until: datetime | None = None

    async def decided(self, unit: store.Unit, event: Event, trace: str) -> Outcome:
        """Raises MoreLanes, Conflict, Unfit, and what the service's own code raises: then nothing may be committed."""
        reader = store.LaneReader(unit.view, unit.write, self._border.stored)
        facts = await self._service.gather(event, reader, frozenset(unit.held))
        decision = self._service.coordinate(event, facts, self._service.policy)
        if isinstance(decision, Needs):
            if set(decision.lanes) <= set(unit.held):
                raise Unfit("asks for lanes it holds")
            raise MoreLanes(decision.lanes)
        if decision.passes is not None and event.kind == "message":
            raise Unfit("passes a message on; a wake of the other lane would be right")
        return await self.asserted(unit, event, decision, trace, reader.seen)

    async def asserted(
        self, unit: store.Unit, event: Event, decision: Decision, trace: str, seen: Mapping[str, str | None]
    ) -> Outcome:
        """Saves a decision; `seen` are the versions it was made on."""
        lane = unit.lane(event.lane)
        at = event.at if lane.at == event.at else lane.tick(event.at)
        saved, beside = await self._saved(unit, event.lane, decision, at, seen)
        message = await self._enqueued(unit, decision, lane, saved, beside, at, trace) if saved else ""
        unit.wakes.update({(event.lane, key): due for key, due in decision.wakes.items()})
        unit.wakes.update({(roused, ROUSED): min(at, self._clock()) for roused in decision.rouses})
        unit.record(uuid7(self._clock()), event, decision, saved, message, trace)
        return Outcome(event, decision, saved)

    async def _saved(
        self, unit: store.Unit, lane: str, decision: Decision, at: datetime, seen: Mapping[str, str | None]
    ) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
        """Writes what really changes; also what stays as it is but came to be in another lane.

        The second kind (a prescriber of two patients) goes with the message: in this lane its hearers may not have it.
        """
        before = await unit.view.current([s["id"] for s in decision.saves])
        if any(id_ in seen and seen[id_] != old.resource["meta"]["versionId"] for id_, old in before.items()):
            raise Conflict("read")
        epoch = await self._in_epoch(unit)
        saved, beside = [], []
        for resource in decision.saves:
            old = before.get(resource["id"])
            if old is None or _bare(old.resource) != _bare(resource):
                fit = self._fit(resource, decision)
                saved.append(_versioned(fit, epoch, old.version + 1 if old else 1, at))
            elif old.lane != lane:
                beside.append(old.resource)
        if len({r["id"] for r in saved}) != len(saved):
            raise Unfit("a resource is saved twice in one decision")
        if saved:
            await self._written(unit, lane, before, saved, at)
        return tuple(saved), tuple(beside)

    async def _written(
        self, unit: store.Unit, lane: str, before: Mapping[str, store.Stored], saved: Sequence[Resource], at: datetime
    ) -> None:
        await unit.save(self._service, lane, saved, at)
        if self._service.capacity is not None:
            seats = [(seat, r["id"]) for r in saved for seat in self._service.capacity(r)]
            known = [r["id"] for r in saved if r["id"] in before]
            await store.seat(unit.tx, known, seats)
        unit.deliveries += self._deliveries(lane, before, saved, at)

    def _fit(self, resource: Resource, decision: Decision) -> Resource:
        """The resource declaring its profile, which it must satisfy in full."""
        kind = resource["resourceType"]
        if kind not in self._service.owns or not resource["id"].startswith(f"{self._service.prefix}-"):
            raise Unfit(f"{self._service.name} does not own {kind}")
        if decision.reason not in self._service.reasons:
            raise Unfit(f"{self._service.name} does not declare the reason {decision.reason}")
        declared, issues = self._border.leaving(resource)
        if issues:
            raise Unfit("; ".join(worded(issues, _TOLD)))
        return declared

    def _deliveries(
        self, lane: str, before: Mapping[str, store.Stored], saved: Sequence[Resource], at: datetime
    ) -> list[store.Prepared]:
        prepared, due = [], min(at, self._clock())
        for resource in saved:
            old = before.get(resource["id"])
            for channel in self._service.channels:
                occurrence = channel.due(old.resource if old else None, resource)
                if occurrence is not None:
                    key = derived_id(self._service.prefix, "delivery", channel.name, resource["id"], occurrence)
                    state = self._first_state(channel, at)
                    about = reference(resource)
                    prepared.append(store.Prepared(key, channel.name, about, occurrence, lane, at, due, state))
        return prepared

    def _first_state(self, channel: Channel, at: datetime) -> str:
        """A restored database may decide again what it had sent: where that can be asked, it is asked first."""
        asks = self._asks_until is not None and at < self._asks_until and channel.doubt == "inquirable"
        return "in-doubt" if asks else "prepared"

    async def _enqueued(
        self, unit: store.Unit, decision: Decision, lane: store.Lane, saved: Sequence[Resource],
        beside: Sequence[Resource], at: datetime, trace: str,
    ) -> str:  # fmt: skip
        """Puts the decision's message into the outbox; a message nobody hears is not written."""
        resources = [r for r in (*saved, *beside) if r["resourceType"] not in UNSENT]
        types = {r["resourceType"] for r in resources}
        listening = self._catalogue.listening(self._service.name, types)
        if not listening:
            return ""
        message_id = uuid7(self._clock())
        epoch = await self._in_epoch(unit)
        lane.seq = following(lane.seq, epoch)
        previous = {name: lane.previous[name] for name in sorted(listening) if name in lane.previous}
        lane.previous.update(dict.fromkeys(sorted(listening), message_id))
        bundle = written(self._service.name, message_id, decision, resources, at)
        focus = bundle["entry"][0]["resource"]["focus"][0]["reference"].partition("/")[0]
        partition = partition_of(lane.key, self._partitions)
        keys = routing_keys(focus if focus in types else sorted(types)[0], types, partition)
        headers = headers_of(
            self._service.name, lane.key, lane.seq, epoch, lane.causes, previous, lane.previous, trace,
        )  # fmt: skip
        unit.enqueue(lane, partition, bundle, decision.reason, keys, headers, at)
        return message_id

    async def _in_epoch(self, unit: store.Unit) -> int:
        if self._epoch is None:
            self._epoch = await store.epoch_of(unit.tx)
            restored = await store.restored_at(unit.tx)
            self._asks_until = restored + ASKS_FIRST if restored else None
        return self._epoch


def _bare(resource: Resource) -> dict[str, Any]:
    """A resource without what the run loop itself writes."""
    meta = {k: v for k, v in undeclared(resource.get("meta", {})).items() if k not in ("versionId", "lastUpdated")}
    bare = {k: v for k, v in resource.items() if k != "meta"}
    return {**bare, "meta": meta} if meta else bare


def _versioned(resource: Resource, epoch: int, version: int, at: datetime) -> Resource:
    """The resource with its version, in FHIR's order: resourceType, id, meta, the rest."""
    meta = {**resource.get("meta", {}), "versionId": f"{epoch}-{version}", "lastUpdated": stamp(at)}
    rest = {k: v for k, v in resource.items() if k not in ("resourceType", "id", "meta")}
    return {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta, **rest}
