from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from shared.core import Decision
from shared.messages import LIMIT
from shared.ports import Database, Outgoing, Unavailable, Unroutable
from shared.relay import BATCH
from tests.shared.world import FakeBroker, World, noted, rows


async def said(world: World, lanes: int = 1, each: int = 1) -> Database:
    """An outbox with so many messages in so many lanes."""
    runner = await world.runner()
    for n in range(each):
        for lane in range(lanes):
            await world.command(runner, str(n), f"patient/{lane}")
    return runner.database


async def unsent(database: Database) -> list[tuple[Any, ...]]:
    return await rows(database, "select lane, seq, problem from outbox where sent_at is null order by lane, seq")


async def test_what_is_sent_is_marked_and_not_sent_again(world: World) -> None:
    broker = FakeBroker()
    relay = world.relay(await said(world, lanes=3), broker)
    assert await relay.once() == 3
    assert await relay.once() == 0
    assert len(broker.taken) == 3


async def test_a_lane_is_sent_in_order_across_windows(world: World) -> None:
    broker = FakeBroker()
    database = await said(world, lanes=2, each=3)
    relay = world.relay(database, broker)
    while await relay.once():
        pass
    for lane in ("patient/0", "patient/1"):
        assert [m.headers["seq"] for m in broker.taken if m.headers["lane"] == lane] == [1, 2, 3]


async def test_a_lane_stops_at_its_first_failure_and_the_others_go_on(world: World) -> None:
    broker = FakeBroker()
    broker.fails = lambda m: Unavailable() if (m.headers["lane"], m.headers["seq"]) == ("patient/0", 2) else None
    database = await said(world, lanes=2, each=3)
    assert await world.relay(database, broker).once() == 4
    assert await unsent(database) == [("patient/0", 2, "unavailable"), ("patient/0", 3, "")]


async def test_a_message_whose_queue_is_missing_stays_and_says_so_until_the_queue_is_there(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    broker = FakeBroker()
    broker.fails = lambda m: Unroutable(m.keys[0])
    database = await said(world)
    relay = world.relay(database, broker)
    assert await relay.once() == 0
    assert await unsent(database) == [("patient/0", 1, "unroutable")]
    assert "1 messages not taken by the broker: unroutable" in caplog.text
    broker.fails = lambda m: None
    assert await relay.once() == 0, "it waits a moment"
    world.clock.move(seconds=0.5)
    assert await relay.once() == 1
    assert await unsent(database) == []


async def test_a_lane_that_fails_again_and_again_is_tried_ever_more_rarely(world: World) -> None:
    tries = []

    def fails(message: Outgoing) -> Exception:
        tries.append(world.clock())
        return Unroutable("nowhere")

    broker = FakeBroker()
    broker.fails = fails
    relay = world.relay(await said(world), broker)
    for _ in range(240):
        await relay.once()
        world.clock.move(seconds=0.5)
    waits = [(b - a).total_seconds() for a, b in pairwise(tries)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_more_failing_lanes_than_a_window_holds_do_not_keep_the_others(world: World) -> None:
    world.script = noted
    database = await said(world, lanes=1)
    async with database.writing() as tx:
        ((headers, body),) = await tx.fetch("select headers, body from outbox")
        early = [
            (f"m{n}", f"lost/{n}", 1, 0, "noted", '["Claim.p0"]', headers, body, "2000-01-01")
            for n in range(BATCH + 50)
        ]
        columns = ("id", "lane", "seq", "partition", "reason", "keys", "headers", "body", "created_at")
        await tx.insert("outbox", columns, early)
    broker = FakeBroker()
    broker.fails = lambda m: Unroutable("nowhere") if m.id.startswith("m") else None
    relay = world.relay(database, broker)
    await relay.once()
    assert await relay.once() == 1


async def test_what_was_published_and_not_marked_is_published_again_with_its_id(world: World) -> None:
    """A process that dies before marking: the next one does not know."""
    broker, database = FakeBroker(), await said(world)
    await world.relay(database, broker).once()
    async with database.writing() as tx:
        await tx.execute("update outbox set sent_at = null")
    await world.relay(database, broker).once()
    assert broker.taken[0] == broker.taken[1]


async def test_a_large_message_goes_out_as_its_header_that_names_every_version(world: World) -> None:
    claim = {"resourceType": "Claim", "id": "be-1", "text": "x" * LIMIT}
    world.script = lambda event, facts: Decision("noted", (claim,))
    broker = FakeBroker()
    await world.relay(await said(world), broker).once()
    (message,) = broker.taken
    (entry,) = json.loads(message.body)["entry"]
    assert [f["reference"] for f in entry["resource"]["focus"]] == ["Claim/be-1", "Claim/be-1/_history/1-1"]
    assert message.headers["large"] == "yes"
    assert len(message.body) < 2000


async def test_of_two_processes_one_relays_a_partition(world: World) -> None:
    database = await said(world, lanes=20)
    other = await world.database()
    first, second = FakeBroker(), FakeBroker()
    await world.relay(database, first).once()
    await world.relay(other, second).once()
    assert (len(first.taken), len(second.taken)) == (20, 0)
