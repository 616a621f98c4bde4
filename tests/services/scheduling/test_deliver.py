"""What the pharmacy is told, when, and what its answers mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from services.scheduling.deliver import due, send
from shared.core import Answer, Doubtful, Resource, TryLater
from shared.settings import Site
from tests.services.scheduling.patient import PRACTICE, booked, held

ORDERS = "http://pharmacy.test/orders"


@dataclass
class Pharmacy:
    """`ports.Outside` with a real client whose wire is respx."""

    site: Site
    http: httpx.AsyncClient

    async def token(self, partner: str) -> str:
        return f"token-of-{partner}"

    def now(self) -> datetime:
        return datetime(2026, 10, 21, 7, 27, tzinfo=UTC)


async def told(status: str = "booked", **known: Any) -> Answer:
    world = await booked()
    world.resources["in-p"] = {"resourceType": "Patient", "id": "in-p", **known}
    visit = {**world.appointments()[0], "status": status}
    async with httpx.AsyncClient() as client:
        return await send(visit, world, Pharmacy(PRACTICE, client))  # type: ignore[arg-type]


@respx.mock
async def test_the_pharmacy_gets_the_visit_its_prescription_and_its_patient() -> None:
    route = respx.post(ORDERS).respond(200)
    assert await told() == Answer("pharmacy-told")
    request = route.calls.last.request
    bundle = json.loads(request.content)
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    kinds = [e["resource"]["resourceType"] for e in bundle["entry"]]
    assert kinds == ["Appointment", "MedicationRequest", "Patient"]
    assert bundle["identifier"]["value"] == bundle["entry"][0]["resource"]["id"]


@respx.mock
async def test_the_pharmacy_gets_nobody_elses_number_and_not_why_a_visit_waits() -> None:
    route = respx.post(ORDERS).respond(200)
    await told(identifier=[{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-11-2222"}])
    body = route.calls.last.request.content.decode()
    assert "999-11-2222" not in body
    assert "visit-readiness" not in body


@respx.mock
async def test_a_visit_called_off_goes_to_the_pharmacy_alone() -> None:
    route = respx.post(ORDERS).respond(200)
    assert await told("cancelled") == Answer("pharmacy-told")
    entries = json.loads(route.calls.last.request.content)["entry"]
    assert [e["resource"]["resourceType"] for e in entries] == ["Appointment"]


@respx.mock
@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_a_refusal_is_an_answer(status: int) -> None:
    respx.post(ORDERS).respond(status)
    assert await told() == Answer("pharmacy-refused")


@respx.mock
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_an_overload_or_a_fault_is_tried_later(status: int) -> None:
    respx.post(ORDERS).respond(status, headers={"Retry-After": "7"})
    with pytest.raises(TryLater) as later:
        await told()
    assert later.value.after_seconds == 7


@respx.mock
@pytest.mark.parametrize("said, seconds", [("Wed, 21 Oct 2026 07:28:00 GMT", 60), ("soon", None)])
async def test_a_retry_after_may_be_a_date_and_anything_else_counts_as_none(said: str, seconds: int | None) -> None:
    respx.post(ORDERS).respond(503, headers={"Retry-After": said})
    with pytest.raises(TryLater) as later:
        await told()
    assert later.value.after_seconds == seconds


@respx.mock
async def test_a_pharmacy_never_reached_is_tried_later_and_one_that_fell_silent_is_in_doubt() -> None:
    respx.post(ORDERS).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(TryLater):
        await told()
    respx.post(ORDERS).mock(side_effect=httpx.ReadTimeout("silent"))
    with pytest.raises(Doubtful):
        await told()


async def test_a_visit_is_told_when_it_is_booked_once_a_start() -> None:
    pending = (await held()).appointments()[0]
    visit = (await booked()).appointments()[0]
    assert due(None, pending) is None
    assert due(pending, visit) == visit["start"]
    assert due(None, visit) == visit["start"]
    assert due(visit, {**visit, "extension": []}) is None
    moved = {**visit, "start": "2026-12-02T08:00:00-06:00"}
    assert due(visit, moved) == moved["start"]


async def test_a_visit_is_called_off_only_where_it_was_told() -> None:
    pending = (await held()).appointments()[0]
    visit = (await booked()).appointments()[0]
    assert due(visit, _cancelled(visit)) == f"{visit['start']}/cancelled"
    assert due(pending, _cancelled(pending)) is None
    assert due(_cancelled(visit), _cancelled(visit)) is None
    assert due(None, {"resourceType": "Task", "id": "sc-1", "status": "cancelled"}) is None


def _cancelled(appointment: Resource) -> Resource:
    return {**appointment, "status": "cancelled"}
