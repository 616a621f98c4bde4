"""A payer that takes requests by fax: a packet, a question, the answer entered by a person; then as any other."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.disturbed import Deployment
from shared.clock import system_clock
from shared.core import CANONICAL, Resource
from tests.journeys.case import Case, booked, until
from tests.journeys.changing import asked, order_is, push, put

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FAX = "+1-402-555-0199"
TODAY = system_clock().date()
ANSWER, OUTPUT = CANONICAL + "CodeSystem/answer", CANONICAL + "CodeSystem/preauthorization-output"


def practice(site: dict[str, Any], deployment: Deployment) -> None:
    """Prairie Health answers what is covered by its interface, and takes requests by fax alone."""
    payer = next(p for p in site["payers"] if p["id"] == "prairie-health")
    payer.update(pathway="fax", fax=FAX)


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def question(case: Case) -> Resource:
    asks = case.tasks("authorization-question")
    return next((t for t in asks if t["input"][0]["type"]["coding"][0]["code"] == "request-by-hand"), {})


async def faxed(standing: Deployment, number: int) -> Case:
    """A referral until its packet waits to be sent."""
    await push(standing, number)
    return await until(standing, number, lambda c: question(c).get("status") == "requested")


async def entered(standing: Deployment, case: Case, decision: str, *outputs: Mapping[str, Any]) -> None:
    """The person who sent the packet enters the payer's letter of today."""
    said = [{"type": coded(ANSWER, decision), "valueBoolean": True}]
    letter = {"type": coded(ANSWER, "letter-date"), "valueDate": TODAY.isoformat()}
    await put(standing, {**question(case), "status": "completed", "output": [*said, letter, *outputs]})


def granted() -> list[dict[str, Any]]:
    days = {"start": (TODAY - timedelta(days=1)).isoformat(), "end": (TODAY + timedelta(days=120)).isoformat()}
    return [
        {"type": coded(OUTPUT, "number"), "valueString": "FX-4711"},
        {"type": coded(OUTPUT, "period"), "valuePeriod": days},
    ]


async def test_the_packet_can_be_read_and_nothing_reaches_the_payer_by_its_interface(standing: Deployment) -> None:
    case = await faxed(standing, 280)
    assert case.stage("preauthorization") == "submitted"
    document = await asked(standing, "GET", question(case)["reasonReference"]["reference"])
    paper = await asked(standing, "GET", document.json()["content"][0]["attachment"]["url"])
    assert base64.b64decode(paper.json().get("data", "")).startswith(b"%PDF-"), (paper.status_code, paper.text[:400])
    assert await standing.debug("payer/prairie-health/debug/claims") == []


async def test_an_approval_entered_from_a_letter_books_the_visits(standing: Deployment) -> None:
    case = await faxed(standing, 281)
    await entered(standing, case, "approved", *granted())
    case = await until(standing, 281, booked)
    assert case.stage("preauthorization") == "approved"
    assert len(case.of("ClaimResponse")) == 1


async def test_a_denial_entered_from_a_letter_opens_its_appeal(standing: Deployment) -> None:
    case = await faxed(standing, 282)
    reason = {"type": coded(OUTPUT, "denial-reason"), "valueCodeableConcept": {"text": "Step therapy not shown"}}
    await entered(standing, case, "denied", reason)
    case = await until(standing, 282, lambda c: c.tasks("appeal"))
    assert case.stage("preauthorization") == "denied"
    assert case.visits("booked") == []


async def test_an_order_taken_back_closes_the_question(standing: Deployment) -> None:
    await faxed(standing, 283)
    await push(standing, 283, order_is(status="revoked"))
    case = await until(standing, 283, lambda c: c.stage("preauthorization") == "cancelled")
    assert question(case)["status"] == "cancelled"
