"""The drug is there before the nurse: never a visit before its delivery, and none begun without it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nursing.deliver import due
from shared.visits.readiness import readiness_of
from tests.services.nursing.patient import (
    NOW,
    START,
    World,
    authorization,
    booked,
    chicago,
    dispense,
    held,
    ivig,
    opat,
    order,
    start_of,
    supplies,
)

MINUTE = timedelta(minutes=1)
LEAD = timedelta(hours=24)


def first(world: World) -> str:
    return str(world.visits()[0]["id"])


async def test_the_pharmacy_is_told_of_each_booked_visit_something_is_brought_for() -> None:
    world = await booked()
    told = [id_ for channel, id_, _ in world.delivered if channel == "pharmacy"]
    assert told == [a["id"] for a in world.visits() if a["id"] != world.visits()[1]["id"]]


async def test_a_visit_is_ready_once_drug_and_supplies_are_there_and_not_before() -> None:
    world = await booked()
    assert world.requirement("drug-delivered")["reason"] == "drug-not-delivered"
    await world.hears(dispense(first(world)), at=NOW + MINUTE)
    assert world.requirement("drug-delivered")["status"] == "met"
    assert readiness_of(world.visits()[0])["parameter"][0] == {"name": "ready", "valueBoolean": False}
    decision = await world.hears(supplies(first(world)), at=NOW + MINUTE)
    assert decision.reason == "visit-readied"
    assert readiness_of(world.visits()[0])["parameter"][0] == {"name": "ready", "valueBoolean": True}


async def test_a_later_teaching_rests_on_what_was_brought_for_the_first() -> None:
    world = await booked()
    await world.hears(dispense(first(world)), supplies(first(world)), at=NOW + MINUTE)
    assert world.requirement("drug-delivered", 1)["status"] == "met"


@pytest.mark.parametrize(("late", "moved"), [(timedelta(), False), (MINUTE, True)])
async def test_a_promise_after_the_start_moves_the_visit_behind_it(late: timedelta, moved: bool) -> None:
    world = await booked(ivig())
    old = world.visits()[1]
    promise = start_of(old) + late
    await world.hears(supplies(old["id"], "in-progress", promise), at=NOW + MINUTE)
    pair = [a for a in world.visits() if a["status"] == "pending"]
    assert bool(pair) is moved
    if moved:
        assert old["id"] in {a["id"] for a in world.visits("booked")}
        assert start_of(pair[0]) >= promise


async def test_what_is_promised_for_a_day_is_there_when_it_is_over() -> None:
    world = await booked(ivig())
    old = world.visits()[1]
    promised = start_of(old).date()
    await world.hears(
        supplies(old["id"], "in-progress") | {"occurrenceDateTime": promised.isoformat()}, at=NOW + MINUTE
    )
    (new,) = world.visits("pending")
    assert start_of(new).date() > promised


async def test_a_move_holds_the_new_time_beside_the_old_then_books_and_cancels_at_once() -> None:
    world = await booked(ivig())
    old = world.visits()[1]
    await world.hears(supplies(old["id"], "in-progress", start_of(old) + MINUTE), at=NOW + MINUTE)
    new = world.visits("pending")[0]
    answers = [(a["id"], 1, "reserved") for a in world.visits()]
    decision = await world.hears(authorization(answers=answers), at=NOW + 2 * MINUTE)
    assert decision.reason == "visit-moved"
    assert [a["id"] for a in world.visits("cancelled")] == [old["id"]]
    assert new["id"] in {a["id"] for a in world.visits("booked")}
    assert {s for s, holder in world.seats.items() if holder == old["id"]} == set()


async def test_a_promise_kept_after_all_ends_the_move() -> None:
    world = await booked(ivig())
    old = world.visits()[1]
    await world.hears(supplies(old["id"], "in-progress", start_of(old) + MINUTE), at=NOW + MINUTE)
    await world.hears(supplies(old["id"], "in-progress", start_of(old) - MINUTE), at=NOW + 2 * MINUTE)
    assert world.visits("pending") == []
    assert old["id"] in {a["id"] for a in world.visits("booked")}


async def test_a_delivery_that_has_not_come_is_asked_about_a_day_before() -> None:
    world = await booked()
    check = f"check/{first(world)}"
    start = start_of(world.visits()[0])
    assert world.wakes[check] == start - LEAD
    await world.wakes_up(check)
    assert world.questions() == ["not-delivered"]
    await world.hears(dispense(first(world)), supplies(first(world)), at=start - LEAD + MINUTE)
    assert world.questions() == []


async def test_a_visit_past_its_deadline_without_its_drug_is_moved_not_started() -> None:
    world = await booked(ivig())
    dose = world.visits()[1]
    deadline = start_of(dose) - timedelta(minutes=120)
    world.resources.pop("in-scr", None)
    await world.hears(dispense(first(world)), supplies(first(world)), at=NOW + MINUTE)
    await world.wakes_up(f"check/{dose['id']}", deadline - MINUTE)
    assert dose["id"] in {a["id"] for a in world.visits("booked")}
    await world.hears(at=deadline)
    assert dose["id"] in {a["id"] for a in world.visits("cancelled")}
    assert all(start_of(a) > deadline + LEAD for a in world.visits("pending"))


async def test_a_failed_delivery_is_told_as_such() -> None:
    world = await booked()
    await world.hears(dispense(first(world), "stopped"), supplies(first(world), "abandoned"), at=NOW + MINUTE)
    assert world.requirement("drug-delivered")["reason"] == "delivery-failed"
    assert world.requirement("supplies-delivered")["reason"] == "delivery-failed"


async def test_what_was_brought_for_the_old_time_is_not_brought_again() -> None:
    world = await booked(ivig())
    dose = world.visits()[0]
    await world.hears(dispense(dose["id"]), supplies(dose["id"]), at=NOW + MINUTE)
    told = len(world.delivered)
    moved = START + timedelta(days=2)
    await world.hears(order("gamunex-c", occurrencePeriod={"start": moved.isoformat()}), at=NOW + 2 * MINUTE)
    answers = [(a["id"], 1, "reserved") for a in world.visits()]
    await world.hears(authorization(answers=answers), at=NOW + 3 * MINUTE)
    new = world.visits("booked")[0]
    assert start_of(new).date() == moved
    assert [d for d in world.delivered[told:] if d[1] == new["id"] and not d[2].endswith("cancelled")] == []


def test_a_question_is_no_order_for_the_pharmacy() -> None:
    assert due(None, {"resourceType": "Task"}) is None


@settings(max_examples=25, deadline=None)
@given(
    hours=st.integers(0, 8 * 24),
    start=st.dates(date(2026, 11, 20), date(2026, 12, 5)),
    late=st.none() | st.integers(-48, 96),
)
async def test_no_visit_is_ever_held_before_its_delivery_can_be_there(
    hours: int, start: date, late: int | None
) -> None:
    instant = chicago(date(2026, 11, 23), 0) + timedelta(hours=hours)
    world = World()
    course = [r for r in opat() if r["id"] != "in-order"]
    begun = order(occurrencePeriod={"start": start.isoformat()}, authoredOn=instant.isoformat())
    await world.hears(*course, begun, authorization(), at=instant)
    if late is not None and world.visits():
        promise = instant + timedelta(hours=late)
        await world.hears(supplies(first(world), "in-progress", promise), at=instant + MINUTE)
        leads = [a for a in world.visits("pending", "booked") if a["id"] == first(world)]
        assert all(start_of(a) >= min(promise, instant + LEAD) for a in leads)
    for visit in world.visits("pending"):
        day = start_of(visit).date()
        period = visit["requestedPeriod"][0]
        assert date.fromisoformat(period["start"]) <= day <= date.fromisoformat(period["end"])
    unplaced = [
        a for a in world.visits("proposed") if date.fromisoformat(a["requestedPeriod"][0]["end"]) < instant.date()
    ]
    assert not unplaced or world.questions()


async def test_the_first_visit_waits_for_the_lead_of_the_delivery() -> None:
    world = await held()
    assert start_of(world.visits()[0]) >= NOW + LEAD
