"""What no longer stands is taken back at the payer: once, whole, where the payer holds it, and followed to a yes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import respx

from services.auth.deliver import cancellation_due, claim_due, deliver_cancellation
from services.auth.questions import OPEN
from services.auth.wire.bundles import request_bundle
from services.auth.wire.withdrawing import CANCEL, takes_back
from services.auth.words import references
from shared.core import CANONICAL, Answer, Doubtful, Resource, TryLater, reference
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.outward import broken_request, errors
from tests.services.auth.patient import PRACTICE, medication, order
from tests.services.auth.test_deliver import OUTCOME, SUBMIT, Outside, bundle
from tests.services.auth.test_held import inquired

PAYER = PRACTICE.payers[0]


def pended() -> Journey:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    return journey


def revoked(journey: Journey) -> Journey:
    journey.hears(order(status="revoked"))
    return journey


def asked(journey: Journey) -> Resource:
    return journey.of("Claim")[0]


def taken_back(journey: Journey) -> list[Resource]:
    return [c for c in journey.of("Claim") if takes_back(c)]


def questions(journey: Journey) -> list[str]:
    tasks = (t for t in journey.tasks("authorization-question") if t["status"] in OPEN)
    return [t["input"][0]["type"]["coding"][0]["code"] for t in tasks]


def yes(request: Resource) -> dict[str, Any]:
    return claim_answer(request, "C", "ph9")


# When


def test_a_pended_request_of_a_revoked_order_is_cancelled_and_taken_back_at_the_payer() -> None:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    assert asked(journey)["status"] == "cancelled"
    assert request["related"][0]["claim"] == {"reference": reference(asked(journey))}
    assert CANCEL in request["extension"]
    assert [i["sequence"] for i in request["item"]] == [i["sequence"] for i in asked(journey)["item"]]
    assert all(CANCEL in i["extension"] for i in request["item"])
    assert request["identifier"] != asked(journey)["identifier"]


def test_what_was_granted_stays_for_an_order_that_comes_back() -> None:
    journey = revoked(Journey().approved())
    assert asked(journey)["status"] == "active"
    assert taken_back(journey) == []
    journey.hears(order())
    assert journey.status == ("approved", "completed")
    assert len(journey.of("Claim")) == 1


@pytest.mark.parametrize("action", ["A3", "NA"])
def test_what_the_payer_denied_or_does_not_want_is_not_taken_back(action: str) -> None:
    journey = Journey().benefit_known()
    journey.answered("preauthorization-answered", asked(journey), claim_answer(asked(journey), action))
    revoked(journey)
    assert taken_back(journey) == []


def test_a_request_nobody_heard_of_yet_is_withdrawn_and_taken_back_once_the_payer_turns_out_to_hold_it() -> None:
    journey = revoked(Journey().benefit_known())
    assert asked(journey)["status"] == "cancelled"
    assert taken_back(journey) == []
    late = journey.answered("preauthorization-answered", asked(journey), claim_answer(asked(journey)))
    assert late.reason == "preauthorization-taken-back"
    assert late.focus == reference(taken_back(journey)[0])
    assert journey.status == ("cancelled", "cancelled")


def test_a_pended_request_that_was_asked_anew_is_taken_back_and_the_new_one_stands() -> None:
    journey = pended()
    journey.hears(medication(1000, 2))
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "resubmit")
    (request,) = taken_back(journey)
    assert takes_back(request) == reference(asked(journey))
    (new,) = [c for c in journey.of("Claim") if c["status"] == "active" and not takes_back(c)]
    assert new["id"] != asked(journey)["id"]
    assert journey.status == ("submitted", "in-progress")


def test_an_authorization_others_hold_is_not_ours_to_take_back() -> None:
    journey = inquired()
    journey.answered("preauthorization-answered", asked(journey), claim_answer(asked(journey)))
    revoked(journey)
    assert taken_back(journey) == []


def test_it_is_delivered_once_and_by_no_other_channel() -> None:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    assert (cancellation_due(None, request), claim_due(None, request)) == ("1", None)
    assert cancellation_due(request, request) is None
    assert (cancellation_due(None, asked(pended())), claim_due(None, asked(pended()))) == (None, "1")
    task = {"resourceType": "Task", "status": "active"}
    assert cancellation_due(None, task) is None


# What is sent


async def test_the_earlier_request_travels_along_and_every_reference_resolves() -> None:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    sent = request_bundle(request, await journey.gathered(), PRACTICE, PAYER)
    claims = [e["resource"] for e in sent["entry"] if e["resource"]["resourceType"] == "Claim"]
    assert [c["id"] for c in claims] == [request["id"], asked(journey)["id"]]
    assert [c["status"] for c in claims] == ["active", "active"]
    assert claims[1]["supportingInfo"] == claims[0]["supportingInfo"]
    assert set(references(sent)) <= {e["fullUrl"].removeprefix(CANONICAL) for e in sent["entry"]}
    assert len({e["fullUrl"] for e in sent["entry"]}) == len(sent["entry"])


async def test_what_is_sent_keeps_the_profiles_of_pas() -> None:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    sent = request_bundle(request, await journey.gathered(), PRACTICE, PAYER)
    assert broken_request(sent) == []
    update = sent["entry"][0]["resource"]
    assert [p.rpartition("/")[2] for p in update["meta"]["profile"]] == ["profile-claim-update"]
    assert errors({k: v for k, v in update.items() if k != "related"}) != []


# What the payer answers


async def answered(content: bytes, status: int = 200) -> tuple[Journey, Resource, Answer]:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    respx.post(SUBMIT).respond(status, content=content or bundle(yes(request)))
    return journey, request, await deliver_cancellation(request, journey.store, Outside())


@respx.mock
async def test_a_yes_ends_it() -> None:
    journey, request, answer = await answered(b"")
    assert answer.reason == "cancellation-answered"
    journey.answered(answer.reason, request, *answer.resources)
    assert questions(journey) == []
    assert journey.answered(answer.reason, request, *answer.resources).saves == ()


@respx.mock
@pytest.mark.parametrize(
    ("content", "status"), [(bundle(OUTCOME), 422), (b"<html>", 400), (b"{}", 200), (bundle(), 200)]
)
async def test_a_refusal_or_an_answer_that_cannot_be_read_is_a_question_though_the_order_has_ended(
    content: bytes, status: int
) -> None:
    journey, request, answer = await answered(content, status)
    assert answer.reason == "payer-keeps"
    journey.answered(answer.reason, request, *answer.resources)
    assert questions(journey) == ["payer-keeps"]
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "told")
    assert questions(journey) == []


def test_any_other_word_than_yes_is_a_question_until_the_payer_takes_it_back_after_all() -> None:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    journey.answered("cancellation-answered", request, claim_answer(request, "A3", "ph8"))
    assert questions(journey) == ["payer-keeps"]
    journey.answered("cancellation-answered", request, yes(request))
    assert questions(journey) == []


@respx.mock
async def test_no_answer_is_doubt_and_sent_again_and_a_payer_that_is_away_is_tried_later() -> None:
    journey = revoked(pended())
    (request,) = taken_back(journey)
    respx.post(SUBMIT).mock(side_effect=httpx.ReadTimeout)
    with pytest.raises(Doubtful):
        await deliver_cancellation(request, journey.store, Outside())
    respx.post(SUBMIT).mock(side_effect=httpx.ConnectError)
    with pytest.raises(TryLater):
        await deliver_cancellation(request, journey.store, Outside())


def test_a_payer_that_tells_of_the_cancelled_request_itself_asks_nobody_anything() -> None:
    journey = revoked(Journey().benefit_known())
    journey.answered("preauthorization-answered", asked(journey), claim_answer(asked(journey)))
    journey.answered("preauthorization-answered", asked(journey), claim_answer(asked(journey), "C", "ph9"))
    assert questions(journey) == []
    assert len(taken_back(journey)) == 1


def test_a_cancellation_nobody_asked_for_is_a_question() -> None:
    journey = pended()
    journey.answered("preauthorization-answered", asked(journey), claim_answer(asked(journey), "C", "ph9"))
    assert questions(journey) == ["payer-answer"]
