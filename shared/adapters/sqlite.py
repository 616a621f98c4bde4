"""One service's database as a SQLite file in WAL mode: one writer at a time, so lanes need no row locks.

Law of this file: a statement runs where it is asked for, since handing it to a thread costs several times what it does
itself; only what may wait for the disk or for another process (commit, a file that is locked) runs in a thread.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from shared.ports import Conflict, Row, Unavailable

_ANY = re.compile(r"= any\(\$(\d+)\)")
_PARAMETER = re.compile(r"\$(\d+)")
_LOCKS = re.compile(r"\s+for update( skip locked)?\b")
_BUSY = 10_000
"""Milliseconds to wait for another process that is writing the same file."""
_STATEMENTS = 256
"""Prepared statements a connection keeps."""

# The low byte of SQLite's extended codes: busy, locked, out of memory, read-only, I/O error, full, cannot open.
_UNAVAILABLE = {5, 6, 7, 8, 10, 13, 14}
_CONFLICTS = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}


@cache
def translated(sql: str) -> str:
    sql = _ANY.sub(r"in (select value from json_each($\1))", sql)
    return _PARAMETER.sub(r"?\1", _LOCKS.sub("", sql))


def bound(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(json.dumps(v) if isinstance(v, list | tuple) else v for v in values)


@contextmanager
def said() -> Iterator[None]:
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

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        # Others take their turn between two looks: a long batch does not keep the process from answering.
        await asyncio.sleep(0)
        with said():
            return self._connection.execute(translated(sql), bound(values)).fetchall()

    async def execute(self, sql: str, *values: Any) -> int:
        with said():
            return self._connection.execute(translated(sql), bound(values)).rowcount

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str = "") -> int:
        with said():
            return self._connection.executemany(_insert(table, tuple(columns), conflict), rows).rowcount


@cache
def _insert(table: str, columns: tuple[str, ...], conflict: str) -> str:
    marks = ", ".join("?" for _ in columns)
    return f"insert into {table} ({', '.join(columns)}) values ({marks}) {conflict}"  # noqa: S608 (our own names)


class SqliteDatabase:
    """See `ports.Database`. Two connections: the writer, and one for reads beside it.

    Whoever is cancelled while a thread works for him waits for its end first, so the next transaction finds the writer
    free.
    """

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._writer, self._reader, self._thread = writer, reader, thread
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> SqliteDatabase:
        """Opens or creates the file. `synchronous=full`: what was committed survives a power cut."""
        path.parent.mkdir(parents=True, exist_ok=True)
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite {path.stem}")
        try:
            return cls(await _connected(path, thread, wait=0), await _connected(path, thread, wait=_BUSY), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SqliteTransaction]:
        async with self._writing:
            try:
                with said():
                    await self._begun()
                yield SqliteTransaction(self._writer)
                with said():
                    await _ended(self._thread, self._writer.commit)
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.rollback()
                raise

    async def _begun(self) -> None:
        try:
            self._writer.execute("begin immediate")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await _ended(self._thread, self._begun_patiently)

    def _begun_patiently(self) -> None:
        """Another process is writing the same file: waits for it, in a thread."""
        self._writer.execute(f"pragma busy_timeout={_BUSY}")
        try:
            self._writer.execute("begin immediate")
        finally:
            self._writer.execute("pragma busy_timeout=0")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqliteTransaction]:
        async with self._reading:
            yield SqliteTransaction(self._reader)

    async def hold(self, number: int) -> bool:
        return True

    async def close(self) -> None:
        async with self._writing, self._reading:
            self._writer.close()
            self._reader.close()
            self._thread.shutdown(wait=False)


async def _ended(thread: ThreadPoolExecutor, work: Callable[[], object]) -> None:
    """Does this in the thread; whoever is cancelled meanwhile is so at its end."""
    future = asyncio.get_running_loop().run_in_executor(thread, work)
    cancelled = False
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:  # noqa: BLE001
            break
    future.result()
    if cancelled:
        raise asyncio.CancelledError


async def _connected(path: Path, thread: ThreadPoolExecutor, *, wait: int) -> sqlite3.Connection:
    """A connection that waits so many milliseconds where it runs for another process that is writing."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS, timeout=_BUSY / 1000
    )
    try:
        # Waiting comes first: turning WAL on needs the file for a moment.
        for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", f"busy_timeout={wait}"):
            await _ended(thread, partial(_patiently, connection, f"pragma {pragma}"))
    except BaseException:
        connection.close()
        raise
    return connection


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """SQLite does not wait by itself when two processes turn WAL on at once."""
    for turn in range(100):
        try:
            with said():
                connection.execute(statement)
        except Unavailable:
            if turn == 99:
                raise
            time.sleep(0.05)
        else:
            return
