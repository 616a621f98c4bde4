"""Every message is decided once and in its producer's order; what is missing or late is waited for and fetched."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest

from shared.hearing import CAUSE_PATIENCE
from shared.messages import Cause, causes_of
from shared.ports import Incoming
from tests.shared.world import FakeBroker, World, heard, rests_on, rows, statuses

PATIENCE = CAUSE_PATIENCE.total_seconds()


# Once, and in order


async def test_a_message_is_decided_once_however_often_it_comes(world: World) -> None:
    runner = await world.runner()
    message = world.message()
    await runner.receive([message, message])
    await runner.receive([replace(message, redelivered=True)])
    assert await heard(runner.database) == [message.id]
    assert await rows(runner.database, "select count(*) from decision") == [(1,)]


async def test_two_processes_given_the_same_batch_decide_it_once(world: World) -> None:
    one, other = await world.runner(), await world.runner()
    batch = [world.message(f"patient/{n}") for n in range(10)]
    await asyncio.gather(one.receive(batch), other.receive(batch))
    assert await rows(one.database, "select count(*) from decision") == [(10,)]


async def test_messages_are_decided_in_their_producers_order_in_whichever_they_come(world: World) -> None:
    runner = await world.runner()
    first, second, third = (world.message() for _ in range(3))
    for message in (third, second, first):
        await runner.receive([message])
    assert await heard(runner.database) == [first.id, second.id, third.id]


async def test_within_a_batch_too_the_order_is_the_producers(world: World) -> None:
    runner = await world.runner()
    first, second, third = (world.message() for _ in range(3))
    await runner.receive([third, first, second])
    assert await heard(runner.database) == [first.id, second.id, third.id]


async def test_a_message_waits_for_what_it_rests_on_and_only_its_own_producer_waits_behind(world: World) -> None:
    runner = await world.runner()
    cause = world.message(producer="alpha")
    resting = world.message(producer="delta", causes=rests_on(cause))
    behind = world.message(producer="delta")
    elsewhere = world.message("patient/2", "delta")
    await runner.receive([resting, behind, elsewhere])
    assert await heard(runner.database) == []
    assert await heard(runner.database, "patient/2") == [elsewhere.id]
    await runner.receive([cause])
    assert await heard(runner.database) == [cause.id, resting.id, behind.id]


async def test_a_message_waits_for_the_latest_message_heard_of_its_cause_though_a_later_one_is_not_heard(
    world: World,
) -> None:
    """alpha said an order beta hears, then a Coverage beta does not hear; delta decided on both."""
    runner = await world.runner()
    order = world.message(producer="alpha")
    resting = world.message(producer="delta", causes={"alpha": Cause(2, {"beta": order.id, "gamma": "other"})})
    await runner.receive([resting])
    assert await heard(runner.database) == []
    await runner.receive([order])
    assert await heard(runner.database) == [order.id, resting.id]


async def test_a_cause_this_service_does_not_hear_holds_nothing(world: World) -> None:
    runner = await world.runner()
    cause = world.message(producer="alpha")
    resting = world.message(producer="delta", causes=rests_on(cause, service="gamma"))
    await runner.receive([resting])
    assert await heard(runner.database) == [resting.id]


async def test_a_parked_cause_holds_nothing(world: World) -> None:
    runner = await world.runner()
    cause = world.message(status="unfit")
    resting = world.message(producer="delta", causes=rests_on(cause))
    await runner.receive([resting])
    await runner.receive([cause])
    await runner.advance("patient/1")
    assert await statuses(runner.database) == {cause.id: "parked", resting.id: "done"}


async def test_a_cause_too_old_to_be_in_the_inbox_still_holds_nothing(world: World) -> None:
    runner = await world.runner()
    cause = world.message()
    world.clock.move(days=26)
    resting = world.message(producer="delta", causes=rests_on(cause))
    await runner.receive([resting])
    assert await heard(runner.database) == [resting.id]


async def test_what_a_decision_rests_on_goes_on_with_its_message(world: World) -> None:
    runner = await world.runner()
    delta = Cause(4, {"gamma": "01a20066-8057-7000-8000-000000000000"})
    message = world.message(causes={"delta": delta, "beta": Cause(1, {"gamma": "its own"})})
    await runner.receive([message])
    ((headers,),) = await rows(runner.database, "select headers from outbox")
    assert causes_of(json.loads(headers)["causes"]) == {"delta": delta, "alpha": Cause(1, {"beta": message.id})}


async def test_what_a_service_says_itself_is_nothing_new_to_it(world: World) -> None:
    runner, broker = await world.runner(), FakeBroker()
    await world.command(runner)
    await world.relay(runner.database, broker).once()
    await runner.receive([Incoming(m.id, m.reason, m.headers, m.body) for m in broker.taken])
    assert await statuses(runner.database) == {}
    assert await rows(runner.database, "select count(*) from decision") == [(1,)]


# Lost, large, late


async def test_a_lost_message_is_fetched_from_its_producer_when_another_has_waited_long_enough(world: World) -> None:
    runner = await world.runner()
    sweeper = world.sweeper(runner)
    lost = [world.message() for _ in range(3)]
    last = world.message()
    await runner.receive([lost[0]])
    await runner.receive([last])
    world.fetchable = {m.id: m for m in lost}
    world.clock.move(seconds=PATIENCE - 1)
    await sweeper.messages()
    assert world.fetched == []
    world.clock.move(seconds=1)
    await sweeper.messages()
    assert world.fetched == [lost[2].id, lost[1].id]
    assert await heard(runner.database) == [*(m.id for m in lost), last.id]


async def test_what_cannot_be_fetched_is_asked_for_again_ever_more_rarely_and_said_once_a_minute(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    runner = await world.runner()
    sweeper = world.sweeper(runner)
    lost, last = world.message(), world.message()
    await runner.receive([last])
    for _ in range(181):
        await sweeper.messages()
        world.clock.move(seconds=1)
    assert world.fetched == [lost.id] * 2
    assert [r.levelno for r in caplog.records if "wait for earlier ones" in r.message] == [logging.WARNING] * 3
    assert await statuses(runner.database) == {last.id: "waiting"}
    await runner.receive([lost])
    assert await heard(runner.database) == [lost.id, last.id]


async def test_a_large_message_travels_as_its_header_and_is_fetched_at_once(world: World) -> None:
    runner = await world.runner()
    whole = world.message(text="x" * 20)
    bundle = json.loads(whole.body)
    header = Incoming(
        whole.id,
        "said",
        {**whole.headers, "large": "yes"},
        json.dumps({**bundle, "entry": bundle["entry"][:1]}).encode(),
    )
    behind = world.message()
    await runner.receive([header, behind])
    assert await heard(runner.database) == []
    world.fetchable = {whole.id: whole}
    await world.sweeper(runner).messages()
    assert await heard(runner.database) == [whole.id, behind.id]
    copy = await rows(runner.database, "select version from resource where type = 'ServiceRequest'")
    assert copy == [(2,)]


async def test_a_large_message_whose_rest_cannot_be_taken_is_parked_and_the_next_go_on(world: World) -> None:
    runner = await world.runner()
    whole = world.message(text="x" * 20)
    bundle = json.loads(whole.body)
    head = json.dumps({**bundle, "entry": bundle["entry"][:1]}).encode()
    behind = world.message()
    await runner.receive([Incoming(whole.id, "said", {**whole.headers, "large": "yes"}, head), behind])
    world.fetchable = {whole.id: Incoming(whole.id, "said", whole.headers, b"{not json")}
    sweeper = world.sweeper(runner)
    await sweeper.messages()
    world.clock.move(seconds=PATIENCE)
    await sweeper.messages()
    assert await statuses(runner.database) == {whole.id: "parked", behind.id: "done"}
    assert await heard(runner.database) == [behind.id]
