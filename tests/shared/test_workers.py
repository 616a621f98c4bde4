"""Workers do what there is again and again, and outlive what fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import store, workers
from shared.ports import Unavailable
from shared.workers import Worker, workers_of
from tests.shared.world import FakeBroker, World, rows


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POLL", 0.01)


def told(*results: int | Exception) -> tuple[list[int], asyncio.Event, Callable[[], Awaitable[int]]]:
    """Work that gives these results in turn, then nothing; how often it was done, and when all were."""
    left, done, over = list(results), [0], asyncio.Event()

    async def once() -> int:
        done[0] += 1
        if not left:
            over.set()
            return 0
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return done, over, once


async def test_work_is_repeated_at_once_while_there_is_some() -> None:
    done, over, once = told(*[1] * 50)
    worker = Worker("test", once)
    worker.start()
    await asyncio.wait_for(over.wait(), 5)
    await worker.stop()
    assert done[0] >= 51


async def test_a_nudge_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POLL", 60)
    done, over, once = told()
    worker = Worker("test", once)
    worker.start()
    await over.wait()
    over.clear()
    worker.nudge()
    await asyncio.wait_for(over.wait(), 5)
    assert done == [2]
    await worker.stop()


@pytest.mark.parametrize("error", [RuntimeError("Mrs Meier"), Unavailable("away")])
async def test_it_outlives_its_failures_and_says_no_value(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    _, over, once = told(error, error)
    worker = Worker("test", once)
    worker.start()
    await asyncio.wait_for(over.wait(), 5)
    await worker.stop()
    assert [r.levelno >= logging.WARNING for r in caplog.records] == [True, True]
    assert "Meier" not in caplog.text


async def test_stopping_lets_the_piece_under_way_end_then_what_it_had_started() -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), []

    async def once() -> int:
        begun.set()
        await go_on.wait()
        ended.append("piece")
        return 1

    async def drained(within: float) -> None:
        ended.append("started")

    worker = Worker("test", once, drained)
    worker.start()
    await begun.wait()
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert ended == ["piece", "started"]


async def test_what_does_not_end_in_time_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "DRAIN", 0.01)

    async def once() -> int:
        await asyncio.sleep(60)
        return 1

    worker = Worker("test", once)
    worker.start()
    await asyncio.sleep(0)
    await asyncio.wait_for(worker.stop(), 5)


async def test_a_lane_that_cannot_be_advanced_does_not_keep_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runner = await world.runner()
    async with runner.database.writing() as tx:
        for n in (1, 2, 3):
            message = world.message(f"patient/{n}")
            letter = runner.hearing._opened(message)
            await store.put(tx, [store.inbox_row(letter, message, world.clock())])
    world.clock.move(seconds=2)
    advance = runner.advance

    async def failing(lane: str) -> Any:
        if lane == "patient/2":
            raise RuntimeError("Mrs Meier")
        return await advance(lane)

    monkeypatch.setattr(runner, "advance", failing)
    assert await world.sweeper(runner).messages() == 2
    assert "Meier" not in caplog.text
    assert await rows(runner.database, "select lane from inbox where status = 'new'") == [("patient/2",)]


async def test_a_commit_nudges_relay_and_deliveries(world: World) -> None:
    runner = await world.runner()
    relay = world.relay(runner.database, FakeBroker())
    made = workers_of(runner, relay, [], world.sweeper(runner))
    assert [w._name for w in made] == ["beta relay", "beta inbox", "beta wakes", "beta keeping", "beta clock"]
    await world.command(runner)
    assert [w._wanted.is_set() for w in made] == [True, False, False, False, False]
