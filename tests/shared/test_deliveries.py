from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from shared import store
from shared.core import Answer, Channel, Decision, Doubtful, Event, Resource, TryLater
from shared.deliveries import AT_ONCE, ATTEMPTS, LEASE, NOT_SEEN, Deliveries
from shared.failpoints import Failpoints
from shared.run import Runner
from tests.shared.world import Facts, World, rows

Sent = Callable[[Resource], Awaitable[Answer]]


@dataclass
class Partner:
    """An outside party that does what the test tells it."""

    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: list[Answer | Exception] = field(default_factory=list)
    knows: list[Answer | Exception | None] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def channel(self, doubt: Any = "inquirable") -> Channel:
        return Channel("payer", lambda before, after: after.get("ask"), doubt, self.send, self.inquire)

    async def send(self, claim: Resource, reader: Any, outside: Any) -> Answer:
        self.sent.append(f"{claim['id']}:{claim.get('ask')}")
        if self.gate is not None:
            await self.gate.wait()
        return _given(self.answers.pop(0) if self.answers else Answer("answered"))

    async def inquire(self, claim: Resource, reader: Any, outside: Any) -> Answer | None:
        self.asked.append(claim["id"])
        found = self.knows.pop(0)
        return None if found is None else _given(found)


def _given(said: Answer | Exception) -> Answer:
    if isinstance(said, Exception):
        raise said
    return said


def asking(event: Event, facts: Facts) -> Decision:
    """A command asks the payer with its reason as the occurrence; an answer is noted."""
    claim_id = f"be-{event.lane.partition('/')[2]}"
    claim = facts.held.get(claim_id) or {"resourceType": "Claim", "id": claim_id, "heard": []}
    if event.kind == "answer":
        return Decision("noted", ({**claim, "ask": None, "heard": [*claim["heard"], event.reason]},))
    return Decision("noted", ({**claim, "ask": event.reason},))


async def carrying(world: World, partner: Partner, doubt: Any = "inquirable") -> tuple[Runner, Deliveries]:
    world.script, world.channels = asking, (partner.channel(doubt),)
    runner = await world.runner()
    return runner, await another(world, runner)


async def another(world: World, runner: Runner, lease: timedelta = LEASE) -> Deliveries:
    """The same deliveries as another process has them."""
    (channel,) = runner.service.channels
    outside: Any = None
    return Deliveries(runner, channel, await world.database(), outside, world.clock, Failpoints(None), lease)


async def carried(deliveries: Deliveries) -> int:
    """One look, until all it started has ended."""
    started = await deliveries.once()
    await deliveries.stop(10)
    return started


async def states(runner: Runner) -> list[tuple[Any, ...]]:
    return await rows(runner.database, "select state, attempt, problem from delivery order by created_at, id")


async def answers(runner: Runner, lane: str = "1") -> list[str]:
    found = await store.DatabaseReader(runner.database).read(f"be-{lane}")
    return [] if found is None else list(found["heard"])


async def test_a_delivery_is_answered_once_and_its_answer_is_decided(world: World) -> None:
    partner = Partner()
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    assert await carried(deliveries) == 1
    assert await carried(deliveries) == 0
    assert partner.sent == ["be-1:1"]
    assert await answers(runner) == ["answered"]
    assert await states(runner) == [("answered", 1, "")]


async def test_the_same_occurrence_is_delivered_once_whatever_is_saved_later(world: World) -> None:
    partner = Partner()
    runner, deliveries = await carrying(world, partner)
    for _ in range(3):
        await world.command(runner, "1")
        await carried(deliveries)
    assert len(partner.sent) == 1


async def test_the_next_occurrence_waits_until_the_one_before_is_answered(world: World) -> None:
    partner = Partner(answers=[TryLater("busy", 30)])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await world.command(runner, "2")
    world.clock.move(seconds=1)
    assert await carried(deliveries) == 1
    assert await carried(deliveries) == 0, "the second waits for the first"
    world.clock.move(seconds=30)
    assert await carried(deliveries) == 1
    assert await carried(deliveries) == 1
    assert await rows(runner.database, "select occurrence, state, attempt from delivery order by answered_at") == [
        ("1", "answered", 2), ("2", "answered", 1)
    ]  # fmt: skip


async def test_many_attempts_a_partner_asked_for_do_not_make_the_next_wait_long(world: World) -> None:
    partner = Partner(answers=[*(TryLater("busy", 1) for _ in range(9)), TryLater("broken")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    for _ in range(10):
        assert await carried(deliveries) == 1
        world.clock.move(seconds=1)
    assert await carried(deliveries) == 0, "it waits for a third of the nine seconds and a second more"
    world.clock.move(seconds=3)
    assert await carried(deliveries) == 1
    assert await states(runner) == [("answered", 11, "")]


async def test_news_of_a_resource_has_what_waits_of_it_tried_again_at_once(world: World) -> None:
    partner = Partner(answers=[TryLater("busy", 300)])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    await world.command(runner, "2")
    world.clock.move(seconds=1)
    assert await carried(deliveries) == 1
    assert await carried(deliveries) == 1
    assert len(partner.sent) == 3
    assert [s[0] for s in await states(runner)] == ["answered", "answered"]


async def test_a_delivery_of_another_resource_does_not_wait(world: World) -> None:
    partner = Partner(answers=[TryLater("busy", 30)])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    await world.command(runner, "1", "patient/2")
    await carried(deliveries)
    assert [s[0] for s in await states(runner)] == ["prepared", "answered"]


@pytest.mark.parametrize(
    ("after", "waits"),
    [(30.0, 30.0), (None, 1.0), (86_400.0, 86_400.0), (86_401.0, 86_400.0), (float("9" * 400), 86_400.0)],
    ids=["as the partner says", "by backoff", "a day", "more than a day", "more than a calendar has"],
)
async def test_what_the_partner_has_not_taken_is_sent_again_later(
    world: World, after: float | None, waits: float
) -> None:
    partner = Partner(answers=[TryLater("busy", after)])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    assert await states(runner) == [("prepared", 1, "busy")]
    world.clock.move(seconds=waits, microseconds=-1)
    assert await carried(deliveries) == 0
    world.clock.move(microseconds=1)
    assert await carried(deliveries) == 1
    assert (len(partner.sent), partner.asked) == (2, [])


async def test_in_doubt_the_partner_is_asked_and_what_it_knows_settles_it(world: World) -> None:
    partner = Partner(answers=[Doubtful("no answer")], knows=[Answer("found")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    assert await states(runner) == [("in-doubt", 1, "no answer")]
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert (len(partner.sent), len(partner.asked)) == (1, 1)
    assert await answers(runner) == ["found"]


async def test_what_the_partner_has_not_seen_is_sent_again_only_when_it_says_so_twice(world: World) -> None:
    partner = Partner(answers=[Doubtful("no answer")], knows=[None, None])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert (len(partner.sent), len(partner.asked)) == (1, 1)
    assert await states(runner) == [("in-doubt", 2, NOT_SEEN)]
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert (len(partner.sent), len(partner.asked)) == (2, 2)
    assert await states(runner) == [("answered", 3, "")]


async def test_a_partner_that_cannot_be_asked_now_leaves_the_doubt_as_it_is(world: World) -> None:
    """503 to the question says nothing of the delivery: it must not be sent again unasked."""
    partner = Partner(answers=[Doubtful("no answer")], knows=[TryLater("busy", 5), Doubtful("?"), Answer("found")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    for _ in range(2):
        world.clock.move(seconds=60)
        await carried(deliveries)
        assert (await states(runner))[0][0] == "in-doubt"
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert (len(partner.sent), len(partner.asked)) == (1, 3)


async def test_a_partner_that_is_down_is_asked_no_sooner_than_it_says(world: World) -> None:
    partner = Partner(answers=[Doubtful("down", 300)], knows=[Answer("found")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await carried(deliveries)
    world.clock.move(seconds=300, microseconds=-1)
    assert await carried(deliveries) == 0
    world.clock.move(microseconds=1)
    assert await carried(deliveries) == 1
    assert (len(partner.sent), len(partner.asked)) == (1, 1)


async def test_an_idempotent_delivery_in_doubt_is_sent_again(world: World) -> None:
    partner = Partner(answers=[Doubtful("no answer")])
    runner, deliveries = await carrying(world, partner, "idempotent")
    await world.command(runner, "1")
    await carried(deliveries)
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert (len(partner.sent), partner.asked) == (2, [])
    assert await answers(runner) == ["answered"]


async def test_where_doubt_is_a_question_to_a_person_it_is_asked_and_nothing_is_sent(world: World) -> None:
    partner = Partner(answers=[Doubtful("no answer")])
    runner, deliveries = await carrying(world, partner, "ask")
    await world.command(runner, "1")
    await carried(deliveries)
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert len(partner.sent) == 1
    assert await answers(runner) == ["payer-in-doubt"]


async def test_a_notification_settles_what_is_under_way_and_the_late_answer_is_ignored(world: World) -> None:
    partner = Partner(gate=asyncio.Event())
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    await deliveries.once()
    while not partner.sent:  # noqa: ASYNC110 (nobody signals it)
        await asyncio.sleep(0)
    async with runner.database.writing() as tx:
        await store.settle(tx, "Claim/be-1", world.clock())
    assert partner.gate is not None
    partner.gate.set()
    await deliveries.stop(10)
    assert await answers(runner) == []
    assert (await states(runner))[0][0] == "answered"


async def test_a_notification_does_not_settle_what_was_never_sent(world: World) -> None:
    runner, _ = await carrying(world, Partner())
    await world.command(runner, "1")
    async with runner.database.writing() as tx:
        await store.settle(tx, "Claim/be-1", world.clock())
    assert (await states(runner))[0][0] == "prepared"


async def test_an_answer_that_cannot_be_decided_is_not_lost(world: World) -> None:
    partner = Partner(knows=[Answer("found")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")

    def broken(event: Event, facts: Facts) -> Decision:
        raise RuntimeError("a defect")

    world.script = broken
    await carried(deliveries)
    assert (await states(runner))[0][0] == "in-doubt"
    world.script = asking
    world.clock.move(seconds=60)
    await carried(deliveries)
    assert await answers(runner) == ["found"]


async def test_one_that_breaks_does_not_keep_the_others_and_says_no_value(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    partner = Partner(answers=[RuntimeError("Mrs Meier"), Answer("answered"), Answer("answered")])
    runner, deliveries = await carrying(world, partner)
    for n in (1, 2, 3):
        await world.command(runner, "1", f"patient/{n}")
        world.clock.move(seconds=1)
    async with runner.database.writing() as tx:
        await tx.execute("delete from resource where id = 'be-3'")
    assert await carried(deliveries) == 3
    assert [s[0] for s in await states(runner)] == ["in-doubt", "answered", "in-doubt"]
    assert "Meier" not in caplog.text
    assert "Meier" not in str(await states(runner))


async def test_a_slow_partner_takes_only_so_many_at_once_and_the_rest_follow(world: World) -> None:
    partner = Partner(gate=asyncio.Event())
    runner, deliveries = await carrying(world, partner)
    for n in range(AT_ONCE + 3):
        await world.command(runner, "1", f"patient/{n}")
    assert await deliveries.once() == AT_ONCE
    assert await deliveries.once() == 0
    assert partner.gate is not None
    partner.gate.set()
    await deliveries.stop(10)
    assert await carried(deliveries) == 3


async def test_a_delivery_that_fails_every_attempt_is_parked_and_a_notification_still_settles_it(world: World) -> None:
    partner = Partner(answers=[TryLater("busy")])
    runner, deliveries = await carrying(world, partner)
    await world.command(runner, "1")
    async with runner.database.writing() as tx:
        await tx.execute("update delivery set attempt = $1", ATTEMPTS - 1)
    await carried(deliveries)
    assert await states(runner) == [("parked", ATTEMPTS, "busy")]
    world.clock.move(days=1)
    assert await carried(deliveries) == 0
    async with runner.database.writing() as tx:
        await store.settle(tx, "Claim/be-1", world.clock())
    assert (await states(runner))[0][0] == "answered"


async def test_two_processes_never_carry_the_same_delivery(world: World) -> None:
    partner = Partner()
    runner, one = await carrying(world, partner)
    other = await another(world, runner)
    for n in range(20):
        await world.command(runner, "1", f"patient/{n}")
    while sum(await asyncio.gather(one.once(), other.once())):
        await asyncio.gather(one.stop(10), other.stop(10))
    assert sorted(partner.sent) == sorted(f"be-{n}:1" for n in range(20))


async def test_a_partner_that_never_answers_is_given_up_however_often_its_lease_is_renewed(world: World) -> None:
    partner = Partner(gate=asyncio.Event())
    runner, _ = await carrying(world, partner)
    (channel,) = runner.service.channels
    outside: Any = None
    lease = timedelta(milliseconds=20)
    deliveries = Deliveries(
        runner, channel, await world.database(), outside, world.clock, Failpoints(None), lease, longest_call=0.1
    )
    await world.command(runner, "1")
    await carried(deliveries)
    assert (await states(runner))[0][0] == "in-doubt"
