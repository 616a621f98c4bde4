"""What the runtime expects of a database, on each engine."""

from __future__ import annotations

import asyncio

import pytest

from shared.ports import Conflict, Database, Unavailable
from tests.shared.world import World, rows


@pytest.fixture
async def database(world: World) -> Database:
    return await world.database()


async def keys(database: Database) -> list[str]:
    return [r[0] for r in await rows(database, "select key from lane order by key")]


def lanes(*names: str) -> list[tuple[str]]:
    return [(n,) for n in names]


async def test_a_transaction_commits_at_its_end_and_others_see_it_then(database: Database) -> None:
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), lanes("a"))
        assert await keys(database) == []
    assert await keys(database) == ["a"]


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError, OSError])
async def test_a_transaction_that_fails_leaves_nothing_and_the_next_goes_on(
    database: Database, error: type[BaseException]
) -> None:
    async def fail() -> None:
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), lanes("a"))
            raise error

    with pytest.raises(error):
        await fail()
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), lanes("b"))
    assert await keys(database) == ["b"]


async def test_a_unique_violation_is_a_conflict(database: Database) -> None:
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), lanes("a"))
    with pytest.raises(Conflict):
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), lanes("a"))


async def test_a_value_that_may_not_be_missing_is_no_conflict(database: Database) -> None:
    with pytest.raises(Exception) as raised:
        async with database.writing() as tx:
            await tx.insert("wake", ("lane", "key"), [("a", "b")])
    assert not isinstance(raised.value, Conflict)


async def test_an_insert_says_how_many_rows_it_made_or_changed(database: Database) -> None:
    async with database.writing() as tx:
        assert await tx.insert("lane", ("key", "seq"), [("a", 1), ("b", 5)]) == 2
        assert await tx.insert("lane", ("key",), lanes("a", "c"), "on conflict do nothing") == 1
        newer = "on conflict (key) do update set seq = excluded.seq where lane.seq < excluded.seq"
        assert await tx.insert("lane", ("key", "seq"), [("a", 3), ("b", 3), ("d", 3)], newer) == 2
        assert await tx.insert("lane", ("key", "seq"), [("b", 4)], newer) == 0
    assert await rows(database, "select key, seq from lane order by key") == [("a", 3), ("b", 5), ("c", 0), ("d", 3)]


async def test_a_statement_says_how_many_rows_it_changed(database: Database) -> None:
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), lanes("a", "b", "c"))
        assert await tx.execute("update lane set seq = $2 where key = any($1)", ["a", "b", "x"], 7) == 2
        assert await tx.execute("delete from lane where seq = $1", 7) == 2
        assert await tx.execute("delete from lane where key = any($1)", []) == 0


async def test_lists_of_thousands_are_compared(database: Database) -> None:
    names = [f"{n:05}" for n in range(5000)]
    async with database.writing() as tx:
        await tx.insert("lane", ("key",), lanes(*names))
        found = await tx.fetch("select key from lane where key = any($1) and not (key = any($2))", names, names[1:])
    assert [r[0] for r in found] == names[:1]


async def test_text_comes_back_as_it_was(database: Database) -> None:
    texts = ["", "é\U0001f600'\"\\", '{"value": 1.10}', "$1 any($2)"]
    async with database.writing() as tx:
        await tx.insert("wake", ("lane", "key", "due_at"), [(t, str(n), t) for n, t in enumerate(texts)])
    assert [r[0] for r in await rows(database, "select due_at from wake order by key")] == texts


async def test_one_transaction_waits_for_the_lane_another_holds(world: World) -> None:
    one, other = await world.database(), await world.database()
    order = []

    async def hold(database: Database, name: str, go_on: asyncio.Event) -> None:
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), lanes("a"), "on conflict do nothing")
            await tx.fetch("select key from lane where key = any($1) order by key for update", ["a"])
            order.append(f"{name} has it")
            await go_on.wait()
            order.append(f"{name} gives it up")

    first, second = asyncio.Event(), asyncio.Event()
    second.set()
    holding = asyncio.create_task(hold(one, "one", first))
    while not order:  # noqa: ASYNC110 (nobody signals it)
        await asyncio.sleep(0)
    waiting = asyncio.create_task(hold(other, "other", second))
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert order == ["one has it"]
    first.set()
    await asyncio.gather(holding, waiting)
    assert order == ["one has it", "one gives it up", "other has it", "other gives it up"]


@pytest.mark.parametrize("steps", range(12))
async def test_cancelled_at_any_step_a_transaction_is_over_and_nothing_is_held(database: Database, steps: int) -> None:
    async def write() -> None:
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), lanes("a"))
            await tx.insert("lane", ("key",), lanes("b"))

    task = asyncio.create_task(write())
    for _ in range(steps):
        await asyncio.sleep(0.0005 if steps > 5 else 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await keys(database) in ([], ["a", "b"])
    async with asyncio.timeout(5), database.writing() as tx:
        await tx.insert("lane", ("key",), lanes("c"))
    assert "c" in await keys(database)


async def test_a_hundred_cancelled_transactions_leave_no_connection_behind(database: Database) -> None:
    async def write(n: int) -> None:
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), lanes(str(n)))
            await asyncio.sleep(10)

    tasks = [asyncio.create_task(write(n)) for n in range(100)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await keys(database) == []

    async def right(n: int) -> None:
        async with database.writing() as tx:
            await tx.insert("lane", ("key",), lanes(str(n)))

    async with asyncio.timeout(20):
        await asyncio.gather(*(right(n) for n in range(30)))
    assert len(await keys(database)) == 30


async def test_a_read_is_cancelled_without_harm_to_the_next(database: Database) -> None:
    for _ in range(20):
        task = asyncio.create_task(keys(database))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await keys(database) == []


@pytest.mark.parametrize("row", [("a", 2**70), ("\ud800", 1)], ids=["number too large", "half a character"])
async def test_what_is_wrong_with_a_value_is_not_said_to_pass_by_itself(
    database: Database, row: tuple[str, int]
) -> None:
    with pytest.raises(Exception) as raised:
        async with database.writing() as tx:
            await tx.insert("lane", ("key", "seq"), [row])
    assert not isinstance(raised.value, Conflict | Unavailable)
    assert await keys(database) == []


async def test_the_right_to_relay_is_held_until_the_database_is_closed(database: Database) -> None:
    assert await database.hold(1)
    assert await database.hold(1)
    assert await database.hold(2)
