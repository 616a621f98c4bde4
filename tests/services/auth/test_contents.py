"""A document whose bytes intake holds is sent by itself, with its bytes fetched as it leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from services.auth.deliver import deliver_attachment, deliver_claim
from services.auth.fetching import with_contents
from services.auth.wire.contents import LARGEST, is_held
from shared.core import Answer, Resource, TryLater
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import LANE, complete, order, referral
from tests.services.auth.test_deliver import SUBMIT, Outside, bundle
from tests.services.auth.test_information import ATTACH, OUTCOME, asked_for, note, question, wanting

BYTES = {"resourceType": "Binary", "id": "in-bytes", "contentType": "application/pdf", "data": "JVBERi0="}
HELD = {"attachment": {"title": "Consult", "url": "Binary/in-bytes"}}
FETCHED = {"contentType": "application/pdf", "title": "Consult", "data": "JVBERi0="}


def wanted_and_held() -> tuple[Journey, Resource]:
    journey, _ = asked_for(wanting())
    journey.hears(note(content=[HELD]))
    return journey, question(journey)


def test_what_intake_holds_is_said_to_be_sent_without_a_person() -> None:
    _, answered = wanted_and_held()
    assert answered["status"] == "completed"


@respx.mock
async def test_it_leaves_with_its_bytes_and_without_our_address() -> None:
    journey, answered = wanted_and_held()
    route = respx.post(ATTACH).respond(200, json=OUTCOME)
    outside = Outside(documents={"in-bytes": BYTES})
    assert await deliver_attachment(answered, journey.store, outside) == Answer("attachment-taken")
    sent = json.loads(route.calls.last.request.content)
    parts = {p["name"]: p for p in next(p["part"] for p in sent["parameter"] if p["name"] == "Attachment")}
    assert parts["Content"]["resource"]["content"] == [{"attachment": FETCHED}]


async def test_while_nobody_gives_the_bytes_nothing_goes_out() -> None:
    journey, answered = wanted_and_held()
    with pytest.raises(TryLater):
        await deliver_attachment(answered, journey.store, Outside(silent=("in-bytes",)))


@respx.mock
async def test_a_request_carries_the_bytes_of_every_document_it_cites() -> None:
    cited = [*order()["supportingInfo"], {"reference": "DocumentReference/in-note-2026-11-22"}]
    journey = Journey().benefit_known(*complete(referral()), note(content=[HELD]), order(supportingInfo=cited))
    claim = journey.one("Claim")
    route = respx.post(SUBMIT).respond(200, content=bundle(claim_answer(claim)))
    await deliver_claim(claim, journey.store, Outside(documents={"in-bytes": BYTES}))
    inside = [e["resource"] for e in json.loads(route.calls.last.request.content)["entry"]]
    (document,) = [r for r in inside if r["resourceType"] == "DocumentReference"]
    assert document["content"] == [{"attachment": FETCHED}]
    assert "JVBERi0=" not in str(journey.store.known)


@pytest.mark.parametrize(
    ("attachment", "held"),
    [
        ({"url": "Binary/in-bytes"}, True),
        ({"url": "Binary/in-bytes/_history/1-1"}, True),
        ({"url": "Binary/in-bytes", "size": LARGEST - 1}, True),
        ({"url": "Binary/in-bytes", "size": LARGEST}, True),
        ({"url": "Binary/in-bytes", "size": LARGEST + 1}, False),
        ({"url": "https://ehr.test/Binary/1"}, False),
        ({"data": "JVBERi0="}, True),
        ({"title": "nothing"}, False),
    ],
)
def test_what_is_held(attachment: dict[str, Any], held: bool) -> None:
    assert is_held(note(content=[{"attachment": attachment}])) is held


@pytest.mark.parametrize("binary", [None, {"resourceType": "Binary"}, {**BYTES, "data": "A" * (LARGEST // 3 * 4 + 8)}])
async def test_bytes_that_are_gone_or_too_many_leave_the_document_as_it_was(binary: Any) -> None:
    document = note(content=[HELD])
    known = {"DocumentReference/in-note-2026-11-22": document}
    outside = Outside(documents={"in-bytes": binary} if binary else {})
    assert await with_contents(known, known, LANE, outside) == known


@pytest.mark.parametrize(
    ("lane", "changes"),
    [("patient/in-somebody-else", {}), (LANE, {"securityContext": {"reference": "Patient/in-somebody-else"}})],
)
async def test_bytes_of_another_patient_are_not_attached(lane: str, changes: dict[str, Any]) -> None:
    known = {"DocumentReference/in-note-2026-11-22": note(content=[HELD])}
    outside = Outside(documents={"in-bytes": {**BYTES, **changes}})
    assert await with_contents(known, known, lane, outside) == known


async def test_bytes_that_say_whose_they_are_are_attached_to_his_document() -> None:
    known = {"DocumentReference/in-note-2026-11-22": note(content=[HELD])}
    outside = Outside(documents={"in-bytes": {**BYTES, "securityContext": {"reference": "Patient/in-p"}}})
    assert "JVBERi0=" in str(await with_contents(known, known, LANE, outside))
