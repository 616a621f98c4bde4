"""A drug its payer pays by the pharmacy benefit alone: the question set of its manager, answered, and then as any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.disturbed import Deployment
from services.auth.pharmacy.answering import ITEM
from shared.core import CANONICAL, Resource
from tests.journeys.case import Case, booked, outputs, until
from tests.journeys.changing import answered, order_is, push, put
from tests.journeys.test_benefits import grouped

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ANSWER = CANONICAL + "CodeSystem/answer"
MANAGER = "payer/prairie-rx"
REASONS = "https://prairie-rx.example/reason"


def asked(case: Case, code: str) -> Resource:
    """The open question of this code."""
    open_ones = [t for t in case.tasks("authorization-question") if t["status"] == "requested"]
    return next((t for t in open_ones if t["input"][0]["type"]["coding"][0]["code"] == code), {})


def answers(case: Case) -> Resource:
    (found,) = case.of("QuestionnaireResponse")
    return found


async def replies(standing: Deployment, question: Resource, *items: tuple[str, Mapping[str, Any]]) -> None:
    """A person answers items of the question set."""
    said = [{"type": coded(ITEM, link), **value} for link, value in items]
    output = [{"type": coded(ANSWER, "answered"), "valueBoolean": True}, *said]
    await put(standing, {**question, "status": "completed", "output": output})


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


async def opened(standing: Deployment, number: int, group: str = "RX", seconds: float = 30.0) -> Case:
    """A referral until its question set waits for a person."""
    await push(standing, number, grouped(group))
    return await until(standing, number, lambda c: asked(c, "question-set"), seconds)


TRIED = ("3", {"valueBoolean": True})


async def test_the_set_is_filled_from_the_chart_and_one_answer_of_a_person_books_the_visits(
    standing: Deployment,
) -> None:
    case = await opened(standing, 320)
    assert case.of("Claim") == []
    assert case.gaps("preauthorization") == {"3"}
    assert [i["linkId"] for i in answers(case)["item"]] == ["1", "2"]
    await replies(standing, asked(case, "question-set"), TRIED)
    case = await until(standing, 320, booked)
    (claim,) = case.of("Claim")
    assert claim["insurer"]["identifier"]["value"] == "prairie-rx"
    assert answers(case)["status"] == "completed"
    assert [c["identifier"] for c in await standing.debug("payer/prairie-rx/debug/claims")] != []


async def test_an_answer_opens_the_next_question_and_the_decision_rests_on_it(standing: Deployment) -> None:
    case = await opened(standing, 321)
    await replies(standing, asked(case, "question-set"), ("3", {"valueBoolean": False}))
    case = await until(standing, 321, lambda c: c.gaps("preauthorization") == {"3.1"})
    await replies(
        standing, asked(case, "question-set"), ("3.1", {"valueCoding": {"system": REASONS, "code": "preference"}})
    )
    case = await until(standing, 321, lambda c: c.tasks("appeal"))
    assert case.stage("preauthorization") == "denied"
    assert outputs(case, "denial-reason")[0]["text"].startswith("Oral iron must have been tried")


async def test_what_the_manager_pends_is_decided_by_its_notification(standing: Deployment) -> None:
    case = await opened(standing, 322, "RX-LONG")
    await replies(standing, asked(case, "question-set"), TRIED)
    case = await until(standing, 322, booked)
    assert {r["insurer"]["identifier"]["value"] for r in case.of("ClaimResponse")} == {"prairie-rx"}


async def test_more_that_is_wanted_is_asked_of_a_person(standing: Deployment) -> None:
    case = await opened(standing, 323, "RX-NOTES")
    await replies(standing, asked(case, "question-set"), TRIED)
    case = await until(standing, 323, lambda c: asked(c, "information-requested"))
    assert case.stage("preauthorization") == "pended"


@pytest.mark.parametrize(("number", "kind"), [(324, "503"), (325, "504-after-store"), (326, "timeout")])
async def test_a_set_whose_answer_is_lost_is_asked_for_again_and_one_stands(
    standing: Deployment, number: int, kind: str
) -> None:
    await standing.fail(MANAGER, operation="questions", kind=kind)
    case = await opened(standing, number, seconds=60)
    assert len(case.of("QuestionnaireResponse")) == 1


async def test_a_set_that_is_refused_is_a_question_and_is_asked_for_anew(standing: Deployment) -> None:
    await standing.fail(MANAGER, operation="questions", kind="404")
    await push(standing, 327, grouped("RX"))
    case = await until(standing, 327, lambda c: asked(c, "question-set-unavailable"))
    await answered(standing, asked(case, "question-set-unavailable"), "resubmit")
    case = await until(standing, 327, lambda c: asked(c, "question-set"))
    assert sorted(r["status"] for r in case.of("QuestionnaireResponse")) == ["in-progress", "stopped"]


async def test_an_order_taken_back_gives_up_the_answers(standing: Deployment) -> None:
    await opened(standing, 328)
    await push(standing, 328, grouped("RX"), order_is(status="revoked"))
    case = await until(standing, 328, lambda c: c.stage("preauthorization") == "cancelled")
    assert answers(case)["status"] == "stopped"
    assert asked(case, "question-set") == {}


async def test_where_both_could_pay_a_person_chooses_and_each_way_ends_in_visits(standing: Deployment) -> None:
    for number, benefit, insurer in ((329, "medical", "prairie-health"), (330, "pharmacy", "prairie-rx")):
        await push(standing, number, grouped("EITHER"))
        case = await until(standing, number, lambda c: asked(c, "which-benefit"))
        assert len(outputs(case, "benefit-compared")) == 2
        await answered(standing, asked(case, "which-benefit"), benefit)
        if benefit == "pharmacy":
            case = await until(standing, number, lambda c: asked(c, "question-set"))
            await replies(standing, asked(case, "question-set"), TRIED)
        case = await until(standing, number, booked)
        assert {c["insurer"]["identifier"]["value"] for c in case.of("Claim")} == {insurer}
