"""Batches and the rules of transactions over HTTP: each entry by itself, or all together or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.fhir.json import decode
from shared.fhir.profiles import r4
from tests.shared.web.stack import Carepod, Client, observation, pushed

pytestmark = pytest.mark.slow


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def asked(method: str, url: str, body: Any = None, **request: str) -> dict[str, Any]:
    resource = json.loads(body) if isinstance(body, bytes) else body
    return {"request": {"method": method, "url": url, **request}} | ({"resource": resource} if resource else {})


@pytest.fixture
async def at(client: Client) -> dict[str, str]:
    return await pushed(client)


async def told(client: Client, sent: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    response = await client.push(sent, **headers)
    assert response.status_code == 200, response.text
    assert r4().check(decode(response.content)) == []
    assert response.json()["type"] == sent["type"] + "-response"
    entries: list[dict[str, Any]] = response.json()["entry"]
    assert len(entries) == len(sent["entry"])
    return entries


async def test_each_entry_of_a_batch_has_its_own_answer(client: Client, at: dict[str, str]) -> None:
    patient = at["Patient"]
    broken = json.loads(observation(patient, number="bad")) | {"status": "banana"}
    entries = await told(
        client,
        bundle(
            "batch",
            asked("GET", patient),
            asked("GET", f"Observation?patient={patient}&_count=1"),
            asked("POST", "Observation", observation(patient)),
            asked("POST", "Observation", broken),
            asked("GET", "Patient/in-none"),
            asked("POST", "Claim", {"resourceType": "Claim"}),
            asked("DELETE", patient),
            asked("GET", f"{patient}/_history"),
            asked("GET", f"{patient}/_history/1-1"),
            asked("PUT", "Observation?identifier=obs-1", observation(patient, "7.2")),
            asked("DELETE", "Observation?identifier=obs-1"),
            asked("GET", f"http://carepod.test/fhir/{at['Task']}"),
        ),
    )
    status = [int(e["response"]["status"][:3]) for e in entries]
    assert status == [200, 200, 201, 422, 404, 405, 405, 200, 200, 200, 204, 200]
    assert entries[0]["resource"]["id"] == patient.partition("/")[2]
    assert entries[0]["response"]["etag"].startswith('W/"')
    assert entries[1]["resource"]["type"] == "searchset"
    assert entries[2]["response"]["location"].endswith("/_history/1-1")
    assert entries[3]["response"]["outcome"]["issue"][0]["expression"] == ["Observation.status"]
    assert entries[9]["response"]["etag"] == 'W/"1-2"'


async def test_what_a_batch_entry_is_refused_for_is_kept_and_hinders_no_other(
    client: Client, carepod: Carepod, at: dict[str, str]
) -> None:
    broken = json.loads(observation(at["Patient"], number="bad")) | {"status": "banana"}
    good = observation(at["Patient"], "7.10", "good")
    await told(client, bundle("batch", asked("POST", "Observation", broken), asked("POST", "Observation", good)))
    ((place, _, body, sender),) = await carepod.quarantined()
    assert (place, sender, json.loads(body)["status"]) == ("POST /fhir/Observation", "mercy-ehr", "banana")
    assert (await client.get("/fhir/Observation?identifier=good")).json()["total"] == 1


async def test_each_entry_of_a_batch_needs_its_own_scope_and_sees_what_its_client_sees(
    client: Client, carepod: Carepod, at: dict[str, str]
) -> None:
    narrow = carepod.client(scopes="system/Patient.r")
    sent = bundle(
        "batch",
        asked("GET", at["Patient"]),
        asked("GET", at["Task"]),
        asked("GET", "Patient?name=x"),
        asked("POST", "Observation", observation(at["Patient"])),
    )
    assert [e["response"]["status"][:3] for e in await told(narrow, sent)] == ["200", "403", "403", "403"]
    other = await told(carepod.client("other-ehr"), sent)
    assert [e["response"]["status"][:3] for e in other] == ["404", "404", "200", "422"]
    assert other[2]["resource"]["total"] == 0


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"request": {"method": "HEAD", "url": "Patient"}}, 422),
        ({"request": {"method": "POST", "url": "Patient"}}, 422),
        ({"resource": {"resourceType": "Patient"}}, 400),
        ("text", 400),
    ],
)
async def test_a_batch_that_asks_nothing_readable_is_refused_whole(client: Client, entry: Any, status: int) -> None:
    response = await client.push({"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert response.status_code == status
    assert response.json()["resourceType"] == "OperationOutcome"


async def test_an_empty_batch_and_one_that_is_too_long(client: Client) -> None:
    assert (await client.push({"resourceType": "Bundle", "type": "batch"})).json() == {
        "resourceType": "Bundle", "type": "batch-response",
    }  # fmt: skip
    many = bundle("batch", *[asked("GET", "Patient")] * 1001)
    assert (await client.push(many)).status_code == 413


@pytest.mark.parametrize("url", ["", "/", "Patient/a/b/c/d", "$everything", "Patient/../metadata", "Zyxwcanary/1", "?"])
async def test_an_entry_with_an_address_that_is_none_is_told_so_without_it(client: Client, url: str) -> None:
    sent = bundle("batch", asked("GET", url or "x"))
    response = await client.push(sent)
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        assert response.json()["entry"][0]["response"]["status"][:3] in ("404", "400")
    assert "Zyxwcanary" not in response.text


# Transactions


async def test_in_a_transaction_deletions_come_first_and_reads_last(client: Client, at: dict[str, str]) -> None:
    await client.send("POST", "/fhir/Observation", observation(at["Patient"], number="old"))
    entries = await told(
        client,
        bundle(
            "transaction",
            asked("GET", "Observation?identifier=new"),
            asked("POST", "Observation", observation(at["Patient"], number="new")),
            asked("GET", "Observation?identifier=old"),
            asked("DELETE", "Observation?identifier=old"),
            asked("DELETE", "Observation?identifier=never"),
        ),
    )
    assert [e["response"]["status"][:3] for e in entries] == ["200", "201", "200", "204", "204"]
    assert [entries[n]["resource"]["total"] for n in (0, 2)] == [1, 0]


async def test_a_transaction_that_only_reads_changes_nothing(client: Client, at: dict[str, str]) -> None:
    reads = (asked("GET", at["Patient"]), asked("GET", "Patient"), asked("GET", "Patient/in-none"))
    entries = await told(client, bundle("transaction", *reads))
    assert entries[0]["resource"]["id"] == at["Patient"][8:]
    assert [e["response"]["status"][:3] for e in entries] == ["200", "200", "404"]


async def test_one_record_twice_in_one_transaction_is_refused(client: Client, at: dict[str, str]) -> None:
    result = json.loads(observation(at["Patient"]))
    stored = (await client.send("POST", "/fhir/Observation", result)).json()
    place = f"Observation/{stored['id']}"
    twice = bundle("transaction", asked("PUT", place, result | {"id": stored["id"]}), asked("DELETE", place))
    response = await client.push(twice)
    assert (response.status_code, response.json()["issue"][0]["code"]) == (400, "duplicate")
    posted = bundle("transaction", *[asked("POST", "Observation", result)] * 2)
    assert (await client.push(posted)).status_code == 400
    assert (await client.get(f"/fhir/{place}")).headers["etag"] == 'W/"1-1"'


async def test_one_entry_that_cannot_be_stops_all_of_a_transaction(
    client: Client, carepod: Carepod, at: dict[str, str]
) -> None:
    patient = at["Patient"]
    made = (await client.send("POST", "/fhir/Observation", observation(patient))).json()
    place = f"Observation/{made['id']}"
    good = asked("POST", "Observation", observation(patient, number="new"))
    bad = [
        (asked("DELETE", patient), 405),
        (asked("DELETE", "Observation/in-00000000-0000-5000-8000-000000000000"), 422),
        (asked("PUT", place, made, ifMatch='W/"1-7"'), 412),
        (asked("DELETE", place, ifMatch='W/"1-7"'), 412),
        (asked("GET", "Spaceship/1"), 422),
        (asked("POST", "Observation", observation(patient, number="x"), ifNoneExist=f"patient={patient}"), 412),
        (asked("DELETE", f"Observation?patient={patient}"), 412),
    ]
    for entry, status in bad:
        response = await client.push(bundle("transaction", good, entry))
        assert response.status_code == status, (entry["request"], response.text)
        assert (await client.get("/fhir/Observation?identifier=new")).json()["total"] == 0
        assert (await client.get(f"/fhir/{place}")).headers["etag"] == 'W/"1-1"'
    assert len(await carepod.quarantined()) == len(bad)


async def test_scopes_are_asked_for_each_entry_before_anything_is_done(
    client: Client, carepod: Carepod, at: dict[str, str]
) -> None:
    writer = carepod.client(scopes="system/Observation.c")
    new = asked("POST", "Observation", observation(at["Patient"], number="new"))
    for entry in (
        asked("GET", "Observation"),
        asked("DELETE", "Observation?identifier=x"),
        asked("GET", at["Patient"]),
    ):
        assert (await writer.push(bundle("transaction", new, entry))).status_code == 403
    assert (await client.get("/fhir/Observation?identifier=new")).json()["total"] == 0
    assert (await writer.push(bundle("transaction", new))).status_code == 200


# Prefer


@pytest.mark.parametrize("returned", ["minimal", "representation", "OperationOutcome", None])
async def test_of_what_was_written_comes_back_what_is_preferred(
    client: Client, at: dict[str, str], returned: str | None
) -> None:
    headers = {"Prefer": f"return={returned}"} if returned else {}
    kinds = {"minimal": None, "OperationOutcome": "OperationOutcome"}
    body = observation(at["Patient"], "7.3")
    one = await client.send("POST", "/fhir/Observation", body, **headers)
    two = await client.send("PUT", "/fhir/Observation?identifier=obs-1", body, **headers)
    for response, status in ((one, 201), (two, 200)):
        assert response.status_code == status
        assert response.headers["etag"] == 'W/"1-1"'
        found = response.json()["resourceType"] if response.content else None
        assert found == kinds.get(returned or "", "Observation")
    assert one.headers["location"].endswith("/_history/1-1")
    (entry,) = await told(client, bundle("transaction", asked("POST", "Observation", body)), **headers)
    assert ("resource" in entry) == (returned == "representation")
    assert ("outcome" in entry["response"]) == (returned == "OperationOutcome")
