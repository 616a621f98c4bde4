"""What a payer has decided of a drug so far is counted by its answers, and told beside the check before submission."""

from __future__ import annotations

from collections import Counter

import pytest

from services.auth.criteria.precheck import experience
from services.auth.decision.experience import decision
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.test_appeals import NUMBER, PERIOD, UNITS, denied, says, the_appeal
from tests.services.auth.test_never_silent import the_open

ABOUT = "prairie-health|ferric-carboxymaltose"


def decisions(journey: Journey) -> Counter[str]:
    return Counter(value for r in journey.of("ClaimResponse") for value in decision(r))


@pytest.mark.parametrize(
    ("action", "told"), [("A1", {f"{ABOUT}|approved": 1}), ("A3", {f"{ABOUT}|denied": 1}), ("A4", {}), ("C", {})]
)
def test_a_final_answer_counts_for_its_payer_and_drug(action: str, told: dict[str, int]) -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, action))
    assert decisions(journey) == told


def test_a_pended_request_counts_once_it_is_decided() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph2"))
    assert decisions(journey) == {f"{ABOUT}|approved": 1}


def test_a_denial_that_was_overturned_counts_as_both() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD, UNITS)
    assert decisions(journey) == {f"{ABOUT}|denied": 1, f"{ABOUT}|overturned": 1}


def test_the_check_asks_for_the_figures_of_its_payer_and_drug_alone() -> None:
    said = {"name": "payer", "valueString": "prairie-health"}, {"name": "drug", "valueCoding": {"code": "iron-sucrose"}}
    wanted = experience({"resourceType": "Parameters", "parameter": [*said]})
    assert [(t.name, t.value) for t in wanted] == [
        (name, f"prairie-health|iron-sucrose|{name}") for name in ("approved", "denied", "overturned")
    ]
    assert experience({"resourceType": "Parameters", "parameter": [said[0]]}) == ()
