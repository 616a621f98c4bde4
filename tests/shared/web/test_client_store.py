"""The registered clients and their spent assertions, in a database."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.adapters.clients import SqlClientStore
from shared.adapters.migrations import migrate_sqlite
from shared.adapters.sqlite import SqliteDatabase
from shared.smart.clients import Client, registered
from shared.smart.keys import key_file, public_jwks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Clock:
    """Time as the test sets it."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def client(tmp_path: Path) -> Client:
    jwks = json.dumps(public_jwks(key_file(tmp_path / "key.pem")))
    return registered("mercy-ehr", "Mercy", jwks, "system/*.rs")


async def test_a_client_is_kept_as_it_was_registered_replaced_and_disabled(tmp_path: Path, client: Client) -> None:
    await migrate_sqlite(tmp_path, ["intake"])
    database = await SqliteDatabase.open(tmp_path / "intake.db")
    clients = SqlClientStore(database, Clock())
    assert await clients.client("mercy-ehr") is None
    await clients.add(client)
    assert await clients.client("mercy-ehr") == client
    changed = Client(client.id, "Mercy Clinic", client.jwks, "system/Task.rs", disabled=True)
    await clients.add(changed)
    assert await clients.client("mercy-ehr") == changed
    await database.close()


async def test_an_assertion_is_used_once_even_by_two_processes_at_once_and_forgotten_when_over(tmp_path: Path) -> None:
    await migrate_sqlite(tmp_path, ["intake"])
    databases = [await SqliteDatabase.open(tmp_path / "intake.db") for _ in range(2)]
    clock = Clock()
    stores = [SqlClientStore(d, clock) for d in databases]
    until = NOW + timedelta(minutes=5)
    used = await asyncio.gather(*(stores[n % 2].use_jti("ehr", "a" * 64, until) for n in range(20)))
    assert used.count(True) == 1
    assert await stores[0].use_jti("other", "a" * 64, until)
    clock.now = until
    assert not await stores[1].use_jti("ehr", "a" * 64, until)
    clock.now = until + timedelta(seconds=1)
    assert await stores[1].use_jti("ehr", "b" * 64, until + timedelta(minutes=9))
    async with databases[0].reading() as tx:
        assert [tuple(r) for r in await tx.fetch("select client, jti from jti")] == [("ehr", "b" * 64)]
    for database in databases:
        await database.close()
