"""A payer that wants more asks by number and code, takes it once by `$submit-attachment`, and decides only then."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

ATTACH = "/payer/prairie-health/$submit-attachment"
CLAIMS = "/payer/prairie-health/debug/claims"
LOINC = "http://loinc.org"


def records(case: Any) -> dict[str, Any]:
    """The request of a member whose plan group wants records."""
    bundle: dict[str, Any] = case.bundle()
    coverage = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Coverage")
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    coverage["class"] = [{"type": kind, "value": "RECORDS"}]
    return bundle


def attachment(tracking: str = "PH0000001-M1", code: str = "11488-4", **changes: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": LOINC, "code": code}]}
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": coded,
        "content": [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0="}}],
    }
    named = {
        "TrackingId": {"valueIdentifier": {"value": tracking}},
        "AttachTo": {"valueCode": "preauthorization"},
        "OrganizationId": {"valueIdentifier": {"value": "1234567893"}},
        "MemberId": {"valueIdentifier": {"value": "PHP100000001"}},
    } | changes
    parts = [{"name": "Code", "valueCodeableConcept": coded}, {"name": "Content", "resource": document}]
    said = [{"name": name, **value} for name, value in named.items() if value]
    return {"resourceType": "Parameters", "parameter": [*said, {"name": "Attachment", "part": parts}]}


async def test_what_is_wanted_stands_beside_a_pended_answer_and_nothing_is_decided(
    outside: Any, submit: Any, case: Any, review: Any
) -> None:
    told = await submit(records(case))
    get_fhir_model_class("Bundle").model_validate(told)
    assert review(told)["action"] == "A4"
    (wanted,) = [e["resource"] for e in told["entry"] if e["resource"]["resourceType"] == "CommunicationRequest"]
    assert told["entry"][0]["resource"]["communicationRequest"] == [
        {"reference": f"CommunicationRequest/{wanted['id']}"}
    ]
    assert wanted["payload"] == [{"contentString": "11488-4"}]
    assert wanted["occurrencePeriod"] == {"end": "2026-12-05"}
    assert await outside.after(60) == 0


async def test_what_was_attached_ends_the_request_and_the_decision_is_told(
    outside: Any, submit: Any, case: Any, review: Any
) -> None:
    await submit(records(case))
    told = [await outside.http.post(ATTACH, json=attachment()) for _ in range(2)]
    assert [t.status_code for t in told] == [200, 200]
    again = await submit(records(case))
    assert "communicationRequest" not in again["entry"][0]["resource"]
    await outside.after(3)
    await outside.after(0)
    assert review(outside.carepod.bodies()[0]["entry"][1]["resource"])["action"] == "A1"
    (claim,) = (await outside.http.get(CLAIMS)).json()
    assert claim["attachments"] == [{"wanted": "PH0000001-M1", "received": 2}]
    assert [a["actions"] for a in claim["answers"]] == [["A4"], ["A4"], ["A1"]]


@pytest.mark.parametrize("lacking", ["TrackingId", "AttachTo", "OrganizationId", "MemberId"])
async def test_an_attachment_without_what_cdex_demands_is_refused(
    outside: Any, submit: Any, case: Any, lacking: str
) -> None:
    await submit(records(case))
    told = await outside.http.post(ATTACH, json=attachment(**{lacking: None}))
    assert told.status_code == 400
    assert lacking in told.json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("wrong", [attachment("PH0000009-M1"), attachment(code="11506-3")])
async def test_what_nobody_asked_for_is_refused(outside: Any, submit: Any, case: Any, wrong: dict[str, Any]) -> None:
    await submit(records(case))
    assert (await outside.http.post(ATTACH, json=wrong)).status_code == 422
    (claim,) = (await outside.http.get(CLAIMS)).json()
    assert [a["actions"] for a in claim["answers"]] == [["A4"]]
