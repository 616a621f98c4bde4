"""What others still hold of one service: the messages it said, the versions they kept, and what they name of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared import store
from shared.clock import first_uuid7, minted
from shared.core import Resource, Service
from shared.fhir.json import GateError, decode
from shared.messages import LARGE, OPENED, Causes, causes_of, ids_of
from shared.ports import Database, Row, Transaction

PAGE = 500


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the service as somebody's inbox has it, whole."""

    id: str
    lane: str
    seq: int
    reason: str
    headers: Mapping[str, Any]
    body: str
    resources: tuple[Resource, ...]

    @property
    def causes(self) -> Causes:
        """What it rests on."""
        return causes_of(str(self.headers.get("causes", "{}")))


@dataclass(slots=True)
class Evidence:
    """Everything found: messages by id, versions by (id, epoch, n) with their lane, names of messages and resources.

    named     message id -> the lane it was said in, for messages of the service that others name.
    referred  `Type/id` of the service's resources that others' resources refer to.
    epoch     the highest epoch of the service that anybody has seen.
    """

    said: dict[str, Said] = field(default_factory=dict)
    versions: dict[tuple[str, int, int], tuple[str, Resource]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    referred: set[str] = field(default_factory=set)
    epoch: int = 0

    def keep(self, lane: str, resource: Resource) -> None:
        """Keeps a version; the first one found of it stays."""
        epoch, number = store.version_of(resource)
        self.epoch = max(self.epoch, epoch)
        self.versions.setdefault((resource["id"], epoch, number), (lane, resource))

    def name(self, lane: str, ids: Iterable[str]) -> None:
        """Notes that somebody names these messages of the lane."""
        for id_ in ids:
            self.named[id_] = lane

    def refer(self, text: str, prefix: str) -> None:
        """Notes what a resource's text refers to."""
        self.referred.update(re.findall(rf'"([A-Z][A-Za-z]{{2,39}}/{prefix}-[0-9a-f-]{{36}})', text))


async def gathered(service: Service, others: Mapping[str, Database], since: datetime | None) -> Evidence:
    """Reads every other service's store for what it holds of this one; messages said from `since` on (None: all)."""
    found = Evidence()
    first = first_uuid7(since) if since else ""
    for _, database in sorted(others.items()):
        async with database.reading() as tx:
            await _messages(tx, service, first, found)
            await _named(tx, service, found)
        await _copies(database, service, found)
    found.named = {i: lane for i, lane in found.named.items() if _is_since(i, since)}
    return found


def _is_since(message_id: str, since: datetime | None) -> bool:
    made = minted(message_id)
    return since is None or (made is not None and made >= since)


async def _messages(tx: Transaction, service: Service, first: str, found: Evidence) -> None:
    """Messages of the service, first as they came: what was changed for its reader since is not its own word."""
    while rows := await tx.fetch(
        "select id, lane, seq, reason, headers, body from inbox where id > $1 and producer = $2 and lane <> '' "
        "order by id limit $3",
        first,
        service.name,
        PAGE,
    ):
        first = rows[-1][0]
        for row in rows:
            _message(row, service, found)


def _message(row: Row, service: Service, found: Evidence) -> None:
    id_, lane, seq, reason, text, body = row
    headers = json.loads(text)
    found.epoch = max(found.epoch, int(headers.get("epoch", 0)))
    for name in ("previous", "heard"):
        found.name(lane, ids_of(headers.get(name, "{}")).values())
    if LARGE in headers:
        return
    try:
        resources = [e["resource"] for e in decode(body.encode(), limit=OPENED)["entry"][1:]]
    except (GateError, LookupError, TypeError):
        return
    found.said[id_] = Said(id_, lane, seq, reason, headers, body, tuple(resources))
    found.refer(body, service.prefix)
    for resource in resources:
        found.keep(lane, resource)


async def _named(tx: Transaction, service: Service, found: Evidence) -> None:
    """Messages of the service that somebody's decisions rest on."""
    for lane, text in await tx.fetch("select key, causes from lane where causes like $1", f'%"{service.name}"%'):
        cause = causes_of(text).get(service.name)
        found.name(lane, cause.heard.values() if cause else ())


async def _copies(database: Database, service: Service, found: Evidence) -> None:
    """Copies of the service's resources, and what the holder's own refer to."""
    after = ""
    while True:
        async with database.reading() as tx:
            rows = await tx.fetch(
                "select id, owner, lane, body from resource where id > $1 order by id limit $2", after, PAGE
            )
        if not rows:
            return
        after = rows[-1][0]
        for _, owner, lane, body in rows:
            found.refer(body, service.prefix)
            if owner == service.name:
                found.keep(lane, store.parsed(body))


def newest(versions: Iterable[tuple[str, Resource]]) -> Sequence[tuple[str, Resource]]:
    """(lane, resource) of each resource's newest version."""
    best: dict[str, tuple[str, Resource]] = {}
    for lane, resource in versions:
        held = best.get(resource["id"])
        if held is None or store.version_of(held[1]) < store.version_of(resource):
            best[resource["id"]] = (lane, resource)
    return list(best.values())
