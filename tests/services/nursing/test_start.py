"""When care begins: the ordered day, 48 hours after referral or return home, or a day approved anew."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from services.nursing.appointments import kinds_of
from shared.core import Event, Resource
from tests.services.nursing.patient import (
    END,
    LANE,
    NOW,
    START,
    World,
    authorization,
    booked,
    chicago,
    coded,
    dispense,
    far_away,
    held,
    opat,
    order,
    request,
    start_of,
    stay,
    supplies,
)

MINUTE = timedelta(minutes=1)


def undated(**changes: Any) -> list[dict[str, Any]]:
    """A course whose order names no start: 48 hours from the referral count."""
    bounds = {"boundsPeriod": {"end": END.isoformat()}, "frequency": 1, "period": 12, "periodUnit": "h"}
    plain = order(occurrencePeriod={"end": END.isoformat()}, **changes)
    return [*(r for r in opat() if r["id"] not in ("in-order", "in-mr")), plain, request(bounds)]


def missed(world: World) -> Resource:
    asked = (r for r in world.resources.values() if _code(r) == "start-of-care-missed")
    return next(r for r in asked if r["status"] == "requested")


def _code(resource: Resource) -> str:
    return str((resource.get("input") or [{}])[0].get("type", {}).get("coding", [{"code": ""}])[0]["code"])


async def approved(world: World, on: date, at: datetime) -> None:
    """A practitioner approves a new day."""
    answer = {"type": coded("answer", "confirmed"), "valueDate": on.isoformat()}
    task = {**missed(world), "status": "completed", "output": [answer]}
    await world.take(Event("command", "task-answered", LANE, at, at, (task,)))


async def test_the_first_visit_is_on_the_ordered_day() -> None:
    world = await held()
    assert start_of(world.visits()[0]).date() == START
    assert world.visits()[0]["requestedPeriod"] == [{"start": "2026-11-26", "end": "2026-11-26"}]


@pytest.mark.parametrize("referred", ["2026-11-23T08:00:00-06:00", "2026-11-22T18:00:00-06:00"])
async def test_without_an_ordered_day_the_first_visit_is_within_48_hours_of_the_referral(referred: str) -> None:
    world = await held(undated(authoredOn=referred))
    within = start_of(world.visits()[0]) - datetime.fromisoformat(referred)
    assert timedelta() < within <= timedelta(hours=48)


async def test_a_visit_that_could_only_begin_after_48_hours_is_asked_about() -> None:
    world = await held(undated(authoredOn="2026-11-22T08:00:00-06:00"))
    assert "start" not in world.visits()[0]
    assert world.questions() == ["start-of-care-missed"]
    assert (world.stage(), world.waits_for()) == ("question", ["no-nurse-in-window", "start-of-care-missed"])


@pytest.mark.parametrize(("hours", "timed"), [(47, True), (48, True), (49, False)])
async def test_the_48_hours_are_counted_to_the_minute(hours: int, timed: bool) -> None:
    soonest = chicago(date(2026, 11, 25), 8, 10)
    referred = soonest - timedelta(hours=hours)
    at = chicago(date(2026, 11, 24), 8, 10)
    world = World()
    await world.hears(*undated(authoredOn=referred.isoformat()), authorization(), at=at)
    assert ("start" in world.visits()[0]) is timed


async def test_a_return_home_after_the_ordered_day_begins_the_48_hours_anew() -> None:
    home = "2026-11-27T15:00:00-06:00"
    world = await held([*opat(), stay("2026-11-10T10:00:00-06:00", home)])
    within = start_of(world.visits()[0]) - datetime.fromisoformat(home)
    assert timedelta() <= within <= timedelta(hours=48)


async def test_a_discharge_before_the_ordered_day_leaves_that_day() -> None:
    world = await held([*opat(), stay("2026-11-10T10:00:00-06:00", "2026-11-23T07:00:00-06:00")])
    assert start_of(world.visits()[0]).date() == START


@pytest.mark.parametrize("home", ["2026-11-27T23:59:60Z", "2026-11-27", "9999-12-31"])
async def test_a_return_home_at_an_odd_instant_is_read_or_left_alone(home: str) -> None:
    world = await held([*opat(), stay("2026-11-10T10:00:00-06:00", home)])
    begins = date(2026, 11, 27) if home.startswith("2026") else START
    assert world.visits()[0]["requestedPeriod"][0]["start"] == begins.isoformat()


async def test_the_stay_the_referral_came_from_is_no_admission() -> None:
    world = await held([*opat(), stay("2026-11-10T10:00:00-06:00")])
    assert world.statuses()[0] == "pending"


async def test_a_missed_start_waits_for_a_day_a_practitioner_approves_and_is_made_then() -> None:
    world = await held(undated(authoredOn="2026-11-20T09:00:00-06:00"))
    assert set(world.statuses()) == {"proposed"}
    await approved(world, date(2026, 11, 28), NOW + MINUTE)
    assert start_of(world.visits()[0]).date() == date(2026, 11, 28)
    assert (world.questions(), world.questions("completed")) == ([], ["start-of-care-missed"])
    assert [start_of(a).date() for a in world.visits()[2:]] == [date(2026, 12, 5), date(2026, 12, 12)]


async def test_an_approved_day_that_is_missed_again_is_asked_about_again() -> None:
    world = await held(undated(authoredOn="2026-11-20T09:00:00-06:00"))
    await approved(world, date(2026, 11, 23), NOW + MINUTE)
    assert world.questions() == ["start-of-care-missed"]


async def test_an_admission_later_on_asks_for_an_assessment_after_the_return_home() -> None:
    world = await booked()
    for visit in world.visits():
        await world.hears(dispense(visit["id"]), supplies(visit["id"]), at=NOW + MINUTE)
    admitted, home = "2026-12-04T10:00:00-06:00", "2026-12-06T12:00:00-06:00"
    at = datetime.fromisoformat(admitted)
    await world.hears(stay(admitted), at=at)
    assert world.requirement("patient-at-home", -1)["reason"] == "patient-admitted"
    await world.hears(stay(admitted, home), at=datetime.fromisoformat(home))
    again = next(a for a in world.visits("pending") if "assessment" in kinds_of(a))
    assert timedelta() < start_of(again) - datetime.fromisoformat(home) <= timedelta(hours=48)


async def test_visits_of_a_patient_in_hospital_are_moved_only_at_their_deadline() -> None:
    world = await booked()
    for visit in world.visits():
        await world.hears(dispense(visit["id"]), supplies(visit["id"]), at=NOW + MINUTE)
    third = world.visits()[2]
    await world.hears(stay("2026-12-02T10:00:00-06:00"), at=datetime.fromisoformat("2026-12-02T10:00:00-06:00"))
    deadline = start_of(third) - timedelta(minutes=120)
    assert third["id"] in {a["id"] for a in world.visits("booked")}
    assert "requirement-lost" in world.questions()
    await world.hears(at=deadline - MINUTE)
    assert third["id"] in {a["id"] for a in world.visits("booked")}
    await world.hears(at=deadline)
    assert third["id"] in {a["id"] for a in world.visits("cancelled")}


async def test_a_home_without_nurse_or_agency_in_time_is_asked_about() -> None:
    site = far_away()
    world = World(site)
    await world.hears(*undated(authoredOn="2026-11-22T09:00:00-06:00"), authorization())
    assert world.questions() == ["start-of-care-missed"]
