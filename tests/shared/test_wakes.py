"""Timers come due once, move, clear, and fail without keeping others."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared import store
from shared.clock import stamp
from shared.core import Decision, Event
from tests.shared.world import Facts, World, heard, noted, rows

# Wakes


def waking(**after: float) -> Any:
    """Sets the timer `end` so many seconds on; notes everything."""

    def script(event: Event, facts: Facts) -> Decision:
        wakes = {} if event.kind == "wake" else {"end": event.at + timedelta(**after)}
        return replace(noted(event, facts), wakes=wakes)

    return script


async def test_a_hold_that_nobody_moved_expires_when_it_is_due_and_not_before(world: World) -> None:
    world.script = waking(minutes=5)
    runner = await world.runner()
    sweeper = world.sweeper(runner)
    await world.command(runner)
    world.clock.move(minutes=5, microseconds=-1)
    assert await sweeper.wakes() == 0
    world.clock.move(microseconds=1)
    assert await sweeper.wakes() == 1
    assert await heard(runner.database) == ["do", "end"]
    assert await sweeper.wakes() == 0


async def test_a_timer_moved_meanwhile_waits_for_its_new_time(world: World) -> None:
    world.script = waking(minutes=5)
    runner = await world.runner()
    sweeper = world.sweeper(runner)
    await world.command(runner)
    async with runner.database.reading() as tx:
        ((lane, key, due_at),) = await store.due_wakes(tx, world.clock() + timedelta(minutes=5))
    world.clock.move(minutes=5)
    await world.command(runner)
    await sweeper._wake(lane, key, due_at)
    assert await heard(runner.database) == ["do", "do"]
    assert await rows(runner.database, "select due_at from wake") == [(stamp(world.clock() + timedelta(minutes=5)),)]


async def test_a_timer_cleared_meanwhile_does_nothing(world: World) -> None:
    world.script = waking(minutes=5)
    runner = await world.runner()
    await world.command(runner)
    world.script = lambda event, facts: Decision("nothing-to-note", wakes={"end": None, "other": None})
    await world.command(runner)
    world.clock.move(minutes=5)
    assert await world.sweeper(runner).wakes() == 0


async def test_two_processes_take_a_due_timer_once(world: World) -> None:
    world.script = waking(minutes=5)
    one, other = await world.runner(), await world.runner()
    await world.command(one)
    world.clock.move(minutes=5)
    await asyncio.gather(world.sweeper(one).wakes(), world.sweeper(other).wakes())
    assert await heard(one.database) == ["do", "end"]


async def test_a_timer_that_fails_waits_a_minute_and_does_not_keep_the_others(world: World) -> None:
    world.script = waking(minutes=5)
    runner = await world.runner()
    for n in (1, 2, 3):
        await world.command(runner, lane=f"patient/{n}")

    def script(event: Event, facts: Facts) -> Decision:
        if event.lane == "patient/2":
            raise RuntimeError("a defect")
        return noted(event, facts)

    world.script = script
    world.clock.move(minutes=5)
    sweeper = world.sweeper(runner)
    await sweeper.wakes()
    assert await heard(runner.database, "patient/1") == await heard(runner.database, "patient/3") == ["do", "end"]
    assert await sweeper.wakes() == 0
    world.script = noted
    world.clock.move(minutes=1)
    assert await sweeper.wakes() == 1
    assert await heard(runner.database, "patient/2") == ["do", "end"]
