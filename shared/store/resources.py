"""Versioned resources with their history, search values, capacity and foreign identities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from shared.clock import stamp
from shared.core import Resource, Seat, Service
from shared.fhir.json import encode
from shared.ports import Conflict, Row, Transaction

parsed = partial(json.loads, parse_float=Decimal)
"""Decodes text this store wrote itself."""

SEARCHED = 500
"""Characters of a search value that count: longer ones would not fit an index."""

_COLUMNS = ("id", "type", "lane", "owner", "epoch", "version", "updated", "body")
_UPDATE = (
    "on conflict (id) do update set epoch = excluded.epoch, version = excluded.version, "
    "updated = excluded.updated, body = excluded.body where "
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored resource with its place."""

    epoch: int
    version: int
    lane: str
    resource: Resource


def text_of(resource: Resource) -> str:
    """A resource as stored."""
    return encode(resource).decode()


def version_of(resource: Resource) -> tuple[int, int]:
    """(epoch, n) of `meta.versionId` `<epoch>-<n>`."""
    epoch, _, number = resource["meta"]["versionId"].partition("-")
    return int(epoch), int(number)


async def epoch_of(tx: Transaction) -> int:
    """The epoch this database writes in; a restored database starts a new one."""
    return int((await tx.fetch("select value from meta where key = 'epoch'"))[0][0])


async def current(tx: Transaction, ids: Sequence[str]) -> dict[str, Stored]:
    """The current versions of these resources."""
    if not ids:
        return {}
    rows = await tx.fetch("select id, epoch, version, lane, body from resource where id = any($1)", list(ids))
    return {r[0]: Stored(r[1], r[2], r[3], parsed(r[4])) for r in rows}


async def versions(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(epoch, n) of the current versions of these resources."""
    rows = await tx.fetch("select id, epoch, version from resource where id = any($1)", list(ids))
    return {r[0]: (r[1], r[2]) for r in rows}


HISTORY = ("id", "epoch", "version", "at", "body")


async def assert_versions(tx: Transaction, lane: str, owner: str, saved: Sequence[Resource], at: datetime) -> list[Row]:
    """Writes new versions of a service's own resources; returns the rows of their history.

    Raises Conflict when a version is not the successor of the stored one.
    """
    rows = sorted(_row(r, lane, owner, at) for r in saved)
    written = await tx.insert("resource", _COLUMNS, rows, _UPDATE + "resource.version = excluded.version - 1")
    if written != len(rows):
        raise Conflict("version")
    return [(r[0], r[4], r[5], r[6], r[7]) for r in rows]


async def keep_copies(
    tx: Transaction, lane: str, producer: str, resources: Sequence[Resource], at: datetime
) -> frozenset[str]:
    """Keeps another service's resources as they came; the ids of those a newer version of which is held already."""
    if not resources:
        return frozenset()
    rows = sorted(_row(r, lane, producer, at) for r in resources)
    newer = "(resource.epoch, resource.version) < (excluded.epoch, excluded.version)"
    if await tx.insert("resource", _COLUMNS, rows, _UPDATE + newer) == len(rows):
        return frozenset()
    held = await versions(tx, [r[0] for r in rows])
    return frozenset(r[0] for r in rows if held[r[0]] > (r[4], r[5]))


def _row(resource: Resource, lane: str, owner: str, at: datetime) -> tuple[str, str, str, str, int, int, str, str]:
    epoch, version = version_of(resource)
    return (resource["id"], resource["resourceType"], lane, owner, epoch, version, stamp(at), text_of(resource))


async def index(tx: Transaction, service: Service, resources: Sequence[Resource]) -> None:
    """Replaces what the declared search parameters say of these resources."""
    searched = [r for r in resources if r["resourceType"] in service.search]
    if not searched:
        return
    await tx.execute("delete from search where id = any($1)", [r["id"] for r in searched])
    rows = {
        (r["resourceType"], parameter, value[:SEARCHED], r["id"])
        for r in searched
        for parameter, values in service.search[r["resourceType"]].items()
        for value in values(r)
    }
    if rows:
        await tx.insert("search", ("type", "parameter", "value", "id"), sorted(rows))


async def seat(tx: Transaction, holders: Sequence[str], seats: Sequence[tuple[Seat, str]]) -> None:
    """Frees what these resources held and takes these seats. A seat already taken raises Conflict."""
    if holders:
        await tx.execute("delete from capacity where holder = any($1)", list(holders))
    if not seats:
        return
    rows = sorted((s.resource, s.cell, s.seat, holder) for s, holder in seats)
    taken = await tx.insert("capacity", ("resource", "cell", "seat", "holder"), rows, "on conflict do nothing")
    if taken != len(rows):
        raise Conflict("seat")


async def identify(tx: Transaction, client: str, identities: Sequence[tuple[str, str, str]]) -> None:
    """Remembers which of our ids a client's (system, value) stands for; the first one stays."""
    if identities:
        await tx.insert(
            "identity",
            ("client", "system", "value", "id"),
            [(client, *i) for i in sorted(set(identities))],
            "on conflict do nothing",
        )


async def quarantine(
    tx: Transaction, item_id: str, at: datetime, client: str, place: str, issues: str, body: str
) -> None:
    """Keeps a refused body with its issues where a person can see it."""
    columns = ("id", "at", "client", "place", "issues", "body")
    await tx.insert("quarantine", columns, [(item_id, stamp(at), client, place, issues, body.replace("\0", "�"))])
