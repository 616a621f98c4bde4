"""Processes killed with SIGKILL at every point where something is done but not yet known to be done."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from benchmarks.engines import Engines, provided
from benchmarks.engines.model import URLS
from shared.adapters.migrations import migrate_postgres, migrate_sqlite
from shared.adapters.rabbitmq import declare_topology
from tests.shared import toys

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("alpha", "beta", "gamma")
LANES = 200
# How late in a process's life a point is struck: some are passed once a lane, some once a window of many.
LATEST = {
    "loop.before_commit": 60,
    "relay.before_publish": 2,
    "relay.before_mark": 2,
    "consumer.before_ack": 8,
    "delivery.before_send": 20,
    "delivery.before_store": 20,
}
UNSENT = "select count(*) from outbox where sent_at is null"
UNDECIDED = "select count(*) from inbox where status in ('new', 'waiting', 'retry')"
Query = Callable[[str, str], list[Any]]


class Running:
    """One toy process, killed at its point or ended at the end."""

    def __init__(self, *arguments: str, failpoint: str = "", log: Path) -> None:
        environment = {**os.environ, "CAREPOD_FAILPOINT": failpoint}
        command = [sys.executable, "-m", "tests.shared.toys", *arguments]
        self.failpoint, self._folder = failpoint, log.parent
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)

    def died(self) -> bool:
        """Whether it was killed at its point; any other end is an error."""
        code = self.process.poll()
        assert code in (None, -signal.SIGKILL), f"ended with {code} ({self.failpoint})"
        return code is not None

    def can_be_asked_to_stop(self) -> bool:
        """Whether it has come so far that it stops in order when it is asked to."""
        return (self._folder / f"begun-{self.process.pid}").exists()

    def end(self) -> int:
        """Asks it to stop, and says how it did."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def points(draw: random.Random, rounds: int, among: tuple[str, ...]) -> list[str]:
    """Every point `rounds` times, in an order and at counts of chance."""
    drawn = [f"{p}:{draw.randint(1, LATEST[p])}" for p in among for _ in range(rounds)]
    draw.shuffle(drawn)
    return drawn


def until(happened: Callable[[], bool], seconds: float, what: str) -> None:
    limit = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < limit, f"not within {seconds} seconds: {what}"
        time.sleep(0.1)


def settled(query: Query, lanes: int = LANES) -> bool:
    """Every order is completed, and everything said was heard and decided by everybody."""
    done = [
        json.loads(r[0])["status"] for r in query("alpha", "select body from resource where type = 'ServiceRequest'")
    ]
    if done.count("completed") < lanes:
        return False
    under_way = sum(query(name, sql)[0][0] for name in NAMES for sql in (UNSENT, UNDECIDED))
    seen = [json.loads(r[0]) for r in query("beta", "select body from resource where type = 'Claim'")]
    return not under_way and all(len(claim["seen"]) >= toys.SAID + 1 for claim in seen)


def one_effect_each(query: Query, folder: Path, count: int = LANES) -> None:
    """What must hold at the end, whatever was killed when."""
    claims = {r[0]: json.loads(r[1]) for r in query("beta", "select lane, body from resource where type = 'Claim'")}
    visits = [json.loads(r[0]) for r in query("gamma", "select body from resource where type = 'Appointment'")]
    lanes = {f"patient/{n}" for n in range(count)}
    accepted = set((folder / "accepted").read_text().split())
    assert accepted == {f"{lane}#{n}" for lane in lanes for n in range(1, toys.SAID + 1)}
    assert set(claims) == lanes
    # In order, once each: beta saw the order's versions 1, 2, 3 and the closing 4.
    assert {tuple(c["seen"]) for c in claims.values()} == {("1-1", "1-2", "1-3", "1-4")}
    # One claim at the payer, one answer.
    assert sorted(toys.Payer(folder / "payer.db").claims()) == sorted(c["id"] for c in claims.values())
    assert {c["answers"] for c in claims.values()} == {1}
    # A seat each, and nothing booked before what it rests on was known.
    assert len({tuple(v["seat"]) for v in visits}) == len(visits) == count
    assert query("gamma", "select count(*) from capacity")[0][0] == count
    assert {v["order"] for v in visits} == {toys.SAID}
    for name in NAMES:
        assert {r[0] for r in query(name, "select status from inbox")} == {"done"}
        assert query(name, "select count(*) from wake")[0][0] == 0
        assert (
            query(name, "select lane from decision where saves <> '[]' group by lane, saves having count(*) > 1") == []
        )
        ((saved,),) = query(name, "select count(*) from history")
        assert saved == sum(len(json.loads(r[0])) for r in query(name, "select saves from decision"))
    assert query("beta", "select distinct state from delivery") == [("answered",)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_one_process_killed_at_every_point_ends_every_order_with_one_effect(tmp_path: Path, seed: int) -> None:
    asyncio.run(migrate_sqlite(tmp_path, NAMES))

    def query(service: str, sql: str) -> list[Any]:
        with closing(sqlite3.connect(tmp_path / f"{service}.db", timeout=20)) as connection:
            return list(connection.execute(sql))

    arguments = ("--folder", str(tmp_path), "--lanes", str(LANES))
    for failpoint in points(random.Random(seed), 2, tuple(LATEST)):
        victim = Running(*arguments, failpoint=failpoint, log=tmp_path / "log")
        until(victim.died, 60, f"death at {failpoint}")
    last = Running(*arguments, log=tmp_path / "log")
    try:
        until(lambda: last.can_be_asked_to_stop() and settled(query), 120, "every order completed")
    finally:
        ended = last.end()
    assert ended == 0
    one_effect_each(query, tmp_path)


def postgres(url: str) -> Query:
    """A way to look into the schemas while others work, and while PostgreSQL is away (then nothing is found)."""

    async def fetched(service: str, sql: str) -> list[Any]:
        connection = await asyncpg.connect(url, server_settings={"search_path": service})
        try:
            return [tuple(r) for r in await connection.fetch(sql)]
        finally:
            await connection.close()

    return lambda service, sql: asyncio.run(fetched(service, sql))


def deployed(tmp_path: Path, database_url: str, amqp_url: str, lanes: int = LANES) -> Callable[[str, str], Running]:
    """Everything a deployment does once; starts one service in a process of its own, with a failpoint or ""."""
    asyncio.run(migrate_postgres(database_url, NAMES))
    listens = {s.name: s.listens for s in toys.services(toys.Payer(tmp_path / "payer.db"))}
    asyncio.run(declare_topology(amqp_url, listens, toys.PARTITIONS))

    def start(name: str, failpoint: str) -> Running:
        arguments = ("--folder", str(tmp_path), "--services", name, "--database", database_url, "--amqp", amqp_url)
        driven = ("--lanes", str(lanes)) if name == "alpha" else ()
        return Running(*arguments, *driven, failpoint=failpoint, log=tmp_path / f"{name}.log")

    return start


@pytest.mark.slow
@pytest.mark.engines
@pytest.mark.parametrize("seed", [1])
def test_three_processes_killed_at_every_point_end_every_order_with_one_effect(
    tmp_path: Path, database_url: str, amqp_url: str, seed: int
) -> None:
    start, query, draw = deployed(tmp_path, database_url, amqp_url), postgres(database_url), random.Random(seed)
    common = tuple(p for p in LATEST if not p.startswith("delivery"))
    left = {name: points(draw, 2, tuple(LATEST) if name == "beta" else common) for name in NAMES}
    running = {name: start(name, left[name].pop()) for name in NAMES}
    deaths = []

    def over() -> bool:
        for name in NAMES:
            if running[name].died():
                deaths.append(running[name].failpoint)
                running[name] = start(name, left[name].pop() if left[name] else "")
        if not all(r.can_be_asked_to_stop() for r in running.values()) or not settled(query):
            return False
        return not any(r.died() for r in running.values())

    try:
        until(over, 180, "every order completed")
    finally:
        ended = [r.end() for r in running.values()]
    assert {point.partition(":")[0] for point in deaths} == set(LATEST)
    assert set(ended) == {0}
    one_effect_each(query, tmp_path)


@pytest.mark.slow
@pytest.mark.engines
def test_engines_killed_under_load_lose_and_double_nothing(tmp_path: Path, engines: Engines) -> None:
    """Engines of this test's own: the others' must not die with them."""
    with provided(dict(os.environ) | dict.fromkeys(URLS.values(), "")) as own:
        start, query = deployed(tmp_path, own.database_url, own.amqp_url), postgres(own.database_url)
        running = {name: start(name, "") for name in NAMES}
        try:
            for seconds, name in ((1, "rabbitmq"), (2, "postgresql"), (1, "rabbitmq")):
                time.sleep(seconds)
                own[name].kill()
                own[name].start()
            until(lambda: settled(query), 180, "every order completed")
        finally:
            ended = [r.end() for r in running.values()]
        assert set(ended) == {0}
        one_effect_each(query, tmp_path)
