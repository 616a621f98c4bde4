"""Who decides a pharmacy benefit hands out the question set of a drug, and decides by what was answered to it."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from partners.payer.facts import answers_in

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
PACKAGE = "/payer/prairie-rx/Questionnaire/$questionnaire-package"


def asked(hcpcs: str = "J1439", member: str = "PHP100000001", without: str = "") -> dict[str, Any]:
    coverage = {
        "resourceType": "Coverage", "status": "active", "subscriberId": member, "payor": [{"display": "plan"}],
        "beneficiary": {"display": "member"},
    }  # fmt: skip
    order = {
        "resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "member"},
        "medicationCodeableConcept": {"coding": [{"system": HCPCS, "code": hcpcs}]},
    }  # fmt: skip
    named = {"coverage": coverage, "order": order}
    parameters = [{"name": n, "resource": r} for n, r in named.items() if n != without]
    return {"resourceType": "Parameters", "parameter": parameters}


async def test_the_set_of_a_drug_comes_with_its_last_day(outside: Any) -> None:
    response = await outside.http.post(PACKAGE, json=asked())
    assert response.status_code == 200, response.text
    inside = response.json()["parameter"][0]["resource"]["entry"][0]["resource"]
    get_fhir_model_class("Questionnaire").model_validate(inside)
    period = inside["effectivePeriod"]
    assert (inside["title"], period["start"] < period["end"]) == ("Intravenous iron", True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (asked("J1745"), 404),
        (asked(member="PHP990000001"), 422),
        (asked(without="order"), 400),
        (asked(without="coverage"), 400),
        ({"resourceType": "Patient"}, 400),
    ],
)
async def test_what_it_cannot_serve_is_refused(outside: Any, body: dict[str, Any], status: int) -> None:
    assert (await outside.http.post(PACKAGE, json=body)).status_code == status


def test_answers_are_read_from_groups_and_from_answers_they_stand_in() -> None:
    inner = {"linkId": "2.1", "answer": [{"valueDecimal": 9, "item": [{"linkId": "2.1.1", "answer": [ANSWER]}]}]}
    said = {
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "item": [{"linkId": "1", "answer": [{"valueBoolean": False}]}, {"linkId": "2", "item": [inner]}],
    }  # fmt: skip
    found = dict(answers_in(get_fhir_model_class("QuestionnaireResponse").model_validate(said)))
    assert (found["1"], int(found["2.1"]), found["2.1.1"]) == (False, 9, "other")


ANSWER = {"valueCoding": {"system": "urn:x", "code": "other"}}
