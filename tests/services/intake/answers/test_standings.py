"""What a placer sees over time: why he waits, codes of 360X, and a history that never goes back where it may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.answers.standings import AFTER
from tests.services.intake.reports import concept, said, stands, visit

AT = "2026-12-0{}T15:00:00Z"
CODES = {"2.0", "3.0", "4.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.2", "6.0", "7.0"}
WAITING = {"rejected", "cancelled", "on-hold", "failed"}

BUSINESS = st.sampled_from(
    ["investigating", "needs-information", "pended", "approved", "denied", "not-covered", "question", "cancelled"]
)
VISITED = st.sampled_from(["proposed", "pending", "booked", "arrived", "fulfilled", "noshow", "cancelled"])
STEPS = st.one_of(
    st.tuples(st.just("authorization"), BUSINESS),
    st.tuples(st.just("visit-1"), VISITED),
    st.tuples(st.just("visit-2"), VISITED),
    st.tuples(st.just("push"), st.sampled_from(["active", "on-hold", "revoked", "completed", "no-coverage"])),
    st.tuples(st.just("appeal"), st.sampled_from(["requested", "completed"])),
)


def taken(desk: Any, step: tuple[str, str], example: Any, edited: Any) -> None:
    """One thing that happens."""
    what, word = step
    if what == "authorization":
        desk.hear(said(desk, "preauthorization", "in-progress", word))
    elif what == "appeal":
        desk.hear(said(desk, "appeal", word))
    elif what == "push":
        change = {"drop": ["Coverage"]} if word == "no-coverage" else {"set": {"ServiceRequest": {"status": word}}}
        desk.push(edited(example("iron-meets-criteria"), change))
    else:
        number = int(what[-1])
        desk.hear(visit(desk, number, word, **({} if word == "proposed" else {"start": AT.format(number)})))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=8))
def test_every_history_a_placer_sees_is_lawful(
    steps: list[tuple[str, str]], desk: Any, example: Any, edited: Any
) -> None:
    desk.held = {}
    desk.push(example("iron-meets-criteria"))
    before = desk.referral["status"]
    for step in steps:
        taken(desk, step, example, edited)
        task, (status, business, reason) = desk.referral, stands(desk)
        assert status in AFTER[before], f"{before} -> {status}"
        assert status not in ("ready", "received", "requested"), "SDOHCC forbids them"
        assert business in CODES
        assert status not in WAITING or reason
        assert status != "completed" or task["output"]
        assert (status == "cancelled") == (business == "6.0")
        assert (status == "completed") == (business == "7.0")
        assert (status == "rejected") == (business == "4.0")
        before = status


def test_the_law_lets_nothing_follow_a_cancelled_referral_and_accepted_follow_nothing_begun() -> None:
    assert AFTER["cancelled"] == {"cancelled"}
    assert [before for before, after in AFTER.items() if "accepted" in after] == ["accepted", "on-hold"]


def test_a_referral_whose_order_is_not_there_is_created_not_accepted(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"drop": ["ServiceRequest"]}))
    assert stands(desk)[:2] == ("on-hold", "2.0")


@pytest.mark.parametrize(
    "first, second, code",
    [
        ("fulfilled", "proposed", "5.1.4"),
        ("noshow", "fulfilled", "7.0"),
        ("fulfilled", "noshow", "7.0"),
        ("fulfilled", "booked", "5.1.1"),
    ],
)
def test_the_latest_event_of_the_visits_is_told(first: str, second: str, code: str, desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(*(visit(desk, n, s, start=AT.format(n)) for n, s in ((1, first), (2, second))))
    assert stands(desk)[1] == code


@pytest.mark.parametrize("first, second, code", [("fulfilled", "noshow", "5.1.2"), ("noshow", "fulfilled", "5.1.4")])
def test_with_a_visit_to_come_the_later_of_two_is_told(
    first: str, second: str, code: str, desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    visits = [visit(desk, n, s, start=AT.format(n)) for n, s in ((1, first), (2, second))]
    desk.hear(*visits, visit(desk, 3, "proposed"))
    assert stands(desk)[1] == code


def test_a_home_visit_counts_as_a_visit(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    home = {"serviceCategory": [concept("appointment-kind", "home-visit")], "start": AT.format(1)}
    desk.hear(visit(desk, 1, "booked", **home) | {"id": "nu-1"})
    assert stands(desk) == ("in-progress", "5.1.1", "")
    assert [o["valueReference"]["reference"] for o in desk.outputs("appointment")] == ["Appointment/nu-1"]
    desk.hear(visit(desk, 1, "fulfilled", **home) | {"id": "nu-1"})
    assert stands(desk)[:2] == ("completed", "7.0")


def test_a_nursing_question_and_what_home_visits_wait_for_are_told(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    waits: dict[str, Any] = {"statusReason": concept("home-nursing-reason", "labs-missing")}
    desk.hear(said(desk, "home-nursing", "on-hold", **waits), said(desk, "nursing-question", "requested"))
    assert stands(desk) == ("on-hold", "3.0", "Information missing for a visit: labs-missing")
    assert desk.missing == ["labs-missing"]
    assert [o["valueReference"]["reference"] for o in desk.outputs("question")] == ["Task/au-nursing-question"]


def called_off(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"set": {"ServiceRequest": {"status": "revoked"}}}))


def test_a_cancellation_is_requested_until_its_visits_are_cancelled(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    booked = visit(desk, 1, "booked", start=AT.format(1))
    desk.hear(booked)
    called_off(desk, example, edited)
    asked = "The placer's order is revoked; its visits are being cancelled"
    assert stands(desk) == ("in-progress", "5.2", asked)
    assert desk.order["status"] == "revoked"
    desk.hear({**booked, "status": "cancelled"})
    assert stands(desk) == ("cancelled", "6.0", "The placer's order is revoked")


def test_a_cancellation_without_visits_is_done_at_once(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    called_off(desk, example, edited)
    assert stands(desk) == ("cancelled", "6.0", "The placer's order is revoked")


def test_what_is_being_cancelled_is_not_opened_again(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(visit(desk, 1, "booked", start=AT.format(1)))
    called_off(desk, example, edited)
    decision = desk.push(example("iron-meets-criteria") | {"timestamp": "2026-11-22T12:00:00Z"})
    assert decision.refusals == ("referral-cancelled",)
    assert stands(desk)[1] == "5.2"


def test_a_completed_referral_says_what_came_of_it_and_stays_completed(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    visits = [visit(desk, n, "fulfilled", start=AT.format(n)) for n in (1, 2)]
    desk.hear(*visits)
    told = [o["valueString"] for o in desk.outputs("feedback")]
    assert told == ["Visits given: 2; the first on 2026-12-01, the last on 2026-12-02."]
    desk.hear(visit(desk, 3, "booked", start=AT.format(3)))
    assert stands(desk)[:2] == ("completed", "7.0")


def test_an_order_completed_by_the_placer_says_that_no_visit_took_place(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"set": {"ServiceRequest": {"status": "completed"}}}))
    assert stands(desk)[:2] == ("completed", "7.0")
    assert len(desk.outputs("feedback")) == 1


def test_a_declined_referral_is_taken_up_again_when_the_payer_changes_its_word(desk: Any, example: Any) -> None:
    desk.push(example("denied"))
    desk.hear(said(desk, "preauthorization", "rejected", "denied"))
    assert stands(desk)[:2] == ("rejected", "4.0")
    desk.hear(said(desk, "preauthorization", "completed", "approved"))
    assert stands(desk)[:2] == ("in-progress", "3.0")
