"""A referral sent as one resource: an order or a Task alone is a case like any push, or is refused with every issue."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.shared.web.stack import Carepod, Client, pushed, referral

IDENTIFIER = {"system": "https://ehr.mercy.example/id/order", "value": "SO-1"}
PLACER = {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]}}


def of_type(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def order(subject: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest", "status": "active", "intent": "order", "identifier": [IDENTIFIER],
        "code": {"text": "Ferric carboxymaltose"}, "subject": subject, **elements,
    }  # fmt: skip


async def referrals(client: Client) -> list[dict[str, Any]]:
    """Every referral Task this client sees."""
    found = (await client.get("/fhir/Task?code=referral")).json()
    return [e["resource"] for e in found.get("entry", ())]


async def test_an_order_for_a_known_patient_is_a_case_with_all_its_gaps(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    before = {t["id"] for t in await referrals(client)}
    answer = await client.send("POST", "/fhir/ServiceRequest", order({"reference": patient}))
    assert answer.status_code == 201, answer.text
    place = f"ServiceRequest/{answer.json()['id']}"
    [task] = [t for t in await referrals(client) if t["id"] not in before]
    assert task["focus"] == {"reference": place}
    assert task["status"] == "on-hold"
    assert task["output"]


async def test_a_patient_may_be_named_by_identifier_or_contained(client: Client, carepod: Carepod) -> None:
    await pushed(client)
    known = of_type(referral(), "Patient")["identifier"][0]
    named = {"type": "Patient", "identifier": {"system": known["system"], "value": known["value"]}}
    first = await client.send("POST", "/fhir/ServiceRequest", order(named))
    assert first.status_code == 201, first.text
    patient = {**of_type(referral(), "Patient"), "id": "p"}
    again = order({"reference": "#p"}, contained=[patient])
    answer = await client.send("POST", "/fhir/ServiceRequest", again)
    assert answer.json()["id"] == first.json()["id"]
    assert await carepod.count("select count(*) from resource where type = 'Patient'") == 1


async def test_a_task_alone_for_a_known_patient_is_a_referral(client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    placer = {**PLACER, "system": "https://ehr.mercy.example/id/referral", "value": "alone"}
    task = {
        "resourceType": "Task", "status": "requested", "intent": "order", "identifier": [placer],
        "for": {"reference": patient},
    }  # fmt: skip
    answer = await client.send("POST", "/fhir/Task", task)
    assert answer.status_code == 201, answer.text
    assert answer.json()["code"]["coding"][0]["code"] == "referral"
    assert answer.json()["status"] == "on-hold"
    again = await client.send("POST", "/fhir/Task", task)
    assert again.json()["id"] == answer.json()["id"]
    assert len(await referrals(client)) == 2


async def test_an_order_of_a_patient_nobody_knows_is_refused_with_its_expression(carepod: Carepod) -> None:
    client = carepod.client("office")
    answer = await client.send("POST", "/fhir/ServiceRequest", order({"reference": "Patient/123"}))
    assert answer.status_code == 422
    assert "ServiceRequest.subject.reference" in [e for i in answer.json()["issue"] for e in i.get("expression", ())]
    assert len(await carepod.quarantined()) == 1


async def test_an_order_that_names_a_record_of_its_senders_system_waits_to_be_read(client: Client) -> None:
    answer = await client.send("POST", "/fhir/ServiceRequest", {**order({"reference": "Patient/123"}), "id": "sr-9"})
    assert answer.status_code == 201, answer.text
    [task] = await referrals(client)
    assert (task["status"], task["focus"]) == ("on-hold", {"reference": f"ServiceRequest/{answer.json()['id']}"})
    assert "being read" in task["statusReason"]["text"]
    assert (await client.get(f"/fhir/ServiceRequest/{answer.json()['id']}")).status_code == 200


async def test_what_waits_to_be_read_is_seen_by_its_sender_alone(client: Client, carepod: Carepod) -> None:
    answer = await client.send("POST", "/fhir/ServiceRequest", {**order({"reference": "Patient/123"}), "id": "sr-9"})
    place = f"/fhir/ServiceRequest/{answer.json()['id']}"
    other = carepod.client("other-ehr")
    assert (await other.get(place)).status_code == 404
    assert await referrals(other) == []
    assert (await other.get("/fhir/Task?code=pull")).json().get("entry", []) == []
    assert len((await carepod.client("office").get("/fhir/Task?code=pull")).json()["entry"]) == 1


async def test_a_tasks_own_elements_may_be_missing_where_what_came_with_it_says_the_same(
    client: Client, carepod: Carepod
) -> None:
    for element in ("for", "focus", "authoredOn", "requester", "owner", "code"):
        bundle = referral()
        of_type(bundle, "Task").pop(element)
        answer = await client.push(bundle)
        assert answer.status_code == 200, (element, answer.text)
        [task] = await referrals(client)
        assert {"for", "focus", "authoredOn", "requester", "owner", "code"} <= task.keys()


async def test_an_id_of_ours_in_a_new_resource_changes_nothing_that_is_there(client: Client) -> None:
    there = await pushed(client)
    observation = (await client.get("/fhir/" + there["Observation"])).json()
    new = {k: v for k, v in observation.items() if k not in ("meta", "identifier", "text")} | {"status": "cancelled"}
    answer = await client.send("POST", "/fhir/Observation", new)
    assert answer.json()["id"] != observation["id"]
    assert (await client.get("/fhir/" + there["Observation"])).json() == observation
    order_ = (await client.get("/fhir/" + there["ServiceRequest"])).json()
    revoked = {k: v for k, v in order_.items() if k not in ("meta", "identifier", "text")} | {"status": "revoked"}
    answer = await client.send("POST", "/fhir/ServiceRequest", revoked)
    assert answer.json().get("id") != order_["id"]


async def test_fifty_posts_of_one_placer_identifier_at_once_are_one_case(client: Client, carepod: Carepod) -> None:
    answers = await asyncio.gather(*(client.push(referral()) for _ in range(50)))
    assert {a.status_code for a in answers} == {200}
    assert len(await referrals(client)) == 1
    assert await carepod.count("select count(*) from resource where type = 'Patient'") == 1
