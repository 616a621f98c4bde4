"""One service's database as PostgreSQL would behave: the real SQL on SQLite in memory, many transactions at once.

Law of this file:
* a statement sees what was committed before it began, and what its own transaction wrote (READ COMMITTED);
* a row that is written, or read `for update`, is its transaction's until that ends; who wants it waits, in a circle:
  Conflict;
* a transaction whose connection or process is gone never happened.

The writes of one transaction stand in SQLite at a time. When another's turn comes they are rolled back, and made again
before its next statement: its locks see to it that they mean the same.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from benchmarks.simulation.loop import Life, current
from benchmarks.simulation.weather import Weather
from shared.adapters.migrations import STEPS
from shared.adapters.sqlite import bound, said, translated
from shared.ports import Conflict, Row, Unavailable

Key = tuple[str, tuple[Any, ...]]
"""A row: its table and the values of its primary key."""

_SELECTED = re.compile(r"\bfrom\s+(\w+)")
_FOR_UPDATE = re.compile(r"\s+for update( skip locked)?\b")
_UPDATED = re.compile(r"\s*update\s+(\w+)\s+set\b.*?(\bwhere\b.*)?$", re.S)
_DELETED = re.compile(r"\s*delete\s+from\s+(\w+)\b\s*(\bwhere\b.*)?$", re.S)


@dataclass(eq=False, slots=True)
class _Open:
    """A transaction that has not ended."""

    life: Life | None
    writes: list[tuple[str, Any, bool, int]] = field(default_factory=list)
    locks: dict[Key, None] = field(default_factory=dict)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    waits_for: _Open | None = None
    over: bool = False
    broken: bool = False


Committed = Callable[[str, Iterable[Key]], None]
"""(service, rows written): called after every commit."""


class Engine:
    """The database server of one service: it outlives every process that uses it."""

    def __init__(self, service: str, weather: Weather, committed: Committed) -> None:
        self.service, self.weather, self._committed = service, weather, committed
        self._database = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        for statements in STEPS:
            for statement in statements:
                self._database.execute(statement)
        self._keys = {table: self._primary(table) for (table,) in self._tables()}
        self._shown: _Open | None = None
        self._locks: dict[Key, tuple[_Open, bool]] = {}
        self._open: dict[_Open, None] = {}
        self.relays: dict[int, Life | None] = {}

    def _tables(self) -> list[Row]:
        return self._database.execute("select name from sqlite_master where type = 'table'").fetchall()

    def _primary(self, table: str) -> tuple[str, ...]:
        """Columns of the primary key of a table of ours."""
        columns = self._database.execute(f"pragma table_info({table})").fetchall()
        return tuple(c[1] for c in sorted((c for c in columns if c[5]), key=lambda c: int(c[5])))

    # What the world may ask

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """Rows as committed."""
        self._show(None)
        return self._database.execute(translated(sql), bound(values)).fetchall()

    def begin(self) -> _Open:
        """A new transaction of the process that asks."""
        opened = _Open(current())
        self._open[opened] = None
        return opened

    def died(self, life: Life) -> None:
        """A process is gone: its transactions never happened, its rights are free."""
        for opened in [o for o in self._open if o.life is life]:
            self.rollback(opened)
        self.relays = {n: holder for n, holder in self.relays.items() if holder is not life}

    def commit(self, opened: _Open) -> None:
        """Makes what was written everybody's."""
        if opened.writes:
            self._show(opened)
            self._database.execute("commit")
            self._shown = None
        written = tuple(opened.locks) if opened.writes else ()
        self._end(opened)
        if written:
            self._committed(self.service, written)

    def rollback(self, opened: _Open) -> None:
        """Forgets a transaction."""
        if opened.over:
            return
        if self._shown is opened:
            self._show(None)
        self._end(opened)

    def _end(self, opened: _Open) -> None:
        opened.over = True
        self._open.pop(opened, None)
        for key in opened.locks:
            del self._locks[key]
        for waiter in opened.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _show(self, opened: _Open | None) -> None:
        """Lets SQLite show what this transaction sees; None: what is committed."""
        if self._shown is opened:
            return
        if self._shown is not None:
            self._database.execute("rollback")
            self._shown = None
        if opened is not None and opened.writes:
            self._database.execute("begin")
            self._shown = opened
            for sql, values, many, count in opened.writes:
                again = (self._database.executemany if many else self._database.execute)(sql, values).rowcount
                assert again == count, f"a write of {self.service} means something else the second time: {sql[:60]}"

    # Statements

    def select(self, opened: _Open | None, sql: str, values: Sequence[Any]) -> list[Row]:
        """Rows as this transaction sees them."""
        self._show(opened)
        with said():
            return self._database.execute(sql, values).fetchall()

    async def select_for_update(
        self, opened: _Open, sql: str, values: Sequence[Any], table: str, *, skip: bool
    ) -> list[Row]:
        """Rows with their locks, taken one after the other in the order of the rows."""
        while True:
            self._show(opened)
            with said():
                cursor = self._database.execute(sql, values)
                rows = cursor.fetchall()
            names = [d[0] for d in cursor.description]
            places = [names.index(column) for column in self._keys[table]]
            keyed = [((table, tuple(row[p] for p in places)), row) for row in rows]
            if skip:
                keyed = [(key, row) for key, row in keyed if not self._foreign(opened, key)]
            holder = self._taken(opened, [key for key, _ in keyed])
            if holder is None:
                return [row for _, row in keyed]
            await self._wait(opened, holder)

    async def change(self, opened: _Open, sql: str, values: Sequence[Any]) -> int:
        """Runs an update or delete once every row it is about is this transaction's."""
        table, where, deleting = _about(sql)
        if table in self._keys:
            # Its parameters keep their numbers; those the `where` does not use stay unused.
            probe = f"select {', '.join(self._keys[table])} from {table} {where}"
            while True:
                keys: list[Key] = [(table, tuple(r)) for r in self.select(opened, probe, _used(probe, values))]
                if (holder := self._taken(opened, keys, deleting=deleting)) is None:
                    break
                await self._wait(opened, holder)
        return self._write(opened, sql, values, many=False)

    async def insert(
        self, opened: _Open, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str
    ) -> int:
        """Inserts rows, each once nobody else is about to insert or delete it."""
        places = [columns.index(c) for c in self._keys[table]]
        nothing = "do nothing" in conflict
        for row in rows:
            key = (table, tuple(row[p] for p in places))
            while (holder := self._taken_by_insert(opened, key, nothing=nothing)) is not None:
                await self._wait(opened, holder)
        marks = ", ".join("?" for _ in columns)
        sql = f"insert into {table} ({', '.join(columns)}) values ({marks}) {conflict}"
        return self._write(opened, sql, [tuple(r) for r in rows], many=True)

    def _taken_by_insert(self, opened: _Open, key: Key, *, nothing: bool) -> _Open | None:
        """Takes the right to a row that is inserted; the transaction to wait for, if any."""
        held = self._locks.get(key)
        if held is not None and held[0] is opened:
            return None
        if nothing and (held is None or not held[1]) and self._exists(opened, key):
            return None
        if held is not None:
            return held[0]
        self._locks[key] = (opened, False)
        opened.locks[key] = None
        return None

    def _exists(self, opened: _Open, key: Key) -> bool:
        table, values = key
        where = " and ".join(f"{c} = ?" for c in self._keys[table])
        return bool(self.select(opened, f"select 1 from {table} where {where}", values))

    def _foreign(self, opened: _Open, key: Key) -> bool:
        held = self._locks.get(key)
        return held is not None and held[0] is not opened

    def _taken(self, opened: _Open, keys: Iterable[Key], *, deleting: bool = False) -> _Open | None:
        """Takes the locks of these rows in order; the transaction that has the first one which is not free."""
        for key in keys:
            held = self._locks.get(key)
            if held is not None and held[0] is not opened:
                return held[0]
            self._locks[key] = (opened, deleting or (held is not None and held[1]))
            opened.locks[key] = None
        return None

    async def _wait(self, opened: _Open, holder: _Open) -> None:
        other: _Open | None = holder
        while other is not None:
            if other is opened:
                raise Conflict("deadlock")
            other = other.waits_for
        gone = asyncio.get_running_loop().create_future()
        holder.waiters.append(gone)
        opened.waits_for = holder
        try:
            await gone
        finally:
            opened.waits_for = None

    def _write(self, opened: _Open, sql: str, values: Any, *, many: bool) -> int:
        self._show(opened)
        if self._shown is None:
            self._database.execute("begin")
            self._shown = opened
        try:
            with said():
                run = self._database.executemany if many else self._database.execute
                count = run(sql, values).rowcount
        except BaseException:
            # As on PostgreSQL, nothing of this transaction can go on.
            opened.broken = True
            self._database.execute("rollback")
            self._shown = None
            opened.writes.clear()
            raise
        opened.writes.append((sql, values, many, count))
        return int(count)


@cache
def _about(sql: str) -> tuple[str, str, bool]:
    """Table and `where` of an update or delete, and whether it deletes."""
    for pattern, deleting in ((_UPDATED, False), (_DELETED, True)):
        if found := pattern.match(sql):
            return found[1], found[2] or "", deleting
    return "", "", False


_NUMBERED = re.compile(r"\?(\d+)")


def _used(sql: str, values: Sequence[Any]) -> Sequence[Any]:
    """SQLite wants exactly as many values as the highest number."""
    return values[: max((int(n) for n in _NUMBERED.findall(sql)), default=0)]


@cache
def lock_wanted(sql: str) -> tuple[str, bool] | None:
    """(table, skip locked) of a select that locks its rows."""
    found = _FOR_UPDATE.search(sql)
    if found is None:
        return None
    table = _SELECTED.search(sql)
    assert table is not None
    return table[1], bool(found[1])


class _Transaction:
    """Statements of one transaction; see `ports.Transaction`."""

    def __init__(self, engine: Engine, opened: _Open | None) -> None:
        self._engine, self._opened = engine, opened

    async def _step(self) -> None:
        """Between two statements anything may happen, also that the connection breaks."""
        await asyncio.sleep(self._engine.weather.delay())
        if self._opened is not None and self._opened.broken:
            raise Conflict("the transaction is aborted")
        if self._engine.weather.breaks():
            raise Unavailable("the connection was closed")

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        await self._step()
        wanted = lock_wanted(sql)
        if self._opened is not None and wanted is not None:
            table, skip = wanted
            return await self._engine.select_for_update(self._opened, translated(sql), bound(values), table, skip=skip)
        return self._engine.select(self._opened, translated(sql), bound(values))

    async def execute(self, sql: str, *values: Any) -> int:
        await self._step()
        assert self._opened is not None, "a read does not write"
        return await self._engine.change(self._opened, translated(sql), bound(values))

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str = "") -> int:
        await self._step()
        assert self._opened is not None, "a read does not write"
        return await self._engine.insert(self._opened, table, columns, rows, conflict)


class SimulatedDatabase:
    """See `ports.Database`: one process's connections to an engine."""

    def __init__(self, engine: Engine, life: Life | None) -> None:
        self.engine, self._life = engine, life
        if life is not None:
            life.ends.append(lambda: engine.died(life))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[_Transaction]:
        engine, weather = self.engine, self.engine.weather
        opened = engine.begin()
        try:
            yield _Transaction(engine, opened)
            await asyncio.sleep(0)
            if opened.broken:
                raise Conflict("the transaction is aborted")
            weather.before_commit()
            engine.commit(opened)
        except BaseException:
            engine.rollback(opened)
            raise
        await asyncio.sleep(0)
        weather.after_commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[_Transaction]:
        yield _Transaction(self.engine, None)

    async def hold(self, number: int) -> bool:
        await asyncio.sleep(0)
        holder = self.engine.relays.setdefault(number, self._life)
        return holder is self._life

    async def close(self) -> None:
        """A process that ends in order lets go of its rights."""
        self.engine.relays = {n: h for n, h in self.engine.relays.items() if h is not self._life}
