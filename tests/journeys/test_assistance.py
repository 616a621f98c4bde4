"""A copay card from consent to balance: the gate opens, a person enrols, visits draw on it, a withdrawal stops it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.cases import Template, patient_id
from benchmarks.disturbed import Deployment
from benchmarks.harness import DESK
from shared.clock import system_clock
from shared.core import CANONICAL, IDENTIFIERS, Resource
from tests.journeys.case import Case, entries, until
from tests.journeys.changing import asked, found, post, put
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = system_clock().astimezone(ZoneInfo("America/Chicago")).date()
"""The practice's own date: a consent of tomorrow opens nothing."""
YEAR = TODAY.year
OUTPUT = CANONICAL + "CodeSystem/hub-enrolment-output"
CARD = "injectafer-savings"


def practice(site: dict[str, Any], _: Deployment) -> None:
    """The practice has adopted the manufacturers' programmes and the poverty level."""
    for policy in ("auth/assistance-manufacturers", "auth/households"):
        site["adopted_drafts"].append({"policy": policy, "by": "medical director", "adopted_on": TODAY})


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def consent(number: int, status: str = "active") -> Resource:
    """The patient's signed consent that the manufacturer may have what is hers."""
    actor = {
        "role": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
        "reference": {"identifier": {"system": IDENTIFIERS + "hub", "value": CARD}},
    }
    period = {"start": TODAY.isoformat(), "end": f"{YEAR + 1}-12-31"}
    return {
        "resourceType": "Consent",
        "identifier": [{"system": "https://ehr.mercy.example/id/consent", "value": f"HUB-{number}"}],
        "status": status,
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "patient": {"reference": f"Patient/{patient_id(number)}"},
        "dateTime": TODAY.isoformat(),
        "policyRule": coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN"),
        "verification": [{"verified": True, "verificationDate": TODAY.isoformat()}],
        "provision": {"type": "permit", "period": period, "actor": [actor]},
    }


def stands(case: Case) -> str | None:
    return case.stage("hub-enrolment")


def told(case: Case, kind: str) -> list[Any]:
    outputs = [o for o in case.task("hub-enrolment").get("output", ()) if o["type"]["coding"][0]["code"] == kind]
    return [next(v for k, v in o.items() if k.startswith("value")) for o in outputs]


def paid(case: Case) -> list[tuple[str, float]]:
    """(state, dollars) of each visit the card knows."""
    rows = [o for o in case.task("hub-enrolment").get("output", ()) if o["type"]["coding"][0]["code"] == "visit"]
    parts = [{p["url"]: p for p in o["extension"][0]["extension"]} for o in rows]
    return [(p["state"]["valueString"], p["paid"]["valueMoney"]["value"]) for p in parts]


def said(kind: str, **value: Any) -> dict[str, Any]:
    return {"type": coded(OUTPUT, kind), **value}


async def enters(standing: Deployment, case: Case, *outputs: dict[str, Any]) -> None:
    await put(standing, {**case.task("hub-enrolment"), "status": "completed", "output": list(outputs)})


def enrolment() -> tuple[dict[str, Any], ...]:
    period = {"start": f"{YEAR}-01-01", "end": f"{YEAR + 1}-12-31"}
    share = said("share-per-dose", valueMoney={"value": 480, "currency": "USD"})
    return said("enrolment-number", valueString="SAV-77"), said("enrolment-period", valuePeriod=period), share


async def referred(standing: Deployment, number: int, template: Template) -> Case:
    await pushed(standing.sender(), str(number), template.referral(number))
    return await until(standing, number, stands)


async def test_a_card_is_enrolled_in_under_consent_and_each_visit_draws_on_it_until_the_consent_is_withdrawn(
    standing: Deployment,
) -> None:
    case = await referred(standing, 430, Template(TODAY))
    assert stands(case) == "consent-needed"
    refused = await asked(
        standing, "PUT", f"Task/{case.task('hub-enrolment')['id']}",
        {**case.task("hub-enrolment"), "status": "completed", "output": list(enrolment())}, "practice-desk",
    )  # fmt: skip
    assert refused.status_code == 422, refused.text
    assert "consent-missing" in refused.text
    await post(standing, consent(430))
    case = await until(standing, 430, lambda c: stands(c) == "to-enrol")
    await enters(standing, case, *enrolment())
    case = await until(standing, 430, lambda c: stands(c) == "enrolled" and len(c.visits("booked")) == 2)
    case = await until(standing, 430, lambda c: len(paid(c)) == 2)
    assert paid(case) == [("expected", 430), ("expected", 480)]
    assert [told(case, k)[0]["value"] for k in ("maximum", "used", "left")] == [1000, 0, 1000]
    order = case.visits("booked")[0]["basedOn"][0]["reference"]
    assert await found(standing, f"Task?code=hub-enrolment&based-on={order}") == []
    answer = await asked(standing, "GET", f"Task?code=hub-enrolment&based-on={order}", client=DESK)
    [shown] = [e["resource"] for e in answer.json()["entry"]]
    assert [v["reference"] for v in told(case, "visit")] == [
        o["valueReference"]["reference"] for o in shown["output"] if o["type"]["coding"][0]["code"] == "visit"
    ]
    await post(standing, consent(430, "inactive"))
    case = await until(standing, 430, lambda c: stands(c) == "stopped")
    assert paid(case) == [("expected", 0), ("expected", 0)]
    assert case.task("hub-enrolment")["statusReason"]["text"].startswith("The patient withdrew his consent")
    assert len(case.visits("booked")) == 2


async def test_medicare_as_second_payer_keeps_the_card_away(standing: Deployment) -> None:
    def with_medicare(bundle: dict[str, Any]) -> None:
        first = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == "Coverage")
        typed = {"identifier": [{"system": "https://ehr.mercy.example/id/coverage", "value": "COV-424242-M"}]}
        medicare = {**first["resource"], **typed, "order": 2, "subscriberId": "1EG4TE5MK424242"}
        payor = {"identifier": {"system": IDENTIFIERS + "payer", "value": "original-medicare"}}
        medicare["payor"] = [{**payor, "display": "Original Medicare"}]
        medicare.pop("class", None)
        bundle["entry"].append(
            {**first, "fullUrl": "urn:uuid:5a0c9d0e-0000-4000-8000-000000424242", "resource": medicare}
        )
        entries(bundle, "Coverage")[0]["order"] = 1

    case = await referred(standing, 431, Template(TODAY, changed=with_medicare))
    case = await until(standing, 431, lambda c: stands(c) == "not-eligible")
    assert "medicare" in case.task("hub-enrolment")["statusReason"]["text"]
    await post(standing, consent(431))
    case = await until(standing, 431, lambda c: told(c, "consent"))
    assert stands(case) == "not-eligible"
