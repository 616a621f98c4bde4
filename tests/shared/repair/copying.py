"""A store as it was at an earlier point, taken and put back: what a restore from a backup does."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from shared.ports import Database
from tests.shared.world import TABLES, rows

Copy = Mapping[str, tuple[Sequence[str], Sequence[tuple[Any, ...]]]]
"""Table -> its columns and rows."""

_COLUMNS = {
    "sqlite": "select name from pragma_table_info($1)",
    "postgres": "select column_name::text from information_schema.columns "
    "where table_schema = current_schema() and table_name = $1 order by ordinal_position",
}


async def taken(database: Database, engine: str | None) -> Copy:
    """Everything in a store now."""
    found = {}
    for table in (*TABLES, "meta"):
        columns = [r[0] for r in await rows(database, _COLUMNS["postgres" if engine else "sqlite"], table)]
        found[table] = (columns, await rows(database, f"select {', '.join(columns)} from {table}"))
    return found


async def put_back(database: Database, copy: Copy) -> None:
    """Makes the store what it was."""
    async with database.writing() as tx:
        for table, (columns, held) in copy.items():
            await tx.execute(f"delete from {table}")
            if held:
                await tx.insert(table, columns, held)


def keep_file(file: Path) -> None:
    """Keeps a SQLite store as it is now, while it is used."""
    with closing(sqlite3.connect(file, timeout=20)) as source:
        source.execute("pragma wal_checkpoint(truncate)")
        with closing(sqlite3.connect(file.with_suffix(".copy"))) as target:
            source.backup(target)


def put_file_back(file: Path) -> None:
    """Makes a SQLite store what it was; nobody may have it open."""
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    file.with_suffix(".copy").replace(file)


async def keep_schema(url: str, name: str) -> None:
    """Keeps a service's PostgreSQL schema as it is at one instant, while it is used."""
    kept = (f"create table {name}_copy.{t} as select * from {name}.{t}" for t in (*TABLES, "meta"))
    await executed(url, f"create schema {name}_copy", *kept)


async def put_schema_back(url: str, name: str) -> None:
    """Makes a service's PostgreSQL schema what it was."""
    emptied = (f"delete from {name}.{t}" for t in (*TABLES, "meta"))
    await executed(url, *emptied, *(f"insert into {name}.{t} select * from {name}_copy.{t}" for t in (*TABLES, "meta")))


async def executed(url: str, *statements: str) -> None:
    """Runs statements on one view of the database."""
    connection = await asyncpg.connect(url)
    async with connection.transaction(isolation="repeatable_read"):
        for statement in statements:
            await connection.execute(statement)
    await connection.close()
