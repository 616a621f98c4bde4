"""Periods of an authorization under odd answers, moves and ends: nothing asked twice, nothing left at the payer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.auth.wire.withdrawing import takes_back
from services.auth.words import period_of, question_code
from shared.core import Resource, reference
from tests.services.auth.home import ivig
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import PARTIES, START, appointment, complete, coverage, medication, order, weight
from tests.services.auth.test_appeals import says, the_appeal
from tests.services.auth.test_never_silent import the_open
from tests.services.auth.test_rechecks import weighed
from tests.services.auth.test_renewals import (
    INFLIXIMAB,
    answer,
    approved,
    at,
    claim_of,
    doses,
    holds,
    maintained,
    on,
    response,
    said,
    stands,
    woken,
)


def asked(journey: Journey, action: str = "", **terms: Any) -> Resource:
    """The request for the second period, answered where an action is given."""
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    claim = claim_of(journey, 2)
    if action:
        journey.answered("preauthorization-answered", claim, claim_answer(claim, action, "p2", **terms))
    return claim


def granted_until(claim: Resource, end: date, answer_id: str, **terms: Any) -> dict[str, Any]:
    """An approval whose every item ends on a day."""
    told = claim_answer(claim, "A1", answer_id, **terms)
    for item in told["item"]:
        item["extension"][0]["valuePeriod"] = {"start": START.isoformat(), "end": end.isoformat()}
    return told


def taken_back(journey: Journey) -> list[str]:
    return [prior for c in journey.of("Claim") if (prior := takes_back(c))]


def by_weight() -> Journey:
    """Maintained on a dose by weight, and approved for ninety days."""
    prescribed = medication(5, 8, "mg/kg")
    prescribed["dosageInstruction"][0]["timing"]["repeat"]["period"] = 28
    return Journey().approved(*(r for r in maintained() if r["id"] != "in-drug"), prescribed, weight(80), days=90)


def test_a_period_that_is_over_is_not_checked_again_while_a_later_one_stands() -> None:
    journey = by_weight()
    asked(journey, "A1", days=365)
    at(journey, 100).hears(weighed(100))
    assert journey.status == ("approved", "completed")
    assert stands(journey)[0] == "question"


def test_a_weight_entered_in_error_takes_no_granted_period_away() -> None:
    journey = by_weight()
    asked(journey, "A1", days=365)
    at(journey, 95).hears({**weight(80), "status": "entered-in-error"})
    assert len(journey.outputs("period")) == 2
    assert stands(journey)[0] == "approved"


def test_a_renewal_that_ends_no_later_than_what_it_renews_opens_no_further_period() -> None:
    journey = approved()
    at(journey, 50).hears(response(49))
    for period in (2, 3, 4):
        for claim in [c for c in journey.of("Claim") if period_of(c) == period]:
            journey.answered("preauthorization-answered", claim, granted_until(claim, on(89), f"p{period}"))
    assert [period_of(c) for c in journey.of("Claim")] == [1, 2]


def test_a_renewal_whose_doses_are_gone_is_taken_back_at_the_payer() -> None:
    journey = approved()
    claim = asked(journey, "A4")
    journey.hears(doses(4, 28))
    journey.person(the_open(journey), "keep")
    assert stands(journey)[0] == "cancelled"
    assert taken_back(journey) == [reference(claim)]


def test_a_renewal_pended_at_the_plan_before_is_taken_back_when_another_plan_follows() -> None:
    journey = approved()
    claim = asked(journey, "A4")
    period = {"start": on(40).isoformat()}
    ended = coverage(status="cancelled")
    at(journey, 40).hears(ended, coverage("lakeland-advantage", id="in-next", period=period))
    assert taken_back(journey) == [reference(claim)]


def test_the_end_of_an_order_closes_what_was_asked_about_its_renewal() -> None:
    journey = approved()
    claim = asked(journey)
    journey.answered("preauthorization-refused-by-payer", claim)
    ended = order(INFLIXIMAB, reasonReference=[{"reference": "Condition/in-crohn"}], status="revoked")
    journey.hears(ended)
    assert {q["status"] for q in journey.tasks("authorization-question")} == {"cancelled"}


def test_a_talk_about_a_denied_renewal_is_called_off_when_no_dose_is_left_for_it() -> None:
    journey = approved()
    claim = asked(journey, "A3")
    says(journey, the_appeal(journey), "peer-to-peer")
    talk, question = journey.one("Appointment"), the_open(journey)
    assert (talk["status"], journey.store.known[question["focus"]["reference"]]["request"]) == (
        "proposed", {"reference": reference(claim)},
    )  # fmt: skip
    journey.hears(doses(4, 28))
    (changed,) = [q for q in journey.tasks("authorization-question") if question_code(q) == "order-changed"]
    journey.person(changed, "keep")
    assert journey.store.known[reference(question)]["status"] == "cancelled"
    assert journey.one("Appointment")["status"] == "cancelled"


def test_a_drug_granted_for_less_long_than_its_nursing_is_renewed_by_its_own_end() -> None:
    journey = Journey().benefit_known(*complete([*ivig("prairie-health"), *PARTIES]))
    claim = journey.one("Claim")
    told = claim_answer(claim, days=60)
    for item in told["item"][1:]:
        item["extension"][0]["valuePeriod"] = {"start": START.isoformat(), "end": on(364).isoformat()}
    journey.answered("preauthorization-answered", claim, told)
    assert [period_of(t) for t in journey.tasks("renewal")] == [2]


def test_doses_given_under_the_plan_before_take_no_units_of_the_next() -> None:
    journey = Journey().approved()
    journey.hears(appointment(1))
    journey.hears(appointment(1, "fulfilled"))
    journey.at = datetime(2026, 12, 1, 16, tzinfo=UTC)
    ended, period = coverage(status="cancelled"), {"start": "2026-12-01"}
    journey.hears(ended, coverage("lakeland-advantage", id="in-next", period=period))
    request = journey.of("CoverageEligibilityRequest")[-1]
    journey.answered("benefit-answered", request, benefit_answer(request))
    claim = journey.of("Claim")[-1]
    told = granted_until(claim, date(2027, 2, 28), "p2", units=750)
    told["item"][0]["extension"][0]["valuePeriod"]["start"] = "2026-12-01"
    journey.answered("preauthorization-answered", claim, told)
    journey.hears(appointment(2, on=date(2026, 12, 2)))
    assert answer(holds(journey)[-1]) == ("reserved", None)


def test_a_dose_held_in_the_next_period_beside_its_old_time_has_its_units_there() -> None:
    journey = approved()
    asked(journey, "A1", units=30)
    journey.hears(appointment(4, "pending"))
    journey.hears(appointment(4, "booked", on=on(84)))
    second = appointment(4, on=on(98), occurrence=2)
    journey.hears(second)
    journey.hears(appointment(5, on=on(112)))
    journey.hears(appointment(4, "cancelled", on=on(84)), appointment(4, "booked", on=on(98), occurrence=2))
    assert said(journey, "units-left")[0]["value"] >= 0


def test_the_risk_is_looked_at_again_after_each_dose() -> None:
    assert any(key.endswith("risk") for key in woken(approved(), 57, "risk").wakes)


def test_a_visit_on_the_last_day_there_is_raises_nothing() -> None:
    journey = approved()
    journey.hears(appointment(1, "booked", on=date(9999, 12, 30)))
    assert journey.status == ("approved", "completed")


@pytest.mark.parametrize(("fifth", "sixth"), [(150, 120), (120, 150)])
def test_doses_out_of_their_order_are_renewed_by_the_first_day_uncovered(fifth: int, sixth: int) -> None:
    journey = approved()
    journey.hears(appointment(5, "booked", on=on(fifth)), appointment(6, "booked", on=on(sixth)))
    assert said(journey, "start-by") == ["2026-12-27"]


def moved_in(journey: Journey) -> list[tuple[str, str]]:
    """Doses and status of each question about more doses in a period."""
    told = ((q["input"][0]["valueString"], q["status"]) for q in journey.tasks("authorization-question"))
    return [(words.split(": ")[1], status) for words, status in told if words.startswith("More doses")]


@pytest.mark.parametrize(("day", "told"), [(89, []), (90, [("4, 5, 6, 7, 8", "requested")])])
@pytest.mark.parametrize("action", ["", "A4", "A1"])
def test_a_dose_that_moves_into_a_period_whose_units_were_asked_for_is_asked_about(
    action: str, day: int, told: list[Any]
) -> None:
    journey = approved()
    asked(journey, action)
    before = stands(journey)
    journey.hears(appointment(4, "booked", on=on(day)))
    assert moved_in(journey) == told
    assert stands(journey) == before


def test_a_dose_that_moves_back_takes_the_question_along() -> None:
    journey = approved()
    asked(journey, "A1")
    journey.hears(appointment(4, "booked", on=on(90)))
    journey.hears(appointment(4, "booked", on=on(84)))
    assert [status for _, status in moved_in(journey)] == ["cancelled"]


@pytest.mark.parametrize(("said", "units"), [("keep", [8, 4]), ("update", [8, 4, 5]), ("resubmit", [8, 4, 5, 4])])
def test_a_person_says_whether_the_payer_is_asked_for_the_dose_that_moved_in(said: str, units: list[int]) -> None:
    journey = approved()
    asked(journey, "A4")
    journey.hears(appointment(4, "booked", on=on(90)))
    journey.person(the_open(journey), said)
    assert [c["item"][0]["quantity"]["value"] // 30 for c in journey.of("Claim")] == units
    journey.hears(appointment(4, "booked", on=on(91)))
    assert [status for _, status in moved_in(journey)] == ["completed"]


def test_doses_by_weight_that_moved_with_the_weight_alone_are_not_asked_about() -> None:
    journey = by_weight()
    asked(journey, "A1")
    at(journey, 95).hears(weighed(87))
    assert moved_in(journey) == []
