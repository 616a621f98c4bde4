"""A person who is asked about a late payer may have it inquired with; nothing else ever asks where a request stands."""

from __future__ import annotations

from datetime import timedelta

import respx

from services.auth.deliver import deliver_demanded_inquiry, inquiry_due
from services.auth.words import question_code
from shared.core import Answer, Resource
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import NOW
from tests.services.auth.test_deliver import INQUIRE, Outside, bundle


def late() -> tuple[Journey, Resource, Resource]:
    """A pended request whose decision is overdue: journey, Claim, question."""
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    pended = journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    ((key, due),) = pended.wakes.items()
    assert due is not None
    assert due > NOW
    for _ in ("decision-due", "payer-late"):
        journey.at = due or NOW
        due = journey.wakes(key).wakes[key]
    (question,) = [q for q in journey.tasks("authorization-question") if question_code(q) == "payer-late"]
    return journey, claim, question


def test_only_the_answer_inquire_sends_an_inquiry_and_the_wait_begins_anew() -> None:
    for answer, occurrence in (("inquire", "1"), ("inquired", None)):
        journey, claim, question = late()
        decision = journey.person(question, answer)
        told = journey.store.known[f"Task/{question['id']}"]
        assert inquiry_due(question, told) == occurrence
        assert inquiry_due(told, told) is None
        assert decision.reason == "question-answered"
        wake = decision.wakes[f"pended:{claim['id']}"]
        assert wake is not None
        assert wake > journey.at


@respx.mock
async def test_what_the_payer_says_then_is_its_answer_to_the_request() -> None:
    journey, claim, question = late()
    journey.person(question, "inquire")
    respx.post(INQUIRE).respond(200, content=bundle(claim_answer(claim, answer_id="ph2")))
    answer = await deliver_demanded_inquiry(question, journey.store, Outside())
    journey.at += timedelta(minutes=1)
    assert journey.answered(answer.reason, question, *answer.resources).reason == "preauthorization-approved"
    assert journey.status == ("approved", "completed")


@respx.mock
async def test_a_request_that_is_pended_still_changes_nothing() -> None:
    journey, claim, question = late()
    journey.person(question, "inquire")
    respx.post(INQUIRE).respond(200, content=bundle(claim_answer(claim, "A4")))
    answer = await deliver_demanded_inquiry(question, journey.store, Outside())
    assert journey.answered(answer.reason, question, *answer.resources).reason == "nothing-to-do"


@respx.mock
async def test_a_payer_that_knows_nothing_of_what_it_pended_is_a_question() -> None:
    journey, _, question = late()
    journey.person(question, "inquire")
    respx.post(INQUIRE).respond(404)
    answer = await deliver_demanded_inquiry(question, journey.store, Outside())
    assert answer == Answer("preauthorization-unreadable")
    assert journey.answered(answer.reason, question).reason == "preauthorization-questioned"
