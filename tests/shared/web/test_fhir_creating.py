"""Transactions and creates over HTTP, on a real store with the real services."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from shared.fhir.profiles import r4
from tests.shared.web.stack import FHIR, Carepod, Client, observation, pushed, referral, renamed

pytestmark = pytest.mark.slow

# Transaction


async def test_a_referral_is_answered_entry_by_entry_with_places_that_can_be_read(client: Client) -> None:
    bundle = referral()
    response = await client.push(bundle)
    answer = response.json()
    assert response.headers["content-type"] == FHIR
    assert (answer["resourceType"], answer["type"]) == ("Bundle", "transaction-response")
    assert len(answer["entry"]) == len(bundle["entry"])
    assert r4().check(answer) == []
    for sent, entry in zip(bundle["entry"], answer["entry"], strict=True):
        told = entry["response"]
        assert told["status"] == "201 Created"
        assert told["location"].startswith(f"http://carepod.test/fhir/{sent['resource']['resourceType']}/in-")
        read = await client.get(told["location"].removeprefix("http://carepod.test"))
        assert read.status_code == 200
        assert read.headers["etag"] == told["etag"]


async def test_the_same_referral_again_is_the_same_case(client: Client, carepod: Carepod) -> None:
    first = await client.push(referral())
    again = await client.push(referral())
    assert {e["response"]["status"] for e in again.json()["entry"]} == {"200 OK"}
    assert again.json()["entry"] == [{"response": {**e["response"], "status": "200 OK"}} for e in first.json()["entry"]]
    assert await carepod.count("select count(*) from resource where type = 'Task' and body like '%\"referral\"%'") == 1


async def test_fifty_simultaneous_pushes_are_one_case(client: Client, carepod: Carepod) -> None:
    responses = await asyncio.gather(*(client.push(referral()) for _ in range(50)))
    assert {r.status_code for r in responses} == {200}
    statuses = [e["response"]["status"] for r in responses for e in r.json()["entry"]]
    assert statuses.count("201 Created") == len(referral()["entry"])
    assert await carepod.count("select count(*) from resource where type = 'Task' and body like '%PLAC%'") == 1
    assert await carepod.count("select max(version) from history") <= 2


async def test_a_transaction_with_one_bad_entry_stores_nothing_but_the_refusal(
    client: Client, carepod: Carepod
) -> None:
    bundle = referral()
    bundle["entry"][-1]["resource"]["status"] = "banana"
    response = await client.push(bundle)
    assert response.status_code == 422
    assert response.json()["issue"][0]["code"] == "code-invalid"
    assert response.json()["issue"][0]["expression"] == [f"Bundle.entry[{len(bundle['entry']) - 1}].resource.status"]
    assert await carepod.count("select count(*) from resource") == 0
    ((place, issues, body, sender),) = await carepod.quarantined()
    assert (place, sender) == ("POST /fhir", "mercy-ehr")
    assert issues == response.json()
    assert json.loads(body) == bundle


async def test_every_entry_needs_its_own_scope(carepod: Carepod) -> None:
    narrow = carepod.client(scopes="system/Patient.c system/Task.c")
    response = await narrow.push(referral())
    assert response.status_code == 403
    assert response.json()["issue"][0]["code"] == "forbidden"
    assert await carepod.count("select count(*) from resource") == 0


async def test_a_different_patient_under_a_known_placer_identifier_breaks_a_rule(client: Client) -> None:
    await pushed(client)
    other = referral()
    patient = next(e["resource"] for e in other["entry"] if e["resource"]["resourceType"] == "Patient")
    for identifier in patient["identifier"]:
        identifier["value"] += "-another"
    response = await client.push(other)
    assert response.status_code == 422
    assert "business-rule" in {i["code"] for i in response.json()["issue"]}


@pytest.mark.parametrize("kind", ["message", "collection", "searchset"])
async def test_only_transactions_and_batches_are_taken(client: Client, kind: str) -> None:
    response = await client.push({"resourceType": "Bundle", "type": kind})
    assert response.status_code in (400, 422)
    assert (await client.push({"resourceType": "Patient"})).status_code == 422


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"resource": None}, 422),
        ({"request": {"method": "HEAD", "url": "Patient"}}, 422),
        ({"request": {"method": "DELETE", "url": "Patient/in-1"}}, 422),
    ],
)
async def test_an_entry_that_is_no_interaction_or_means_nothing_is_refused(
    client: Client, change: dict[str, Any], status: int
) -> None:
    bundle = referral()
    entry = {k: v for k, v in {**bundle["entry"][0], **change}.items() if v is not None}
    response = await client.push({**bundle, "entry": [*bundle["entry"], entry]})
    assert response.status_code == status
    assert any(f"Bundle.entry[{len(bundle['entry'])}]" in i["expression"][0] for i in response.json()["issue"])


async def test_more_than_a_thousand_entries_are_too_many(client: Client, carepod: Carepod) -> None:
    def bundle(n: int) -> dict[str, Any]:
        entry = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}}
        return {"resourceType": "Bundle", "type": "transaction", "entry": [entry] * n}

    assert (await client.push(bundle(1001))).status_code == 413
    assert (await client.push(bundle(1000))).status_code == 422


# Create


async def test_a_result_posted_alone_is_created_and_read_back_to_the_digit(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    response = await client.send("POST", "/fhir/Observation", observation(patient))
    assert response.status_code == 201
    location = response.headers["location"]
    assert location.startswith("http://carepod.test/fhir/Observation/in-")
    assert location.endswith("/_history/1-1")
    assert response.headers["etag"] == 'W/"1-1"'
    assert parsedate_to_datetime(response.headers["last-modified"]).tzinfo is not None
    read = await client.get("/fhir/" + location.partition("/fhir/")[2].partition("/_history")[0])
    assert b'"value":7.10' in read.content
    assert read.content == response.content
    again = await client.send("POST", "/fhir/Observation", observation(patient))
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1-1"')
    assert "location" not in again.headers
    newer = await client.send("POST", "/fhir/Observation", observation(patient, "7.1"))
    assert newer.status_code == 200


async def test_the_id_of_a_posted_resource_is_the_senders_own_affair(client: Client) -> None:
    at = await pushed(client)
    body = json.loads(observation(at["Patient"])) | {"id": at["Observation"].partition("/")[2]}
    response = await client.send("POST", "/fhir/Observation", body)
    assert response.status_code == 201
    assert response.json()["id"] != body["id"]


async def test_a_hundred_simultaneous_posts_of_one_result_make_one(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    posts = (client.send("POST", "/fhir/Observation", observation(patient)) for _ in range(100))
    statuses = [r.status_code for r in await asyncio.gather(*posts)]
    assert sorted(statuses) == [200] * 99 + [201]


async def test_a_conditional_create_makes_a_record_once_and_leaves_the_known_one_as_it_is(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    condition = "identifier=https://lab.example/results|obs-1"
    first = await client.send("POST", "/fhir/Observation", observation(patient), If_None_Exist=condition)
    again = await client.send("POST", "/fhir/Observation", observation(patient, "7.5"), If_None_Exist=condition)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


async def test_an_unknown_patient_and_another_clients_patient_get_the_same_answer(
    client: Client, carepod: Carepod
) -> None:
    theirs = (await pushed(client))["Patient"]
    other = carepod.client("other-ehr")
    unknown = "Patient/in-00000000-0000-5000-8000-000000000000"
    answers = [await other.send("POST", "/fhir/Observation", observation(p)) for p in (theirs, unknown)]
    assert [a.status_code for a in answers] == [422, 422]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["issue"][0]["code"] == "not-found"


async def test_a_dispense_for_an_order_of_ours_may_come_from_the_pharmacy(client: Client, carepod: Carepod) -> None:
    at = await pushed(client)
    dispense = {
        "resourceType": "MedicationDispense", "status": "in-progress", "subject": {"reference": at["Patient"]},
        "identifier": [{"system": "https://pharmacy.example/dispense", "value": "d-1"}],
        "medicationCodeableConcept": {"text": "iron"},
        "authorizingPrescription": [{"reference": at["MedicationRequest"]}],
    }  # fmt: skip
    pharmacy = carepod.client("prairie-pharmacy")
    assert (await pharmacy.send("POST", "/fhir/MedicationDispense", dispense)).status_code == 201
    elsewhere = dispense | {
        "authorizingPrescription": [{"reference": "MedicationRequest/in-00000000-0000-5000-8000-000000000000"}]
    }
    assert (await pharmacy.send("POST", "/fhir/MedicationDispense", elsewhere)).status_code == 422


async def test_another_client_cannot_write_over_a_record_by_its_id(client: Client, carepod: Carepod) -> None:
    at = await pushed(client)
    other = carepod.client("other-ehr")
    bundle = renamed(referral(), "-other")
    index = next(n for n, e in enumerate(bundle["entry"]) if e["resource"]["resourceType"] == "Observation")
    unknown = "Observation/in-00000000-0000-5000-8000-000000000000"
    answers = []
    for place in (at["Observation"], unknown):
        bundle["entry"][index]["request"] = {"method": "PUT", "url": place}
        bundle["entry"][index]["resource"]["id"] = place.partition("/")[2]
        answers.append(await other.push(bundle))
    assert [a.status_code for a in answers] == [422, 422]
    assert answers[0].content == answers[1].content
    assert (await client.get(f"/fhir/{at['Observation']}")).headers["etag"] == 'W/"1-1"'
