"""Services whose databases go back to an earlier point, and one that is new, while three processes pass orders round.

On SQLite with the broker in process, and on PostgreSQL with RabbitMQ.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from shared.adapters.amqp import queue_of
from shared.adapters.migrations import migrate_sqlite
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.sqlite import SqliteDatabase
from shared.clock import system_clock
from shared.core import Service
from shared.failpoints import Failpoints
from shared.messages import Catalogue
from shared.ports import Database
from shared.repair.backfilling import Backfill, Backfilled
from shared.repair.restoring import Recovered, recovered
from shared.run import Runner
from tests.shared import toys
from tests.shared.repair import copying
from tests.shared.test_kill import NAMES, Query, Running, deployed, postgres, settled, until

pytestmark = pytest.mark.slow

PATIENCE = 10.0
LANES, EARLIER = 60, 20
"""Orders in all, and those that are done when the copies are taken."""


class Toys:
    """The three toys in either mode; a store can be copied while they run, and put back while its service is not."""

    def __init__(self, folder: Path, engines: tuple[str, str] | None) -> None:
        self.folder, self.url = folder, engines[0] if engines else ""
        self.running: dict[str, Running] = {}
        self.names: set[str] = set()
        self.amqp_url = engines[1] if engines else ""
        self.declared: Sequence[Service] = toys.services(toys.Payer(folder / "payer.db"))
        if self.url:
            dropped = (f"drop schema if exists {n} cascade" for name in NAMES for n in (name, f"{name}_copy"))
            asyncio.run(copying.executed(self.url, *dropped))
        self._engines, self.lanes = engines, LANES
        self.query: Query = postgres(self.url) if engines else self._look
        if not engines:
            asyncio.run(migrate_sqlite(folder, NAMES))

    def _started(self, names: str) -> Running:
        if self._engines:
            return deployed(self.folder, *self._engines, self.lanes)(names, "")
        arguments = ("--folder", str(self.folder), "--lanes", str(self.lanes), "--services", names)
        return Running(*arguments, log=self.folder / "log")

    def _look(self, service: str, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / f"{service}.db", timeout=20)) as connection:
            return list(connection.execute(sql))

    def start(self, *names: str) -> None:
        """Starts these services; on SQLite one process, with those that ran before."""
        self.names |= set(names)
        for name in names if self.url else (",".join(sorted(self.names)),):
            self.running[name] = self._started(name)

    def stop(self, *names: str) -> None:
        """Stops these services; on SQLite all there are."""
        for name in [n for n in self.running if not self.url or n in names]:
            assert self.running.pop(name).end() in (0, -signal.SIGTERM), "it may still have been starting"

    def copy(self, name: str) -> None:
        """Keeps the store of a service as it is now."""
        if self.url:
            asyncio.run(copying.keep_schema(self.url, name))
        else:
            copying.keep_file(self.folder / f"{name}.db")

    def put_back(self, name: str) -> None:
        """Makes the store of a stopped service what it was."""
        if self.url:
            asyncio.run(copying.put_schema_back(self.url, name))
        else:
            copying.put_file_back(self.folder / f"{name}.db")

    def forget(self, name: str) -> None:
        """What was said to a service is in no queue and no outbox any more."""
        if self.url:
            asyncio.run(self._purged(name))
            asyncio.run(copying.executed(self.url, "delete from alpha.outbox", "delete from beta.outbox"))
            return
        self.stop()
        for owner in ("alpha", "beta"):
            with closing(sqlite3.connect(self.folder / f"{owner}.db")) as connection, connection:
                connection.execute("delete from outbox")

    async def _purged(self, name: str) -> None:
        connection = await aio_pika.connect(self.amqp_url)
        async with connection, connection.channel() as channel:
            for partition in range(toys.PARTITIONS):
                await (await channel.get_queue(queue_of(name, partition), ensure=False)).purge()

    async def _opened(self) -> dict[str, Database]:
        if self.url:
            return {name: await PostgresDatabase.open(self.url, name, connections=2) for name in NAMES}
        return {name: await SqliteDatabase.open(self.folder / f"{name}.db") for name in NAMES}

    def recover(self, name: str) -> Recovered:
        """`carepod restored NAME`."""

        async def work() -> Recovered:
            databases = await self._opened()
            service = next(s for s in self.declared if s.name == name)
            catalogue = Catalogue(tuple(self.declared))
            waits = PATIENCE if self.url else 0
            runner = Runner(
                service, databases[name], catalogue, toys.check, system_clock, toys.PARTITIONS, Failpoints(None)
            )
            found = await recovered(runner, databases, toys.PARTITIONS, None, waits)
            for database in databases.values():
                await database.close()
            return found

        return asyncio.run(work())

    def backfill(self, name: str) -> dict[str, Backfilled]:
        """`carepod backfill NAME`."""

        async def work() -> dict[str, Backfilled]:
            databases = await self._opened()
            hearer = next(s for s in self.declared if s.name == name)
            owners = [s for s in self.declared if s.owns & hearer.listens]
            waits = PATIENCE if self.url else 0
            told = {
                o.name: await Backfill(o, hearer, databases[o.name], system_clock, toys.PARTITIONS).said(waits)
                for o in owners
            }
            for database in databases.values():
                await database.close()
            return told

        return asyncio.run(work())

    def count(self, service: str, sql: str) -> int:
        return int(self.query(service, f"select count(*) from {sql}")[0][0])


@pytest.fixture(params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)])
def trio(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The toys in either mode, ended with the test."""
    urls = tuple(request.getfixturevalue(n) for n in ("database_url", "amqp_url")) if "dep" in request.param else None
    made = Toys(tmp_path, urls)
    yield made
    for process in made.running.values():
        process.end()


def harm(trio: Toys) -> list[str]:
    """Everything lost and everything doubled when each order is completed.

    A restored service asks about what it may have sent, so it may get an answer again that it had: that is no effect.
    """
    claims = Counter(toys.Payer(trio.folder / "payer.db").claims())
    stored = {name: trio.query(name, "select id, owner, epoch, version, body from resource") for name in NAMES}
    visits = [json.loads(r[4]) for r in stored["gamma"] if r[1] == "gamma"]
    counts = {
        "claims at the payer": sum(claims.values()),
        "claims of ours": len(claims),
        "visits": len(visits),
        "seats": len({tuple(v["seat"]) for v in visits}),
        "seats taken": trio.count("gamma", "capacity"),
        "claims answered": sum(json.loads(r[4])["answers"] > 0 for r in stored["beta"] if r[1] == "beta"),
    }
    found = [f"{n} {what}" for what, n in counts.items() if n != LANES]
    for name in NAMES:
        states = {r[0] for r in trio.query(name, "select status from inbox")}
        found += [f"{name}: {s}" for s in sorted(states - {"done", "superseded"})]
    owned = {r[0]: r[2:4] for name in NAMES for r in stored[name] if r[1] == name}
    copies = [(name, r) for name in NAMES for r in stored[name] if r[1] != name]
    return found + [f"{name} holds {r[2:4]}, not {owned.get(r[0])}" for name, r in copies if owned.get(r[0]) != r[2:4]]


def harm_at_the_end(trio: Toys) -> list[str]:
    """Every harm that is still there when all has had time to come."""
    for _ in range(60):
        if not (found := harm(trio)):
            return []
        time.sleep(0.5)
    return found


def test_restored_services_recover_and_every_order_ends_once(trio: Toys) -> None:
    trio.lanes = EARLIER
    trio.start(*NAMES)
    until(lambda: settled(trio.query, EARLIER), 120, "the earlier orders completed")
    trio.copy("beta")
    trio.copy("gamma")
    trio.stop("alpha")
    trio.lanes = LANES
    trio.start("alpha")
    until(lambda: trio.count("gamma", "resource where owner = 'gamma'") >= (EARLIER + LANES) // 2, 90, "more visits")
    lost = {}
    for name in ("beta", "gamma"):
        trio.stop(name)
        before = trio.count(name, f"history where id like '{name[:2]}-%'")
        trio.put_back(name)
        lost[name] = before - trio.count(name, f"history where id like '{name[:2]}-%'")
        found = trio.recover(name).restored
        assert found.epoch == 2
        assert found.versions > 0, (name, lost)
        trio.start(name)
    assert min(lost.values()) > 0, "the copies were too young to lose anything"
    until(lambda: settled(trio.query, LANES), 180, "every order completed")
    assert harm_at_the_end(trio) == []


def test_a_new_service_is_backfilled_and_every_order_ends_once(trio: Toys) -> None:
    trio.start("alpha", "beta")
    until(lambda: answered(trio) == LANES, 120, "every claim answered")
    trio.forget("gamma")
    if not trio.url:
        trio.stop()
    told = trio.backfill("gamma")
    assert {name: (b.messages, b.resources) for name, b in told.items()} == dict.fromkeys(
        ("alpha", "beta"), (LANES, LANES)
    )
    trio.start("gamma")
    until(lambda: settled(trio.query, LANES), 180, "every order completed")
    assert harm_at_the_end(trio) == []


def answered(trio: Toys) -> int:
    """How many claims are completed."""
    found = trio.query("beta", "select body from resource where owner = 'beta'")
    return [json.loads(body)["status"] for (body,) in found].count("completed")
