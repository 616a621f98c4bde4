from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from shared import store
from shared.adapters import migrations
from shared.adapters.migrations import migrate_postgres, migrate_sqlite
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.sqlite import SqliteDatabase
from tests.shared.world import rows

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("one", "two")
SQLITE = "import asyncio, pathlib, sys; from shared.adapters.migrations import migrate_sqlite as m; "
POSTGRES = "import asyncio, sys; from shared.adapters.migrations import migrate_postgres as m; "


def at_once(script: str, *arguments: str) -> list[int]:
    """Runs it in two processes at once; how each ended."""
    both = [subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=ROOT) for _ in range(2)]
    return [process.wait(60) for process in both]


async def done(folder: Path) -> list[list[tuple[object, ...]]]:
    found = []
    for name in NAMES:
        database = await SqliteDatabase.open(folder / f"{name}.db")
        found.append(await rows(database, "select version from migration order by version"))
        await database.close()
    return found


async def test_a_migration_run_twice_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        await migrate_sqlite(tmp_path, NAMES)
    assert await done(tmp_path) == [[(n + 1,) for n in range(len(migrations.STEPS))]] * 2


async def test_two_processes_migrate_the_same_files_at_once(tmp_path: Path) -> None:
    script = SQLITE + "asyncio.run(m(pathlib.Path(sys.argv[1]), ('one', 'two')))"
    assert await asyncio.to_thread(at_once, script, str(tmp_path)) == [0, 0]
    assert await done(tmp_path) == [[(n + 1,) for n in range(len(migrations.STEPS))]] * 2


async def test_schemas_and_roles_are_made_twice_and_by_two_processes_at_once(database_url: str) -> None:
    script = POSTGRES + "asyncio.run(m(sys.argv[1], ('one', 'two')))"
    assert await asyncio.to_thread(at_once, script, database_url) == [0, 0]
    await migrate_postgres(database_url, NAMES)
    for name in NAMES:
        database = await PostgresDatabase.open(database_url, name)
        assert await rows(database, "select version from migration") == [(n + 1,) for n in range(len(migrations.STEPS))]
        await database.close()


async def test_a_look_for_backfills_reads_those_alone(tmp_path: Path) -> None:
    await migrate_sqlite(tmp_path, ["alpha"])
    database = await SqliteDatabase.open(tmp_path / "alpha.db")
    asked: list[str] = []

    class Explaining:
        async def fetch(self, sql: str, *values: object) -> list[object]:
            async with database.reading() as tx:
                asked.extend(str(row[3]) for row in await tx.fetch("explain query plan " + sql, *values))
            return []

    await store.backfilled(cast(Any, Explaining()), ["patient/1"])
    await database.close()
    assert any("inbox_backfilled" in step for step in asked), asked
