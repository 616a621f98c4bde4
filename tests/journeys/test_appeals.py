"""A denial is appealed: a person decides, the letter answers each reason, and what was overturned books the visits."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.clock import system_clock
from shared.core import CANONICAL, Resource
from tests.journeys.case import Case, until
from tests.journeys.changing import asked, put
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = system_clock().date()
ANSWER, OUTPUT = CANONICAL + "CodeSystem/answer", CANONICAL + "CodeSystem/preauthorization-output"


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def outcome(case: Case) -> Resource:
    asks = case.tasks("authorization-question")
    open_ones = (t for t in asks if t["status"] == "requested")
    return next((t for t in open_ones if t["input"][0]["type"]["coding"][0]["code"] == "appeal-outcome"), {})


def to_decide(case: Case) -> list[Resource]:
    return [t for t in case.tasks("appeal") if t["status"] == "requested"]


async def says(standing: Deployment, task: Resource, answer: str, *more: dict[str, Any]) -> None:
    said = {"type": coded(ANSWER, answer), "valueBoolean": True}
    await put(standing, {**task, "status": "completed", "output": [said, *more]})


async def filed(standing: Deployment, number: int) -> Case:
    """A referral that is denied, until a person decided to appeal."""
    await pushed(standing.sender(), str(number), Template(TODAY, "denied").referral(number))
    case = await until(standing, number, to_decide)
    await says(standing, to_decide(case)[0], "appeal")
    return await until(standing, number, outcome)


async def test_the_letter_of_an_appeal_can_be_read_where_its_question_says(standing: Deployment) -> None:
    case = await filed(standing, 290)
    document = await asked(standing, "GET", outcome(case)["reasonReference"]["reference"])
    paper = await asked(standing, "GET", document.json()["content"][0]["attachment"]["url"])
    assert paper.status_code == 200, paper.text[:800]
    letter = base64.b64decode(paper.json()["data"])
    assert letter.startswith(b"%PDF-")
    assert b"Reason given" in letter


async def test_what_was_overturned_on_appeal_books_the_visits(standing: Deployment) -> None:
    case = await filed(standing, 291)
    days = {"start": (TODAY - timedelta(days=1)).isoformat(), "end": (TODAY + timedelta(days=365)).isoformat()}
    number = {"type": coded(OUTPUT, "number"), "valueString": "PH-OVERTURNED"}
    await says(standing, outcome(case), "overturned", number, {"type": coded(OUTPUT, "period"), "valuePeriod": days})
    case = await until(standing, 291, lambda c: c.visits("booked"))
    assert case.stage("preauthorization") == "approved"
    assert len(case.of("Claim")) == 1
    assert (
        sorted(r.get("disposition", "") for r in case.of("ClaimResponse"))[-1] == "overturned: level 1, internal appeal"
    )


async def test_what_was_upheld_is_asked_about_at_the_next_level(standing: Deployment) -> None:
    case = await filed(standing, 292)
    await says(standing, outcome(case), "upheld")
    case = await until(standing, 292, lambda c: len(c.tasks("appeal")) == 2 and to_decide(c))
    assert "level 2, external review" in to_decide(case)[0]["input"][0]["valueString"]
    assert case.stage("preauthorization") == "denied"
    assert case.visits("booked") == []
