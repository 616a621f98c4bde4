"""Deletion over HTTP: a client takes its own record back; nothing accepted is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client, observation, pushed, referral, renamed

pytestmark = pytest.mark.slow


@pytest.fixture
async def result(client: Client) -> tuple[str, dict[str, Any]]:
    patient = (await pushed(client))["Patient"]
    stored = (await client.send("POST", "/fhir/Observation", observation(patient))).json()
    return f"/fhir/Observation/{stored['id']}", stored


async def test_a_deleted_record_is_gone_from_reads_and_searches_and_its_history_is_whole(
    client: Client, carepod: Carepod, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    gone = await client.send("DELETE", path)
    assert (gone.status_code, gone.content, gone.headers["etag"]) == (204, b"", 'W/"1-2"')
    read = await client.get(path)
    assert (read.status_code, read.json()["issue"][0]["code"]) == (410, "deleted")
    assert (await client.get(f"{path}/_history/1-1")).json() == stored
    assert (await client.get(f"{path}/_history/1-2")).status_code == 410
    versions = (await client.get(f"{path}/_history")).json()["entry"]
    assert [v["request"]["method"] for v in versions] == ["DELETE", "POST"]
    assert ["resource" in v for v in versions] == [False, True]
    for query in (f"_id={stored['id']}", "identifier=obs-1", "status=entered-in-error", ""):
        found = (await client.get(f"/fhir/Observation?{query}")).json()
        assert stored["id"] not in [e["resource"]["id"] for e in found.get("entry", ())], query
        assert found["total"] == len(found.get("entry", ()))
    kept = "select count(*) from resource where id = '" + stored["id"] + "' and body like '%entered-in-error%'"
    assert await carepod.count(kept) == 1


async def test_a_record_deleted_twice_is_deleted_once_and_comes_back_when_it_is_written_again(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    path, stored = result
    etags = [(await client.send("DELETE", path)).headers["etag"] for _ in range(2)]
    assert etags == ['W/"1-2"', 'W/"1-2"']
    plain = {k: v for k, v in stored.items() if k != "meta"}
    back = await client.send("PUT", path, plain)
    assert (back.status_code, back.headers["etag"]) == (200, 'W/"1-3"'), back.text
    assert (await client.get(path)).json()["status"] == "final"


async def test_a_deletion_rests_on_the_version_it_names(client: Client, result: tuple[str, dict[str, Any]]) -> None:
    assert (await client.send("DELETE", result[0], If_Match='W/"1-9"')).status_code == 412
    assert (await client.send("DELETE", result[0], If_Match="1-1")).status_code == 400
    assert (await client.send("DELETE", result[0], If_Match='W/"1-1"')).status_code == 204


async def test_who_may_not_delete_does_not_and_hidden_is_as_missing(
    client: Client, carepod: Carepod, result: tuple[str, dict[str, Any]]
) -> None:
    other = carepod.client("other-ehr")
    hidden = await other.send("DELETE", result[0])
    missing = await other.send("DELETE", "/fhir/Observation/in-00000000-0000-5000-8000-000000000000")
    assert (hidden.status_code, missing.status_code, hidden.content) == (404, 404, missing.content)
    assert (await carepod.client(scopes="system/Observation.cru").send("DELETE", result[0])).status_code == 403
    assert (await client.get(result[0])).status_code == 200


async def test_another_clients_record_of_ones_own_patient_is_not_ones_own(client: Client, carepod: Carepod) -> None:
    at = await pushed(client)
    dispense = {
        "resourceType": "MedicationDispense", "status": "in-progress", "subject": {"reference": at["Patient"]},
        "identifier": [{"system": "https://pharmacy.example/dispense", "value": "d-1"}],
        "medicationCodeableConcept": {"text": "iron"},
        "authorizingPrescription": [{"reference": at["MedicationRequest"]}],
    }  # fmt: skip
    pharmacy = carepod.client("prairie-pharmacy")
    made = (await pharmacy.send("POST", "/fhir/MedicationDispense", dispense)).json()
    response = await client.send("DELETE", f"/fhir/MedicationDispense/{made['id']}")
    assert (response.status_code, response.json()["issue"][0]["code"]) == (403, "forbidden")


async def test_what_is_the_systems_own_or_cannot_say_that_it_was_wrong_stays(client: Client) -> None:
    at = await pushed(client)
    for place in (at["Patient"], at["Task"], at["Practitioner"]):
        response = await client.send("DELETE", f"/fhir/{place}")
        assert (response.status_code, response.headers["allow"]) == (405, "GET"), place
    orders = (await client.get("/fhir/ServiceRequest?intent=filler-order")).json()["entry"]
    ours = await client.send("DELETE", f"/fhir/ServiceRequest/{orders[0]['resource']['id']}")
    assert ours.status_code == 405


async def test_every_kind_of_a_referral_that_can_be_taken_back_is(client: Client, carepod: Carepod) -> None:
    at = await pushed(client)
    kinds = ("Condition", "Coverage", "MedicationRequest", "Observation", "Consent")
    for kind in (k for k in kinds if k in at):
        assert (await client.send("DELETE", f"/fhir/{at[kind]}")).status_code == 204, kind
        assert (await client.get(f"/fhir/{at[kind]}")).status_code == 410


async def test_a_conditional_deletion_takes_one_back_or_none(
    client: Client, result: tuple[str, dict[str, Any]]
) -> None:
    assert (await client.send("DELETE", "/fhir/Observation?identifier=none")).status_code == 204
    assert (await client.send("DELETE", "/fhir/Observation?status=final")).status_code == 412
    assert (await client.send("DELETE", "/fhir/Observation")).status_code == 412
    assert (await client.get(result[0])).status_code == 200
    assert (await client.send("DELETE", "/fhir/Observation?identifier=obs-1")).status_code == 204
    assert (await client.get(result[0])).status_code == 410


async def test_a_deletion_counts_only_what_the_client_sees(
    client: Client, carepod: Carepod, result: tuple[str, dict[str, Any]]
) -> None:
    other = carepod.client("other-ehr")
    await pushed(other, renamed(referral(), "-other"))
    assert (await other.send("DELETE", "/fhir/Observation?identifier=obs-1")).status_code == 204
    assert (await client.get(result[0])).status_code == 200
