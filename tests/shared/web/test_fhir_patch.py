"""JSON Patch over HTTP: the next version of what is stored, or nothing; codes as microsoft/fhir-server asserts them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.shared.web.stack import FHIR, Carepod, Client, observation, pushed

pytestmark = pytest.mark.slow

JSON_PATCH = "application/json-patch+json"
CORRECTED = [{"op": "replace", "path": "/status", "value": "corrected"}]


async def patched(client: Client, path: str, operations: Any, **headers: str) -> Any:
    sent = {"Content-Type": JSON_PATCH} | {k.replace("_", "-"): v for k, v in headers.items()}
    body = operations if isinstance(operations, bytes) else json.dumps(operations).encode()
    headers_ = {"Authorization": f"Bearer {client.token}"} | sent
    return await client.http.request("PATCH", path, content=body, headers=headers_)


@pytest.fixture
async def result(client: Client) -> tuple[str, dict[str, Any]]:
    """A stored observation: its path and its content."""
    patient = (await pushed(client))["Patient"]
    stored = (await client.send("POST", "/fhir/Observation", observation(patient))).json()
    return f"/fhir/Observation/{stored['id']}", stored


async def test_a_patch_makes_the_next_version_and_keeps_the_digits_of_what_it_does_not_name(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    response = await patched(client, path, CORRECTED, If_Match='W/"1-1"')
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"1-2"'), response.text
    assert response.json()["status"] == "corrected"
    assert b'"value":7.10' in response.content
    rest = {k: v for k, v in response.json().items() if k not in ("status", "meta")}
    assert rest == {k: v for k, v in stored.items() if k not in ("status", "meta")}


async def test_a_patch_that_changes_nothing_makes_no_version(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    same = [{"op": "test", "path": "/status", "value": "final"}]
    response = await patched(client, result[0], same)
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"1-1"')


@pytest.mark.parametrize(
    ("operations", "headers", "status"),
    [
        (CORRECTED, {"If_Match": 'W/"1-9"'}, 412),
        (CORRECTED, {"If_Match": "1-1"}, 400),
        ([{"op": "remove", "path": "/nope"}], {}, 400),
        ([{"op": "test", "path": "/status", "value": "amended"}], {}, 422),
        ([{"op": "replace", "path": "/status", "value": "banana"}], {}, 422),
        ([{"op": "remove", "path": "/status"}], {}, 422),
        ([{"op": "replace", "path": "/id", "value": "in-1"}], {}, 400),
        ([{"op": "replace", "path": "/resourceType", "value": "Patient"}], {}, 400),
        ([{"op": "replace", "path": "", "value": "x"}], {}, 400),
        ([{"op": "replace", "path": "/meta", "value": "x"}], {}, 400),
        ([{"op": "add", "path": "/favouriteColour", "value": "x"}], {}, 400),
        (b"not json", {}, 400),
        (CORRECTED, {"Content_Type": FHIR}, 415),
        (CORRECTED, {"Content_Type": "application/merge-patch+json"}, 415),
        (CORRECTED, {"Accept": "application/fhir+xml"}, 406),
    ],
)
async def test_a_patch_that_cannot_be_is_refused_and_changes_nothing(
    client: Client, result: tuple[str, dict[str, Any]], operations: Any, headers: dict[str, str], status: int
) -> None:
    response = await patched(client, result[0], operations, **headers)
    assert response.status_code == status, response.text
    assert response.json()["resourceType"] == "OperationOutcome"
    assert (await client.get(result[0])).headers["etag"] == 'W/"1-1"'


async def test_a_refused_patch_is_kept_and_an_unknown_a_hidden_and_an_unreachable_record_is_told_apart_from_none(
    client: Client, carepod: Carepod, result: tuple[str, dict[str, Any]]
) -> None:
    await patched(client, result[0], [{"op": "remove", "path": "/nope"}])
    assert (await carepod.quarantined())[-1][0] == "PATCH /fhir/Observation"
    other, narrow = carepod.client("other-ehr"), carepod.client(scopes="system/Observation.rs")
    hidden = await patched(other, result[0], CORRECTED)
    missing = await patched(other, "/fhir/Observation/in-00000000-0000-5000-8000-000000000000", CORRECTED)
    assert (hidden.status_code, missing.status_code, hidden.content) == (404, 404, missing.content)
    assert (await patched(narrow, result[0], CORRECTED)).status_code == 403


async def test_what_the_system_writes_alone_is_not_patched(client: Client) -> None:
    at = await pushed(client)
    response = await patched(client, f"/fhir/{at['Practitioner']}", [{"op": "remove", "path": "/name"}])
    assert response.status_code == 405


async def test_a_patch_cannot_move_a_record_to_another_patient(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    elsewhere = [{"op": "replace", "path": "/subject/reference", "value": "Patient/in-00000000-0000-5000-8000-0"}]
    response = await patched(client, result[0], elsewhere)
    assert response.status_code == 422


async def test_patches_at_one_time_all_count_and_with_a_version_only_the_first(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    notes = [[{"op": "add", "path": "/note", "value": [{"text": "none yet"}]}]]
    await patched(client, result[0], notes[0])
    adding = [[{"op": "add", "path": "/note/-", "value": {"text": f"n{n}"}}] for n in range(4)]
    answers = await asyncio.gather(*(patched(client, result[0], a) for a in adding))
    assert {a.status_code for a in answers} == {200}
    assert len((await client.get(result[0])).json()["note"]) == 5
    version = (await client.get(result[0])).headers["etag"]
    strict = await asyncio.gather(*(patched(client, result[0], a, If_Match=version) for a in adding))
    assert sorted(a.status_code for a in strict) == [200, 412, 412, 412]


async def test_a_conditional_patch_needs_one_match(client: Client, result: tuple[str, dict[str, Any]]) -> None:
    one = "/fhir/Observation?identifier=https://lab.example/results|obs-1"
    assert (await patched(client, one, CORRECTED)).json()["status"] == "corrected"
    assert (await patched(client, "/fhir/Observation?identifier=none", CORRECTED)).status_code == 404
    assert (await patched(client, "/fhir/Observation?status=final", CORRECTED)).status_code == 412
    assert (await patched(client, "/fhir/Observation", CORRECTED)).status_code == 412


async def test_a_patch_inside_a_bundle_is_a_binary(client: Client, result: tuple[str, dict[str, Any]]) -> None:
    path, stored = result

    def bundle(kind: str, media: str = JSON_PATCH, **request: str) -> dict[str, Any]:
        data = base64.b64encode(json.dumps(CORRECTED).encode()).decode()
        binary = {"resourceType": "Binary", "contentType": media, "data": data}
        asked = {"method": "PATCH", "url": f"Observation/{stored['id']}", **request}
        return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": binary, "request": asked}]}

    for kind in ("batch", "transaction"):
        wrong = await client.push(bundle(kind, ifMatch='W/"1-9"'))
        media = await client.push(bundle(kind, "application/json"))
        told = [wrong.status_code, media.status_code]
        if kind == "batch":
            told = [int(r.json()["entry"][0]["response"]["status"][:3]) for r in (wrong, media)]
        assert told == [412, 415]
    good = await client.push(bundle("transaction", ifMatch='W/"1-1"'))
    assert good.json()["entry"][0]["response"]["etag"] == 'W/"1-2"', good.text
    assert (await client.get(path)).json()["status"] == "corrected"
    again = await client.push(bundle("batch"))
    assert again.json()["entry"][0]["response"]["status"] == "200 OK"
