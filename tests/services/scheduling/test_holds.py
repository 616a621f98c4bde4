"""When a time is held, for how long, how often, and what answers to it do."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest

from shared.core import Decision, Event, Needs
from shared.visits.elements import extended, instant
from tests.services.scheduling.patient import (
    LANE,
    MINUTE,
    NOW,
    START,
    World,
    authorization,
    benefit,
    chicago,
    coded,
    consent,
    decided,
    everything_but_authorization,
    full,
    held,
    lab,
    order,
    renamed,
    request,
    start_of,
    verification,
)

FIFTEEN = timedelta(minutes=15)


async def test_every_dose_is_held_in_one_decision_once_only_the_answer_is_missing() -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization("pended"))
    assert world.statuses() == ["proposed", "proposed"]
    assert world.requirement("authorized") | {"evidence": None} == {
        "requirement": "authorized",
        "status": "unmet",
        "deadline": "book",
        "evidence": None,
        "holder": "payer",
        "reason": "authorization-pended",
    }
    decision = await world.hears(authorization("approved"))
    assert decision.reason == "visit-held"
    assert world.statuses() == ["pending", "pending"]
    assert world.holds() == [1, 1]
    first, second = map(start_of, world.appointments())
    assert first == chicago(START, 8)
    assert second == chicago(START + timedelta(days=7), 8)
    assert world.appointments()[0]["minutesDuration"] == 75
    assert world.appointments()[1]["minutesDuration"] == 65
    assert world.wakes[f"hold-expiry/{world.appointments()[0]['id']}"] == NOW + FIFTEEN


async def test_the_answer_to_the_current_hold_books() -> None:
    world = await held()
    first, second = (a["id"] for a in world.appointments())
    decision = await world.hears(authorization(answers=[(first, 1, "reserved")]), at=NOW + MINUTE)
    assert decision.reason == "visit-booked"
    assert decision.focus == f"Appointment/{first}"
    assert world.statuses() == ["booked", "pending"]
    assert world.stage() == "holding"
    assert f"hold-expiry/{first}" not in world.wakes
    await world.hears(authorization(answers=[(first, 1, "reserved"), (second, 1, "not-needed")]), at=NOW + MINUTE)
    assert world.statuses() == ["booked", "booked"]
    assert (world.stage(), world.task()["status"]) == ("booked", "completed")
    assert "expires" not in extended(world.appointments()[0], "hold")


async def test_an_answer_to_an_old_number_is_ignored() -> None:
    world = await held()
    first = world.appointments()[0]["id"]
    decision = await world.wakes_up(f"hold-expiry/{first}")
    assert decision.reason == "visit-held"
    assert world.holds() == [2, 2]
    await world.hears(authorization(answers=[(first, 1, "reserved")]), at=NOW + FIFTEEN + MINUTE)
    assert world.statuses() == ["pending", "pending"]
    await world.hears(authorization(answers=[(first, 2, "reserved")]), at=NOW + FIFTEEN + MINUTE)
    assert world.statuses() == ["booked", "pending"]


async def test_a_hold_lives_until_its_expiry_and_not_beyond() -> None:
    world = await held()
    await world.hears(at=NOW + FIFTEEN - timedelta(microseconds=1))
    assert world.holds() == [1, 1]
    await world.hears(at=NOW + FIFTEEN)
    assert world.holds() == [2, 2]


async def test_an_answer_that_comes_before_the_expiry_is_noticed_still_books() -> None:
    world = await held()
    first = world.appointments()[0]["id"]
    await world.hears(authorization(answers=[(first, 1, "reserved")]), at=NOW + FIFTEEN + MINUTE)
    assert world.statuses() == ["booked", "pending"]
    assert world.holds() == [1, 2]


async def test_three_unanswered_holds_open_a_question_and_hold_no_more_until_something_happens() -> None:
    world = await held()
    first = world.appointments()[0]["id"]
    for number in (2, 3):
        await world.wakes_up(f"hold-expiry/{first}")
        assert world.holds() == [number, number]
        assert world.questions() == []
    decision = await world.wakes_up(f"hold-expiry/{first}")
    assert decision.reason == "hold-expired"
    assert world.statuses() == ["proposed", "proposed"]
    assert world.questions() == ["hold-unanswered", "hold-unanswered"]
    assert (world.stage(), world.seats) == ("question", {})
    assert not [key for key in world.wakes if key.startswith("hold-expiry")]
    await world.take(Event("wake", "any", LANE, NOW + timedelta(hours=2), NOW))
    assert world.statuses() == ["proposed", "proposed"]
    await world.hears(authorization(), at=NOW + timedelta(hours=3))
    assert world.holds() == [4, 4]
    assert world.questions() == []
    assert world.questions("cancelled") == ["hold-unanswered", "hold-unanswered"]


async def test_a_refused_hold_waits_for_another_authorization_not_for_a_timer() -> None:
    world = await held()
    first, second = (a["id"] for a in world.appointments())
    refused = [(first, 1, "refused"), (second, 1, "reserved")]
    await world.hears(authorization(answers=refused, units_left=0), at=NOW + MINUTE)
    assert world.statuses() == ["proposed", "booked"]
    assert world.requirement("authorized")["reason"] == "hold-refused"
    later = NOW + timedelta(hours=2)
    await world.hears(authorization(answers=refused, units_left=0), at=later)
    await world.take(Event("wake", "any", LANE, later, later))
    assert world.statuses() == ["proposed", "booked"]
    assert world.stage() == "waiting"


async def test_a_refused_hold_is_tried_again_when_the_authorization_grants_something_else() -> None:
    world = await held()
    first, second = (a["id"] for a in world.appointments())
    refused = [(first, 1, "refused"), (second, 1, "refused")]
    await world.hears(authorization(answers=refused, units_left=0), at=NOW + MINUTE)
    assert world.statuses() == ["proposed", "proposed"]
    decision = await world.hears(authorization(answers=refused, units_left=1500), at=NOW + 2 * MINUTE)
    assert decision.reason == "visit-held"
    assert world.holds() == [2, 2]


async def test_a_reserved_hold_is_not_booked_past_a_requirement_lost_meanwhile() -> None:
    world = await held()
    ids = [a["id"] for a in world.appointments()]
    answers = [(i, 1, "reserved") for i in ids]
    await world.hears(consent("inactive"), authorization(answers=answers), at=NOW + MINUTE)
    assert world.statuses() == ["pending", "pending"]
    await world.wakes_up(f"hold-expiry/{ids[0]}")
    assert world.statuses() == ["proposed", "proposed"]
    assert world.questions() == []
    await world.hears(consent(), at=NOW + timedelta(hours=1))
    assert world.holds() == [2, 2]


async def test_a_revoked_order_gives_a_held_time_back() -> None:
    world = await held()
    await world.hears(order(status="revoked"), at=NOW + MINUTE)
    assert world.statuses() == ["cancelled", "cancelled"]
    assert not world.seats
    assert not world.wakes


async def test_an_order_put_on_hold_gives_a_held_time_back_and_resumed_holds_another() -> None:
    world = await held()
    await world.hears(order(status="on-hold"), at=NOW + MINUTE)
    assert world.statuses() == ["proposed", "proposed"]
    assert not world.seats
    await world.hears(order(), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["pending", "pending"]
    assert world.holds() == [2, 2]


async def test_a_new_start_before_booking_moves_proposals_and_holds() -> None:
    world = await held()
    decision = await world.hears(order(occurrencePeriod={"start": "2026-12-03"}), at=NOW + MINUTE)
    assert decision.reason == "visit-moved"
    assert world.holds() == [2, 2]
    assert [start_of(a).date() for a in world.appointments()] == [date(2026, 12, 3), date(2026, 12, 10)]
    assert world.appointments()[0]["requestedPeriod"] == [{"start": "2026-12-03", "end": "2026-12-10"}]


async def test_a_full_window_asks_a_person_and_is_looked_at_every_morning() -> None:
    world = await _full_until(date(2026, 12, 9))
    assert world.statuses() == ["proposed", "proposed"]
    assert world.questions() == ["no-capacity-in-window"]
    assert world.stage() == "question"
    assert world.task()["statusReason"]["coding"][0]["code"] == "no-capacity-in-window"
    assert world.wakes["retry/in-order"] == chicago(date(2026, 11, 24), 6)
    world.seats.clear()
    decision = await world.wakes_up("retry/in-order")
    assert decision.reason == "visit-held"
    assert (world.questions(), world.stage()) == ([], "holding")
    assert "retry/in-order" not in world.wakes


async def test_the_last_day_of_the_window_is_still_taken() -> None:
    world = await _full_until(date(2026, 12, 8))
    assert [start_of(a).date() for a in world.appointments()] == [date(2026, 12, 8), date(2026, 12, 15)]


async def _full_until(day: date) -> World:
    """The world after an order for a site whose chairs are all taken until this day."""
    world = World(seats=full("riverside", date(2026, 11, 23), day))
    await world.hears(*everything_but_authorization(), authorization())
    return world


async def test_a_time_is_held_only_under_the_lanes_of_its_days() -> None:
    world = await held()
    assert world.rounds == 2


async def test_a_time_taken_meanwhile_is_found_elsewhere_under_more_lanes() -> None:
    world, event = World(), Event("message", "told", LANE, NOW, NOW)
    world.resources = {r["id"]: r for r in (*everything_but_authorization(), authorization())}
    lanes = frozenset({LANE})
    first = await decided(world, event, lanes)
    assert first == Needs(("site/riverside/2026-12-01", "site/riverside/2026-12-08"))
    world.seats = full("riverside", START, START + timedelta(days=1))
    lanes |= set(first.lanes)
    second = await decided(world, event, lanes)
    assert isinstance(second, Needs)
    assert {"site/riverside/2026-12-02", "site/riverside/2026-12-09"} < set(second.lanes)
    third = await decided(world, event, lanes | set(second.lanes))
    assert isinstance(third, Decision)
    starts = [start_of(r).date() for r in third.saves if r["resourceType"] == "Appointment"]
    assert starts == [date(2026, 12, 2), date(2026, 12, 9)]


async def test_a_late_first_dose_keeps_the_ordered_intervals() -> None:
    world = World()
    late = NOW + timedelta(days=21)
    fresh = [lab("in-hb", "718-7", "2026-12-01"), lab("in-fer", "2276-4", "2026-12-01")]
    monthly = request({"repeat": {"count": 2, "period": 2, "periodUnit": "wk"}})
    await world.hears(*everything_but_authorization(), *fresh, monthly, authorization(), at=late)
    first, second = (start_of(a).date() for a in world.appointments())
    assert first == date(2026, 12, 17)
    assert second == first + timedelta(days=14)


async def test_a_refused_dose_is_asked_about_until_the_authorization_changes() -> None:
    world = await held()
    first, second = (a["id"] for a in world.appointments())
    refused = [(first, 1, "refused"), (second, 1, "reserved")]
    await world.hears(authorization(answers=refused, units_left=0), at=NOW + MINUTE)
    assert world.questions() == ["hold-refused"]
    await world.hears(authorization(answers=refused, units_left=750), at=NOW + 2 * MINUTE)
    assert (world.questions(), world.holds()) == ([], [2, 1])


async def test_visits_far_ahead_are_timed_when_their_day_comes_near() -> None:
    world = World()
    far = request({"event": ["2026-12-01", "2027-04-30"]})
    fresh = [lab("in-hb", "718-7", "2026-11-20"), lab("in-fer", "2276-4", "2026-11-20")]
    await world.hears(*everything_but_authorization(), far, *fresh, authorization())
    assert world.statuses() == ["pending", "proposed"]
    first = world.appointments()[0]["id"]
    await world.hears(authorization(answers=[(first, 1, "reserved")]), at=NOW + MINUTE)
    assert (world.stage(), world.task()["status"]) == ("booked", "in-progress")
    assert world.wakes["retry/in-order"] == chicago(date(2027, 1, 30), 6)
    fresh = [lab("in-hb", "718-7", "2027-01-30"), lab("in-fer", "2276-4", "2027-01-30")]
    await world.hears(*fresh, at=chicago(date(2027, 1, 29), 23))
    assert world.statuses() == ["booked", "proposed"]
    await world.wakes_up("retry/in-order")
    assert world.statuses() == ["booked", "pending"]


async def test_two_orders_of_one_patient_are_never_at_the_same_time() -> None:
    world = World()
    other = order(code=coded("drug", "iron-sucrose"))
    twins = [renamed(r) for r in (other, verification(), authorization(), benefit())]
    await world.hears(*everything_but_authorization(), authorization(), *twins)
    assert world.statuses() == ["pending"] * 4
    times = sorted((start_of(a), instant(a["end"])) for a in world.appointments())
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times))


async def test_a_hold_that_is_renewed_may_keep_its_own_place() -> None:
    world = await held()
    before = [(a["start"], a["participant"]) for a in world.appointments()]
    await world.wakes_up(f"hold-expiry/{world.appointments()[0]['id']}")
    assert world.holds() == [2, 2]
    assert [(a["start"], a["participant"]) for a in world.appointments()] == before


@pytest.mark.parametrize(("second", "found"), [("2026-12-07", 8), ("2026-12-08", 8), ("2026-12-09", 9)])
async def test_two_doses_are_never_nearer_than_the_least_gap(second: str, found: int) -> None:
    world = World()
    await world.hears(*everything_but_authorization(), request({"event": ["2026-12-01", second]}), authorization())
    assert [start_of(a).date() for a in world.appointments()] == [START, date(2026, 12, found)]


async def test_a_held_dose_gives_way_when_the_one_before_it_comes_later() -> None:
    world, refused = await _first_dose_refused("pending")
    world.seats |= full("riverside", START, date(2026, 12, 4))
    await world.hears(authorization(answers=refused, units_left=3000), at=NOW + 2 * MINUTE)
    assert world.holds() == [2, 2]
    assert [start_of(a).date() for a in world.appointments()] == [date(2026, 12, 4), date(2026, 12, 11)]


async def test_a_dose_before_a_booked_one_keeps_the_least_gap_to_it() -> None:
    world, refused = await _first_dose_refused("booked")
    kept = dict(world.seats)
    world.seats |= full("riverside", START, date(2026, 12, 2))
    await world.hears(authorization(answers=refused, units_left=3000), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["proposed", "booked"]
    assert world.questions() == ["no-capacity-in-window"]
    world.seats = kept
    await world.wakes_up("retry/in-order")
    assert world.statuses() == ["pending", "booked"]
    assert start_of(world.appointments()[0]).date() == START


async def _first_dose_refused(second: str) -> tuple[World, list[tuple[str, int, str]]]:
    """A world whose first dose was refused while the second is pending or booked, and the answers that did it."""
    world = await held()
    ids = [a["id"] for a in world.appointments()]
    answers = [(ids[0], 1, "refused"), *([(ids[1], 1, "reserved")] if second == "booked" else [])]
    await world.hears(authorization(answers=answers), at=NOW + MINUTE)
    assert world.statuses() == ["proposed", second]
    return world, answers
