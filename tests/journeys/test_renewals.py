"""An authorization across two periods: the next is asked for in time, with the response the payer wants to see."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.clock import system_clock
from tests.journeys.case import Case, entries, until
from tests.journeys.changing import Change, claims
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAYER = "prairie-health"


def practice(_: dict[str, Any], deployment: Deployment) -> None:
    """Payers decide what they pended when they are told to."""
    deployment.release_after = 3600


def in_trial(bundle: dict[str, Any]) -> None:
    """The member's plan begins with a trial of four weeks: of three doses, at weeks 0, 2 and 6, two lie in it."""
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    entries(bundle, "Coverage")[0]["class"] = [{"type": kind, "value": "TRIAL"}]


def with_response(number: int) -> Change:
    """The prescriber adds a note of how the patient responded."""

    def changed(bundle: dict[str, Any]) -> None:
        (order,) = entries(bundle, "ServiceRequest")
        note = {
            "resourceType": "DocumentReference",
            "identifier": [{"system": "https://ehr.mercy.example/id/document", "value": f"response-{number}"}],
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
            "subject": order["subject"],
            "date": bundle["timestamp"],
            "description": "Clinical response: in remission since the second dose",
            "content": [{"attachment": {"contentType": "text/plain", "data": "UmVtaXNzaW9u"}}],
        }
        url = "urn:uuid:0000000a-5d10-4c1e-9a3b-0000000000ac"
        bundle["entry"].append(
            {"fullUrl": url, "resource": note, "request": {"method": "POST", "url": "DocumentReference"}}
        )

    return changed


async def referred(standing: Deployment, number: int, *changes: Change) -> None:
    def changed(bundle: dict[str, Any]) -> None:
        bundle["timestamp"] = system_clock().isoformat()
        for change in changes:
            change(bundle)

    today = system_clock().date()
    sender = standing.sender()
    try:
        await pushed(sender, str(number), Template(today, "infliximab-pended", changed).referral(number))
    finally:
        await sender.close()


async def begun(standing: Deployment, number: int) -> Case:
    """Granted for four weeks, and two of three doses booked."""
    await referred(standing, number, in_trial)
    case = await until(standing, number, lambda c: c.stage("preauthorization") == "pended")
    (claim,) = case.of("Claim")
    await standing.release(PAYER, claim["id"])
    return await until(standing, number, lambda c: len(c.visits("booked")) == 2)


def told(case: Case, task: str, kind: str) -> list[Any]:
    """The values of the outputs of one kind of a Task."""
    found = (o for o in case.task(task).get("output", ()) if o["type"]["coding"][0]["code"] == kind)
    return [next(v for k, v in o.items() if k.startswith("value")) for o in found]


def days(case: Case) -> list[tuple[str, str]]:
    return [(p["start"], p["end"]) for p in told(case, "preauthorization", "period")]


async def test_an_authorization_is_renewed_and_the_dose_after_its_first_period_is_booked(standing: Deployment) -> None:
    case = await begun(standing, 380)
    assert case.stage("renewal") == "needs-information"
    assert case.gaps("renewal") == {"response-documented-not-documented"}
    case = await until(standing, 380, lambda c: c.gaps("referral") == c.gaps("renewal"))
    assert case.task("referral")["status"] == "in-progress"
    assert len(await claims(standing, 380)) == 1
    ((_, ends),) = days(case)
    (third,) = case.visits("proposed")
    assert third["requestedPeriod"][0]["start"][:10] > ends

    await referred(standing, 380, in_trial, with_response(380))
    case = await until(standing, 380, lambda c: len(c.visits("booked")) == 3)
    assert case.stage("renewal") == "approved"
    (first, second) = days(case)
    third_on = max(v["start"] for v in case.visits("booked"))[:10]
    assert first[1] < second[0] <= third_on <= second[1]
    assert len(set(told(case, "preauthorization", "number"))) == 2
    asked = await claims(standing, 380)
    assert [c["received"] for c in asked] == [1, 1]
    assert [a["actions"] for c in asked for a in c["answers"]] == [["A4"], ["A1"], ["A1"]]


async def test_each_dose_counts_to_the_period_of_its_date(standing: Deployment) -> None:
    await begun(standing, 381)
    await referred(standing, 381, in_trial, with_response(381))
    case = await until(standing, 381, lambda c: len(c.visits("booked")) == 3)
    case = await until(
        standing, 381, lambda c: told(c, "renewal", "units-left") == [{**told(c, "renewal", "units")[0], "value": 0}]
    )
    (units,), (left,) = told(case, "preauthorization", "units"), told(case, "preauthorization", "units-left")
    (later,) = told(case, "renewal", "units")
    assert units["value"] - left["value"] == 2 * later["value"]
    assert len(case.of("ChargeItem")) == 3
