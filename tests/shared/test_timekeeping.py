from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from shared.core import TryLater
from shared.ports import Unavailable
from shared.timekeeping import TOLERATED, Timekeeping
from tests.shared.test_deliveries import Partner, carried, carrying, states
from tests.shared.world import FakeBroker, World, rows

AHEAD = 10
"""Minutes by which a clock is ahead for a while."""


async def test_what_is_decided_after_the_clock_was_set_back_is_sent_at_once(world: World) -> None:
    partner = Partner()
    runner, deliveries = await carrying(world, partner)
    world.clock.move(minutes=AHEAD)
    await world.command(runner, "1")
    assert await carried(deliveries) == 1
    world.clock.move(minutes=-AHEAD)
    await world.command(runner, "2")
    assert await carried(deliveries) == 1, "its lane's time is ahead, but it is due"
    assert partner.sent == ["be-1:1", "be-1:2"]


async def test_what_was_put_off_by_a_clock_ahead_is_tried_when_the_clock_is_right_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    partner = Partner(answers=[TryLater("busy", 30)])
    runner, deliveries = await carrying(world, partner)
    watch = Timekeeping(runner.database, world.clock)
    world.clock.move(minutes=AHEAD)
    await watch.once()
    await world.command(runner, "1")
    await carried(deliveries)
    world.clock.move(minutes=-AHEAD)
    assert await carried(deliveries) == 0, "put off by a clock that was ahead"
    with caplog.at_level(logging.WARNING):
        await watch.once()
    assert "the clock is 600 s behind what it was" in caplog.text
    assert await carried(deliveries) == 1
    assert await states(runner) == [("answered", 2, "")]


async def test_a_process_sees_at_its_start_that_the_one_before_it_was_ahead(world: World) -> None:
    partner = Partner(answers=[TryLater("busy", 30)])
    runner, deliveries = await carrying(world, partner)
    world.clock.move(minutes=AHEAD)
    await world.command(runner, "1")
    await carried(deliveries)
    world.clock.move(minutes=-AHEAD)
    await Timekeeping(runner.database, world.clock).once()
    assert await carried(deliveries) == 1


async def test_a_clock_that_is_right_or_tells_a_second_twice_hurries_nobody(world: World) -> None:
    partner = Partner(answers=[TryLater("busy", 30)])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    watch = Timekeeping(runner.database, world.clock)
    await watch.once()
    world.clock.now -= TOLERATED
    await watch.once()
    assert await carried(deliveries) == 0


async def test_a_lease_taken_by_a_clock_ahead_runs_out_no_later_than_a_new_one(world: World) -> None:
    runner, _ = await carrying(world, Partner())
    await world.command(runner, "1")
    async with runner.database.writing() as tx:
        until = "2099-01-01T00:00:00.000000Z"
        await tx.execute("update delivery set state = 'sending', fence = 1, lease_until = $1", until)
    world.clock.move(minutes=-AHEAD)
    await Timekeeping(runner.database, world.clock).once()
    ((lease,),) = await rows(runner.database, "select lease_until from delivery")
    assert lease == f"{world.clock() + timedelta(seconds=8):%Y-%m-%dT%H:%M:%S.%fZ}"


async def test_a_lane_the_relay_put_off_by_a_clock_ahead_is_sent_when_the_clock_is_right_again(world: World) -> None:
    runner = await world.runner()
    await world.command(runner)
    broker = FakeBroker()
    broker.fails = lambda m: Unavailable()
    relay = world.relay(runner.database, broker)
    world.clock.move(minutes=AHEAD)
    assert await relay.once() == 0
    world.clock.move(minutes=-AHEAD)
    broker.fails = lambda m: None
    assert await relay.once() == 1
