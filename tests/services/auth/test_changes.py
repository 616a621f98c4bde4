"""What becomes of an authorization when its order, drug, dose, diagnosis or coverage changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import (
    appointment,
    condition,
    coverage,
    medication,
    order,
    referral,
)


def test_a_revoked_order_cancels_the_claim_the_question_and_the_reservations() -> None:
    journey = Journey().approved()
    journey.hears(appointment())
    assert journey.hears(order(status="revoked")).reason == "preauthorization-cancelled"
    assert journey.status == ("cancelled", "cancelled")
    assert journey.one("ChargeItem")["status"] == "aborted"
    assert journey.one("Claim")["status"] == "active"


def test_a_claim_without_an_answer_is_cancelled_with_its_order_and_a_late_answer_does_not_revive_it() -> None:
    journey = Journey().benefit_known()
    journey.hears(order(status="revoked"))
    claim = journey.one("Claim")
    assert claim["status"] == "cancelled"
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.status == ("cancelled", "cancelled")
    assert len(journey.of("ClaimResponse")) == 1


def test_an_order_revoked_before_anything_was_asked_says_nothing() -> None:
    assert Journey().hears(*referral()[1:], order(status="revoked")).saves == ()


@pytest.mark.parametrize(
    "change", [medication(1000, 2), medication(750, 3), condition("anemia", "N18.30"), order(("iron-sucrose", "J1756"))]
)
def test_an_order_that_changed_after_submission_is_a_question(change: dict[str, Any]) -> None:
    journey = Journey().approved()
    assert journey.hears(change).reason == "preauthorization-questioned"
    assert journey.status == ("question", "on-hold")
    journey.hears(appointment())
    assert journey.of("ChargeItem") == []


def test_a_person_may_keep_an_authorization_for_a_changed_order() -> None:
    journey = Journey().approved()
    journey.hears(medication(700, 2))
    (question,) = journey.tasks("authorization-question")
    assert journey.person(question, "keep").reason == "preauthorization-approved"
    assert journey.status == ("approved", "completed")


def test_a_person_may_ask_again_for_a_changed_order() -> None:
    journey = Journey().approved()
    journey.hears(medication(700, 2))
    (question,) = journey.tasks("authorization-question")
    assert journey.person(question, "resubmit").reason == "preauthorization-asked"
    assert [c["item"][0]["quantity"]["value"] for c in journey.of("Claim")] == [1500, 1400]


def test_a_change_taken_back_closes_its_question() -> None:
    journey = Journey().approved()
    journey.hears(medication(700, 2))
    journey.hears(medication())
    assert journey.tasks("authorization-question")[0]["status"] == "cancelled"
    assert journey.status == ("approved", "completed")


def test_another_drug_before_submission_asks_about_its_own_benefit() -> None:
    without = [r for r in referral() if r["resourceType"] != "MedicationStatement"]
    journey = Journey().benefit_known(*without)
    assert journey.hears(order(("iron-sucrose", "J1756"))).reason == "benefit-asked"
    assert len(journey.of("CoverageEligibilityRequest")) == 2


def test_a_new_coverage_is_investigated_anew_and_the_unanswered_claim_withdrawn() -> None:
    journey = Journey().benefit_known()
    other = coverage("lakeland-advantage", id="in-other")
    journey.hears(other, order(insurance=[{"reference": "Coverage/in-other"}]))
    assert journey.status == ("investigating", "in-progress")
    assert journey.one("Claim")["status"] == "cancelled"


def test_an_order_on_hold_keeps_its_authorization_and_its_units_and_asks_nothing_anew() -> None:
    journey = Journey().approved()
    journey.hears(appointment(1))
    before = len(journey.of("Claim"))
    journey.hears(order(status="on-hold"))
    assert journey.status == ("approved", "completed")
    assert journey.one("ChargeItem")["status"] == "planned"
    journey.hears(order())
    assert (journey.status[0], len(journey.of("Claim"))) == ("approved", before)


def test_an_order_that_waits_as_a_draft_claims_nothing() -> None:
    """A second referral for the same therapy is a draft until a person has said which goes on."""
    journey = Journey().benefit_known(*referral()[1:], order(status="draft"))
    assert journey.of("Claim") == []
    journey.hears(order())
    assert journey.status == ("submitted", "in-progress")
