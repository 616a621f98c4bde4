"""A question set is asked for with no more of a person than is needed, and goes back inside the request as answered."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from services.auth.deliver import deliver_claim, deliver_question_set
from services.auth.pharmacy.sets import question_set_due
from services.auth.wire.bundles import request_bundle
from shared.core import Answer, Doubtful, TryLater
from shared.fhir.json import encode
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.outward import broken_request
from tests.services.auth.patient import complete, referral
from tests.services.auth.pharmacy import ELECTRONIC, FAXING, asks, paid_by_pharmacy, questionnaire, replies
from tests.services.auth.test_deliver import Outside, bundle

PACKAGE = "http://rx.test/Questionnaire/$questionnaire-package"
SET = questionnaire(asks("1", "boolean"))


async def sent(journey: Journey) -> Answer:
    return await deliver_question_set(journey.one("QuestionnaireResponse"), journey.store, Outside(ELECTRONIC))


def package(*resources: dict[str, Any]) -> bytes:
    inside = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}
    return encode({"resourceType": "Parameters", "parameter": [{"name": "PackageBundle", "resource": inside}]})


@respx.mock
async def test_a_set_is_asked_for_by_member_and_drug_alone() -> None:
    route = respx.post(PACKAGE).respond(200, content=package(SET))
    journey = paid_by_pharmacy(ELECTRONIC)
    answer = await sent(journey)
    body = route.calls.last.request.content.decode()
    coverage, order = (p["resource"] for p in json.loads(body)["parameter"])
    assert coverage["subscriberId"] == "PHP-482913507"
    assert [c["code"] for c in order["medicationCodeableConcept"]["coding"]] == ["J1439"]
    for private in ("Halvorsen", "1981-04-09", "D50.0", "in-ferritin", "carepod.example/fhir/CodeSystem"):
        assert private not in body, private
    assert answer.reason == "question-set-received"
    journey.answered(answer.reason, journey.one("QuestionnaireResponse"), *answer.resources)
    assert journey.missing() == ["1"]


@respx.mock
@pytest.mark.parametrize(
    "body", [b"{}", b"not json", package(), package({**SET, "item": []}), package({**SET, "status": "banana"})]
)
async def test_what_is_no_set_is_unreadable(body: bytes) -> None:
    respx.post(PACKAGE).respond(200, content=body)
    journey = paid_by_pharmacy(ELECTRONIC)
    answer = await sent(journey)
    assert answer.reason == "question-set-unreadable"
    journey.answered(answer.reason, journey.one("QuestionnaireResponse"), *answer.resources)
    assert journey.status == ("question", "on-hold")


@respx.mock
async def test_a_refusal_is_told() -> None:
    issue = {"severity": "error", "code": "not-found", "details": {"text": "no question set is held for this drug"}}
    respx.post(PACKAGE).respond(404, content=encode({"resourceType": "OperationOutcome", "issue": [issue]}))
    answer = await sent(paid_by_pharmacy(ELECTRONIC))
    assert (answer.reason, len(answer.resources)) == ("question-set-refused", 1)


@respx.mock
async def test_nobody_there_waits_and_a_lost_answer_is_doubt() -> None:
    respx.post(PACKAGE).mock(side_effect=httpx.ConnectError)
    with pytest.raises(TryLater):
        await sent(paid_by_pharmacy(ELECTRONIC))
    respx.post(PACKAGE).mock(side_effect=httpx.ReadTimeout)
    with pytest.raises(Doubtful):
        await sent(paid_by_pharmacy(ELECTRONIC))


def test_a_set_is_asked_for_once_and_never_where_one_is_held() -> None:
    waiting = paid_by_pharmacy(ELECTRONIC).one("QuestionnaireResponse")
    assert (question_set_due(None, waiting), question_set_due(waiting, waiting)) == ("1", None)
    assert question_set_due(None, paid_by_pharmacy(FAXING).one("QuestionnaireResponse")) is None


@respx.mock
async def test_the_request_goes_to_the_manager_with_the_answers_inside() -> None:
    journey = paid_by_pharmacy(ELECTRONIC, *complete(referral()))
    journey.answered("question-set-received", journey.one("QuestionnaireResponse"), SET)
    replies(journey, ("1", "valueBoolean", True))
    claim = journey.one("Claim")
    route = respx.post("http://rx.test/Claim/$submit").respond(200, content=bundle(claim_answer(claim)))
    answer = await deliver_claim(claim, journey.store, Outside(ELECTRONIC))
    assert answer.reason == "preauthorization-answered"
    said = route.calls.last.request.content.decode()
    assert '"linkId":"1"' in said.replace(" ", "")
    assert "StructureDefinition/evidence" not in said
    payer = next(p for p in ELECTRONIC.payers if p.id == "prairie-rx")
    assert broken_request(request_bundle(claim, await journey.gathered(), ELECTRONIC, payer)) == []
