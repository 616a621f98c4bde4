"""A delivery's lease: kept while its call is under way, and taken over by another process only when it ran out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from shared import store
from shared.core import Answer
from shared.deliveries import LEASE
from shared.ports import Unavailable
from tests.shared.test_deliveries import Partner, another, answers, carried, carrying, states
from tests.shared.world import World, rows


async def test_a_delivery_whose_process_died_is_in_doubt_when_its_lease_has_run_out_and_not_before(
    world: World,
) -> None:
    partner = Partner(knows=[Answer("found")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    async with runner.database.writing() as tx:
        assert len(await store.claim(tx, "payer", world.clock(), LEASE, 10)) == 1
    world.clock.move(seconds=LEASE.total_seconds(), microseconds=-1)
    assert await carried(deliveries) == 0
    world.clock.move(microseconds=1)
    assert await carried(deliveries) == 1
    assert (partner.sent, len(partner.asked)) == ([], 1)


async def test_an_answer_that_comes_after_another_has_taken_over_is_ignored(world: World) -> None:
    partner = Partner(answers=[Answer("late")], knows=[Answer("found")], gate=asyncio.Event())
    runner, slow = await carrying(world, partner)
    await world.command(runner, "1")
    await slow.once()
    while not partner.sent:  # noqa: ASYNC110 (nobody signals it)
        await asyncio.sleep(0)
    world.clock.move(seconds=LEASE.total_seconds())
    await carried(await another(world, runner))
    assert partner.gate is not None
    partner.gate.set()
    await slow.stop(10)
    assert await answers(runner) == ["found"]
    assert await states(runner) == [("answered", 2, "")]


SHORT = timedelta(seconds=12)


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Looks until it has happened."""
    async with asyncio.timeout(30):
        while not await happened():  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_call_that_takes_longer_than_its_lease_keeps_it_and_is_answered_once(world: World) -> None:
    partner = Partner(gate=asyncio.Event())
    runner, _ = await carrying(world, partner)
    slow = await another(world, runner, SHORT)
    await world.command(runner, "1")
    await slow.once()
    other = await another(world, runner)
    for _ in range(3):
        leased = (await rows(runner.database, "select lease_until from delivery"))[0][0]
        world.clock.move(seconds=SHORT.total_seconds() - 0.1)

        async def renewed(before: str = leased) -> bool:
            return bool((await rows(runner.database, "select lease_until from delivery"))[0][0] > before)

        await until(renewed)
        assert await other.once() == 0
    assert partner.gate is not None
    partner.gate.set()
    await slow.stop(10)
    assert (partner.sent, await answers(runner), await states(runner)) == (
        ["be-1:1"],
        ["answered"],
        [("answered", 1, "")],
    )


@pytest.mark.slow
async def test_a_call_whose_lease_another_has_taken_is_given_up(world: World) -> None:
    partner = Partner(gate=asyncio.Event(), knows=[Answer("found")])
    runner, _ = await carrying(world, partner)
    slow = await another(world, runner, SHORT)
    await world.command(runner, "1")
    ended: list[bool] = []
    slow.ended = lambda: ended.append(True)
    await slow.once()
    async with runner.database.writing() as tx:
        await tx.execute("update delivery set lease_until = ''")
    await carried(await another(world, runner))

    async def over() -> bool:
        return bool(ended)

    await until(over)
    assert (partner.sent, await answers(runner)) == (["be-1:1"], ["found"])
    assert await states(runner) == [("answered", 2, "")]


@pytest.mark.slow
async def test_a_call_whose_lease_cannot_be_renewed_is_given_up_before_it_runs_out(world: World) -> None:
    partner = Partner(gate=asyncio.Event())
    runner, _ = await carrying(world, partner)
    slow = await another(world, runner, SHORT)
    await world.command(runner, "1")
    loop = asyncio.get_running_loop()
    begun = loop.time()

    def away() -> Any:
        raise Unavailable("the database is away")

    await slow.once()
    slow._database.writing = away  # type: ignore[method-assign]
    await slow.stop(30)
    assert loop.time() - begun < SHORT.total_seconds()
    assert (await states(runner))[0][0] == "sending", "left to its lease, for nobody could write down the doubt"
