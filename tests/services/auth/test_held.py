"""An authorization the referrer already holds is verified with the payer and recorded, and never asked for again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.auth.wire.bundles import inquiry_bundle
from services.auth.wire.held import NUMBER
from shared.catalogue import HCPCS
from shared.core import CANONICAL
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import PRACTICE, START, coded, order, referral


def held(units: int | None = 1500, days: int | None = 90) -> dict[str, Any]:
    """What the referral brings."""
    added = [{"productOrService": coded(HCPCS, "J1439"), "quantity": {"value": units}, "adjudication": []}]
    end = START + timedelta(days=(days or 1) - 1)
    return {
        "resourceType": "ClaimResponse",
        "id": "in-held",
        "status": "active",
        "type": coded("http://terminology.hl7.org/CodeSystem/claim-type", "professional"),
        "use": "preauthorization",
        "patient": {"reference": "Patient/in-p"},
        "created": "2026-11-18",
        "insurer": {"display": "Prairie Health Plan"},
        "outcome": "complete",
        "preAuthRef": "PH-HELD-1500",
        **({"preAuthPeriod": {"start": START.isoformat(), "end": end.isoformat()}} if days else {}),
        **({"addItem": added} if units else {}),
    }


def with_held(**paper: Any) -> list[dict[str, Any]]:
    cited = [{"reference": "MedicationRequest/in-drug"}, {"reference": "ClaimResponse/in-held"}]
    return [order(supportingInfo=cited), *referral()[1:], held(**paper)]


def inquired(**paper: Any) -> Journey:
    journey = Journey().benefit_known(*with_held(**paper))
    assert journey.status == ("submitted", "in-progress")
    return journey


def number_of(claim: Any) -> str | None:
    return next((e["valueString"] for e in claim["extension"] if e["url"] == NUMBER), None)


async def test_the_payer_is_inquired_with_by_the_number() -> None:
    journey = inquired()
    claim = journey.one("Claim")
    assert number_of(claim) == "PH-HELD-1500"
    bundle = inquiry_bundle(claim, await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    extensions = bundle["entry"][0]["resource"]["extension"]
    assert [e["url"] for e in extensions if not e["url"].startswith(CANONICAL)] == [NUMBER]


def test_what_the_payer_confirms_is_approved_and_nothing_else_is_asked() -> None:
    journey = inquired()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, units=1500))
    assert journey.status == ("approved", "completed")
    assert journey.one("Claim")["id"] == claim["id"]


@pytest.mark.parametrize(("paper", "differs"), [({}, False), ({"units": 1499}, True), ({"units": 1501}, True)])
def test_other_units_than_the_referral_says_are_a_question(paper: dict[str, int], differs: bool) -> None:
    journey = inquired(**paper)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, units=1500))
    assert journey.status[0] == ("question" if differs else "approved")


@pytest.mark.parametrize(("days", "status"), [(90, "approved"), (89, "question"), (91, "question"), (None, "approved")])
def test_another_period_than_the_referral_says_is_a_question(days: int | None, status: str) -> None:
    journey = inquired(days=days)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, units=1500, days=90))
    assert journey.status[0] == status


def test_a_person_who_confirms_lets_the_payers_word_stand() -> None:
    journey = inquired(units=1499)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, units=1500))
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "confirmed")
    assert journey.status == ("approved", "completed")
    assert journey.outputs("units")[0]["value"] == 1500


def test_one_the_payer_does_not_know_is_a_question_and_confirmed_counts_as_the_paper_has_it() -> None:
    journey = inquired(units=1400)
    journey.answered("held-authorization-unknown", journey.one("Claim"))
    assert journey.status == ("question", "on-hold")
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "confirmed")
    assert journey.status == ("partly-approved", "completed")
    assert journey.outputs("number") == ["PH-HELD-1500"]
    assert journey.outputs("units")[0]["value"] == 1400
    assert len(journey.of("ClaimResponse")) == 2


def test_one_that_a_person_rejects_is_asked_for_as_usual() -> None:
    journey = inquired()
    journey.answered("held-authorization-unknown", journey.one("Claim"))
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "rejected")
    assert journey.status == ("submitted", "in-progress")
    numbers = {number_of(c) for c in journey.of("Claim")}
    assert numbers == {None, "PH-HELD-1500"}
    (asking,) = [c for c in journey.of("Claim") if number_of(c) is None]
    cited = [i["valueReference"]["reference"] for i in asking["supportingInfo"]]
    assert "ClaimResponse/in-held" not in cited


def test_criteria_are_not_judged_for_what_is_held() -> None:
    """No laboratory value came with it: the payer has decided before."""
    bare = [r for r in with_held() if r["resourceType"] != "Observation"]
    journey = Journey().benefit_known(*bare)
    assert journey.status == ("submitted", "in-progress")
    assert journey.outputs("criterion") == []
