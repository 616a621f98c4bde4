"""What fails is tried again, then parked with its reason; its neighbours go on."""

import json
from dataclasses import replace
from typing import Any

import pytest

from shared import store
from shared.core import Decision, Event
from shared.hearing import ATTEMPTS
from shared.ports import Incoming, Unavailable
from tests.shared.world import Away, Facts, World, heard, noted, rests_on, rows, statuses

# Failing


def failing(*texts: str) -> Any:
    """Notes everything but what carries one of these in `text`."""

    def script(event: Event, facts: Facts) -> Decision:
        if any(r.get("text") in texts for r in event.resources):
            raise RuntimeError("a defect")
        return noted(event, facts)

    return script


async def test_a_batch_with_one_bad_message_decides_all_others(world: World) -> None:
    world.script = failing("bad")
    runner = await world.runner()
    batch = [world.message(f"patient/{n}", text="bad" if n == 7 else "good") for n in range(20)]
    await runner.receive(batch)
    found = await statuses(runner.database)
    assert [found[m.id] for m in batch] == ["retry" if n == 7 else "done" for n in range(20)]


async def test_a_batch_with_many_bad_messages_decides_all_others(world: World) -> None:
    world.script = failing("bad")
    runner = await world.runner()
    batch = [world.message(f"patient/{n}", text="bad" if n % 2 else "good") for n in range(20)]
    await runner.receive(batch)
    found = await statuses(runner.database)
    assert [found[m.id] for m in batch] == ["retry" if n % 2 else "done" for n in range(20)]


async def test_while_one_retries_only_its_producers_messages_of_the_lane_wait(world: World) -> None:
    world.script = failing("bad")
    runner = await world.runner()
    bad, behind = world.message(text="bad"), world.message()
    beside, elsewhere = world.message(producer="delta"), world.message("patient/2")
    await runner.receive([bad, behind, beside, elsewhere])
    assert await statuses(runner.database) == {
        bad.id: "retry", behind.id: "new", beside.id: "done", elsewhere.id: "done"
    }  # fmt: skip


async def test_a_failed_message_is_tried_again_when_its_time_has_come_with_the_instant_it_was_first_taken(
    world: World,
) -> None:
    seen = []

    def script(event: Event, facts: Facts) -> Decision:
        seen.append(event.at)
        if len(seen) < 3:
            raise RuntimeError("a defect")
        return noted(event, facts)

    world.script = script
    runner = await world.runner()
    message = world.message()
    await runner.receive([message])
    tries = len(seen)
    world.clock.move(seconds=0.9)
    assert await world.sweeper(runner).messages() == 0
    assert len(seen) == tries
    world.clock.move(seconds=0.1)
    assert await world.sweeper(runner).messages() == 1
    assert await heard(runner.database) == [message.id]
    assert len(set(seen)) == 1


async def test_a_message_that_fails_every_attempt_is_parked_with_its_reason_and_the_next_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.script = failing("bad")
    runner = await world.runner()
    bad, behind = world.message(text="bad"), world.message(of="al-other")
    await runner.receive([bad, behind])
    for attempt in range(1, ATTEMPTS):
        assert (await statuses(runner.database))[bad.id] == "retry", attempt
        world.clock.move(seconds=60)
        await world.sweeper(runner).messages()
    assert await statuses(runner.database) == {bad.id: "parked", behind.id: "done"}
    ((attempt, problem),) = await rows(runner.database, "select attempt, problem from inbox where id = $1", bad.id)
    assert attempt == ATTEMPTS
    assert problem.startswith("RuntimeError shared/test_failing.py:")
    assert "a defect" not in caplog.text + problem


async def test_a_parked_message_closes_itself_when_a_newer_version_comes(world: World) -> None:
    runner = await world.runner()
    parked, newer = world.message(status="unfit"), world.message()
    await runner.receive([parked])
    assert await statuses(runner.database) == {parked.id: "parked"}
    await runner.receive([newer])
    assert await statuses(runner.database) == {parked.id: "superseded", newer.id: "done"}


async def test_a_parked_message_about_something_else_stays(world: World) -> None:
    runner = await world.runner()
    parked, newer = world.message(status="unfit", of="al-other"), world.message()
    await runner.receive([parked, newer])
    assert await statuses(runner.database) == {parked.id: "parked", newer.id: "done"}


async def test_an_older_version_is_ignored(world: World) -> None:
    runner = await world.runner()
    newer, older = world.message(version=3, text="newer"), world.message(version=2, text="older")
    await runner.receive([newer, older])
    assert await heard(runner.database) == [newer.id]
    assert await statuses(runner.database) == {newer.id: "done", older.id: "superseded"}
    ((body,),) = await rows(runner.database, "select body from resource where type = 'ServiceRequest'")
    assert store.parsed(body)["text"] == "newer"


def broken(message: Incoming, how: str) -> Incoming:
    bundle = json.loads(message.body)
    resource = bundle["entry"][1]["resource"]
    headers = dict(message.headers)
    match how:
        case "no json":
            return replace(message, body=b"{")
        case "another producer's type":
            resource["resourceType"] = "Task"
        case "another producer's id":
            resource["id"] = "de-1"
        case "no such producer":
            headers["producer"] = "omega"
        case "no such reason":
            bundle["entry"][0]["resource"]["eventUri"] += "-not"
        case "not in the profile":
            resource["status"] = "unfit"
        case "no version":
            resource["meta"] = {"versionId": "one"}
        case "two of one id":
            bundle["entry"].append(bundle["entry"][1])
        case "no zone":
            bundle["timestamp"] = "2026-03-02T14:00:00"
        case "nul in lane":
            headers["lane"] = "patient/\0"
        case "nul in producer":
            headers["producer"] = "al\0pha"
        case "sequence too large":
            headers["seq"] = 2**70
        case "deep causes":
            headers["causes"] = "[" * 100_000
        case "no headers":
            headers = {}
        case "another id":
            return replace(message, id="another")
        case "surrogate":
            return replace(message, body=message.body[:-1] + b', "a": "\\ud800"}')
    return replace(message, headers=headers, body=json.dumps(bundle).encode())


BROKEN = {
    "no json": "malformed",
    "another producer's type": "wrong-producer",
    "another producer's id": "wrong-producer",
    "no such producer": "wrong-producer",
    "no such reason": "unknown-type",
    "not in the profile": "profile",
    "no version": "malformed",
    "two of one id": "malformed",
    "no zone": "malformed",
    "nul in lane": "malformed",
    "nul in producer": "wrong-producer",
    "sequence too large": "malformed",
    "deep causes": "malformed",
    "no headers": "malformed",
    "another id": "malformed",
    "surrogate": "malformed",
}


async def test_what_cannot_be_taken_is_parked_with_its_reason_and_its_neighbours_are_decided(world: World) -> None:
    runner = await world.runner()
    good = world.message("patient/good")
    wrong = [broken(world.message(f"patient/{n}"), how) for n, how in enumerate(BROKEN)]
    await runner.receive([*wrong, good])
    problems = dict(await rows(runner.database, "select id, problem from inbox where status = 'parked'"))
    assert [problems[m.id].partition(":")[0] for m in wrong] == list(BROKEN.values())
    assert await heard(runner.database, "patient/good") == [good.id]


async def test_a_message_without_an_id_is_parked_once_however_often_it_comes(world: World) -> None:
    runner = await world.runner()
    for _ in range(2):
        await runner.receive([Incoming("", "", {}, b"\xff\x00")])
    assert await rows(runner.database, "select count(*), min(problem) from inbox") == [(1, "malformed")]


async def test_headers_of_other_kinds_do_not_stop_a_message(world: World) -> None:
    runner = await world.runner()
    message = world.message()
    await runner.receive([replace(message, headers={**message.headers, "when": world.clock(), "raw": b"\0"})])
    assert await heard(runner.database) == [message.id]


async def test_text_a_database_refuses_parks_the_message_and_is_not_tried_for_ever(world: World) -> None:
    world.search = {"ServiceRequest": {"code": lambda r: ["refused\0text", "\ud800"]}}
    runner = await world.runner()
    message = world.message()
    await runner.receive([message])
    for _ in range(ATTEMPTS):
        world.clock.move(seconds=60)
        await world.sweeper(runner).messages()
    assert await statuses(runner.database) == {message.id: "parked"}


async def test_a_search_value_of_any_length_is_found(world: World) -> None:
    world.search = {"ServiceRequest": {"code": lambda r: ["long" * 2000]}}
    runner = await world.runner()
    await runner.receive([world.message()])
    found = await store.DatabaseReader(runner.database).search("ServiceRequest", "code", "long" * 2000)
    assert len(found) == 1


async def test_when_the_database_is_away_nothing_is_parked_and_the_batch_may_come_again(world: World) -> None:
    runner = await world.runner()
    runner.hearing.database = Away(runner.database, 1)
    message = world.message()
    with pytest.raises(Unavailable):
        await runner.receive([message])
    assert await statuses(runner.database) == {}
    await runner.receive([message])
    assert await heard(runner.database) == [message.id]


async def test_a_message_stored_but_not_decided_is_decided_by_the_sweep(world: World) -> None:
    runner = await world.runner()
    message = world.message()
    async with runner.database.writing() as tx:
        await store.locked(tx, ["patient/1"])
        letter = runner.hearing._opened(message)
        await store.put(tx, [store.inbox_row(letter, message, world.clock())])
    await runner.receive([message])
    assert await world.sweeper(runner).messages() == 0, "whoever took it may be deciding it now"
    world.clock.move(seconds=2)
    assert await world.sweeper(runner).messages() == 1
    assert await heard(runner.database) == [message.id]


async def test_a_waiting_message_whose_reason_is_no_longer_declared_is_parked(world: World) -> None:
    runner = await world.runner()
    cause = world.message()
    resting = world.message(producer="delta", causes=rests_on(cause))
    await runner.receive([resting])
    runner.hearing.catalogue = type(runner.catalogue)(
        tuple(replace(s, reasons={}) if s.name == "delta" else s for s in world.services())
    )
    await runner.receive([cause])
    assert await statuses(runner.database) == {cause.id: "done", resting.id: "parked"}
