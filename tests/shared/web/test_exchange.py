"""Messages: each taken once and answered alike for ever; what is refused is refused whole, in a message of its own."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client, referral, renamed

PATH = "/fhir/$process-message"
I12 = {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "I12"}


def message(bundle: dict[str, Any] | None = None, number: str = "msg-1", **header: Any) -> dict[str, Any]:
    """A referral as a message Bundle."""
    entries = [{k: v for k, v in e.items() if k != "request"} for e in (bundle or referral())["entry"]]
    task = next(e["fullUrl"] for e in entries if e["resource"]["resourceType"] == "Task")
    head = {
        "resourceType": "MessageHeader", "id": number, "eventCoding": I12,
        "source": {"endpoint": "https://ehr.mercy.example/fhir"}, "focus": [{"reference": task}], **header,
    }  # fmt: skip
    first = {"fullUrl": "urn:uuid:6f6f0c3e-5e0f-4e0e-9d5e-0c2f5a1f9a11", "resource": head}
    return {"resourceType": "Bundle", "type": "message", "entry": [first, *entries]}


def head_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The MessageHeader of an answer."""
    found: dict[str, Any] = answer["entry"][0]["resource"]
    assert found["resourceType"] == "MessageHeader"
    return found


async def test_a_message_is_answered_by_a_message_that_names_the_referral(client: Client, carepod: Carepod) -> None:
    answer = await client.send("POST", PATH, message())
    assert answer.status_code == 200
    head = head_of(answer.json())
    assert head["response"] == {"identifier": "msg-1", "code": "ok"}
    task = (await client.get(head["focus"][0]["reference"].removeprefix("http://carepod.test"))).json()
    assert task["code"]["coding"][0]["code"] == "referral"
    assert carepod.app.validator.check(answer.json()) == []


async def test_the_same_message_twice_is_one_case_and_the_same_bytes(client: Client, carepod: Carepod) -> None:
    first = await client.send("POST", PATH, message())
    versions = await carepod.count("select count(*) from history")
    again = await client.send("POST", PATH, message())
    assert again.content == first.content
    assert await carepod.count("select count(*) from history") == versions


async def test_another_body_under_the_same_id_is_not_taken_and_gets_the_first_answer(
    client: Client, carepod: Carepod
) -> None:
    first = await client.send("POST", PATH, message())
    other = await client.send("POST", PATH, message(renamed(referral(), "-other")))
    assert other.content == first.content
    assert await carepod.count("select count(*) from resource where type = 'Patient'") == 1


async def test_two_bodies_under_one_id_at_once_are_one_case(client: Client, carepod: Carepod) -> None:
    bodies = [message(renamed(referral(), f"-{n}") if n else referral()) for n in range(6)]
    answers = await asyncio.gather(*(client.send("POST", PATH, body) for body in bodies))
    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1
    assert await carepod.count("select count(*) from resource where type = 'Patient'") == 1


async def test_the_same_id_of_another_client_is_another_message(client: Client, carepod: Carepod) -> None:
    await client.send("POST", PATH, message())
    other = await carepod.client("other-ehr").send("POST", PATH, message())
    assert head_of(other.json())["response"]["code"] == "ok"
    assert await carepod.count("select count(*) from resource where type = 'Patient'") == 2


async def test_a_message_and_a_transaction_of_the_same_referral_are_one_case(client: Client, carepod: Carepod) -> None:
    await client.push(referral())
    answer = await client.send("POST", PATH, message())
    assert head_of(answer.json())["response"]["code"] == "ok"
    assert await carepod.count("select count(*) from resource where type = 'Patient'") == 1
    search = "select count(*) from search where type = 'Task' and parameter = 'code' and value = 'referral'"
    assert await carepod.count(search) == 1


def _without_focus(body: dict[str, Any]) -> None:
    head_of(body).pop("focus")


def _of_another_event(body: dict[str, Any]) -> None:
    head_of(body)["eventCoding"] = I12 | {"code": "A01"}


def _with_a_wrong_status(body: dict[str, Any]) -> None:
    next(e["resource"] for e in body["entry"] if e["resource"]["resourceType"] == "Task")["status"] = "banana"


def _of_two_patients(body: dict[str, Any]) -> None:
    patient = next(e for e in body["entry"] if e["resource"]["resourceType"] == "Patient")
    other = deepcopy(patient) | {"fullUrl": "urn:uuid:1d4e5f60-0000-4000-8000-000000000001"}
    other["resource"]["identifier"][0]["value"] = "other"
    body["entry"].append(other)


@pytest.mark.parametrize(
    ("spoiled", "where"),
    [
        (_without_focus, "Bundle.entry[0].resource.focus"),
        (_of_another_event, "Bundle.entry[0].resource.event"),
        (_with_a_wrong_status, ".resource.status"),
        (_of_two_patients, "Bundle.entry["),
    ],
)
async def test_a_message_that_is_not_right_is_refused_whole_in_a_fatal_error(
    client: Client, carepod: Carepod, spoiled: Any, where: str
) -> None:
    body = message()
    spoiled(body)
    answer = await client.send("POST", PATH, body)
    assert answer.status_code == 200
    assert head_of(answer.json())["response"]["code"] == "fatal-error"
    outcome = answer.json()["entry"][1]["resource"]
    assert head_of(answer.json())["response"]["details"]["reference"] == answer.json()["entry"][1]["fullUrl"]
    assert any(where in e for i in outcome["issue"] for e in i.get("expression", []))
    assert await carepod.count("select count(*) from resource") == 0
    assert len(await carepod.quarantined()) == 1
    assert (await client.send("POST", PATH, body)).content == answer.content
    assert carepod.app.validator.check(answer.json()) == []


async def test_a_message_put_right_under_its_old_id_is_taken(client: Client, carepod: Carepod) -> None:
    body = message()
    _of_another_event(body)
    await client.send("POST", PATH, body)
    answer = await client.send("POST", PATH, message())
    assert head_of(answer.json())["response"]["code"] == "ok"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"resourceType": "Bundle", "type": "message", "entry": []}'])
async def test_what_is_no_message_is_refused_like_any_body(client: Client, carepod: Carepod, body: bytes) -> None:
    answer = await client.send("POST", PATH, body)
    assert answer.status_code in (400, 422)
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_token_that_may_not_create_may_not_send(carepod: Carepod) -> None:
    answer = await carepod.client(scopes="system/*.rs").send("POST", PATH, message())
    assert answer.status_code == 403
    assert await carepod.count("select count(*) from resource") == 0
