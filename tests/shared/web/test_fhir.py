"""Reads and updates over HTTP, and what is refused, on a real store with the real services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.core import CANONICAL
from shared.fhir.profiles import r4
from shared.settings import Referrer, Settings
from shared.web.app import create_app
from tests.shared.web.stack import FHIR, Carepod, Client, built, observation, pushed, referral, renamed

pytestmark = pytest.mark.slow

# Read


async def test_unknown_types_ids_and_addresses_are_not_found(client: Client) -> None:
    for path in ("/fhir/Spaceship/1", "/fhir/Spaceship", "/fhir/Patient/in-1", "/fhir/Patient/zz", "/nowhere"):
        response = await client.get(path)
        assert response.status_code == 404, path
        assert response.json()["resourceType"] == "OperationOutcome"
    assert (await client.send("POST", "/fhir/Spaceship", {"resourceType": "Patient"})).status_code == 404


@pytest.mark.parametrize("resource_id", ["a" * 65, "in-%00", "in_1", "in-1%2f..%2f..", "%2e%2e%2fmetadata"])
async def test_an_id_that_can_be_none_is_never_looked_up(client: Client, resource_id: str) -> None:
    assert (await client.get(f"/fhir/Patient/{resource_id}")).status_code == 404
    response = await client.send("PUT", f"/fhir/Patient/{resource_id}", {"resourceType": "Patient"})
    assert response.status_code in (400, 404, 405)


async def test_a_client_that_has_the_version_is_told_so(client: Client) -> None:
    place = (await pushed(client))["Patient"]
    first = await client.get(f"/fhir/{place}")
    response = await client.get(f"/fhir/{place}", If_None_Match=first.headers["etag"])
    assert (response.status_code, response.content) == (304, b"")
    assert (await client.get(f"/fhir/{place}", If_None_Match='W/"9-9"')).status_code == 200


async def test_past_versions_are_read_and_versions_that_never_were_are_not(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    first = await client.send("POST", "/fhir/Observation", observation(patient))
    place = first.headers["location"].removeprefix("http://carepod.test")
    newer = await client.send("POST", "/fhir/Observation", observation(patient, "9.25"))
    assert newer.headers["etag"] == 'W/"1-2"'
    assert (await client.get(place)).content == first.content
    for version in ("1-3", "0-1", "x", "1-" + "9" * 30, "1", "1-²"):
        assert (await client.get(place.replace("1-1", version))).status_code == 404


async def test_a_client_sees_only_the_patients_it_has_sent(client: Client, carepod: Carepod) -> None:
    at = await pushed(client)
    other, office = carepod.client("other-ehr"), carepod.client("office")
    for place in at.values():
        hidden, missing = await other.get(f"/fhir/{place}"), await other.get(f"/fhir/{place[:-4]}0000")
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content == missing.content
        assert (await office.get(f"/fhir/{place}")).status_code == 200
        assert (await other.get(f"/fhir/{place}/_history/1-1")).status_code == 404


async def test_nothing_is_done_without_a_token_or_its_scope(carepod: Carepod, client: Client) -> None:
    at = await pushed(client)
    bare = await carepod.http.get(f"/fhir/{at['Patient']}")
    assert bare.status_code == 401
    assert bare.headers["www-authenticate"].startswith("Bearer")
    narrow = carepod.client(scopes="system/Task.r")
    assert (await narrow.get(f"/fhir/{at['Task']}")).status_code == 200
    assert (await narrow.get(f"/fhir/{at['Patient']}")).status_code == 403
    assert (await narrow.get("/fhir/Task")).status_code == 403
    assert (await narrow.send("PUT", f"/fhir/{at['Task']}", {"resourceType": "Task"})).status_code == 403


# Update


@pytest.fixture
async def result(client: Client) -> tuple[str, dict[str, Any]]:
    """A stored observation: its path and its content."""
    patient = (await pushed(client))["Patient"]
    stored = (await client.send("POST", "/fhir/Observation", observation(patient))).json()
    return f"/fhir/Observation/{stored['id']}", stored


async def test_an_update_on_the_current_version_makes_the_next(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    changed = stored | {"status": "corrected"}
    response = await client.send("PUT", path, changed, If_Match='W/"1-1"')
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"1-2"')
    assert response.json()["status"] == "corrected"
    assert "location" not in response.headers


async def test_an_update_that_changes_nothing_makes_no_version(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    response = await client.send("PUT", path, stored, If_Match='W/"1-1"')
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"1-1"')


@pytest.mark.parametrize(("if_match", "status"), [
    ('W/"1-0"', 412), ('W/"1-2"', 412), ('W/"2-1"', 412), ("1-1", 400), ('"1-1"', 400), ('W/""', 400), ("", 400),
    ('W/"1-1", W/"1-2"', 400), ("*", 200), ('W/"1-1"', 200),
])  # fmt: skip
async def test_if_match_is_the_current_version_or_refused(
    client: Client, result: tuple[str, dict[str, Any]], if_match: str, status: int
) -> None:
    path, stored = result
    response = await client.send("PUT", path, stored | {"status": "corrected"}, If_Match=if_match)
    assert response.status_code == status
    assert status == 200 or response.json()["resourceType"] == "OperationOutcome"


async def test_of_two_simultaneous_updates_on_one_version_one_is_told_to_read_again(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    bodies = [stored | {"status": status} for status in ("corrected", "amended", "cancelled", "entered-in-error")]
    updates = (client.send("PUT", path, body, If_Match='W/"1-1"') for body in bodies)
    statuses = [r.status_code for r in await asyncio.gather(*updates)]
    assert sorted(statuses) == [200, 412, 412, 412]


async def test_an_update_whose_id_or_type_is_another_is_refused(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    no_id = {k: v for k, v in stored.items() if k != "id"}
    for body in (stored | {"id": "in-1"}, no_id, {"resourceType": "Patient", "id": stored["id"]}):
        assert (await client.send("PUT", path, body)).status_code == 400


async def test_a_record_never_moves_to_another_patient(client: Client, result: tuple[str, dict[str, Any]]) -> None:
    path, stored = result
    second = (await pushed(client, renamed(referral(), "-second")))["Patient"]
    response = await client.send("PUT", path, stored | {"subject": {"reference": second}})
    assert response.status_code == 422
    assert response.json()["issue"][0]["code"] == "business-rule"
    task = (await client.get("/fhir/Task")).json()["entry"][0]["resource"]
    wrong = next(p for p in (second, stored["subject"]["reference"]) if p != task["for"]["reference"])
    response = await client.send("PUT", f"/fhir/Task/{task['id']}", task | {"for": {"reference": wrong}})
    assert response.status_code == 422


async def test_what_the_system_writes_alone_and_what_is_hidden_cannot_be_updated(
    client: Client, carepod: Carepod
) -> None:
    at = await pushed(client)
    practitioner = (await client.get(f"/fhir/{at['Practitioner']}")).json()
    response = await client.send("PUT", f"/fhir/{at['Practitioner']}", practitioner)
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert (await client.send("POST", "/fhir/Practitioner", practitioner)).status_code == 405
    assert (await client.send("POST", "/fhir/Claim", {"resourceType": "Claim"})).status_code == 405
    patient = (await client.get(f"/fhir/{at['Patient']}")).json()
    hidden = await carepod.client("other-ehr").send("PUT", f"/fhir/{at['Patient']}", patient)
    assert hidden.status_code == 404
    assert (await client.send("DELETE", f"/fhir/{at['Patient']}")).status_code == 405
    assert (await client.send("DELETE", f"/fhir/{at['Practitioner']}")).status_code == 405


async def test_a_person_answers_a_question_once(settings: Settings) -> None:
    office = Referrer("office", "Front office", sees_all=True)
    app = await built(settings, {"office": office}, auto_confirm=frozenset())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(app)), base_url="http://x.example") as http:
        placer, client = (Carepod(app, http).client(name) for name in ("mercy-ehr", "office"))
        await pushed(placer)
        found = (await client.get("/fhir/Task?status=requested")).json()["entry"]
        question = found[0]["resource"]
        path = f"/fhir/Task/{question['id']}"
        empty = await client.send("PUT", path, question | {"status": "completed"})
        assert (empty.status_code, empty.json()["issue"][0]["diagnostics"]) == (422, "answer-missing")
        said = {
            "type": {"coding": [{"system": f"{CANONICAL}CodeSystem/answer", "code": "confirmed"}]},
            "valueBoolean": True,
        }
        answer = question | {"status": "completed", "output": [said]}
        own = await placer.send("PUT", path, answer)
        assert (own.status_code, own.json()["issue"][0]["diagnostics"]) == (422, "verification-not-by-placer")
        first = await client.send("PUT", path, answer, If_Match=f'W/"{question["meta"]["versionId"]}"')
        assert first.status_code == 200, first.text
        assert first.json()["status"] == "completed"
        assert (await client.send("PUT", path, answer)).headers["etag"] == first.headers["etag"]
        other = await client.send("PUT", path, question | {"status": "rejected"})
        assert (other.status_code, other.json()["issue"][0]["diagnostics"]) == (422, "question-already-closed")
    await app.stop()


# What is refused is kept


async def test_every_refused_body_is_kept_as_it_came(client: Client, carepod: Carepod) -> None:
    patient = (await pushed(client))["Patient"]
    bodies: list[tuple[str, str, bytes]] = [
        ("POST", "/fhir", b'{"resourceType": "Bundle", "type": "transaction", "x": "\xff\xfe"}'),
        ("POST", "/fhir", b"not json \x00 at all"),
        ("POST", "/fhir/Observation", observation(patient).replace(b"final", b"banana")),
        ("PUT", f"/fhir/{patient}", b'{"resourceType": "Patient"}'),
        ("PUT", "/fhir/Patient/in-nobody", b'{"resourceType": "Patient", "id": "in-nobody"}'),
    ]
    answers = [await client.send(method, path, body) for method, path, body in bodies]
    assert [a.status_code for a in answers] == [400, 400, 422, 400, 404]
    kept = await carepod.quarantined()
    assert [k[0] for k in kept] == ["POST /fhir", "POST /fhir", "POST /fhir/Observation", *["PUT /fhir/Patient"] * 2]
    assert [k[1] for k in kept] == [a.json() for a in answers]
    assert [k[2] for k in kept][2:] == [body.decode() for _, _, body in bodies[2:]]
    assert "\\xff\\xfe" in kept[0][2]


async def test_the_body_is_counted_while_it_streams(client: Client, carepod: Carepod) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b" " * 1024 * 1024

    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": FHIR}
    for extra in ({}, {"Content-Length": "10"}):
        read = 0
        response = await carepod.http.post("/fhir", content=endless(), headers=headers | extra)
        assert response.status_code == 413
        assert response.json()["issue"][0]["code"] == "too-long"
        assert await carepod.count("select count(*) from quarantine") == 0


@pytest.mark.parametrize(("body", "status", "code"), [
    (b"", 400, "structure"),
    (b"{", 400, "structure"),
    (b"[]", 400, "structure"),
    (b"null", 400, "structure"),
    (b"[" * 100_000, 400, "structure"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, 400, "structure"),
    (b'{"resourceType":"Patient","id":"a","id":"b"}', 400, "structure"),
    (b'{"resourceType":"Patient","multipleBirthInteger":NaN}', 400, "value"),
    (b'{"resourceType":"Patient","multipleBirthInteger":Infinity}', 400, "value"),
    (b'{"resourceType":"Patient","multipleBirthInteger":1' + b"0" * 5000 + b"}", 400, "value"),
    (b'{"resourceType":"Patient","name":[{"family":"a\\u0000b"}]}', 400, "value"),
    (b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}', 400, "value"),
    (b'{"resourceType":"Patient","favouriteColour":"blue"}', 400, "structure"),
    (b'{"resourceType":"Patient","birthDate":"2024-02-30"}', 400, "value"),
    (b'{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2024"}', 400, "structure"),
    (b'{"resourceType":"Patient","gender":"banana"}', 422, "code-invalid"),
    (b'{"resourceType":"Spaceship"}', 400, "structure"),
    (b'{"resourceType":"Patient","modifierExtension":[{"url":"urn:x","valueBoolean":true}]}', 422, "extension"),
    (b'\xef\xbb\xbf{"resourceType":"Patient"}', 400, "structure"),
])  # fmt: skip
async def test_bad_bodies_are_told_what_is_wrong(client: Client, body: bytes, status: int, code: str) -> None:
    response = await client.send("POST", "/fhir/Patient", body)
    assert (response.status_code, response.json()["issue"][0]["code"]) == (status, code)
    assert r4().check(response.json()) == []


@pytest.mark.parametrize(("content_type", "status"), [
    ("text/plain", 415), ("application/fhir+xml", 415), ("application/xml", 415),
    ("application/x-www-form-urlencoded", 415),
    ("", 415), ("application/fhir+json; charset=utf-8", 422), ("Application/JSON", 422),
])  # fmt: skip
async def test_only_json_goes_in(carepod: Carepod, client: Client, content_type: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": content_type}
    response = await carepod.http.post("/fhir", content=b'{"resourceType":"Patient"}', headers=headers)
    assert response.status_code == status


async def test_a_compressed_body_is_not_unpacked(client: Client) -> None:
    assert (await client.push(b"\x1f\x8b", Content_Encoding="gzip")).status_code == 415


@pytest.mark.parametrize(("accept", "status"), [
    ("application/fhir+xml", 406), ("text/html", 406), ("application/fhir+json", 404), ("*/*", 404),
    ("text/html, application/json;q=0.9", 404), ("application/*", 404), ("", 404),
])  # fmt: skip
async def test_only_json_comes_out(client: Client, accept: str, status: int) -> None:
    response = await client.get("/fhir/Patient/in-1", Accept=accept)
    assert response.status_code == status
    assert response.headers["content-type"] == FHIR


async def test_the_format_parameter_stands_over_the_header(client: Client) -> None:
    assert (await client.get("/fhir/Patient?_format=xml")).status_code == 406
    assert (await client.get("/fhir/Patient?_format=json", Accept="application/fhir+xml")).status_code == 200
    assert (await client.get("/fhir/Patient?_format=application/fhir%2Bjson")).status_code == 200
    assert (
        await client.get("/fhir/Patient?_format=application/fhir+json", Prefer="handling=strict")
    ).status_code == 200
