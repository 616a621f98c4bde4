"""A member is insured or not, and a product needs authorization or not, by the payer's own table."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def request(coverage: dict[str, Any], hcpcs: str = "J1439", **rest: Any) -> dict[str, Any]:
    return {
        "resourceType": "CoverageEligibilityRequest",
        "id": "e1",
        "status": "active",
        "purpose": ["auth-requirements"],
        "patient": {"reference": "Patient/p1"},
        "created": "2026-11-20",
        "insurer": {"display": "payer"},
        "insurance": [{"focal": True, "coverage": coverage}],
        "item": [{"productOrService": {"coding": [{"system": HCPCS, "code": hcpcs}]}}],
        **rest,
    }


def member(value: str) -> dict[str, Any]:
    return {"identifier": {"value": value}}


async def asked(outside: Any, body: dict[str, Any], payer: str = "prairie-health") -> dict[str, Any]:
    response = await outside.http.post(f"/payer/{payer}/CoverageEligibilityRequest/$submit", json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    get_fhir_model_class("CoverageEligibilityResponse").model_validate(found)
    return found


NEEDED = [
    ("prairie-health", "J1439", True),
    ("prairie-health", "J1756", False),
    ("prairie-health", "Q5103", True),
    ("lakeland-advantage", "Q5103", False),
    ("lakeland-advantage", "J1745", True),
]


@pytest.mark.parametrize(("payer", "hcpcs", "needed"), NEEDED)
async def test_the_product_says_whether_authorization_is_needed(
    outside: Any, payer: str, hcpcs: str, needed: bool
) -> None:
    answer = await asked(outside, request(member("PHP100000001"), hcpcs), payer)
    item = answer["insurance"][0]["item"][0]
    assert answer["outcome"] == "complete"
    assert answer["request"] == {"reference": "CoverageEligibilityRequest/e1"}
    assert (item["authorizationRequired"], item["productOrService"]["coding"][0]["code"]) == (needed, hcpcs)
    assert item["network"]["coding"][0]["code"] == "in"


SHAPES = [
    ("prairie-health", "PHP100000001", True),
    ("prairie-health", "PH-123456", True),
    ("prairie-health", "PH-12345", False),
    ("prairie-health", "PHP990000001", False),
    ("prairie-health", "1EG4-TE5-MK73", False),
    ("lakeland-advantage", "1EG4-TE5-MK73", True),
    ("lakeland-advantage", "1EG4TE5MK73", True),
    ("lakeland-advantage", "LKA990000001", False),
]


@pytest.mark.parametrize(("payer", "value", "insured"), SHAPES)
async def test_the_member_id_says_who_is_insured(outside: Any, payer: str, value: str, insured: bool) -> None:
    insurance = (await asked(outside, request(member(value)), payer))["insurance"][0]
    assert (insurance["inforce"], "item" in insurance) == (insured, insured)


async def test_a_product_that_is_never_covered_is_excluded(outside: Any) -> None:
    answer = await asked(outside, request(member("PHP100000001"), "J1750"))
    assert answer["insurance"][0]["item"][0]["excluded"] is True


def coverage(value: str) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": "cov",
        "status": "active",
        "subscriberId": value,
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"display": "payer"}],
    }


async def test_the_member_id_is_read_from_a_contained_coverage(outside: Any) -> None:
    body = request({"reference": "#cov"}, contained=[coverage("PHP100000001")])
    assert (await asked(outside, body))["insurance"][0]["inforce"] is True


async def test_the_member_id_is_read_from_the_coverage_beside_the_request(outside: Any) -> None:
    resources = [request({"reference": "Coverage/cov"}), coverage("PHP990000001")]
    entries = [{"fullUrl": f"https://x.example/{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    body = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    answer = await asked(outside, body)
    assert answer["insurance"][0] == {"coverage": {"reference": "Coverage/cov"}, "inforce": False}


BAD = [
    request({"reference": "Coverage/elsewhere"}),
    {k: v for k, v in request(member("PHP100000001")).items() if k != "patient"},
    {"resourceType": "Patient"},
    {"resourceType": "Bundle", "type": "collection"},
]


@pytest.mark.parametrize("body", BAD)
async def test_a_request_that_cannot_be_answered_is_refused(outside: Any, body: dict[str, Any]) -> None:
    response = await outside.http.post("/payer/prairie-health/CoverageEligibilityRequest/$submit", json=body)
    assert (response.status_code, response.json()["resourceType"]) == (400, "OperationOutcome")


PROVIDERS = [("1234567893", "in"), ("1999999984", "out")]


@pytest.mark.parametrize(("npi", "network"), PROVIDERS)
async def test_a_provider_without_a_contract_is_out_of_network(outside: Any, npi: str, network: str) -> None:
    provider = {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}}
    answer = await asked(outside, request(member("PHP100000001"), provider=provider))
    assert answer["insurance"][0]["item"][0]["network"]["coding"][0]["code"] == network


def by_modifier(answer: dict[str, Any]) -> dict[str, Any]:
    """Items by X12 service type: 1 medical, 88 pharmacy."""
    return {i["modifier"][0]["coding"][0]["code"]: i for i in answer["insurance"][0]["item"]}


async def test_what_both_benefits_pay_is_told_with_the_terms_of_each(outside: Any) -> None:
    items = by_modifier(await asked(outside, request(member("PHP100000001"), "J1561")))
    assert {side: [b["type"]["coding"][0]["code"] for b in i["benefit"]] for side, i in items.items()} == {
        "1": ["deductible", "copay-percent", "G"], "88": ["deductible", "copay"],
    }  # fmt: skip


async def test_the_plan_says_what_was_used_since_the_first_of_january(outside: Any) -> None:
    answer = await asked(outside, request(member("PHP100000001")))
    deductible = answer["insurance"][0]["item"][0]["benefit"][0]
    month = int(answer["created"][5:7])
    assert deductible["allowedMoney"] == {"value": 1500, "currency": "USD"}
    assert deductible["usedMoney"] == {"value": min(1500, 150 * (month - 1)), "currency": "USD"}


async def test_a_drug_of_the_plans_pharmacy_says_so(outside: Any) -> None:
    item = (await asked(outside, request(member("PHP100000001"), "J1745")))["insurance"][0]["item"][0]
    assert item["modifier"][1]["coding"][0]["code"] == "white-bag"
    assert (
        "modifier"
        not in (await asked(outside, request(member("1EG4-TE5-MK73"), "J1561"), "original-medicare"))["insurance"][0][
            "item"
        ][0]
    )
