"""A database is put back to an earlier point under a running deployment: epoch and backfill mend it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from benchmarks.chaos.stage import Stage
from benchmarks.chaos.strike import Fault
from benchmarks.truth import quiet

TABLES = "select tablename from pg_tables where schemaname = $1"
COPIES = "chaos_copy"


@asynccontextmanager
async def restored(stage: Stage) -> AsyncIterator[None]:
    """scheduling's tables are copied, work goes on, the copy is put back, and `carepod restored` is run."""
    await _copied(stage, "scheduling")
    yield
    await stage.load.pause()
    await quiet(stage.deployment, 60.0)
    stage.deployment.down.add("scheduling")
    stage.deployment.end("scheduling")
    await asyncio.to_thread(stage.deployment.processes["scheduling"].wait, 40)
    await _put_back(stage, "scheduling")
    said = await asyncio.to_thread(stage.command, "restored", "scheduling")
    stage.notes += [f"carepod restored: {line.strip()}" for line in said.splitlines()]
    stage.deployment.down.clear()


async def _copied(stage: Stage, service: str) -> None:
    connection = await asyncpg.connect(stage.database_url)
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(f"create schema {COPIES}")
        for (table,) in await connection.fetch(TABLES, service):
            await connection.execute(f"create table {COPIES}.{table} as table {service}.{table}")
    await connection.close()


async def _put_back(stage: Stage, service: str) -> None:
    connection = await asyncpg.connect(stage.database_url)
    async with connection.transaction():
        for (table,) in await connection.fetch(TABLES, service):
            await connection.execute(f"truncate {service}.{table}")
            await connection.execute(f"insert into {service}.{table} select * from {COPIES}.{table}")
        await connection.execute(f"drop schema {COPIES} cascade")
    await connection.close()


FAULTS = (
    Fault("restored", "scheduling's database put back to an earlier point, then carepod restored", restored, 10.0),
)
