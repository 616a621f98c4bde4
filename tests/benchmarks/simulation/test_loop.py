"""The loop of simulated time: the same seed is the same run, and death is as sudden as kill -9."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from benchmarks.simulation.loop import Life, SimulatedLoop


def order_of(seed: int) -> tuple[list[str], float]:
    """Who came when, of three that each take three turns."""
    loop, seen = SimulatedLoop(Random(seed)), list[str]()

    async def turns(name: str) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(name)
        await asyncio.sleep(3600)

    async def everybody() -> None:
        await asyncio.gather(*(turns(name) for name in "abc"))

    loop.run_until_complete(everybody())
    return seen, loop.time()


def test_a_seed_decides_who_is_next_and_an_hour_takes_no_time() -> None:
    assert order_of(1) == order_of(1)
    assert len({tuple(order_of(seed)[0]) for seed in range(10)}) > 5
    assert 3600 < order_of(1)[1] < 3601


@pytest.mark.parametrize("step", range(2, 6))
def test_a_life_ends_at_any_step_and_nothing_of_it_runs_any_more(step: int) -> None:
    loop, life, seen = SimulatedLoop(Random(step)), Life("beta"), list[str]()
    life.doomed_at = step
    life.ends.append(lambda: seen.append("connections closed"))

    async def lives() -> None:
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            seen.append("done")
        finally:
            seen.append("cleaned up")

    async def watches() -> None:
        loop.spawn(lives(), life, "lives")
        await asyncio.sleep(60)

    loop.run_until_complete(watches())
    assert seen == ["connections closed"]
    assert not life.alive


def test_where_every_task_waits_for_another_the_loop_says_so() -> None:
    loop = SimulatedLoop(Random(1))
    with pytest.raises(RuntimeError, match="every task waits"):
        loop.run_until_complete(loop.create_future())


def test_a_frozen_life_takes_no_step_and_goes_on_where_it_stood() -> None:
    loop, life, seen = SimulatedLoop(Random(1)), Life("beta"), list[tuple[str, int]]()

    async def lives() -> None:
        while True:
            await asyncio.sleep(1)
            seen.append(("stepped", int(loop.time())))

    async def watches() -> None:
        loop.spawn(lives(), life, "lives")
        await asyncio.sleep(2.5)
        life.frozen = True
        await asyncio.sleep(10)
        seen.append(("thawed", int(loop.time())))
        loop.thaw(life)
        await asyncio.sleep(1.5)

    loop.run_until_complete(watches())
    assert seen == [("stepped", 1), ("stepped", 2), ("thawed", 12), ("stepped", 12), ("stepped", 13)]
