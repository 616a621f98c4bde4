"""An agency gets the Task with the order and the patient; what its answer means for the delivery."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from services.nursing.deliver_agency import AGENCY
from shared.core import Answer, Doubtful, Resource, TryLater
from shared.settings import ROOT, Site, load_site

BASE = "http://agency.test/agency/valley-home"
SITE = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://agency.test", base_url="http://us")
ORDER = {
    "resourceType": "ServiceRequest",
    "id": "in-o",
    "supportingInfo": [{"reference": "MedicationRequest/in-m"}, {"reference": "Observation/in-x"}],
}
KNOWN: dict[str, Resource] = {
    "in-o": ORDER,
    "in-m": {"resourceType": "MedicationRequest", "id": "in-m"},
    "in-x": {"resourceType": "Observation", "id": "in-x"},
    "in-p": {"resourceType": "Patient", "id": "in-p"},
}
TASK = {
    "resourceType": "Task",
    "id": "nu-5d9be3a4-2c11-5f68-8d7a-0c5a6b1e9f42",
    "status": "requested",
    "basedOn": [{"reference": "ServiceRequest/in-o"}],
    "for": {"reference": "Patient/in-p"},
    "owner": {"identifier": {"system": "https://carepod.example/id/agency", "value": "valley-home"}},
}


class Reading:
    """A store that knows a few resources."""

    def __init__(self, known: dict[str, Resource]) -> None:
        self._known = known

    async def read(self, resource_id: str) -> Resource | None:
        return self._known.get(resource_id)


@dataclass
class Going:
    """What a delivery may use outside; every partner gives a token."""

    http: httpx.AsyncClient
    site: Site = SITE

    async def token(self, partner: str) -> str:
        return f"token-of-{partner}"

    def now(self) -> datetime:
        return datetime(2026, 11, 30, tzinfo=UTC)


async def sent(task: dict[str, Any] = TASK, site: Site = SITE, known: dict[str, Resource] = KNOWN) -> Answer:
    async with httpx.AsyncClient() as http:
        return await AGENCY.send(task, Reading(known), Going(http, site))  # type: ignore[arg-type]


@respx.mock
async def test_an_agency_gets_the_task_the_order_the_prescription_and_the_patient_and_no_more() -> None:
    route = respx.post(f"{BASE}/visits").respond(201)
    assert (await sent()).reason == "agency-told"
    request = route.calls.last.request
    body = json.loads(request.content)
    assert request.headers["authorization"] == "Bearer token-of-agency-valley-home"
    assert body["identifier"] == {"system": "https://carepod.example/id/agency-visit", "value": TASK["id"]}
    kinds = [e["resource"]["resourceType"] for e in body["entry"]]
    assert kinds == ["Task", "ServiceRequest", "MedicationRequest", "Patient"]


@respx.mock
async def test_an_agency_gets_no_number_of_an_insurance_no_other_record_and_no_old_name() -> None:
    route = respx.post(f"{BASE}/visits").respond(201)
    ssn = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-11-2222"}
    link = {"other": {"reference": "Patient/in-another"}, "type": "seealso"}
    names = [{"use": "official", "family": "Now"}, {"use": "old", "family": "Before"}]
    insured = [{"reference": "Coverage/in-k", "identifier": {"value": "MEMBER-1"}}]
    await sent(
        known={
            "in-o": {**ORDER, "insurance": insured},
            "in-m": {"resourceType": "MedicationRequest", "id": "in-m", "insurance": insured},
            "in-p": {"resourceType": "Patient", "id": "in-p", "identifier": [ssn], "link": [link], "name": names},
        }
    )
    body = route.calls.last.request.content.decode()
    assert "Now" in body
    assert [w for w in ("999-11-2222", "in-another", "Before", "MEMBER-1", "Coverage/") if w in body] == []


@pytest.mark.parametrize(("status", "entries"), [("requested", 4), ("accepted", 4), ("cancelled", 1), ("rejected", 1)])
@respx.mock
async def test_who_does_not_come_gets_the_task_alone(status: str, entries: int) -> None:
    route = respx.post(f"{BASE}/visits").respond(200)
    await sent({**TASK, "status": status})
    body = json.loads(route.calls.last.request.content)
    assert len(body["entry"]) == entries
    assert body["entry"][0]["resource"] == {**TASK, "status": status}


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
@respx.mock
async def test_what_an_agency_refuses_is_its_answer(status: int) -> None:
    respx.post(f"{BASE}/visits").respond(status)
    assert (await sent()).reason == "agency-refused"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@respx.mock
async def test_an_agency_that_is_busy_or_broken_is_told_later(status: int) -> None:
    respx.post(f"{BASE}/visits").respond(status, headers={"Retry-After": "7"})
    with pytest.raises(TryLater) as later:
        await sent()
    assert later.value.after_seconds == 7


@respx.mock
async def test_an_agency_nobody_reaches_has_certainly_taken_nothing() -> None:
    respx.post(f"{BASE}/visits").mock(side_effect=httpx.ConnectError("down"))
    with pytest.raises(TryLater):
        await sent()


@respx.mock
async def test_nobody_knows_what_an_agency_that_broke_off_has_taken() -> None:
    respx.post(f"{BASE}/visits").mock(side_effect=httpx.ReadTimeout("late"))
    with pytest.raises(Doubtful):
        await sent()
    assert AGENCY.doubt == "idempotent"


@pytest.mark.parametrize("site", [replace(SITE, home=None), replace(SITE, home=replace(SITE.home, agencies=()))])  # type: ignore[type-var]
async def test_an_agency_the_practice_knows_no_more_counts_as_one_that_refused(site: Site) -> None:
    assert (await sent(site=site)).reason == "agency-refused"
