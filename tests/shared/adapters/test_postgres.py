"""What is PostgreSQL's own: roles, lost connections, the relay's lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from shared.adapters.migrations import migrate_postgres
from shared.adapters.postgres import PostgresDatabase
from shared.ports import Unavailable
from tests.shared.world import rows


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[tuple[PostgresDatabase, PostgresDatabase]]:
    """The same service's database as two processes have it."""
    await migrate_postgres(database_url, ["beta", "gamma"])
    both = await PostgresDatabase.open(database_url, "beta"), await PostgresDatabase.open(database_url, "beta")
    yield both
    for database in both:
        await database.close()


async def terminate(url: str, application: str | None) -> int:
    """Ends the server's side of every connection of this name (None: those without one)."""
    connection = await asyncpg.connect(url)
    try:
        ended = await connection.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and application_name = $1",
            application or "",
        )
        return len(ended)
    finally:
        await connection.close()


async def gone(url: str, application: str) -> None:
    """Waits until the server has none of the connections of this name: it ends them in its own time."""
    connection = await asyncpg.connect(url)
    sql = "select 1 from pg_stat_activity where datname = current_database() and application_name = $1"
    try:
        async with asyncio.timeout(30):
            while await connection.fetch(sql, application):  # noqa: ASYNC110 (nobody signals it)
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def until_it_says(database: PostgresDatabase, number: int, held: bool) -> None:
    """Asks until this is the answer: a process learns in its own time that its connection is lost."""
    async with asyncio.timeout(30):
        while True:
            with suppress(Unavailable):
                if await database.hold(number) is held:
                    return
            await asyncio.sleep(0.02)


async def test_a_service_works_as_its_role_and_cannot_read_anothers(
    databases: tuple[PostgresDatabase, PostgresDatabase],
) -> None:
    database, _ = databases
    for _ in range(20):
        assert await rows(database, "select current_user, current_schema") == [("carepod_beta", "beta")]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rows(database, "select * from gamma.lane")


async def test_one_process_relays_a_partition_and_the_next_takes_over_when_its_connection_is_lost(
    database_url: str, databases: tuple[PostgresDatabase, PostgresDatabase]
) -> None:
    one, other = databases
    assert await one.hold(3)
    assert not await other.hold(3)
    assert await other.hold(4)
    assert await terminate(database_url, "carepod-beta-relay") == 2
    await gone(database_url, "carepod-beta-relay")
    await until_it_says(other, 3, True)
    await until_it_says(one, 3, False)


async def test_a_lost_connection_is_unavailable_and_the_next_transaction_has_another(
    database_url: str, databases: tuple[PostgresDatabase, PostgresDatabase]
) -> None:
    database, _ = databases

    async def lose() -> None:
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), [("lost",)])
            await terminate(database_url, "carepod-beta")
            await tx.fetch("select 1")

    with pytest.raises(Unavailable):
        await lose()
    assert await rows(database, "select key from lane where key = 'lost'") == []


async def test_an_error_of_the_caller_is_not_called_unavailable(
    databases: tuple[PostgresDatabase, PostgresDatabase],
) -> None:
    database, _ = databases
    with pytest.raises(FileNotFoundError):
        async with database.writing():
            raise FileNotFoundError


async def test_nul_is_an_error_of_the_value(databases: tuple[PostgresDatabase, PostgresDatabase]) -> None:
    database, _ = databases
    with pytest.raises(asyncpg.PostgresError):
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), [("a\0b",)])


async def test_where_there_is_no_server_it_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await PostgresDatabase.open("postgresql://127.0.0.1:1/nowhere", "beta")
