"""Antibiotics and immune globulin at home: what each payer decides, and authorizations it gave to others before."""

from __future__ import annotations

from typing import Any

import pytest

AUTHORIZATION = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-authorizationNumber"
NOTE = {
    "resourceType": "DocumentReference",
    "id": "note",
    "status": "current",
    "description": "Infectious disease note: vertebral osteomyelitis",
    "content": [{"attachment": {"contentType": "text/plain", "data": "aXJvbg=="}}],
}
MEDICARE = {"identifier": {"value": "3HN5-RJ4-QW82"}}


def antibiotic(case: Any, code: str = "J3373", units: str = "10500", **changes: Any) -> Any:
    return case.but(**{"hcpcs": code, "units": units, "diagnosis": "M46.26", "chart": {"note": NOTE}, **changes})


@pytest.mark.parametrize(("code", "units"), [("J3373", "10500"), ("S9501", "42"), ("99601", "11")])
async def test_an_infection_with_a_plan_is_certified(
    submit: Any, review: Any, case: Any, code: str, units: str
) -> None:
    bundle = antibiotic(case, code, units).bundle()
    assert review(await submit(bundle))["action"] == "A1"


@pytest.mark.parametrize(("units", "action"), [("55", "A1"), ("56", "A1"), ("57", "A6")])
async def test_more_days_than_the_plan_gives_are_modified(
    submit: Any, review: Any, case: Any, units: str, action: str
) -> None:
    assert review(await submit(antibiotic(case, "S9501", units)))["action"] == action


@pytest.mark.parametrize(
    ("changes", "reason"), [({"diagnosis": "J00"}, ("0F", "infection")), ({"chart": {}}, ("0U", "infection-plan"))]
)
async def test_without_infection_or_plan_nothing_is_certified(
    submit: Any, review: Any, case: Any, changes: dict[str, Any], reason: tuple[str, str]
) -> None:
    found = review(await submit(antibiotic(case, **changes)))
    assert (found["action"], found["reasons"]) == ("A3", [reason])


@pytest.mark.parametrize(("diagnosis", "action"), [("D83.9", "A1"), ("G11.3", "A1"), ("G61.81", "A3")])
async def test_immune_globulin_is_for_primary_immune_deficiency(
    submit: Any, review: Any, case: Any, diagnosis: str, action: str
) -> None:
    asked = case.but(hcpcs="J1561", units="360", diagnosis=diagnosis, chart={})
    assert review(await submit(asked, "lakeland-advantage"))["action"] == action


def eligibility(code: str) -> dict[str, Any]:
    coding = [{"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": code}]
    return {
        "resourceType": "CoverageEligibilityRequest",
        "id": "e1",
        "status": "active",
        "purpose": ["auth-requirements"],
        "patient": {"reference": "Patient/p1"},
        "created": "2026-11-20",
        "insurer": {"display": "payer"},
        "insurance": [{"focal": True, "coverage": MEDICARE}],
        "item": [{"productOrService": {"coding": coding}}],
    }


@pytest.mark.parametrize(("code", "said"), [("J1561", {"authorizationRequired": False}), ("J3373", {"excluded": True})])
async def test_original_medicare_says_what_it_covers(outside: Any, code: str, said: dict[str, bool]) -> None:
    place = "/payer/original-medicare/CoverageEligibilityRequest/$submit"
    (insurance,) = (await outside.http.post(place, json=eligibility(code))).json()["insurance"]
    assert insurance["inforce"] is True
    assert said.items() <= insurance["item"][0].items()


@pytest.mark.parametrize("operation", ["$submit", "$inquire"])
async def test_original_medicare_authorizes_nothing(outside: Any, case: Any, operation: str) -> None:
    answer = await outside.http.post(f"/payer/original-medicare/Claim/{operation}", json=case.bundle())
    assert answer.status_code == 404


async def inquired(outside: Any, case: Any, number: str) -> dict[str, Any]:
    bundle = case.bundle()
    bundle["entry"][0]["resource"]["extension"] = [{"url": AUTHORIZATION, "valueString": number}]
    answer: dict[str, Any] = (await outside.http.post("/payer/prairie-health/Claim/$inquire", json=bundle)).json()
    return answer


async def test_an_authorization_given_to_another_is_found_by_its_number(outside: Any, review: Any, case: Any) -> None:
    answer = await inquired(outside, case, "PH-HELD-750")
    assert review(answer)["number"] == "PH-HELD-750"
    assert await inquired(outside, case, "PH-HELD-750") == answer
    assert "entry" in await inquired(outside, case.but(value="claim-2"), "PH-HELD-750")


@pytest.mark.parametrize(("number", "changes"), [("PH-NEVER", {}), ("PH-HELD-750", {"member": "PHP990000001"})])
async def test_an_unknown_number_and_a_stranger_find_nothing(
    outside: Any, case: Any, number: str, changes: dict[str, str]
) -> None:
    assert "entry" not in await inquired(outside, case.but(**changes), number)


async def test_what_the_authorization_does_not_name_is_not_certified(outside: Any, review: Any, case: Any) -> None:
    answer = await inquired(outside, case.but(hcpcs="J1756"), "PH-HELD-750")
    assert review(answer)["reasons"] == [("0F", "not-in-authorization")]
