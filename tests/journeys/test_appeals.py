"""A denial is talked about or appealed as a person decides, each reason is answered, and what fell books the visits."""

from __future__ import annotations

import base64
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import httpx
import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from benchmarks.harness import DESK
from shared.clock import system_clock
from shared.core import CANONICAL, Resource
from tests.journeys.case import Case, until
from tests.journeys.changing import asked, found, put
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = system_clock().date()
THREE = time(15, tzinfo=timezone(timedelta(hours=-6)))
ANSWER, OUTPUT = CANONICAL + "CodeSystem/answer", CANONICAL + "CodeSystem/preauthorization-output"


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def outcome(case: Case, question: str = "appeal-outcome") -> Resource:
    asks = case.tasks("authorization-question")
    open_ones = (t for t in asks if t["status"] == "requested")
    return next((t for t in open_ones if t["input"][0]["type"]["coding"][0]["code"] == question), {})


def asked_to_talk(case: Case) -> Resource:
    return outcome(case, "peer-to-peer")


def to_decide(case: Case) -> list[Resource]:
    return [t for t in case.tasks("appeal") if t["status"] == "requested"]


async def says(standing: Deployment, task: Resource, answer: str, *more: dict[str, Any]) -> None:
    said = {"type": coded(ANSWER, answer), "valueBoolean": True}
    await put(standing, {**task, "status": "completed", "output": [said, *more]})


async def decided(standing: Deployment, number: int, answer: str) -> None:
    """A referral that is denied, until a person decided what is done about it."""
    await pushed(standing.sender(), str(number), Template(TODAY, "denied").referral(number))
    await says(standing, to_decide(await until(standing, number, to_decide))[0], answer)


async def timed(standing: Deployment, task: Resource, day: date) -> httpx.Response:
    """A person enters on the open Task that the talk is on this day at three."""
    when = {"type": coded(ANSWER, "talk-at"), "valueDateTime": datetime.combine(day, THREE).isoformat()}
    return await asked(standing, "PUT", f"Task/{task['id']}", {**task, "output": [when]}, DESK)


async def filed(standing: Deployment, number: int) -> Case:
    """A referral that is denied, until a person decided to appeal."""
    await decided(standing, number, "appeal")
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


async def test_a_talk_from_peer_to_peer_is_found_booked_held_and_books_the_visits(standing: Deployment) -> None:
    await decided(standing, 293, "peer-to-peer")
    case = await until(standing, 293, asked_to_talk)
    patient = case.task("preauthorization")["for"]["reference"]
    proposed = await found(standing, f"Appointment?patient={patient}&status=proposed")
    (wanted,) = [a for a in proposed if a["serviceCategory"][0]["coding"][0]["code"] == "peer-to-peer"]
    day, late = TODAY + timedelta(days=3), TODAY + timedelta(days=900)
    assert (await timed(standing, asked_to_talk(case), day)).status_code == 200
    (talk,) = await found(standing, f"Appointment?patient={patient}&date={day}&status=booked")
    assert (talk["id"], datetime.fromisoformat(talk["start"])) == (wanted["id"], datetime.combine(day, THREE))
    told = f"is to speak with a physician of the payer on {day}"
    await until(standing, 293, lambda c: told in c.task("referral").get("statusReason", {}).get("text", ""))
    refused = await timed(standing, asked_to_talk(case), late)
    assert (refused.status_code, "talk-time-after-deadline" in refused.text) == (422, True)
    ready = await asked(standing, "GET", f"Appointment/{talk['id']}/$readiness")
    assert (ready.status_code, "Appointment of scheduling or nursing would be right" in ready.text) == (404, True)
    number = {"type": coded(OUTPUT, "number"), "valueString": "PH-TALK"}
    days = {"start": TODAY.isoformat(), "end": (TODAY + timedelta(days=365)).isoformat()}
    task = outcome(await until(standing, 293, asked_to_talk), "peer-to-peer")
    await says(standing, task, "overturned", number, {"type": coded(OUTPUT, "period"), "valuePeriod": days})
    case = await until(standing, 293, lambda c: c.visits("booked"))
    assert all(visit["id"].startswith("sc-") for visit in case.visits("booked"))
    assert [a["id"] for a in case.visits("fulfilled")] == [talk["id"]]
    assert case.tasks("message-question") == []
