"""`_include` and `_revinclude`: what comes along with matches, and never what a client may not see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client, pushed, referral, renamed

pytestmark = pytest.mark.slow


async def along(client: Client, query: str, **headers: str) -> dict[str, set[str]]:
    """`Type/id` of what was found, by search mode."""
    response = await client.get(f"/fhir/{query}", **headers)
    assert response.status_code == 200, response.text
    found: dict[str, set[str]] = {"match": set(), "include": set(), "outcome": set()}
    listed: list[str] = []
    for entry in response.json().get("entry", ()):
        place = f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}"
        found[entry["search"]["mode"]].add(place)
        listed.append(place)
    assert len(listed) == len(set(listed)), "each resource once"
    assert response.json()["total"] == len(found["match"]), "the total counts matches"
    return found


async def test_what_a_match_refers_to_comes_along_once(client: Client) -> None:
    at = await pushed(client)
    found = await along(client, "Task?code=referral&_include=Task:focus&_include=Task:patient")
    assert found["match"] == {at["Task"]}
    assert found["include"] == {at["ServiceRequest"], at["Patient"]}
    patients = await along(client, "Observation?_include=Observation:patient")
    assert (len(patients["match"]), patients["include"]) == (4, {at["Patient"]})


async def test_a_target_type_narrows_what_comes_along(client: Client) -> None:
    at = await pushed(client)
    assert (await along(client, "Task?code=referral&_include=Task:focus:ServiceRequest"))["include"] == {
        at["ServiceRequest"]
    }
    assert (await along(client, "Task?code=referral&_include=Task:focus:Claim"))["include"] == set()


async def test_what_refers_to_a_match_comes_along(client: Client) -> None:
    at = await pushed(client)
    found = await along(
        client, f"Patient?_id={at['Patient'][8:]}&_revinclude=Observation:patient&_revinclude=Task:patient"
    )
    assert found["match"] == {at["Patient"]}
    assert {p.partition("/")[0] for p in found["include"]} == {"Observation", "Task"}
    assert len([p for p in found["include"] if p.startswith("Observation/")]) == 4
    tasks = await along(client, f"ServiceRequest?_id={at['ServiceRequest'][15:]}&_revinclude=Task:focus")
    assert tasks["include"] == {at["Task"]}


async def test_what_is_a_match_does_not_come_along_as_well(client: Client) -> None:
    at = await pushed(client)
    found = await along(client, f"Patient?_id={at['Patient'][8:]}&_revinclude=Patient:link&_include=Patient:link")
    assert found["include"] == set()


async def test_what_may_not_be_read_does_not_come_along(client: Client, carepod: Carepod) -> None:
    at = await pushed(client)
    narrow = carepod.client(scopes="system/Task.rs")
    assert (await along(narrow, "Task?code=referral&_include=Task:focus"))["include"] == set()
    reads = carepod.client(scopes="system/Task.rs system/ServiceRequest.r system/Patient.rs system/Observation.r")
    assert (await along(reads, "Task?code=referral&_include=Task:focus"))["include"] == {at["ServiceRequest"]}
    assert (await along(reads, "Patient?_revinclude=Observation:patient"))["include"] == set()


async def test_what_another_client_has_sent_never_comes_along(client: Client, carepod: Carepod) -> None:
    theirs = await pushed(client)
    other = carepod.client("other-ehr")
    bundle = renamed(referral(), "-other")
    for sent in bundle["entry"]:
        if sent["resource"]["resourceType"] == "Observation":
            sent["resource"]["derivedFrom"] = [{"reference": theirs["Observation"]}]
        if sent["resource"]["resourceType"] == "ServiceRequest":
            sent["resource"]["basedOn"] = [{"reference": theirs["ServiceRequest"]}]
    await pushed(other, bundle)
    include = await along(other, "ServiceRequest?_include=ServiceRequest:based-on")
    assert theirs["ServiceRequest"] not in include["include"]
    back = await along(client, "ServiceRequest?intent=order&_revinclude=ServiceRequest:based-on")
    ours = (await client.get("/fhir/ServiceRequest")).json()["entry"]
    assert back["include"] <= {f"ServiceRequest/{e['resource']['id']}" for e in ours}


@pytest.mark.parametrize(
    "query",
    [
        "Task?_include=Task:status",
        "Task?_include=Task:nonsense",
        "Task?_include=Patient:link",
        "Task?_include=*",
        "Task?_include=Task",
        "Task?_include:iterate=Task:focus",
        "Task?_revinclude=Spaceship:patient",
        "Task?_revinclude=Task:focus:Patient",
    ],
)
async def test_an_include_that_is_none_is_left_aside_and_said_or_refused_where_strict(
    client: Client, query: str
) -> None:
    await pushed(client)
    assert (await along(client, query))["include"] == set()
    assert "OperationOutcome/None" in (await along(client, query))["outcome"]
    assert (await client.get(f"/fhir/{query}", Prefer="handling=strict")).status_code == 400


async def test_a_count_cuts_matches_and_what_comes_along_belongs_to_the_page(client: Client) -> None:
    for suffix in ("", "-2", "-3"):
        await pushed(client, renamed(referral(), suffix) if suffix else None)
    response: dict[str, Any] = (await client.get("/fhir/Patient?_count=1&_revinclude=Observation:patient")).json()
    modes = [e["search"]["mode"] for e in response["entry"]]
    assert (response["total"], modes) == (3, ["match", *["include"] * 4])
    about = {e["resource"]["subject"]["reference"] for e in response["entry"][1:]}
    assert about == {f"Patient/{response['entry'][0]['resource']['id']}"}
