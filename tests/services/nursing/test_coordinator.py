"""Home visits from the order to the booked time: what is proposed, held, booked, given back, called off."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.nursing.appointments import kinds_of
from shared.core import Event
from shared.visits.elements import extended
from tests.services.nursing.patient import (
    LANE,
    NOW,
    START,
    World,
    authorization,
    booked,
    chicago,
    consent,
    held,
    ivig,
    line,
    opat,
    order,
    patient,
    received,
    request,
    start_of,
    stay,
    verification,
)

MINUTE = timedelta(minutes=1)


async def test_an_antibiotic_course_is_assessed_taught_and_seen_every_week_until_its_end() -> None:
    world = await held()
    assert [kinds_of(a) for a in world.visits()] == [
        ("assessment", "teach"),
        ("teach",),
        ("dressing", "lab-draw"),
        ("dressing", "lab-draw"),
    ]
    days = [start_of(a).date() for a in world.visits()]
    assert days == [START, START + timedelta(days=1), START + timedelta(days=7), START + timedelta(days=14)]
    assert [a["minutesDuration"] for a in world.visits()] == [150, 90, 75, 75]


async def test_immune_globulin_takes_one_visit_a_dose_in_which_the_nurse_stays() -> None:
    world = await held(ivig())
    assert [kinds_of(a) for a in world.visits()] == [("infusion", "assessment"), ("infusion",), ("infusion",)]
    assert [a["minutesDuration"] for a in world.visits()] == [360, 230, 230]
    assert [extended(a, "dose")["number"] for a in world.visits()] == [1, 2, 3]


async def test_the_visits_are_held_then_booked_by_the_answers_to_their_numbers() -> None:
    world = await held()
    assert (world.decisions[-1].reason, world.stage()) == ("visit-held", "holding")
    assert set(world.statuses()) == {"pending"}
    decision = await world.answers(at=NOW + MINUTE)
    assert decision.reason == "visit-booked"
    assert set(world.statuses()) == {"booked"}
    assert (world.stage(), world.task()["status"]) == ("booked", "completed")


async def test_its_own_output_and_the_same_event_again_decide_nothing() -> None:
    world = await booked()
    own = [r for r in world.resources.values() if r["id"].startswith("nu-")]
    assert (await world.hears(*own)).saves == ()
    assert (await world.hears(world.resources["au-task"])).reason == "nothing-to-visit"


async def test_an_answer_to_an_old_number_is_ignored() -> None:
    world = await held()
    first = world.visits()[0]["id"]
    await world.wakes_up(f"hold-expiry/{first}")
    await world.hears(authorization(answers=[(first, 1, "reserved")]), at=NOW + timedelta(minutes=16))
    assert world.statuses()[0] == "pending"
    await world.hears(authorization(answers=[(first, 2, "reserved")]), at=NOW + timedelta(minutes=16))
    assert world.statuses()[0] == "booked"


async def test_three_unanswered_holds_open_a_question() -> None:
    world = await held()
    for _ in range(3):
        await world.wakes_up(min(k for k in world.wakes if k.startswith("hold-expiry")))
    assert set(world.questions()) == {"hold-unanswered"}
    assert (world.stage(), world.seats) == ("question", {})


async def test_a_refused_hold_waits_for_another_authorization() -> None:
    world = await held()
    await world.answers("refused", at=NOW + MINUTE)
    assert set(world.statuses()) == {"proposed"}
    assert set(world.questions()) == {"hold-refused"}
    await world.hears(authorization(units_left=9), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["pending"] * 4


async def test_nothing_is_held_before_the_authorization_says_so() -> None:
    world = World()
    await world.hears(*opat())
    assert set(world.statuses()) == {"proposed"}
    assert (world.stage(), world.waits_for()) == ("waiting", ["authorization-unknown"])


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (consent("inactive"), "consent-not-active"),
        (verification("rejected"), "order-rejected-by-pharmacist"),
        (line("completed"), "access-device-missing"),
        (order(status="on-hold"), "order-on-hold"),
        (stay("2026-11-23T08:30:00-06:00"), "patient-admitted"),
        (patient(deceasedBoolean=True), "patient-deceased"),
        (patient(birthDate="2015-01-01"), "caregiver-missing"),
        (received("No word of an earlier dose."), "anaphylaxis-order-missing"),
    ],
)
async def test_a_requirement_of_booking_that_is_not_met_holds_the_visits_back(missing: object, reason: str) -> None:
    world = World()
    await world.hears(*opat(), missing, authorization())  # type: ignore[arg-type]
    assert world.statuses()[0] == "proposed"
    assert reason in world.waits_for()


async def test_a_first_dose_at_home_is_given_by_the_nurse_who_stays_and_has_orders_for_a_reaction() -> None:
    world = World()
    kit = {"resourceType": "MedicationRequest", "id": "in-kit", "status": "active", "intent": "order"}
    named = {"medicationCodeableConcept": {"text": "Epinephrine auto-injector"}}
    await world.hears(*opat(), received("Begin at home."), kit | named, authorization())
    assert kinds_of(world.visits()[0]) == ("infusion", "assessment", "teach")
    assert world.visits()[0]["minutesDuration"] == 150 + 60 + 30
    assert world.requirement("first-dose-safe") == {
        "requirement": "first-dose-safe",
        "status": "met",
        "deadline": "book",
        "evidence": {"reference": "MedicationRequest/in-kit"},
    }
    assert world.statuses()[0] == "pending"


async def test_a_revoked_order_calls_everything_off() -> None:
    world = await booked()
    decision = await world.hears(order(status="revoked"), at=NOW + MINUTE)
    assert decision.reason == "visit-cancelled"
    assert world.visits() == []
    assert (world.stage(), world.seats) == ("cancelled", {})
    assert world.wakes == {}
    assert [d for d in world.delivered if d[2].endswith("/cancelled")]


async def test_an_order_for_a_chair_is_none_of_nursing() -> None:
    world = World()
    await world.hears(*(r for r in opat() if r["id"] != "in-order"), order(locationCode=[]), authorization())
    assert (world.visits(), world.decisions[-1].reason) == ([], "nothing-to-visit")


async def test_a_start_of_care_the_drug_cannot_reach_in_time_asks_for_a_new_day() -> None:
    world = World()
    await world.hears(*ivig(), authorization(), at=chicago(date(2026, 11, 25), 16))
    days = [start_of(a).date() for a in world.visits() if "start" in a]
    assert days == []
    assert world.questions() == ["start-of-care-missed"]


@pytest.mark.parametrize(
    ("gone", "code"),
    [
        ({"drug": "ferric-carboxymaltose"}, "therapy-not-at-home"),
        ({"drug": "no-such-drug"}, "drug-not-in-catalogue"),
    ],
)
async def test_what_cannot_be_planned_is_asked(gone: dict[str, str], code: str) -> None:
    world = World()
    await world.hears(*opat(), order(**gone), authorization())
    assert world.questions() == [code]
    assert world.stage() == "question"


async def test_a_course_without_an_end_is_asked_about() -> None:
    world = World()
    await world.hears(*opat(), request({"frequency": 2, "period": 1, "periodUnit": "d"}), authorization())
    assert world.questions() == ["end-not-stated"]


async def test_a_far_visit_is_timed_when_its_day_comes_near() -> None:
    world = World()
    far = request({"count": 5, "period": 4, "periodUnit": "wk"})
    await world.hears(*(r for r in ivig() if r["id"] != "in-mr"), far, authorization())
    await world.answers()
    assert world.statuses() == ["booked"] * 4 + ["proposed"]
    assert (world.stage(), world.task()["status"]) == ("booked", "in-progress")
    decision = await world.wakes_up("retry/in-order")
    assert decision.reason == "visit-held"


async def test_no_nurse_is_in_two_homes_at_once() -> None:
    world = await held()
    other = World(seats=dict(world.seats))
    await other.hears(*opat(), authorization())
    starts = {a["start"] for a in world.visits()} & {a["start"] for a in other.visits()}
    assert starts == set()


async def test_a_wake_for_nothing_decides_nothing() -> None:
    world = await booked()
    at = NOW + MINUTE
    assert (await world.take(Event("wake", "any", LANE, at, at))).saves == ()
