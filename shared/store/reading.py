"""Reads of one service's own store, as gathering, deliveries and the web layer see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from shared.core import Resource, Seat
from shared.ports import Database, Transaction
from shared.store.resources import SEARCHED, current
from shared.store.texts import parsed


class StoreReader:
    """`ports.Reader` on an open transaction.

    upcast  what brings a stored resource to the version of its profile this release works with.
    seen    id -> version read, None where there was none: what no lane protects may change before it is saved.
    """

    def __init__(self, tx: Transaction, upcast: Callable[[Resource], Resource] | None = None) -> None:
        self._tx, self._upcast = tx, upcast
        self.seen: dict[str, str | None] = {}

    async def read(self, resource_id: str) -> Resource | None:
        return (await self.several([resource_id])).get(resource_id)

    async def several(self, ids: Iterable[str]) -> dict[str, Resource]:
        asked = list(dict.fromkeys(ids))
        found = await current(self._tx, asked)
        self.seen |= {id_: None for id_ in asked if id_ not in found}
        return {id_: self._noticed(found[id_].resource) for id_ in asked if id_ in found}

    def _noticed(self, resource: Resource) -> Resource:
        self.seen[resource["id"]] = resource["meta"]["versionId"]
        return self._upcast(resource) if self._upcast is not None else resource

    async def of_lane(self, lane: str, *types: str) -> list[Resource]:
        where, values = ("lane = $1 and type = any($2)", (lane, list(types))) if types else ("lane = $1", (lane,))
        rows = await self._tx.fetch(f"select body from resource where {where} order by updated, id", *values)  # noqa: S608
        return [self._noticed(parsed(r[0])) for r in rows]

    async def search(self, resource_type: str, parameter: str, value: str) -> list[Resource]:
        rows = await self._tx.fetch(
            "select r.body from search s join resource r on r.id = s.id "
            "where s.type = $1 and s.parameter = $2 and s.value = $3 order by r.updated, r.id",
            resource_type,
            parameter,
            value[:SEARCHED],
        )
        return [self._noticed(parsed(r[0])) for r in rows]

    async def count(self, resource_type: str, parameter: str, value: str) -> int:
        sql = "select count(*) from search where type = $1 and parameter = $2 and value = $3"
        return int((await self._tx.fetch(sql, resource_type, parameter, value[:SEARCHED]))[0][0])

    async def identified(self, client: str, system: str, value: str) -> str | None:
        rows = await self._tx.fetch(
            "select id from identity where client = $1 and system = $2 and value = $3", client, system, value
        )
        return rows[0][0] if rows else None

    async def taken(self, resources: Sequence[str], first_cell: int, last_cell: int) -> list[Seat]:
        rows = await self._tx.fetch(
            "select resource, cell, seat from capacity where resource = any($1) and cell >= $2 and cell <= $3",
            list(resources),
            first_cell,
            last_cell,
        )
        return [Seat(*r) for r in rows]


class DatabaseReader:
    """`ports.Reader` outside any lane: each call is its own short read."""

    def __init__(self, database: Database, upcast: Callable[[Resource], Resource] | None = None) -> None:
        self._database, self._upcast = database, upcast

    @asynccontextmanager
    async def _on(self) -> AsyncIterator[StoreReader]:
        async with self._database.reading() as tx:
            yield StoreReader(tx, self._upcast)

    async def read(self, resource_id: str) -> Resource | None:
        async with self._on() as reader:
            return await reader.read(resource_id)

    async def several(self, ids: Iterable[str]) -> dict[str, Resource]:
        async with self._on() as reader:
            return await reader.several(ids)

    async def of_lane(self, lane: str, *types: str) -> list[Resource]:
        async with self._on() as reader:
            return await reader.of_lane(lane, *types)

    async def search(self, resource_type: str, parameter: str, value: str) -> list[Resource]:
        async with self._on() as reader:
            return await reader.search(resource_type, parameter, value)

    async def count(self, resource_type: str, parameter: str, value: str) -> int:
        async with self._on() as reader:
            return await reader.count(resource_type, parameter, value)

    async def identified(self, client: str, system: str, value: str) -> str | None:
        async with self._on() as reader:
            return await reader.identified(client, system, value)

    async def taken(self, resources: Sequence[str], first_cell: int, last_cell: int) -> list[Seat]:
        async with self._on() as reader:
            return await reader.taken(resources, first_cell, last_cell)
