"""One service's database as a SQLite file in WAL mode: one writer at a time, so lanes need no row locks."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiosqlite

from shared.ports import Conflict, Row, Unavailable

_ANY = re.compile(r"= any\(\$(\d+)\)")
_PARAMETER = re.compile(r"\$(\d+)")
_LOCKS = re.compile(r"\s+for update( skip locked)?\b")
_BUSY = 10_000
"""Milliseconds to wait for another process that is writing the same file."""

# The low byte of SQLite's extended codes: busy, locked, out of memory, read-only, I/O error, full, cannot open.
_UNAVAILABLE = {5, 6, 7, 8, 10, 13, 14}
_CONFLICTS = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}


@cache
def _translated(sql: str) -> str:
    sql = _ANY.sub(r"in (select value from json_each($\1))", sql)
    return _PARAMETER.sub(r"?\1", _LOCKS.sub("", sql))


def _bound(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(json.dumps(v) if isinstance(v, list | tuple) else v for v in values)


@contextmanager
def _said() -> Iterator[None]:
    """SQLite's own errors as `ports` names them; what is wrong with a statement stays as it is."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in _CONFLICTS:
            raise Conflict(error.sqlite_errorname) from None
        if code & 0xFF in _UNAVAILABLE:
            raise Unavailable(error.sqlite_errorname) from None
        raise


class SqliteTransaction:
    """Statements on one connection; see `ports.Transaction`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        with _said():
            return list(await self._connection.execute_fetchall(_translated(sql), _bound(values)))

    async def execute(self, sql: str, *values: Any) -> int:
        with _said():
            async with self._connection.execute(_translated(sql), _bound(values)) as cursor:
                return cursor.rowcount

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str = "") -> int:
        marks = ", ".join("?" for _ in columns)
        sql = f"insert into {table} ({', '.join(columns)}) values ({marks}) {conflict}"  # noqa: S608 (our own names)
        with _said():
            async with self._connection.executemany(sql, [tuple(r) for r in rows]) as cursor:
                return cursor.rowcount


class SqliteDatabase:
    """See `ports.Database`. Two connections: the writer, and one for reads beside it.

    A cancelled await leaves its statement to the connection's own thread, which takes everything in order; so whatever
    was begun, the rollback comes after it and before the next transaction.
    """

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._writer, self._reader = writer, reader
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> SqliteDatabase:
        """Opens or creates the file. `synchronous=full`: what was committed survives a power cut."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(await _connected(path), await _connected(path))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SqliteTransaction]:
        async with self._writing:
            try:
                with _said():
                    await self._writer.execute("begin immediate")
                yield SqliteTransaction(self._writer)
                with _said():
                    await self._writer.commit()
            except BaseException:
                await asyncio.shield(asyncio.ensure_future(self._writer.rollback()))
                raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqliteTransaction]:
        async with self._reading:
            yield SqliteTransaction(self._reader)

    async def hold(self, number: int) -> bool:
        return True

    async def close(self) -> None:
        await self._writer.close()
        await self._reader.close()


async def _connected(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        # Waiting comes first: turning WAL on needs the file for a moment.
        for pragma in (f"busy_timeout={_BUSY}", "journal_mode=wal", "synchronous=full", "foreign_keys=on"):
            await _patiently(connection, f"pragma {pragma}")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _patiently(connection: aiosqlite.Connection, statement: str) -> None:
    """SQLite does not wait by itself when two processes turn WAL on at once."""
    for turn in range(100):
        try:
            with _said():
                await connection.execute(statement)
        except Unavailable:
            if turn == 99:
                raise
            await asyncio.sleep(0.05)
        else:
            return
