"""The simulated database under the suite of the real ones, and what only many transactions at once show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from benchmarks.simulation.loop import Life
from benchmarks.simulation.store import Engine, SimulatedDatabase
from benchmarks.simulation.weather import Weather
from shared.ports import Conflict, Database, Unavailable
from tests.shared.adapters.test_database_behaviour import *  # noqa: F403
from tests.shared.world import World


@pytest.fixture
def engine() -> Engine:
    return Engine("beta", Weather(Random(1)), lambda _service, _rows: None)


@pytest.fixture
async def world(engine: Engine) -> AsyncIterator[World]:
    async def opened(_name: str) -> Database:
        return SimulatedDatabase(engine, None)

    made = World(opened)
    yield made
    await made.close()


async def test_what_one_transaction_wrote_nobody_else_sees_before_its_commit(engine: Engine) -> None:
    database = SimulatedDatabase(engine, None)
    async with database.writing() as one:
        await one.insert("lane", ("key", "seq"), [("a", 1)])
        async with database.writing() as other:
            assert await other.fetch("select key from lane") == []
            await other.insert("lane", ("key", "seq"), [("b", 2)])
        assert [r[0] for r in await one.fetch("select key from lane order by key")] == ["a", "b"]


async def test_an_update_sees_what_was_committed_while_it_waited(engine: Engine) -> None:
    database = SimulatedDatabase(engine, None)
    async with database.writing() as tx:
        await tx.insert("lane", ("key", "seq"), [("a", 1)])

    async def add() -> None:
        async with database.writing() as tx:
            await tx.execute("update lane set seq = seq + 1 where key = $1", "a")
            await asyncio.sleep(0.01)

    await asyncio.gather(*(add() for _ in range(5)))
    assert engine.rows("select seq from lane") == [(6,)]


async def test_two_that_wait_for_each_other_are_told_apart(engine: Engine) -> None:
    database = SimulatedDatabase(engine, None)
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), [("a",), ("b",)])

    async def both(first: str, second: str) -> str:
        try:
            async with database.writing() as tx:
                await tx.execute("update lane set seq = 1 where key = $1", first)
                await asyncio.sleep(0.01)
                await tx.execute("update lane set seq = 1 where key = $1", second)
        except Conflict:
            return "conflict"
        return "done"

    assert sorted(await asyncio.gather(both("a", "b"), both("b", "a"))) == ["conflict", "done"]


async def test_a_row_that_is_locked_is_skipped_where_it_may_be(engine: Engine) -> None:
    database = SimulatedDatabase(engine, None)
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), [("a",), ("b",)])
    async with database.writing() as one:
        await one.fetch("select key from lane where key = any($1) for update", ["a"])
        async with database.writing() as other:
            assert await other.fetch("select key from lane order by key for update skip locked") == [("b",)]


async def test_an_insert_waits_for_whoever_inserts_or_deletes_the_same(engine: Engine) -> None:
    database, order = SimulatedDatabase(engine, None), []

    async def insert(name: str) -> None:
        async with database.writing() as tx:
            made = await tx.insert("lane", ("key",), [("a",)], "on conflict do nothing")
            order.append((name, made))
            await asyncio.sleep(0.01)

    await asyncio.gather(insert("one"), insert("other"))
    assert sorted(made for _, made in order) == [0, 1]
    async with database.writing() as tx:
        await tx.execute("delete from lane where key = $1", "a")
        waiting = asyncio.create_task(insert("third"))
        await asyncio.sleep(0.01)
        assert len(order) == 2
    await waiting
    assert order[-1] == ("third", 1)


async def test_a_process_that_dies_leaves_neither_writes_nor_locks_nor_the_right_to_relay(engine: Engine) -> None:
    life = Life("beta")
    database = SimulatedDatabase(engine, life)
    assert await database.hold(1)
    assert not await SimulatedDatabase(engine, Life("beta", 2)).hold(1)
    opened = engine.begin()
    opened.life = life
    await engine.insert(opened, "lane", ("key",), [("a",)], "")
    for ended in life.ends:
        ended()
    async with SimulatedDatabase(engine, None).writing() as tx:
        await tx.insert("lane", ("key",), [("a",)])
    assert await SimulatedDatabase(engine, Life("beta", 2)).hold(1)


@pytest.mark.parametrize(("weather", "kept"), [("refused", []), ("answer_lost", [("a",)])])
async def test_a_commit_without_an_answer_may_have_happened_or_not(weather: str, kept: list[tuple[str]]) -> None:
    engine = Engine("beta", Weather(Random(1), **{weather: 1.0}), lambda _service, _rows: None)
    with pytest.raises((Conflict, Unavailable)):
        async with SimulatedDatabase(engine, None).writing() as tx:
            await tx.insert("lane", ("key",), [("a",)])
    assert engine.rows("select key from lane") == kept
