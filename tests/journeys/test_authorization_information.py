"""A payer that wants more before it decides: pended, then more information, then approved, sent once whatever fails."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.disturbed import Deployment
from shared.core import CANONICAL, reference
from tests.journeys.case import Case, booked, case_of, entries, until
from tests.journeys.changing import Change, answered, asked, claims, push

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAYER = "payer/prairie-health"
NOTE = "11488-4"


def wanting_records(bundle: dict[str, Any]) -> None:
    """The member is in a plan group whose payer wants a consultation note."""
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    entries(bundle, "Coverage")[0]["class"] = [{"type": kind, "value": "RECORDS"}]


def with_note(number: int) -> Change:
    """The placer adds the note of a consultation."""

    def changed(bundle: dict[str, Any]) -> None:
        (order,) = entries(bundle, "ServiceRequest")
        coded = {"system": "http://loinc.org", "code": NOTE}
        note = {
            "resourceType": "DocumentReference",
            "identifier": [{"system": "https://ehr.mercy.example/id/document", "value": f"note-{number}"}],
            "status": "current",
            "type": {"coding": [coded]},
            "subject": order["subject"],
            "date": bundle["timestamp"],
            "content": [{"attachment": {"contentType": "text/plain", "data": "Q29uc3VsdGF0aW9u"}}],
        }
        url = "urn:uuid:0000000a-5d10-4c1e-9a3b-0000000000ab"
        bundle["entry"].append(
            {"fullUrl": url, "resource": note, "request": {"method": "POST", "url": "DocumentReference"}}
        )

    return changed


BYTES = "urn:uuid:0000000a-5d10-4c1e-9a3b-0000000000ac"


def with_note_beside(number: int) -> Change:
    """The placer adds the note with its bytes in a Binary of their own."""

    def changed(bundle: dict[str, Any]) -> None:
        with_note(number)(bundle)
        note = entries(bundle, "DocumentReference")[-1]
        attachment = note["content"][0]["attachment"]
        binary = {"resourceType": "Binary", "contentType": "text/plain", "data": attachment.pop("data")}
        attachment["url"] = BYTES
        bundle["entry"].append({"fullUrl": BYTES, "resource": binary, "request": {"method": "POST", "url": "Binary"}})

    return changed


def wanted(case: Case) -> list[str]:
    """The status of each question about what a payer wants."""
    asked = case.tasks("authorization-question")
    return [t["status"] for t in asked if t["input"][0]["type"]["coding"][0]["code"] == "information-requested"]


async def attachments(standing: Deployment, number: int) -> list[int]:
    """How often each thing the payer asked for came."""
    return [a["received"] for c in await claims(standing, number) for a in c["attachments"]]


async def test_pended_then_more_information_then_approved(standing: Deployment) -> None:
    await push(standing, 270, wanting_records)
    case = await until(standing, 270, lambda c: wanted(c) == ["requested"])
    assert case.stage("preauthorization") == "pended"
    assert case.gaps("preauthorization") == {NOTE}
    await push(standing, 270, wanting_records, with_note(270))
    case = await until(standing, 270, booked)
    assert wanted(case) == ["completed"]
    assert case.stage("preauthorization") == "approved"
    assert await attachments(standing, 270) == [1]
    (claim,) = await claims(standing, 270)
    assert claim["received"] == 1


async def test_a_document_whose_bytes_intake_holds_goes_out_by_itself(standing: Deployment) -> None:
    await push(standing, 277, wanting_records)
    await until(standing, 277, lambda c: wanted(c) == ["requested"])
    await push(standing, 277, wanting_records, with_note_beside(277))
    case = await until(standing, 277, booked)
    (document,) = (d for d in case.of("DocumentReference") if d["type"]["coding"][0]["code"] == NOTE)
    assert document["content"][0]["attachment"]["url"].startswith("Binary/in-")
    assert wanted(case) == ["completed"]
    assert await attachments(standing, 277) == [1]


async def test_the_referrer_cannot_answer_in_the_practices_place(standing: Deployment) -> None:
    await push(standing, 278, wanting_records)
    case = await until(standing, 278, lambda c: wanted(c) == ["requested"])
    (question,) = case.tasks("authorization-question")
    said = {"type": {"coding": [{"system": f"{CANONICAL}CodeSystem/answer", "code": "told"}]}, "valueBoolean": True}
    answer = await asked(standing, "PUT", reference(question), question | {"status": "completed", "output": [said]})
    assert (answer.status_code, answer.json()["issue"][0]["diagnostics"]) == (422, "answer-not-by-practice")
    await answered(standing, question, "told")
    assert wanted(await case_of(standing, 278)) == ["completed"]


async def test_what_goes_with_the_request_is_not_asked_for(standing: Deployment) -> None:
    await push(standing, 271, wanting_records, with_note(271))
    case = await until(standing, 271, booked)
    assert wanted(case) == []
    assert await attachments(standing, 271) == []


@pytest.mark.parametrize(
    ("number", "kind", "received"),
    [(272, "504-after-store", 1), (273, "504-before-store", 1), (274, "disconnect-after-store", 1), (275, "429", 1)],
)
async def test_what_was_wanted_arrives_once_however_the_payers_answer_is_lost(
    standing: Deployment, number: int, kind: str, received: int
) -> None:
    await push(standing, number, wanting_records)
    await until(standing, number, lambda c: wanted(c) == ["requested"])
    await standing.fail(PAYER, operation="attachment", kind=kind)
    await push(standing, number, wanting_records, with_note(number))
    await until(standing, number, booked)
    assert await attachments(standing, number) == [received]


async def test_a_refused_attachment_asks_a_person_once(standing: Deployment) -> None:
    await push(standing, 276, wanting_records)
    await until(standing, 276, lambda c: wanted(c) == ["requested"])
    await standing.fail(PAYER, operation="attachment", kind="404")
    await push(standing, 276, wanting_records, with_note(276))
    case = await until(standing, 276, lambda c: len(c.tasks("authorization-question")) == 2)
    codes = {t["input"][0]["type"]["coding"][0]["code"]: t["status"] for t in case.tasks("authorization-question")}
    assert codes == {"information-requested": "completed", "attachment-refused": "requested"}
    assert await attachments(standing, 276) == [0]
    assert (await case_of(standing, 276)).stage("preauthorization") == "pended"
