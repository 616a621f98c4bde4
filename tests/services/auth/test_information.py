"""A payer that wants more before it decides gets what is there, once; for the rest a person is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from services.auth.deliver import attachment_due, deliver_attachment, deliver_attachment_inquiry
from services.auth.wire.responses import responses_in
from services.auth.wire.wanted import wanted_by
from services.auth.words import question_code
from shared.core import CANONICAL, Answer, Doubtful, Event, Resource, TryLater, reference
from shared.fhir.json import encode
from tests.services.auth.journey import Journey, Store, claim_answer
from tests.services.auth.patient import BASE, LANE, NOW, coded, lab
from tests.services.auth.test_deliver import INQUIRE, OUTCOME, Outside, bundle

LOINC = "http://loinc.org"
PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
ATTACH = f"{BASE}/$submit-attachment"
NOTE = "11488-4"
ATTACHED = coded(CANONICAL + "CodeSystem/answer", "attached")


def wanting(number: str = "T-1", *contents: str, **changes: Any) -> dict[str, Any]:
    """A payer's request for more, as PAS has it."""
    return {
        "resourceType": "CommunicationRequest",
        "id": f"more-{number}",
        "meta": {"profile": [PAS + "profile-communicationrequest"]},
        "extension": [{"url": PAS + "extension-serviceLineNumber", "valuePositiveInt": 1}],
        "identifier": [{"system": "urn:prairie:tracking", "value": number}],
        "status": "active",
        "category": [coded("https://codesystem.x12.org/005010/755", "77")],
        "payload": [{"contentString": c} for c in contents or (NOTE,)],
        "occurrencePeriod": {"end": "2026-12-05"},
    } | changes


def reporting(number: str) -> dict[str, Any]:
    """A request that names nothing but a kind of report."""
    return {k: v for k, v in wanting(number).items() if k != "payload"}


def pending(claim: Resource, *requests: Resource, answer_id: str = "ph1") -> Resource:
    """A pended answer that asks for more, as it comes out of the payer's Bundle."""
    cited = [{"reference": f"CommunicationRequest/{r['id']}"} for r in requests]
    response = claim_answer(claim, "A4", answer_id) | ({"communicationRequest": cited} if cited else {})
    (found,) = responses_in({"resourceType": "Bundle", "entry": [{"resource": r} for r in (response, *requests)]})
    return found


def note(code: str = NOTE, on: str = "2026-11-22", **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": f"in-note-{on}",
        "status": "current",
        "type": coded(LOINC, code),
        "subject": {"reference": "Patient/in-p"},
        "date": f"{on}T10:00:00Z",
        "content": [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0="}}],
    } | changes


def asked_for(*requests: Resource) -> tuple[Journey, Resource]:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, pending(claim, *requests))
    return journey, claim


def question(journey: Journey) -> Resource:
    (found,) = [q for q in journey.tasks("authorization-question") if question_code(q) == "information-requested"]
    return found


# What is wanted


def test_what_a_payer_wants_is_kept_inside_its_answer_and_named_to_a_person_with_its_last_day() -> None:
    journey, claim = asked_for(wanting())
    assert journey.decisions[-1].reason == "information-requested"
    assert journey.status == ("pended", "in-progress")
    assert journey.missing() == [NOTE]
    asked = question(journey)
    assert asked["focus"]["reference"] == f"Claim/{claim['id']}"
    assert asked["restriction"] == {"period": {"end": "2026-12-05"}}
    assert "until 2026-12-05: consultation note (LOINC 11488-4), for item 1" in asked["input"][0]["valueString"]
    (kept,) = journey.of("ClaimResponse")
    assert [w.number for w in wanted_by(kept)] == [("urn:prairie:tracking", "T-1")]


def test_a_task_of_the_payer_asks_as_a_communication_request_does() -> None:
    claim = Journey().benefit_known().one("Claim")
    codes = "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes"
    line = {"url": PAS + "extension-serviceLineNumber", "valuePositiveInt": 1}
    needed = {"type": coded(codes, "attachments-needed"), "valueCodeableConcept": coded(LOINC, NOTE)}
    task = {
        "resourceType": "Task",
        "identifier": [{"system": "urn:prairie:tracking", "value": "T-1"}],
        "status": "requested",
        "intent": "order",
        "code": coded(codes, "attachment-request-code"),
        "restriction": {"period": {"end": "2026-12-05"}},
        "input": [
            {"type": coded(codes, "payer-url"), "valueUrl": "http://elsewhere.test"},
            {"extension": [line]} | needed,
        ],
    }
    entries = [{"resource": claim_answer(claim, "A4")}, {"resource": task}]
    (found,) = responses_in({"resourceType": "Bundle", "entry": entries})
    (by_task,) = wanted_by(found)
    (by_request,) = wanted_by(pending(claim, wanting()))
    assert by_task == by_request


def test_a_questionnaire_and_a_kind_of_report_are_told_in_words() -> None:
    journey, _ = asked_for(wanting("T-1", "102089-0"), reporting("T-2"))
    texts = [q["input"][0]["valueString"] for q in journey.tasks("authorization-question")]
    assert "answers to the payer's questionnaire (LOINC 102089-0)" in texts[0]
    assert "report type 77 (X12 755)" in texts[1]


def test_a_bundle_of_nonsense_beside_an_answer_is_no_request() -> None:
    claim = Journey().benefit_known().one("Claim")
    answer = claim_answer(claim, "A4") | {"communicationRequest": "nothing"}
    odd = [{"resource": {"resourceType": "Task", "code": "x"}}, {"resource": [1]}, {}, {"resource": answer}]
    (found,) = responses_in({"resourceType": "Bundle", "entry": odd})
    assert found == answer


# What is sent


def test_what_is_held_already_goes_out_with_the_first_word_of_the_payer() -> None:
    journey = Journey().benefit_known()
    journey.hears(note(on="2026-11-01"), note())
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, pending(claim, wanting()))
    assert question(journey)["status"] == "completed"
    named = [o["valueReference"]["reference"] for o in question(journey)["output"]]
    assert named == ["DocumentReference/in-note-2026-11-22"]
    assert journey.missing() == []
    assert attachment_due(None, question(journey)) == "1"


def test_what_arrives_later_is_sent_by_itself_once() -> None:
    journey, _ = asked_for(wanting("T-1", NOTE, "2276-4"))
    assert journey.hears(lab("ferritin", 9)).reason == "nothing-to-do"
    before = question(journey)
    assert journey.hears(note()).reason == "preauthorization-pended"
    after = question(journey)
    assert attachment_due(before, after) == "1"
    assert len(after["output"]) == 2
    journey.hears(note(on="2026-11-23"))
    assert attachment_due(after, question(journey)) is None
    assert question(journey)["output"] == after["output"]


@pytest.mark.parametrize(
    "useless",
    [
        note("11506-3"),
        note(status="entered-in-error"),
        note(content=[{"attachment": {"url": "https://ehr.test/1"}}]),
        lab("ferritin", 9, code=coded(LOINC, NOTE), status="preliminary"),
    ],
)
def test_what_is_another_kind_unsure_or_not_in_our_hands_is_not_sent(useless: Resource) -> None:
    journey, _ = asked_for(wanting())
    assert journey.hears(useless).reason == "nothing-to-do"
    assert question(journey)["status"] == "requested"


@pytest.mark.parametrize(
    "reads",
    [
        {"payload": [{"contentString": "The notes of the last visit"}]},
        {"payload": [{"extension": [{"url": PAS + "extension-contentModifier", "valueCodeableConcept":
            coded(LOINC, "18804-5")}], "contentString": NOTE}]},
    ],
)  # fmt: skip
def test_what_only_a_person_can_read_is_never_sent_by_itself(reads: dict[str, Any]) -> None:
    journey, _ = asked_for(wanting(**reads))
    journey.hears(note())
    assert question(journey)["status"] == "requested"


def test_a_person_names_what_is_sent_or_says_that_the_payer_was_told() -> None:
    journey, _ = asked_for(wanting("T-1", "18776-5"))
    journey.hears(note())
    assert journey.person(question(journey), "attached").refusals == ("answer-missing",)
    told = Journey(store=Store(dict(journey.store.known)))
    assert told.person(question(told), "told").reason == "preauthorization-pended"
    assert attachment_due(None, question(told)) is None
    document = {"reference": "DocumentReference/in-note-2026-11-22"}
    named = {**question(journey), "status": "completed", "output": [{"type": ATTACHED, "valueReference": document}]}
    event = Event("command", "task-answered", LANE, NOW, NOW, (named,), reference(named), "person")
    assert journey.take(event).reason == "preauthorization-pended"
    assert attachment_due(None, question(journey)) == "1"


def test_the_same_request_in_a_later_answer_is_the_same_question_and_another_one_is_another() -> None:
    journey, claim = asked_for(wanting())
    journey.answered("preauthorization-answered", claim, pending(claim, wanting(), answer_id="ph2"))
    assert len(journey.tasks("authorization-question")) == 1
    both = pending(claim, wanting(), wanting("T-2", "28570-0"), answer_id="ph3")
    journey.answered("preauthorization-answered", claim, both)
    assert len(journey.tasks("authorization-question")) == 2


def test_a_decision_ends_what_was_wanted() -> None:
    journey, claim = asked_for(wanting())
    journey.answered("preauthorization-answered", claim, claim_answer(claim, answer_id="ph2"))
    assert question(journey)["status"] == "cancelled"
    assert journey.status == ("approved", "completed")


def test_a_request_that_comes_after_a_plain_pend_is_heard() -> None:
    journey, claim = asked_for()
    assert journey.tasks("authorization-question") == []
    journey.answered("preauthorization-answered", claim, pending(claim, wanting(), answer_id="ph2"))
    assert question(journey)["status"] == "requested"


# How it is sent


def ready() -> tuple[Journey, Resource, Resource]:
    journey, claim = asked_for(wanting())
    journey.hears(note())
    return journey, claim, question(journey)


@respx.mock
async def test_the_parameters_name_the_payers_number_and_carry_the_document_without_our_references() -> None:
    journey, _, answered = ready()
    route = respx.post(ATTACH).respond(200, json=OUTCOME)
    assert await deliver_attachment(answered, journey.store, Outside()) == Answer("attachment-taken")
    sent = json.loads(route.calls.last.request.content)
    said = {p["name"]: next(v for k, v in p.items() if k != "name") for p in sent["parameter"]}
    assert said["TrackingId"] == {"system": "urn:prairie:tracking", "value": "T-1"}
    assert (said["AttachTo"], said["Final"]) == ("preauthorization", True)
    assert said["MemberId"]["value"] == "PHP-482913507"
    assert said["OrganizationId"]["value"] == "1234567893"
    parts = {p["name"]: p for p in said["Attachment"]}
    assert parts["LineItem"]["valueString"] == "1"
    assert parts["Code"]["valueCodeableConcept"] == coded(LOINC, NOTE)
    content = parts["Content"]["resource"]
    assert content["content"] == note()["content"]
    assert content["subject"] == {"identifier": said["MemberId"]}


@respx.mock
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_attachment_is_a_question_to_a_person_and_not_sent_again(status: int) -> None:
    journey, _, answered = ready()
    respx.post(ATTACH).respond(status, json=OUTCOME)
    answer = await deliver_attachment(answered, journey.store, Outside())
    assert answer == Answer("attachment-refused", (OUTCOME,))
    decision = journey.answered(answer.reason, answered, *answer.resources)
    assert decision.reason == "preauthorization-questioned"
    (refused,) = [q for q in journey.tasks("authorization-question") if question_code(q) == "attachment-refused"]
    assert "required" in refused["input"][0]["valueString"]
    assert journey.person(refused, "told").reason == "question-answered"


@respx.mock
@pytest.mark.parametrize("status", [500, 504])
async def test_an_attachment_without_an_answer_is_in_doubt(status: int) -> None:
    journey, _, answered = ready()
    respx.post(ATTACH).respond(status)
    with pytest.raises(Doubtful):
        await deliver_attachment(answered, journey.store, Outside())


@respx.mock
async def test_a_busy_payer_gets_the_attachment_later() -> None:
    journey, _, answered = ready()
    respx.post(ATTACH).respond(429, headers={"Retry-After": "30"})
    with pytest.raises(TryLater):
        await deliver_attachment(answered, journey.store, Outside())


@respx.mock
async def test_doubt_is_settled_by_what_the_payer_still_asks_for() -> None:
    journey, claim, answered = ready()
    inquired = (answered, journey.store, Outside())
    asking = claim_answer(claim, "A4") | {"communicationRequest": [{"reference": "CommunicationRequest/more-T-1"}]}
    respx.post(INQUIRE).respond(200, content=bundle(asking, wanting()))
    assert await deliver_attachment_inquiry(*inquired) is None
    respx.post(INQUIRE).respond(200, content=bundle(claim_answer(claim, "A4", "ph2")))
    assert await deliver_attachment_inquiry(*inquired) == Answer("attachment-taken")
    respx.post(INQUIRE).respond(200, content=bundle(claim_answer(claim, "A1", "ph3")))
    assert await deliver_attachment_inquiry(*inquired) == Answer("attachment-taken")
    for nothing in (encode({}), bundle()):
        respx.post(INQUIRE).respond(200, content=nothing)
        with pytest.raises(Doubtful):
            await deliver_attachment_inquiry(*inquired)


async def test_what_a_withdrawn_claim_wanted_is_not_sent() -> None:
    journey, claim, answered = ready()
    journey.store.known[f"Claim/{claim['id']}"] = {**claim, "status": "cancelled"}
    assert await deliver_attachment(answered, journey.store, Outside()) == Answer("attachment-withdrawn")
