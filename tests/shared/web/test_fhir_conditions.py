"""Conditional interactions over HTTP (codes as microsoft/fhir-server asserts them): none, one and several matches."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client, observation, pushed, referral, renamed

pytestmark = pytest.mark.slow

OWN = "identifier=https://lab.example/results|obs-1"


@pytest.fixture
async def patient(client: Client) -> str:
    return (await pushed(client))["Patient"]


# Create


async def test_a_conditional_create_is_made_once_found_once_and_refused_where_several_meet_it(
    client: Client, patient: str
) -> None:
    hemoglobins = f"patient={patient}&code=http://loinc.org|718-7&identifier=https://lab.example/results|obs-1"
    first = await client.send("POST", "/fhir/Observation", observation(patient), If_None_Exist=hemoglobins)
    again = await client.send("POST", "/fhir/Observation", observation(patient, "7.5"), If_None_Exist=hemoglobins)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    several = await client.send(
        "POST", "/fhir/Observation", observation(patient, number="obs-2"), If_None_Exist=f"patient={patient}"
    )
    assert (several.status_code, several.json()["issue"][0]["code"]) == (412, "multiple-matches")
    assert (await client.get("/fhir/Observation?identifier=obs-2")).json()["total"] == 0


@pytest.mark.parametrize("condition", ["", "identifier=", "&"])
async def test_a_condition_that_says_nothing_is_refused(client: Client, patient: str, condition: str) -> None:
    response = await client.send("POST", "/fhir/Observation", observation(patient), If_None_Exist=condition)
    assert response.status_code == 400


@pytest.mark.parametrize("condition", ["colour=blue", "_count=1"])
async def test_a_condition_by_what_is_no_parameter_is_never_left_aside(
    client: Client, patient: str, condition: str
) -> None:
    response = await client.send("POST", "/fhir/Observation", observation(patient), If_None_Exist=condition)
    assert response.status_code in (400, 412)


async def test_fifty_conditional_creates_at_one_time_make_one_and_leave_it_as_it_is(
    client: Client, patient: str
) -> None:
    bodies = [observation(patient, f"7.{n}") for n in range(50)]
    answers = await asyncio.gather(*(client.send("POST", "/fhir/Observation", b, If_None_Exist=OWN) for b in bodies))
    assert sorted(a.status_code for a in answers) == [200] * 49 + [201]
    assert len({a.content for a in answers}) == 1


async def test_a_condition_that_only_another_clients_record_meets_is_met_by_none(
    client: Client, carepod: Carepod, patient: str
) -> None:
    other = carepod.client("other-ehr")
    theirs = (await pushed(other, renamed(referral(), "-other")))["Patient"]
    for number in ("obs-1", "obs-2"):
        await client.send("POST", "/fhir/Observation", observation(patient, number=number))
    shared = "code=http://loinc.org|718-7&status=final&identifier=obs-1,obs-2"
    response = await other.send("POST", "/fhir/Observation", observation(theirs), If_None_Exist=shared)
    assert response.status_code == 201
    assert (await other.send("PUT", f"/fhir/Observation?{OWN}", observation(theirs, "8.0"))).status_code == 200
    assert (await client.get("/fhir/Observation?identifier=obs-1")).json()["entry"][0]["resource"]["meta"][
        "versionId"
    ] == "1-1"


async def test_a_condition_tells_no_more_than_the_token_reads(carepod: Carepod, client: Client, patient: str) -> None:
    writer = carepod.client(scopes="system/Observation.cu")
    guess = await writer.send(
        "POST", "/fhir/Observation", observation(patient), If_None_Exist=f"patient={patient}&status=final"
    )
    assert guess.status_code == 403
    assert (await writer.send("POST", "/fhir/Observation", observation(patient), If_None_Exist=OWN)).status_code == 201


# Update


async def test_a_conditional_update_makes_changes_or_is_refused(client: Client, patient: str) -> None:
    where = f"/fhir/Observation?{OWN}"
    made = await client.send("PUT", where, observation(patient))
    assert made.status_code == 201, made.text
    changed = await client.send("PUT", where, observation(patient, "7.9"))
    assert (changed.status_code, changed.json()["id"]) == (200, made.json()["id"])
    assert changed.headers["etag"] == 'W/"1-2"'
    stale = await client.send("PUT", where, observation(patient, "8.1"), If_Match='W/"1-1"')
    assert stale.status_code == 412
    named = json.loads(observation(patient)) | {"id": "in-another"}
    assert (await client.send("PUT", where, named)).status_code == 400
    several = await client.send("PUT", f"/fhir/Observation?patient={patient}", observation(patient))
    assert (several.status_code, several.json()["issue"][0]["code"]) == (412, "multiple-matches")
    assert (await client.send("PUT", "/fhir/Observation", observation(patient))).status_code == 412


async def test_what_only_the_system_makes_is_not_made_under_a_condition(client: Client) -> None:
    claim = {"resourceType": "Claim"}
    assert (await client.send("PUT", "/fhir/Claim?identifier=x", claim)).status_code == 405
    assert (await client.send("POST", "/fhir/Claim", claim, If_None_Exist="identifier=x")).status_code == 405


# In a transaction


def entry(body: bytes, number: int, **request: str) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
        "resource": json.loads(body),
        "request": request,
    }


def transaction(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


async def test_in_a_transaction_what_is_known_stays_and_the_rest_is_made(client: Client, patient: str) -> None:
    known = await client.send("POST", "/fhir/Observation", observation(patient))
    response = await client.push(
        transaction(
            entry(observation(patient, "9.9"), 1, method="POST", url="Observation", ifNoneExist=OWN),
            entry(
                observation(patient, number="obs-2"),
                2,
                method="POST",
                url="Observation",
                ifNoneExist="identifier=obs-2",
            ),
            entry(observation(patient, "3.3", "obs-3"), 3, method="PUT", url="Observation?identifier=obs-3"),
        )
    )
    assert response.status_code == 200, response.text
    told = [e["response"]["status"] for e in response.json()["entry"]]
    assert told == ["200 OK", "201 Created", "201 Created"]
    assert (await client.get(f"/fhir/Observation/{known.json()['id']}")).headers["etag"] == 'W/"1-1"'
    again = await client.push(
        transaction(entry(observation(patient, "4.4", "obs-3"), 3, method="PUT", url="Observation?identifier=obs-3"))
    )
    assert again.json()["entry"][0]["response"]["etag"] == 'W/"1-2"'


async def test_a_condition_that_several_meet_stops_the_whole_transaction(client: Client, patient: str) -> None:
    response = await client.push(
        transaction(
            entry(observation(patient), 1, method="POST", url="Observation"),
            entry(
                observation(patient, number="b"), 2, method="POST", url="Observation", ifNoneExist=f"patient={patient}"
            ),
        )
    )
    assert (response.status_code, response.json()["issue"][0]["expression"]) == (412, ["Bundle.entry[1]"])
    assert (await client.get(f"/fhir/Observation?{OWN}")).json()["total"] == 0


async def test_what_refers_to_an_entry_that_stays_as_it_is_refers_to_what_is_stored(client: Client) -> None:
    first = await client.push(referral())
    bundle = referral()
    for sent in bundle["entry"]:
        if sent["resource"]["resourceType"] == "Patient":
            number = sent["resource"]["identifier"][0]
            sent["request"]["ifNoneExist"] = f"identifier={number['system']}|{number['value']}"
    again = await client.push(bundle)
    assert again.status_code == 200, again.text
    places = [[e["response"]["location"] for e in r.json()["entry"]] for r in (first, again)]
    assert places[0] == places[1]
