"""Versioned resources with their history, search values, capacity and foreign identities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from shared.clock import instant, stamp
from shared.core import Resource, Seat, Service
from shared.ports import Conflict, Row, Transaction
from shared.store.texts import parsed, text_of

SEARCHED = 500
"""Characters of a search value that count: longer ones would not fit an index."""

_COLUMNS = ("id", "type", "lane", "owner", "epoch", "version", "updated", "body")
SearchRow = tuple[str, str, str, str]
"""(type, parameter, value, id)."""
_SEARCHED = "select type, parameter, value, id from search where id = any($1)"
_STORED = "select id, epoch, version, lane, updated, body from resource where "
_UPDATE = (
    "on conflict (id) do update set lane = excluded.lane, epoch = excluded.epoch, version = excluded.version, "
    "updated = excluded.updated, body = excluded.body where "
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored resource with its place."""

    epoch: int
    version: int
    lane: str
    updated: str
    resource: Resource


def version_of(resource: Resource) -> tuple[int, int]:
    """(epoch, n) of `meta.versionId` `<epoch>-<n>`."""
    epoch, _, number = resource["meta"]["versionId"].partition("-")
    return int(epoch), int(number)


async def epoch_of(tx: Transaction) -> int:
    """The epoch this database writes in; a restored database starts a new one."""
    return int((await tx.fetch("select value from meta where key = 'epoch'"))[0][0])


async def restored_at(tx: Transaction) -> datetime | None:
    """When this database began its epoch after a restore; None where it never was restored."""
    at = await noted(tx, "restored_at")
    return instant(at) if at else None


async def begin_epoch(tx: Transaction, epoch: int, at: datetime) -> None:
    """From now on this database writes in this epoch."""
    await note(tx, "epoch", str(epoch))
    await note(tx, "restored_at", stamp(at))


async def current(tx: Transaction, ids: Sequence[str]) -> dict[str, Stored]:
    """The current versions of these resources."""
    if not ids:
        return {}
    return _stored(await tx.fetch(_STORED + "id = any($1)", list(ids)))


async def document(tx: Transaction, resource_id: str, lane: str) -> Resource | None:
    """The Binary of this id, where it lies in this lane: an id is in many hands, and says nothing of whose it is."""
    found = (await current(tx, [resource_id])).get(resource_id)
    is_of_lane = found is not None and found.lane == lane and found.resource["resourceType"] == "Binary"
    return found.resource if found is not None and is_of_lane else None


async def of_lanes(tx: Transaction, lanes: Sequence[str], ids: Sequence[str]) -> dict[str, Stored]:
    """Every current resource of these lanes, and those of these ids wherever they are."""
    return _stored(await tx.fetch(_STORED + "lane = any($1) or id = any($2)", list(lanes), list(ids)))


def _stored(rows: Sequence[Row]) -> dict[str, Stored]:
    return {r[0]: Stored(r[1], r[2], r[3], r[4], parsed(r[5])) for r in rows}


async def versions(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(epoch, n) of the current versions of these resources."""
    rows = await tx.fetch("select id, epoch, version from resource where id = any($1)", list(ids))
    return {r[0]: (r[1], r[2]) for r in rows}


async def lanes_owned(tx: Transaction, owner: str, types: Sequence[str], after: str, most: int) -> list[str]:
    """Lanes with resources of these types and this owner, in order, from after one."""
    rows = await tx.fetch(
        "select distinct lane from resource where lane > $1 and type = any($2) and owner = $3 order by lane limit $4",
        after,
        list(types),
        owner,
        most,
    )
    return [r[0] for r in rows]


async def owned(tx: Transaction, owner: str, lane: str, types: Sequence[str]) -> list[Resource]:
    """The current resources of one owner in one lane, of these types, oldest first."""
    rows = await tx.fetch(
        "select body from resource where lane = $1 and type = any($2) and owner = $3 order by updated, id",
        lane,
        list(types),
        owner,
    )
    return [parsed(r[0]) for r in rows]


async def history_has(tx: Transaction, ids: Sequence[str]) -> set[tuple[str, int, int]]:
    """(id, epoch, n) of every version kept of these resources."""
    rows = await tx.fetch("select id, epoch, version from history where id = any($1)", list(ids))
    return {(r[0], r[1], r[2]) for r in rows}


async def held_of(tx: Transaction, owner: str, types: Sequence[str], after: str, most: int) -> list[Row]:
    """(id, type, lane, epoch, version, body) of an owner's resources of these types, by id, from after one."""
    return await tx.fetch(
        "select id, type, lane, epoch, version, body from resource where id > $1 and owner = $2 and type = any($3) "
        "order by id limit $4",
        after,
        owner,
        list(types),
        most,
    )


async def noted(tx: Transaction, key: str) -> str | None:
    """What this database notes of itself under a key."""
    rows = await tx.fetch("select value from meta where key = $1", key)
    return str(rows[0][0]) if rows else None


async def note(tx: Transaction, key: str, value: str) -> None:
    """Notes something of this database itself, in place of what was noted under this key."""
    conflict = "on conflict (key) do update set value = excluded.value"
    await tx.insert("meta", ("key", "value"), [(key, value)], conflict)


HISTORY = ("id", "epoch", "version", "at", "body")


async def assert_versions(tx: Transaction, rows: Iterable[Row]) -> None:
    """Writes new versions of a service's own resources, rows of `row`.

    Raises Conflict when a version is not the successor of the stored one.
    """
    rows = sorted(rows, key=itemgetter(0))
    written = await tx.insert("resource", _COLUMNS, rows, _UPDATE + "resource.version = excluded.version - 1")
    if written != len(rows):
        raise Conflict("version")


async def keep_copies(tx: Transaction, rows: Iterable[Row]) -> None:
    """Keeps another service's resources, rows of `row`. Raises Conflict where a newer version is held meanwhile."""
    rows = sorted(rows, key=itemgetter(0))
    newer = "(resource.epoch, resource.version) < (excluded.epoch, excluded.version)"
    if await tx.insert("resource", _COLUMNS, rows, _UPDATE + newer) == len(rows):
        return
    held = await versions(tx, [r[0] for r in rows])
    if any(held[r[0]] > (r[4], r[5]) for r in rows):
        raise Conflict("copy")


def row(resource: Resource, lane: str, owner: str, at: datetime) -> Row:
    """The row of a version, as `_COLUMNS` name its parts."""
    epoch, version = version_of(resource)
    return (resource["id"], resource["resourceType"], lane, owner, epoch, version, stamp(at), text_of(resource))


def indexed(service: Service, resource: Resource) -> frozenset[SearchRow]:
    """What the declared search parameters say of a resource, as rows."""
    type_, id_ = resource["resourceType"], resource["id"]
    parameters = service.search.get(type_, {})
    return frozenset((type_, name, v[:SEARCHED], id_) for name, values in parameters.items() for v in values(resource))


async def index(tx: Transaction, changed: Sequence[str], rows: Iterable[SearchRow]) -> None:
    """Writes search rows, those of the changed resources (by id) in place of what stood there; few change."""
    wanted, ids = set(rows), sorted(changed)
    stood = {(*r,) for r in await tx.fetch(_SEARCHED, ids)} if ids else set()
    if gone := [f"{id_} {parameter} {value}" for _, parameter, value, id_ in sorted(stood - wanted)]:
        named = "id || ' ' || parameter || ' ' || value = any($2)"
        await tx.execute(f"delete from search where id = any($1) and {named}", ids, gone)  # noqa: S608 (ours)
    if new := sorted(wanted - stood):
        await tx.insert("search", ("type", "parameter", "value", "id"), new)


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


async def seat_free(tx: Transaction, holders: Sequence[str], seats: Sequence[tuple[Seat, str]]) -> set[str]:
    """Frees what these resources held and takes of these seats what is free; who did not get his."""
    await tx.execute("delete from capacity where holder = any($1)", list(holders))
    refused = set()
    for seat_, holder in sorted(seats):
        row = [(seat_.resource, seat_.cell, seat_.seat, holder)]
        if not await tx.insert("capacity", ("resource", "cell", "seat", "holder"), row, "on conflict do nothing"):
            refused.add(holder)
    return refused


URI = "urn:ietf:rfc:3986"
"""The system of an identifier that is an address."""


async def identify(tx: Transaction, client: str, identities: Sequence[tuple[str, str, str]]) -> None:
    """Remembers which of our ids a client's (system, value) stands for; the first one stays, of an address the last.

    What an address means is its owner's to say: his record may get another business identifier.
    """
    if identities:
        await tx.insert(
            "identity",
            ("client", "system", "value", "id"),
            [(client, *i) for i in sorted(set(identities))],
            f"on conflict (client, system, value) do update set id = excluded.id where identity.system = '{URI}'",
        )


async def claimed(
    tx: Transaction, client: str, system: str, value: str, resource_id: str, instead_of: str | None = None
) -> bool:
    """Whether this transaction is the first to take what a client calls so; until it ends, others wait for it.

    `instead_of`: the id it was to become before, of which nothing came; the first to take its place counts.
    """
    if instead_of is not None:
        sql = "update identity set id = $1 where client = $2 and system = $3 and value = $4 and id = $5"
        return await tx.execute(sql, resource_id, client, system, value, instead_of) == 1
    row = [(client, system, value, resource_id)]
    return await tx.insert("identity", ("client", "system", "value", "id"), row, "on conflict do nothing") == 1


async def addressed(tx: Transaction, client: str, urls: Sequence[str]) -> dict[str, str]:
    """`Type/our-id` of the records a client's system keeps under these addresses, of those that are known here."""
    if not urls:
        return {}
    sql = "select value, id from identity where client = $1 and system = $2 and value = any($3)"
    rows = await tx.fetch(sql, client, URI, sorted(set(urls)))
    return {url: f"{url.split('/')[-2]}/{id_}" for url, id_ in rows}


async def quarantine(
    tx: Transaction, item_id: str, at: datetime, client: str, place: str, issues: str, body: str
) -> None:
    """Keeps a refused body with its issues where a person can see it."""
    columns = ("id", "at", "client", "place", "issues", "body")
    await tx.insert("quarantine", columns, [(item_id, stamp(at), client, place, issues, body.replace("\0", "�"))])
