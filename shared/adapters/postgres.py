"""One service's database as a PostgreSQL schema with a role of its own; array statements on the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg

from shared.ports import Conflict, Row, Unavailable

# SQLSTATE: unique violation, serialization failure, deadlock, lock not available.
_CONFLICTS = {"23505", "40001", "40P01", "55P03"}
# Classes of SQLSTATE: connection, resources, operator intervention, system error; and a read-only server.
_UNAVAILABLE = ("08", "53", "57", "58", "25006")
_INTEGERS = {"seq", "version", "epoch", "attempt", "fence", "cell", "seat", "partition"}
_BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_TIMEOUT = 10.0


@contextmanager
def _said() -> Iterator[None]:
    """PostgreSQL's errors as `ports` names them; what is wrong with a statement or a value stays as it is."""
    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state in _CONFLICTS:
            raise Conflict(type(error).__name__) from None
        if state.startswith(_UNAVAILABLE):
            raise Unavailable(type(error).__name__) from None
        raise
    except asyncpg.InterfaceError as error:
        # The library calls a value it cannot send an interface error too; asking again would not help.
        if isinstance(error, ValueError):
            raise
        raise Unavailable(type(error).__name__) from None
    except (OSError, asyncpg.InternalClientError) as error:
        raise Unavailable(type(error).__name__) from None


async def _nothing(_connection: Any) -> None:
    """A connection keeps no state between two users: the pool has rolled back by now, and nobody sets anything."""


class PostgresTransaction:
    """Statements on one connection; see `ports.Transaction`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        with _said():
            return list(await self._connection.fetch(sql, *values))

    async def execute(self, sql: str, *values: Any) -> int:
        with _said():
            return _count(await self._connection.execute(sql, *values))

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str = "") -> int:
        arrays = ", ".join(f"${n}::{_type(c)}[]" for n, c in enumerate(columns, 1))
        sql = f"insert into {table} ({', '.join(columns)}) select * from unnest({arrays}) {conflict}"  # noqa: S608
        with _said():
            return _count(await self._connection.execute(sql, *map(list, zip(*rows, strict=True))))


def _type(column: str) -> str:
    return "bigint" if column in _INTEGERS else "text"


def _count(status: str) -> int:
    last = status.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


class PostgresDatabase:
    """See `ports.Database`. A pool whose connections work in one schema, as one role."""

    def __init__(self, pool: Any, url: str, service: str) -> None:
        self._pool, self._url, self._service = pool, url, service
        self._holder: Any = None
        self._held: set[int] = set()

    @classmethod
    async def open(cls, url: str, service: str, *, connections: int = 8) -> PostgresDatabase:
        """Connects; the schema and role must be there (`carepod migrate`). Raises Unavailable."""

        async def as_service(connection: Any) -> None:
            await connection.execute(f"set role carepod_{service}")

        with _said():
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=connections,
                command_timeout=20,
                timeout=_TIMEOUT,
                init=as_service,
                reset=_nothing,
                server_settings={"search_path": service, "application_name": f"carepod-{service}"},
            )
        return cls(pool, url, service)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        with _said():
            connection = await self._pool.acquire(timeout=_TIMEOUT)
        try:
            yield connection
        finally:
            # The pool rolls back what is still open, cancelled or not, and ends a connection it cannot clean.
            with suppress(*_BROKEN):
                await self._pool.release(connection, timeout=_TIMEOUT)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[PostgresTransaction]:
        async with self._connection() as connection:
            transaction = connection.transaction()
            with _said():
                await transaction.start()
            try:
                yield PostgresTransaction(connection)
            except BaseException:
                with suppress(*_BROKEN):
                    await transaction.rollback()
                raise
            with _said():
                await transaction.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[PostgresTransaction]:
        async with self._connection() as connection:
            yield PostgresTransaction(connection)

    async def hold(self, number: int) -> bool:
        with _said():
            if self._holder is None or self._holder.is_closed():
                # The locks went with their connection: whatever was held must be asked for again.
                self._held.clear()
                self._holder = await asyncpg.connect(
                    self._url,
                    timeout=_TIMEOUT,
                    command_timeout=_TIMEOUT,
                    server_settings={"application_name": f"carepod-{self._service}-relay"},
                )
            if number not in self._held and await self._locked(number):
                self._held.add(number)
        return number in self._held

    async def _locked(self, number: int) -> bool:
        name = f"carepod-relay-{self._service}"
        return bool(await self._holder.fetchval("select pg_try_advisory_lock(hashtext($1), $2)", name, number))

    async def close(self) -> None:
        with suppress(*_BROKEN):
            if self._holder is not None:
                await self._holder.close(timeout=_TIMEOUT)
        try:
            await asyncio.wait_for(self._pool.close(), _TIMEOUT)
        except _BROKEN:
            self._pool.terminate()
