"""Who pays, end to end: authorizations held already are verified, and each benefit of the home says what it pays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.core import Resource
from tests.journeys.case import Case, entries, outputs, until
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()
Changed = Callable[[dict[str, Any]], None]


def with_held(number: str, units: int) -> Changed:
    """A referral that brings the payer's authorization with it."""

    def changed(bundle: dict[str, Any]) -> None:
        patient = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
        (order,) = entries(bundle, "ServiceRequest")
        start = datetime.fromisoformat(order["occurrencePeriod"]["start"]).date()
        hcpcs = {"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": "J1439"}
        held = {
            "resourceType": "ClaimResponse",
            "identifier": [{"system": "https://ehr.mercy.example/id/authorization", "value": f"held-{number}-{units}"}],
            "status": "active",
            "type": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]
            },
            "use": "preauthorization",
            "patient": {"reference": patient},
            "created": start.isoformat(),
            "insurer": {"display": "Prairie Health Plan"},
            "outcome": "complete",
            "preAuthRef": number,
            "preAuthPeriod": {"start": start.isoformat(), "end": (start + timedelta(days=89)).isoformat()},
            "addItem": [
                {
                    "productOrService": {"coding": [hcpcs]},
                    "quantity": {"value": units},
                    "adjudication": [{"category": {"text": "authorized"}}],
                }
            ],
        }
        url = "urn:uuid:0000000a-5d10-4c1e-9a3b-0000000000aa"
        bundle["entry"].append(
            {"fullUrl": url, "resource": held, "request": {"method": "POST", "url": "ClaimResponse"}}
        )
        order["supportingInfo"].append({"reference": url})

    return changed


def diagnosed(code: str) -> Changed:
    def changed(bundle: dict[str, Any]) -> None:
        entries(bundle, "Condition")[0]["code"]["coding"][0].update(code=code, display="another")

    return changed


async def referred(standing: Deployment, number: int, case: str, changed: Changed | None = None) -> None:
    await pushed(standing.sender(), str(number), Template(TODAY, case, changed).referral(number))


def questions(case: Case) -> list[tuple[str, str]]:
    """Code and status of what a person is asked about the authorization."""
    return [(t["input"][0]["type"]["coding"][0]["code"], t["status"]) for t in case.tasks("authorization-question")]


def benefits(case: Case) -> list[str]:
    parts = ("drug", "nursing", "supplies")
    return [c["coding"][0]["code"] for p in parts for c in outputs(case, f"benefit-{p}")]


async def reviewed(standing: Deployment, claim: Resource) -> int:
    """How often the payer was asked to decide this Claim."""
    seen = await standing.debug("payer/prairie-health/debug/claims")
    return sum(c["received"] for c in seen if c["identifier"]["value"] == claim["id"])


async def test_an_authorization_held_already_is_verified_recorded_and_booked_by(standing: Deployment) -> None:
    await referred(standing, 250, "iron-meets-criteria", with_held("PH-HELD-1500", 1500))
    case = await until(standing, 250, lambda c: len(c.visits("booked")) == 2)
    assert outputs(case, "number") == ["PH-HELD-1500"]
    assert case.stage("preauthorization") == "approved"
    assert len(case.of("Claim")) == 1
    assert questions(case) == []


async def test_one_with_other_units_than_the_payer_says_is_a_question_and_books_nothing(standing: Deployment) -> None:
    await referred(standing, 251, "iron-meets-criteria", with_held("PH-HELD-1500", 750))
    case = await until(standing, 251, lambda c: c.stage("preauthorization") == "question")
    assert questions(case) == [("held-authorization-differs", "requested")]
    assert case.visits("booked") == []


async def test_one_the_payer_does_not_know_is_a_question(standing: Deployment) -> None:
    await referred(standing, 252, "iron-meets-criteria", with_held("PH-NEVER-GIVEN", 1500))
    case = await until(standing, 252, lambda c: c.stage("preauthorization") == "question")
    assert questions(case) == [("held-authorization-unknown", "requested")]
    (claim,) = case.of("Claim")
    assert await reviewed(standing, claim) == 0


async def test_medicare_pays_no_immune_globulin_at_home_for_another_disease(standing: Deployment) -> None:
    await referred(standing, 253, "ivig-pidd-medicare-home", diagnosed("G61.81"))
    case = await until(standing, 253, lambda c: c.stage("preauthorization") == "not-covered")
    assert benefits(case) == ["part-d", "none", "none"]
    assert case.visits("booked") == []


async def test_the_benefit_of_each_part_of_a_home_infusion_is_told(standing: Deployment) -> None:
    await referred(standing, 254, "opat-vancomycin-home")
    case = await until(standing, 254, lambda c: c.stage("preauthorization") == "approved")
    assert benefits(case) == ["medical"] * 3
    units = {q["code"]: q["value"] for q in outputs(case, "units")}
    assert units == {"J3373": 10500, "S9501": 42, "99601": 11}
