from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared import store
from shared.clock import instant, stamp
from shared.core import Decision, Event, Needs
from shared.messages import Cause, causes_of
from shared.ports import Conflict, Incoming, Unavailable
from shared.run import ATTEMPTS, CAUSE_PATIENCE, Unfit
from tests.shared.world import Away, Facts, FakeBroker, World, claim_of, heard, noted, rests_on, rows, statuses

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
    assert problem.startswith("RuntimeError shared/test_run.py:")
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
    assert [problems[m.id] for m in wrong] == list(BROKEN.values())
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
    runner.database = Away(runner.database, 1)
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
        letter = runner._opened(message)
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
    runner.catalogue = type(runner.catalogue)(
        tuple(replace(s, reasons=frozenset()) if s.name == "delta" else s for s in world.services())
    )
    await runner.receive([cause])
    assert await statuses(runner.database) == {cause.id: "done", resting.id: "parked"}


# More lanes


def at_site(event: Event, facts: Facts) -> Decision | Needs:
    return noted(event, facts) if "site/1/2026-03-02" in facts.lanes else Needs(("site/1/2026-03-02",))


async def test_a_decision_that_needs_more_lanes_gets_them(world: World) -> None:
    world.script = at_site
    runner = await world.runner()
    message = world.message()
    await runner.receive([message, world.message("patient/2")])
    await world.command(runner, lane="patient/3")
    assert await rows(runner.database, "select count(*) from decision") == [(3,)]
    assert await heard(runner.database) == [message.id]


async def test_asking_for_lanes_that_are_held_is_a_failure(world: World) -> None:
    world.script = lambda event, facts: Needs((event.lane,))
    runner = await world.runner()
    message = world.message()
    await runner.receive([message])
    assert await statuses(runner.database) == {message.id: "retry"}
    with pytest.raises(Unfit):
        await world.command(runner)


# Commands


async def test_every_instant_of_a_lane_is_later_than_the_one_before_though_the_clock_stands(world: World) -> None:
    runner = await world.runner()
    outcomes = [await world.command(runner, str(n)) for n in range(3)]
    ats = [o.event.at for o in outcomes if o is not None]
    updated = [instant(o.saved[0]["meta"]["lastUpdated"]) for o in outcomes if o is not None]
    assert ats == updated == [world.clock() + timedelta(microseconds=n) for n in range(3)]


async def test_a_clock_that_goes_back_does_not_take_a_lane_back(world: World) -> None:
    runner = await world.runner()
    first = await world.command(runner, "1")
    world.clock.move(minutes=-10)
    second = await world.command(runner, "2")
    assert first is not None
    assert second is not None
    assert second.event.at > first.event.at


async def test_a_message_decided_late_is_written_later_than_what_was_decided_before(world: World) -> None:
    runner = await world.runner()
    cause = world.message()
    resting = world.message(producer="delta", causes=rests_on(cause))
    await runner.receive([resting])
    world.clock.move(minutes=1)
    await world.command(runner)
    await runner.receive([cause])
    created = await rows(runner.database, "select created_at from outbox order by seq")
    assert len(created) == 3
    assert created == sorted(set(created))


async def test_saving_what_is_stored_already_changes_nothing(world: World) -> None:
    world.script = lambda event, facts: Decision("noted", ({"resourceType": "Claim", "id": "be-1", "value": 1},))
    runner = await world.runner()
    first, second = await world.command(runner), await world.command(runner)
    assert first is not None
    assert second is not None
    assert len(first.saved) == 1
    assert second.saved == ()
    assert await rows(runner.database, "select count(*) from outbox") == [(1,)]
    assert await rows(runner.database, "select count(*) from decision") == [(2,)]


@pytest.mark.parametrize(
    "saves",
    [
        ({"resourceType": "Task", "id": "be-1"},),
        ({"resourceType": "Claim", "id": "al-1"},),
        ({"resourceType": "Claim", "id": "be-1", "status": "unfit"},),
        ({"resourceType": "Claim", "id": "be-1", "n": 1}, {"resourceType": "Claim", "id": "be-1", "n": 2}),
    ],
    ids=["not its kind", "not its id", "not in the profile", "twice in one decision"],
)
async def test_what_a_service_may_not_save_is_refused_and_nothing_stays(world: World, saves: Any) -> None:
    world.script = lambda event, facts: Decision("noted", saves)
    runner = await world.runner()
    with pytest.raises(Unfit):
        await world.command(runner)
    for table in ("resource", "history", "outbox", "decision"):
        assert await rows(runner.database, f"select count(*) from {table}") == [(0,)]


async def test_a_reason_that_is_not_declared_is_refused(world: World) -> None:
    world.script = lambda event, facts: replace(noted(event, facts), reason="unheard-of")
    with pytest.raises(Unfit):
        await world.command(await world.runner())


async def test_a_message_nobody_hears_is_not_written(world: World) -> None:
    world.script = lambda event, facts: Decision("said", ({"resourceType": "Consent", "id": "ga-1"},))
    runner = await world.runner("gamma")
    await world.command(runner)
    assert await rows(runner.database, "select count(*) from outbox") == [(0,)]
    assert await rows(runner.database, "select count(*) from resource") == [(1,)]


async def test_transactions_on_one_lane_take_turns(world: World) -> None:
    runner = await world.runner()
    await asyncio.gather(*(world.command(runner, str(n)) for n in range(20)))
    assert sorted(await heard(runner.database), key=int) == [str(n) for n in range(20)]
    versions = await rows(runner.database, "select version from history order by version")
    assert versions == [(n,) for n in range(1, 21)]
    assert await rows(runner.database, "select seq from lane") == [(20,)]


async def test_two_lanes_that_save_the_same_resource_both_find_it_as_it_is(world: World) -> None:
    """A prescriber of two patients: no lane protects it, so the version does."""

    async def lone(event: Event, reader: Any, lanes: frozenset[str]) -> Any:
        return await reader.read("be-shared")

    runner = await world.runner()
    runner._decider._service = replace(
        runner.service,
        gather=lone,
        coordinate=lambda event, shared, policy: Decision(
            "shared",
            ({"resourceType": "Practitioner", "id": "be-shared", "n": (shared or {"n": 0})["n"] + 1},),
        ),
    )
    await asyncio.gather(*(world.command(runner, lane=f"patient/{n}") for n in range(10)))
    ((body,),) = await rows(runner.database, "select body from resource where id = 'be-shared'")
    assert store.parsed(body)["n"] == 10


async def test_what_another_lane_saved_goes_along_unchanged_so_that_this_lanes_hearers_have_it(world: World) -> None:
    practitioner = {"resourceType": "Practitioner", "id": "be-shared", "name": "one"}
    world.script = lambda event, facts: Decision("noted", (*noted(event, facts).saves, practitioner))
    runner = await world.runner()
    await world.command(runner, lane="patient/1")
    await world.command(runner, lane="patient/2")
    await world.command(runner, lane="patient/1")
    bodies = [
        json.loads(r[0]) for r in await rows(runner.database, "select body from outbox order by created_at, lane, seq")
    ]
    carried = [[e["resource"]["resourceType"] for e in b["entry"][1:]] for b in bodies]
    assert sorted(carried) == [["Claim"], ["Claim", "Practitioner"], ["Claim", "Practitioner"]]
    assert await rows(runner.database, "select count(*) from history where id = 'be-shared'") == [(1,)]


# Capacity


def seated(event: Event, facts: Facts) -> Decision:
    free = [cell for cell in range(10) if cell not in {s.cell for s in facts.taken}]
    if not free:
        return Decision("nothing-to-seat", refusals=("full",))
    visit = {"resourceType": "Appointment", "id": f"be-visit-{event.lane.partition('/')[2]}", "cell": free[0]}
    return Decision("noted", (visit,))


async def test_of_a_hundred_that_want_a_seat_at_once_one_wins_each(world: World) -> None:
    """Without the lane of the site: the rows of capacity alone must hold."""
    world.script = seated
    runner = await world.runner()
    outcomes = await asyncio.gather(
        *(world.command(runner, lane=f"patient/{n}") for n in range(100)), return_exceptions=True
    )
    won = [o.saved[0]["cell"] for o in outcomes if not isinstance(o, BaseException) and o is not None and o.saved]
    assert sorted(won) == list(range(10))
    assert all(o is not None for o in outcomes)
    assert {type(o) for o in outcomes if isinstance(o, BaseException)} <= {Conflict}
    assert await rows(runner.database, "select count(*) from capacity") == [(10,)]


async def test_a_seat_given_up_is_free(world: World) -> None:
    world.script = seated
    runner = await world.runner()
    await world.command(runner, lane="patient/1")
    gone = {"resourceType": "Appointment", "id": "be-visit-1", "status": "cancelled"}
    world.script = lambda event, facts: Decision("noted", (gone,))
    await world.command(runner, lane="patient/1")
    assert await rows(runner.database, "select count(*) from capacity") == [(0,)]


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


# Cancelled


class Cancelling:
    """A database whose user is cancelled while its n-th statement is under way."""

    def __init__(self, database: Any, at: int) -> None:
        self._database, self._left = database, at

    def _count(self) -> None:
        self._left -= 1
        task = asyncio.current_task()
        if self._left == 0 and task is not None:
            asyncio.get_running_loop().call_soon(task.cancel)

    def writing(self) -> Any:
        self._count()
        return _Counted(self._database.writing(), self._count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class _Counted:
    def __init__(self, inner: Any, count: Any) -> None:
        self._inner, self._count = inner, count

    async def __aenter__(self) -> Any:
        return _Statements(await self._inner.__aenter__(), self._count)

    async def __aexit__(self, *error: Any) -> Any:
        self._count()
        return await self._inner.__aexit__(*error)


class _Statements:
    def __init__(self, tx: Any, count: Any) -> None:
        self._tx, self._count = tx, count

    def __getattr__(self, name: str) -> Any:
        self._count()
        return getattr(self._tx, name)


async def test_cancelled_at_any_statement_a_decision_is_whole_or_not_there_and_the_next_goes_on(world: World) -> None:
    runner = await world.runner()
    database, completed = runner.database, 0
    for at in range(1, 40):
        runner.database = Cancelling(database, at)
        task = asyncio.create_task(world.command(runner, str(at)))
        completed += (await asyncio.gather(task, return_exceptions=True))[0].__class__.__name__ == "Outcome"
        runner.database = database
        await asyncio.wait_for(world.command(runner, f"after {at}"), 5)
        counts = [
            (await rows(database, f"select count(*) from {table}"))[0][0] for table in ("history", "outbox", "decision")
        ]
        assert counts == [len(await heard(database))] * 3
    assert 0 < completed < 39
    assert {f"after {at}" for at in range(1, 40)} <= set(await heard(database))
    assert claim_of("patient/1") == "be-patient-1"
