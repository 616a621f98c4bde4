"""One transaction under its lanes: decisions see what others of it decided, and all of it is written at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.clock import stamp
from shared.core import Decision, Event, Resource, Service, versioned
from shared.ports import Row, Transaction
from shared.store.deliveries import Prepared, prepare
from shared.store.inbox import close
from shared.store.lanes import Lane, lanes_saved
from shared.store.resources import (
    HISTORY,
    SearchRow,
    Stored,
    assert_versions,
    index,
    indexed,
    keep_copies,
    row,
    version_of,
)
from shared.store.texts import given, text_of
from shared.store.view import View
from shared.store.wakes import set_wakes

_DECISION = (
    "id", "at", "lane", "kind", "source", "event", "focus", "reason", "refusals", "evidence", "saves", "message",
    "trace",
)  # fmt: skip
_OUTBOX = ("id", "lane", "seq", "partition", "reason", "keys", "headers", "body", "created_at")


@dataclass(slots=True)
class Unit:
    """A transaction, the lanes it holds, what it knows, and what `flush` writes at its end.

    Of what is not written yet decisions read resources alone, and those from `view`; a search has them written first.
    """

    tx: Transaction
    held: Mapping[str, Lane]
    view: View = field(init=False)
    own: dict[str, Row] = field(default_factory=dict)
    copies: dict[str, Row] = field(default_factory=dict)
    search: dict[str, frozenset[SearchRow]] = field(default_factory=dict)
    reindexed: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    deliveries: list[Prepared] = field(default_factory=list)
    wakes: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    outbox: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.view = View(self.tx)

    def lane(self, key: str) -> Lane:
        """A lane held, to be written back."""
        self.changed.add(key)
        return self.held[key]

    async def save(self, service: Service, lane: str, saved: Sequence[Resource], at: datetime) -> None:
        """New versions of the service's own resources."""
        if not self.own.keys().isdisjoint(r["id"] for r in saved):
            await self.write()
        for resource in saved:
            made = await self._made(service, service.name, lane, resource, at)
            self.own[made[0]] = made
            self.history.append((made[0], made[4], made[5], made[6], made[7]))

    async def keep(
        self, service: Service, producer: str, lane: str, resources: Sequence[Resource], at: datetime
    ) -> tuple[Resource, ...]:
        """Keeps another service's resources as they came; those of which no newer version is held already."""
        held = await self.view.current([r["id"] for r in resources])
        fresh = [r for r in resources if r["id"] not in held or not _is_newer(held[r["id"]], r)]
        for resource in fresh:
            if (stored := held.get(resource["id"])) is None or version_of(resource) != (stored.epoch, stored.version):
                made = await self._made(service, producer, lane, resource, at)
                self.copies[made[0]] = made
        return tuple(fresh)

    async def _made(self, service: Service, owner: str, lane: str, resource: Resource, at: datetime) -> Row:
        """The row of a resource, which stands in the view and in the search from now on."""
        made, id_ = row(resource, lane, owner, at), resource["id"]
        if resource["resourceType"] in service.search:
            self.search[id_] = indexed(service, resource)
            self.reindexed |= {id_} if await self.view.current([id_]) else set()
        self.view.put(Stored(made[4], made[5], lane, made[6], given(made[7], resource)))
        return made

    async def write(self) -> None:
        """Writes what was decided so far, as a search sees it. Raises Conflict where it rests on what has changed."""
        own, copies, search, reindexed = self.own, self.copies, self.search, self.reindexed
        self.own, self.copies, self.search, self.reindexed = {}, {}, {}, set()
        if copies:
            await keep_copies(self.tx, copies.values())
        if own:
            await assert_versions(self.tx, own.values())
        await index(self.tx, sorted(reindexed), (found for rows in search.values() for found in rows))

    def record(
        self, decision_id: str, event: Event, decision: Decision, saved: Sequence[Resource], message: str, trace: str
    ) -> None:
        """The audit row of one decision: what was decided, why, on what evidence, and what it saved.

        A decision on a message that names no evidence of its own rests on what the message brought.
        """
        brought = [versioned(r) for r in event.resources] if saved and event.kind == "message" else []
        self.decisions.append((
            decision_id, stamp(event.at), event.lane, event.kind, event.source, event.reason,
            decision.focus or event.focus or "", decision.reason, json.dumps(list(decision.refusals)),
            json.dumps(list(decision.evidence) or brought), json.dumps([versioned(r) for r in saved]), message, trace,
        ))  # fmt: skip

    def enqueue(
        self, lane: Lane, partition: int, bundle: Resource, reason: str, keys: Sequence[str],
        headers: Mapping[str, Any], at: datetime,
    ) -> None:  # fmt: skip
        """Adds one message to the outbox."""
        self.outbox.append((
            bundle["id"], lane.key, lane.seq, partition, reason, json.dumps(list(keys)), json.dumps(headers),
            text_of(bundle), stamp(at),
        ))  # fmt: skip

    async def flush(self) -> None:
        """Writes what was gathered; the caller commits."""
        await self.write()
        await close(self.tx, self.done, "done")
        await close(self.tx, self.superseded, "superseded")
        await prepare(self.tx, self.deliveries)
        await set_wakes(self.tx, self.wakes)
        written = (
            ("history", HISTORY, self.history),
            ("outbox", _OUTBOX, self.outbox),
            ("decision", _DECISION, self.decisions),
        )
        for table, columns, rows in written:
            if rows:
                await self.tx.insert(table, columns, rows)
        await lanes_saved(self.tx, [self.held[key] for key in sorted(self.changed)])


def _is_newer(held: Stored, resource: Resource) -> bool:
    return (held.epoch, held.version) > version_of(resource)
