"""An authorization the referral brings: kept as it came and cited in the order, where it has what counts."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core import reference

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
HELD = {
    "resourceType": "ClaimResponse",
    "status": "active",
    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]},
    "use": "preauthorization",
    "created": "2026-11-10",
    "insurer": {"identifier": {"system": "https://carepod.example/id/payer", "value": "prairie-health"}},
    "outcome": "complete",
    "preAuthRef": "PA-2026-000417",
    "preAuthPeriod": {"start": "2026-11-10", "end": "2027-05-09"},
}


def bringing(bundle: dict[str, Any], **elements: Any) -> dict[str, Any]:
    patient = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    held = {k: v for k, v in {**HELD, "patient": {"reference": patient}, **elements}.items() if v is not None}
    request = {"method": "POST", "url": "ClaimResponse"}
    entry = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-0000000000c1", "resource": held, "request": request}
    return {**bundle, "entry": [*bundle["entry"], entry]}


def cited(desk: Any) -> list[str]:
    named = (s["reference"] for s in desk.order["supportingInfo"])
    return [r for r in named if r.startswith("ClaimResponse/")]


def test_an_authorization_held_is_cited_in_the_order(desk: Any, example: Any) -> None:
    decision = desk.push(bringing(example("iron-meets-criteria")))
    held = desk.one("ClaimResponse")
    assert decision.reason == "referral-completed"
    assert cited(desk) == [reference(held)]
    assert (held["preAuthRef"], held["preAuthPeriod"]) == (HELD["preAuthRef"], HELD["preAuthPeriod"])
    assert held in decision.saves


@pytest.mark.parametrize(
    "elements",
    [{"preAuthRef": None}, {"use": "predetermination"}, {"status": "cancelled"}, {"outcome": "error"}],
    ids=["no number", "only an estimate", "called off", "an error"],
)
def test_what_grants_nothing_is_kept_and_not_cited(elements: Any, desk: Any, example: Any) -> None:
    desk.push(bringing(example("iron-meets-criteria"), **elements))
    assert desk.one("ClaimResponse")
    assert cited(desk) == []


def test_it_stays_cited_when_the_referral_comes_again_without_it(desk: Any, example: Any) -> None:
    desk.push(bringing(example("iron-meets-criteria")))
    desk.push(example("iron-meets-criteria"))
    assert len(cited(desk)) == 1


def test_the_authorization_of_one_referral_is_not_that_of_another(desk: Any, example: Any) -> None:
    desk.push(bringing(example("iron-meets-criteria")))
    other = example("iron-meets-criteria")
    for entry in other["entry"]:
        if entry["resource"]["resourceType"] in ("Task", "ServiceRequest", "MedicationRequest"):
            for identifier in entry["resource"].get("identifier", ()):
                identifier["value"] += "-2"
    desk.push(other)
    orders = [o for o in desk.all("ServiceRequest") if o["intent"] == "filler-order"]
    counts = sorted(sum(s["reference"].startswith("ClaimResponse/") for s in o["supportingInfo"]) for o in orders)
    assert counts == [0, 1]
