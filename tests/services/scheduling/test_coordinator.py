"""What becomes of an order's visits: proposed, booked, readied, asked about, called off."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from shared.core import Event
from shared.visits.elements import extended, instant, is_task
from tests.services.scheduling.patient import (
    LANE,
    MINUTE,
    NOW,
    START,
    World,
    authorization,
    booked,
    chicago,
    coded,
    consent,
    coverage,
    dispense,
    everything_but_authorization,
    held,
    lab,
    order,
    request,
    start_of,
)


async def test_a_draft_order_is_proposed_with_a_visit_for_every_dose() -> None:
    world = World()
    decision = await world.hears(order(status="draft"), request())
    assert decision.reason == "visit-proposed"
    assert world.statuses() == ["proposed", "proposed"]
    assert world.stage() == "proposed"
    periods = [a["requestedPeriod"][0] for a in world.appointments()]
    assert periods == [{"start": "2026-12-01", "end": "2026-12-08"}, {"start": "2026-12-08", "end": "2026-12-15"}]
    plan = next(r for r in world.resources.values() if r["resourceType"] == "CarePlan")
    assert [a["reference"]["reference"] for a in plan["activity"]] == [
        f"Appointment/{a['id']}" for a in world.appointments()
    ]
    assert [extended(a, "dose") for a in world.appointments()] == [{"number": 1, "of": 2}, {"number": 2, "of": 2}]


async def test_every_unmet_requirement_is_named_not_only_the_first() -> None:
    world = World()
    decision = await world.hears(order(), request(), coverage())
    assert {"authorization-unknown", "benefit-unknown", "consent-missing", "labs-missing", "order-not-verified"} <= set(
        decision.refusals
    )
    assert world.task()["statusReason"]["text"].split(", ") == sorted(set(decision.refusals) - {"drug-not-on-hand"})


async def test_coordinate_on_its_own_output_changes_nothing() -> None:
    for world in (await held(), await booked()):
        before, seats = dict(world.resources), dict(world.seats)
        decision = await world.hears(at=NOW + 2 * MINUTE)
        assert (decision.reason, decision.saves) == ("nothing-to-schedule", ())
        assert (world.resources, world.seats) == (before, seats)


async def test_the_same_event_twice_changes_nothing() -> None:
    world = await booked()
    ids = [a["id"] for a in world.appointments()]
    answer = authorization(answers=[(ids[0], 1, "reserved"), (ids[1], 1, "not-needed")])
    decision = await world.hears(answer, at=NOW + MINUTE)
    assert decision.reason == "nothing-to-schedule"


async def test_the_drug_on_hand_readies_the_visit_and_clears_its_deadline() -> None:
    world = await booked()
    first = world.appointments()[0]["id"]
    assert world.wakes[f"prepare/{first}"] == chicago(date(2026, 11, 27), 8)
    decision = await world.hears(dispense(first), at=NOW + 2 * MINUTE)
    assert decision.reason == "visit-readied"
    assert world.requirement("drug-on-hand")["status"] == "met"
    assert world.requirement("drug-on-hand", 2)["status"] == "unmet"
    assert f"prepare/{first}" not in world.wakes


async def test_a_visit_unprepared_at_its_deadline_asks_a_person_and_stays_booked() -> None:
    world = await booked()
    first = world.appointments()[0]["id"]
    due = world.wakes[f"prepare/{first}"]
    await world.hears(at=due - MINUTE)
    assert world.questions() == []
    decision = await world.wakes_up(f"prepare/{first}")
    assert decision.reason == "scheduling-asked"
    assert world.questions() == ["drug-not-on-hand"]
    assert world.statuses() == ["booked", "booked"]
    assert f"prepare/{first}" not in world.wakes
    await world.hears(at=start_of(world.appointments()[0]) + MINUTE)
    assert world.questions() == ["drug-not-on-hand"]


@pytest.mark.parametrize(("seconds", "status"), [(-1, "met"), (0, "unmet"), (1, "unmet")])
async def test_a_visit_that_has_begun_keeps_what_was_said_of_it(seconds: int, status: str) -> None:
    world = await booked()
    visit = world.appointments()[0]
    await world.hears(dispense(visit["id"]), at=start_of(visit) + timedelta(seconds=seconds))
    assert world.requirement("drug-on-hand")["status"] == status


async def test_the_question_is_withdrawn_when_the_drug_arrives_after_all() -> None:
    world = await booked()
    first = world.appointments()[0]["id"]
    await world.wakes_up(f"prepare/{first}")
    await world.hears(dispense(first), at=chicago(date(2026, 11, 30), 8))
    assert (world.questions(), world.questions("cancelled")) == ([], ["drug-not-on-hand"])


async def test_a_question_answered_by_a_person_is_not_asked_again() -> None:
    world = await booked()
    await world.wakes_up(f"prepare/{world.appointments()[0]['id']}")
    asked = next(r for r in world.resources.values() if is_task(r, "scheduling-question"))
    answer = asked | {"status": "completed", "output": [{"type": coded("answer", "keep"), "valueString": "keep"}]}
    at = chicago(date(2026, 11, 27), 9)
    await world.take(Event("command", "question-answered", LANE, at, at, (answer,)))
    assert (world.questions(), world.questions("completed")) == ([], ["drug-not-on-hand"])
    await world.hears(at=at + MINUTE)
    assert (world.questions(), world.questions("completed")) == ([], ["drug-not-on-hand"])


async def test_a_command_without_an_answer_closes_no_question() -> None:
    world = await booked()
    await world.wakes_up(f"prepare/{world.appointments()[0]['id']}")
    asked = next(r for r in world.resources.values() if is_task(r, "scheduling-question"))
    at = chicago(date(2026, 11, 27), 9)
    await world.take(Event("command", "question-answered", LANE, at, at, (asked | {"status": "completed"},)))
    assert world.questions() == ["drug-not-on-hand"]


@pytest.mark.parametrize(
    ("lost", "requirement"),
    [
        (order(status="on-hold"), "order-current"),
        (coverage(period={"end": "2026-11-30"}), "benefit-verified"),
        (authorization("cancelled"), "authorized"),
        (consent("inactive"), "consented"),
    ],
)
async def test_a_requirement_lost_after_booking_leaves_the_visit_booked_and_asks(
    lost: dict[str, object], requirement: str
) -> None:
    world = await booked()
    decision = await world.hears(lost, at=NOW + 2 * MINUTE)
    assert decision.reason == "scheduling-asked"
    assert world.statuses() == ["booked", "booked"]
    assert world.requirement(requirement)["status"] == "unmet"
    assert world.requirement(requirement)["holder"]
    assert world.questions() == ["requirement-lost", "requirement-lost"]
    assert world.stage() == "booked"


@pytest.mark.parametrize("status", ["revoked", "entered-in-error"])
async def test_a_revoked_order_calls_off_what_has_not_happened(status: str) -> None:
    world = await booked()
    between = start_of(world.appointments()[0]) + MINUTE
    decision = await world.hears(order(status=status), at=between)
    assert decision.reason == "visit-cancelled"
    assert world.statuses() == ["booked", "cancelled"]
    assert world.appointments()[1]["cancelationReason"]["text"]
    assert (world.stage(), world.task()["status"]) == ("cancelled", "cancelled")
    assert not world.wakes
    assert set(world.seats.values()) == {world.appointments()[0]["id"]}
    assert (await world.hears(order(status=status), at=between)).reason == "nothing-to-schedule"


async def test_an_order_revoked_before_anything_was_said_opens_nothing() -> None:
    world = World()
    decision = await world.hears(order(status="revoked"), request())
    assert (decision.reason, decision.saves) == ("nothing-to-schedule", ())


async def test_an_order_taken_up_again_gets_new_visits() -> None:
    world = await held()
    called_off = {a["id"] for a in world.appointments()}
    await world.hears(order(status="revoked"), at=NOW + MINUTE)
    await world.hears(order(), at=NOW + 2 * MINUTE)
    live = [a for a in world.appointments() if a["status"] != "cancelled"]
    assert len(live) == 2
    assert not called_off & {a["id"] for a in live}


@pytest.mark.parametrize(
    "changed",
    [
        {"occurrencePeriod": {"start": "2026-12-03"}},
        {"code": coded("drug", "iron-sucrose")},
        {"performer": [{"identifier": {"system": "https://carepod.example/id/site", "value": "northgate"}}]},
    ],
)
async def test_an_order_changed_after_booking_moves_nothing_and_asks(changed: dict[str, Any]) -> None:
    world = await booked()
    before = [(a["start"], a["participant"], a["serviceType"]) for a in world.appointments()]
    await world.hears(order(**changed), at=NOW + 2 * MINUTE)
    assert [(a["start"], a["participant"], a["serviceType"]) for a in world.appointments()] == before
    assert world.requirement("order-current")["reason"] == "order-changed-since-booking"
    assert world.questions() == ["requirement-lost", "requirement-lost"]
    await world.hears(order(), at=NOW + 3 * MINUTE)
    assert world.questions() == []


async def test_an_order_completed_elsewhere_gives_held_times_back_and_asks_about_booked_ones() -> None:
    world = await held()
    first = world.appointments()[0]["id"]
    await world.hears(authorization(answers=[(first, 1, "reserved")]), at=NOW + MINUTE)
    await world.hears(order(status="completed"), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["booked", "cancelled"]
    assert set(world.seats.values()) == {first}
    assert not [key for key in world.wakes if key.startswith("hold-expiry")]
    assert world.questions() == ["requirement-lost"]
    assert world.requirement("order-current")["reason"] == "order-completed"
    assert (world.stage(), world.task()["status"]) == ("booked", "completed")
    assert (await world.hears(at=NOW + 3 * MINUTE)).saves == ()


async def test_an_order_completed_before_anything_was_booked_ends_its_task() -> None:
    world = await held()
    await world.hears(order(status="completed"), at=NOW + MINUTE)
    assert (world.statuses(), world.stage()) == (["cancelled", "cancelled"], "cancelled")
    assert not world.seats
    assert not world.wakes


async def test_an_order_already_completed_when_it_comes_opens_nothing() -> None:
    world = World()
    assert (await world.hears(order(status="completed"), request())).saves == ()


async def test_a_booked_dose_stays_when_the_doses_before_it_are_gone_and_the_order_cannot_be_read() -> None:
    world = World()
    four = request({"repeat": {"count": 4, "period": 1, "periodUnit": "wk"}})
    await world.hears(*everything_but_authorization(), four, authorization())
    last = world.appointments()[3]["id"]
    await world.hears(authorization(answers=[(last, 1, "reserved")]), at=NOW + MINUTE)
    await world.hears(request({"repeat": {"count": 1}}), at=NOW + 2 * MINUTE)
    await world.hears(request({"repeat": {"count": 2}}), at=NOW + 3 * MINUTE)
    assert world.statuses()[1:] == ["cancelled", "cancelled", "booked"]
    assert "doses-not-readable" in world.questions()


async def test_a_new_time_keeps_clear_of_a_booked_dose_no_longer_ordered() -> None:
    world = World()
    near = request({"event": ["2026-12-01", "2026-12-02"]})
    sucrose = order(code=coded("drug", "iron-sucrose"))
    await world.hears(*everything_but_authorization(), sucrose, near, authorization())
    second = world.appointments()[1]
    await world.hears(authorization(answers=[(second["id"], 1, "reserved")]), at=NOW + MINUTE)
    moved = order(code=coded("drug", "iron-sucrose"), occurrencePeriod={"start": second["start"][:10]})
    await world.hears(moved, request({"repeat": {"count": 1}}), at=NOW + 2 * MINUTE)
    first, kept = world.appointments()
    assert (first["status"], kept["status"]) == ("pending", "booked")
    assert first["start"][:10] == kept["start"][:10]
    assert instant(first["start"]) >= instant(kept["end"])


async def test_a_dose_no_longer_ordered_is_called_off_while_it_is_not_booked() -> None:
    world = await held()
    await world.hears(request({"repeat": {"count": 1}}), at=NOW + MINUTE)
    assert world.statuses() == ["pending", "cancelled"]


async def test_a_booked_dose_no_longer_ordered_is_asked_about() -> None:
    world = await booked()
    await world.hears(request({"repeat": {"count": 1}}), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["booked", "booked"]
    assert world.requirement("order-current", 2)["reason"] == "dose-not-ordered"
    assert world.questions() == ["requirement-lost"]


async def test_an_order_whose_doses_cannot_be_read_is_asked_about() -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization(), request({"repeat": {"count": 2}}))
    assert world.questions() == ["doses-not-readable"]
    assert (world.stage(), world.task()["status"]) == ("question", "on-hold")
    await world.hears(request(), at=NOW + MINUTE)
    assert world.statuses() == ["pending", "pending"]
    assert (world.questions(), world.stage()) == ([], "holding")


@pytest.mark.parametrize(("days", "statuses"), [(89, "pending"), (90, "pending"), (91, "proposed")])
async def test_labs_are_current_for_ninety_days(days: int, statuses: str) -> None:
    world = World()
    old = (START - timedelta(days=days)).isoformat()
    once = request({"repeat": {"count": 1}})
    await world.hears(*everything_but_authorization(), once, authorization(), lab("in-hb", "718-7", old))
    assert world.statuses() == [statuses]
    assert world.requirement("labs-current")["status"] == ("met" if statuses == "pending" else "unmet")


@pytest.mark.parametrize(("written", "status"), [("2025-12-02", "met"), ("2025-12-01", "met"), ("2025-11-30", "unmet")])
async def test_an_order_is_current_for_twelve_months(written: str, status: str) -> None:
    world = World()
    once = request({"repeat": {"count": 1}})
    await world.hears(*everything_but_authorization(), once, authorization(), order(authoredOn=written))
    assert world.requirement("order-current")["status"] == status


async def test_an_order_for_the_home_is_not_for_a_chair() -> None:
    world = World()
    decision = await world.hears(order(locationCode=[coded("site-of-care", "home")]), request())
    assert decision.reason == "nothing-to-schedule"


async def test_the_order_names_the_site_and_the_first_one_stands_in() -> None:
    for performer, site in (("northgate", "northgate"), ("unknown", "riverside")):
        world = World()
        names = [{"identifier": {"system": "https://carepod.example/id/site", "value": performer}}]
        await world.hears(*everything_but_authorization(), authorization(), order(performer=names))
        assert {s.resource.split("/")[1] for s in world.seats} == {site}


async def test_a_pharmacy_that_refuses_is_asked_about_until_the_drug_is_there() -> None:
    world = await booked()
    first = world.appointments()[0]["id"]
    at = NOW + 2 * MINUTE
    await world.take(Event("answer", "pharmacy-refused", LANE, at, at, focus=f"Appointment/{first}"))
    await world.hears(at=at)
    assert world.questions() == ["pharmacy-refused"]
    await world.hears(dispense(first), at=at)
    assert world.questions() == []
