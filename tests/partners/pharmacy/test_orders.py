"""An order is taken once, prepared for its lead time, and told until it is heard or refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

ORDERS = "/pharmacy/orders"


def order(version: str | None = "1", **changed: Any) -> dict[str, Any]:
    appointment: dict[str, Any] = {
        "resourceType": "Appointment",
        "id": "sc-1",
        "status": "booked",
        "start": "2026-12-01T15:00:00Z",
        "end": "2026-12-01T16:00:00Z",
        "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}],
        **({"meta": {"versionId": version}} if version else {}),
    }
    prescription = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"code": "J1439"}]},
        "subject": {"reference": "Patient/p1"},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 750, "unit": "mg"}}]}],
    }
    found = {
        "Appointment": appointment,
        "MedicationRequest": prescription,
        "Patient": {"resourceType": "Patient", "id": "p1"},
    }
    for kind, change in changed.items():
        found[kind] = {**found[kind], **change} if change is not None else None  # type: ignore[assignment]
    entries = [{"fullUrl": f"https://x.example/{k}/{v['id']}", "resource": v} for k, v in found.items() if v]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


async def ordered(outside: Any, body: dict[str, Any] | None = None) -> httpx.Response:
    response: httpx.Response = await outside.http.post(ORDERS, json=body or order())
    return response


async def listed(outside: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await outside.http.get("/pharmacy/debug/orders")).json()
    return found


async def test_the_drug_is_on_hand_after_the_lead_time(outside: Any) -> None:
    assert (await ordered(outside)).status_code == 201
    assert await outside.after(1.4) == 0
    assert await outside.after(0.2) == 1
    request, told = outside.carepod.received[0], outside.carepod.bodies()[0]
    get_fhir_model_class("MedicationDispense").model_validate(told)
    assert request.url.path == "/fhir/MedicationDispense"
    assert request.headers["if-none-exist"] == "identifier=urn:partners:pharmacy:dispense|RX0000001"
    assert request.headers["authorization"] == "Bearer a-token"
    assert told == {
        "resourceType": "MedicationDispense",
        "identifier": [{"system": "urn:partners:pharmacy:dispense", "value": "RX0000001"}],
        "status": "in-progress",
        "medicationCodeableConcept": {"coding": [{"code": "J1439"}]},
        "subject": {"reference": "Patient/p1"},
        "supportingInformation": [{"reference": "Appointment/sc-1"}],
        "authorizingPrescription": [{"reference": "MedicationRequest/m1"}],
        "quantity": {"value": 750, "unit": "mg"},
        "whenPrepared": "2026-11-21T15:00:01.600Z",
    }
    assert [(o["status"], o["answer"], o["attempts"]) for o in await listed(outside)] == [("on-hand", 200, 1)]


@pytest.mark.parametrize("version", ["1", None])
async def test_the_same_order_again_is_the_same_order(outside: Any, version: str | None) -> None:
    answers = [await ordered(outside, order(version)) for _ in range(3)]
    assert [a.status_code for a in answers] == [201, 200, 200]
    await outside.after(2)
    assert len(outside.carepod.received) == 1
    assert [o["received"] for o in await listed(outside)] == [3]


MOVED = {"start": "2026-12-02T15:00:00Z", "end": "2026-12-02T16:00:00Z"}


async def test_a_newer_version_at_the_same_time_is_the_same_order(outside: Any) -> None:
    await ordered(outside, order("1"))
    await outside.after(2)
    same = order("2", Appointment={"meta": {"versionId": "2"}, "start": "2026-12-01T09:00:00-06:00"})
    assert (await ordered(outside, same)).status_code == 200
    await outside.after(2)
    assert len(outside.carepod.received) == 1


async def test_a_moved_visit_replaces_what_is_not_ready(outside: Any) -> None:
    await ordered(outside, order("1"))
    await ordered(outside, order("2", Appointment={**MOVED, "meta": {"versionId": "2"}}))
    await outside.after(2)
    assert [(o["version"], o["status"]) for o in await listed(outside)] == [("1", "superseded"), ("2", "on-hand")]
    assert len(outside.carepod.received) == 1


async def test_a_visit_moved_after_its_drug_is_ready_is_an_order_of_its_own(outside: Any) -> None:
    await ordered(outside, order("1"))
    await outside.after(2)
    await ordered(outside, order("2", Appointment={**MOVED, "meta": {"versionId": "2"}}))
    await outside.after(2)
    numbers = [b["identifier"][0]["value"] for b in outside.carepod.bodies()]
    assert numbers == ["RX0000001", "RX0000002"]


async def test_a_visit_called_off_is_not_prepared(outside: Any) -> None:
    await ordered(outside)
    cancelled = await ordered(outside, order("2", Appointment={"status": "cancelled"}))
    again = await ordered(outside, order("3", Appointment={"status": "cancelled"}))
    assert [cancelled.status_code, again.status_code] == [200, 200]
    assert await outside.after(2) == 0
    assert [o["status"] for o in await listed(outside)] == ["cancelled"]


async def test_the_visit_alone_calls_an_order_off(outside: Any) -> None:
    await ordered(outside)
    alone = order("2", Appointment={"status": "cancelled"}, MedicationRequest=None, Patient=None)
    assert (await ordered(outside, alone)).status_code == 200
    assert [o["status"] for o in await listed(outside)] == ["cancelled"]


async def test_a_late_repeat_of_what_was_called_off_stays_called_off(outside: Any) -> None:
    await ordered(outside, order("1"))
    await ordered(outside, order("2", Appointment={"status": "cancelled"}))
    assert (await ordered(outside, order("1"))).status_code == 200
    assert await outside.after(2) == 0


async def test_a_visit_booked_again_is_prepared_again(outside: Any) -> None:
    await ordered(outside, order("1"))
    await ordered(outside, order("2", Appointment={"status": "cancelled"}))
    assert (await ordered(outside, order("3"))).status_code == 201
    await outside.after(2)
    assert len(outside.carepod.received) == 1


async def test_a_dispense_is_told_until_it_is_heard_and_never_differently(outside: Any) -> None:
    outside.carepod.answers = [httpx.ConnectError("down"), 503, 429, 401, 201]
    await ordered(outside)
    attempts = [await outside.after(seconds) for seconds in (1.5, 0.5, 1, 2, 4, 60)]
    assert attempts == [1, 1, 1, 1, 1, 0]
    bodies = outside.carepod.bodies()
    assert len(bodies) == 5
    assert all(b == bodies[0] for b in bodies)
    assert [(o["status"], o["attempts"]) for o in await listed(outside)] == [("on-hand", 5)]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412, 422])
async def test_a_refusal_is_recorded_and_not_repeated(outside: Any, status: int) -> None:
    outside.carepod.answers = [status]
    await ordered(outside)
    await outside.after(2)
    assert await outside.after(100) == 0
    assert [(o["status"], o["answer"]) for o in await listed(outside)] == [("refused", status)]


async def test_an_order_outlives_a_kill(start: Any) -> None:
    await ordered(start())
    restarted = start()
    assert await restarted.after(2) == 1
    assert len(restarted.carepod.received) == 1


async def test_a_medication_named_by_reference_is_named_in_the_dispense(outside: Any) -> None:
    contained = [{"resourceType": "Medication", "id": "drug", "code": {"text": "Ferric carboxymaltose"}}]
    body = order(MedicationRequest={"contained": contained, "medicationReference": {"reference": "#drug"}})
    prescription = body["entry"][1]["resource"]
    del prescription["medicationCodeableConcept"]
    prescription["dispenseRequest"] = {"quantity": {"value": 1, "unit": "vial"}}
    await ordered(outside, body)
    await outside.after(2)
    told = outside.carepod.bodies()[0]
    assert told["medicationCodeableConcept"] == {"text": "Ferric carboxymaltose"}
    assert told["quantity"] == {"value": 1, "unit": "vial"}


BAD = [
    order(Appointment={"status": "proposed"}),
    order(Appointment={"start": None, "end": None}),
    order(Patient=None),
    order(MedicationRequest=None),
    order(Appointment=None),
    order(MedicationRequest={"banana": 1}),
    {**order(), "type": "batch"},
]


@pytest.mark.parametrize("body", BAD)
async def test_what_is_no_order_is_refused(outside: Any, body: dict[str, Any]) -> None:
    answer = await ordered(outside, body)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert await listed(outside) == []


async def test_an_order_lost_after_storing_is_known_when_sent_again(outside: Any) -> None:
    await outside.http.post("/pharmacy/debug/fail", json={"operation": "orders", "kind": "504-after-store"})
    assert [(await ordered(outside)).status_code for _ in range(2)] == [504, 200]


async def test_the_listing_shows_nothing_of_the_patient(outside: Any) -> None:
    await ordered(outside)
    assert "Patient" not in json.dumps(await listed(outside))
