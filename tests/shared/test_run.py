"""One event is one decision under its lanes: instants, versions, ownership and seats."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared import store
from shared.clock import instant
from shared.core import Decision, Event, Needs
from shared.ports import Conflict
from shared.run import Unfit
from tests.shared.world import Facts, World, heard, noted, rests_on, rows, statuses

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
        ({"resourceType": "Consent", "id": "be-1"},),
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


async def test_no_message_carries_the_bytes_of_a_document(world: World) -> None:
    bytes_and_claim = ({"resourceType": "Binary", "id": "be-2"}, {"resourceType": "Claim", "id": "be-1"})
    world.script = lambda event, facts: Decision("noted", bytes_and_claim)
    runner = await world.runner()
    await world.command(runner)
    assert await rows(runner.database, "select count(*) from resource") == [(2,)]
    [(body,)] = await rows(runner.database, "select body from outbox")
    assert "Claim/be-1" in body
    assert "Binary" not in body


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


async def test_a_decision_on_a_message_that_names_no_evidence_rests_on_what_the_message_brought(world: World) -> None:
    runner = await world.runner()
    message = world.message()
    await runner.receive([message])
    (resource,) = [e["resource"] for e in json.loads(message.body)["entry"][1:]]
    ((evidence, saves),) = await rows(runner.database, "select evidence, saves from decision")
    place = f"{resource['resourceType']}/{resource['id']}/_history/{resource['meta']['versionId']}"
    assert json.loads(evidence) == [place]
    assert json.loads(saves) != []
