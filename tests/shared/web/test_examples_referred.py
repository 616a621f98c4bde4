"""Every referral-like payload of ../shared/examples ends in a case that says what is missing, or in a whole refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client
from tests.shared.web.test_examples_pushed import EXAMPLES

US_CORE = ("bmp", "cbc", "chest-xray", "ekg", "foodpantry-referral", "rehab")
ORDERS = (
    *(f"us-core-8.0.0/ServiceRequest-{name}.json" for name in US_CORE),
    "davinci-crd-2.0.1/ServiceRequest-example.json",
    "bser-2.0-ballot-compiled/ServiceRequest-servicerequest-bser-referral-servicerequest-arthritis.json",
    "bser-2.0-ballot-compiled/Task-task-bser-referral-task.json",
)
MESSAGE = "bser-2.0-ballot-compiled/Bundle-bundle-bser-referral-message-bundle-eve-everywoman.json"
CAREDOVE = "vendor-ereferral-caredove/r4-caredove-bundle.json"
NO_REFERRAL = (
    "smart/Task-task-for-ehr-launch.json",
    "davinci-pas-2.2.1/Task-AdditionalInformationTaskExample.json",
    "davinci-cdex/cdex-task-example1.json",
)


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / name).read_bytes())
    return found


async def referrals(client: Client) -> list[dict[str, Any]]:
    found = (await client.get("/fhir/Task?code=referral")).json()
    return [e["resource"] for e in found.get("entry", ())]


@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_of_an_ehr_we_may_read_is_a_referral_on_hold_until_it_is_read(client: Client, name: str) -> None:
    body = payload(name)
    answer = await client.send("POST", f"/fhir/{body['resourceType']}", body)
    assert answer.status_code == 201, answer.text
    [task] = await referrals(client)
    assert task["status"] == "on-hold"
    assert task["statusReason"]["text"]


@pytest.mark.parametrize("name", [n for n in ORDERS if n.startswith("us-core")])
async def test_an_order_that_is_no_infusion_is_answered_with_everything_missing(client: Client, name: str) -> None:
    patient = payload("us-core-8.0.0/Patient-example.json")
    order = payload(name)
    known = patient["identifier"][0]
    named = {"identifier": {"system": known["system"], "value": known["value"]}}
    assert (await client.send("POST", "/fhir/Patient", patient)).status_code == 201
    plain = {k: v for k, v in order.items() if k in ("resourceType", "status", "intent", "code", "category", "text")}
    answer = await client.send("POST", "/fhir/ServiceRequest", plain | {"subject": named})
    assert answer.status_code == 201, answer.text
    [task] = await referrals(client)
    missing = [o["valueCodeableConcept"] for o in task["output"] if "valueCodeableConcept" in o]
    assert task["status"] == "on-hold"
    assert {"drug-missing", "coverage-missing"} & {m["coding"][0]["code"] for m in missing}
    assert all("ServiceRequest" in m["text"] or "(" in m["text"] for m in missing)


async def test_the_published_message_is_refused_whole_with_every_issue(client: Client, carepod: Carepod) -> None:
    answer = await client.send("POST", "/fhir/$process-message", payload(MESSAGE))
    assert answer.status_code == 200
    head, outcome = (e["resource"] for e in answer.json()["entry"])
    assert head["response"]["code"] == "fatal-error"
    assert outcome["issue"]
    assert await carepod.count("select count(*) from resource") == 0
    assert len(await carepod.quarantined()) == 1


async def test_the_published_message_put_right_is_a_case(client: Client) -> None:
    """Its Task and order name a patient the Bundle has under another id; its document is about an entry it lacks."""
    text = json.dumps(payload(MESSAGE)).replace("patient-us-core-patient-eve", "patient-bser-patient-eve")
    body = json.loads(text)
    for entry in body["entry"]:
        if entry["resource"]["resourceType"] == "Bundle":
            composition = entry["resource"]["entry"][0]
            kept = {k: v for k, v in composition["resource"].items() if k not in ("subject", "section")}
            alone = composition | {"resource": kept | {"author": [{"display": "Saint Luke"}]}}
            entry["resource"] = entry["resource"] | {"entry": [alone]}
    answer = await client.send("POST", "/fhir/$process-message", body)
    assert answer.status_code == 200
    head = answer.json()["entry"][0]["resource"]
    assert head["response"]["code"] == "ok", answer.text
    [task] = await referrals(client)
    assert task["status"] == "on-hold"


async def test_a_vendors_broken_bundle_is_kept_with_at_least_eighteen_issues(client: Client, carepod: Carepod) -> None:
    answer = await client.push(payload(CAREDOVE))
    assert answer.status_code == 400
    issues = answer.json()["issue"]
    assert len(issues) >= 18
    assert all(i.get("expression") or i["diagnostics"] for i in issues)
    assert len(await carepod.quarantined()) == 1
    assert await carepod.count("select count(*) from resource") == 0


@pytest.mark.parametrize("name", NO_REFERRAL)
async def test_a_task_that_asks_for_something_else_is_refused(client: Client, carepod: Carepod, name: str) -> None:
    answer = await client.send("POST", "/fhir/Task", payload(name))
    assert answer.status_code == 422
    assert [i.get("expression") for i in answer.json()["issue"]] == [["Task.code"]]
    assert await carepod.count("select count(*) from resource") == 0
