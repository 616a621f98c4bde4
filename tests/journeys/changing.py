"""A referral pushed again as its placer has changed it, and what the case and the payer hold then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import httpx

from benchmarks.cases import Template, mrn, patient_id, placer
from benchmarks.disturbed import Deployment
from benchmarks.harness import DESK, EHR
from benchmarks.truth import ready
from shared.clock import system_clock
from shared.core import Resource, reference
from tests.journeys.case import Case, case_of, entries
from tests.journeys.pushes import pushed

Change = Callable[[dict[str, Any]], None]
ORDER = "https://ehr.mercy.example/id/order"
MRN = "https://ehr.mercy.example/id/mrn"


async def push(deployment: Deployment, number: int, *changes: Change, again: int = 0, site: str = "riverside") -> None:
    """One referral of the patient as it stands now; `again` is an order anew, under identifiers of its own."""

    def changed(bundle: dict[str, Any]) -> None:
        bundle["timestamp"] = system_clock().isoformat()
        for change in changes:
            change(bundle)

    text = Template(system_clock().date(), changed=changed).referral(number, site).decode()
    for name in ("REF-", "SO-", "RX-") if again else ():
        text = text.replace(f'"{name}', f'"{again + 1}{name}')
    sender = deployment.sender()
    try:
        answer = await pushed(sender, f"{again + 1 if again else ''}{placer(number)}", text.encode(), "")
    finally:
        await sender.close()
    assert answer.answer["resourceType"] == "Bundle", answer.answer


def order_is(**elements: Any) -> Change:
    return lambda bundle: entries(bundle, "ServiceRequest")[0].update(elements)


def replacing(number: int) -> Change:
    """The order names the one it replaces by its business identifier."""
    named = f"ServiceRequest?identifier={ORDER}|SO-778120-{number:06d}"
    return order_is(replaces=[{"reference": named}])


def dose_is(milligrams: int) -> Change:
    def changed(bundle: dict[str, Any]) -> None:
        for instruction in entries(bundle, "MedicationRequest")[0]["dosageInstruction"]:
            instruction["doseAndRate"][0]["doseQuantity"]["value"] = milligrams

    return changed


def later_by(days: int) -> Change:
    def changed(bundle: dict[str, Any]) -> None:
        for order in entries(bundle, "ServiceRequest"):
            day = str(order["occurrencePeriod"]["start"])[:10]
            moved = (date.fromisoformat(day) + timedelta(days=days)).isoformat()
            order["occurrencePeriod"] = {"start": moved}

    return changed


def coverage_is(**elements: Any) -> Change:
    return lambda bundle: entries(bundle, "Coverage")[0].update(elements)


def another_member(identifier: Resource) -> Change:
    """The patient is insured under another number."""

    def changed(bundle: dict[str, Any]) -> None:
        coverage = entries(bundle, "Coverage")[0]
        typed = [{**coverage["identifier"][0], **identifier}]
        coverage.update(subscriberId=identifier["value"], identifier=typed)

    return changed


def diagnosis_is(code: str) -> Change:
    def changed(bundle: dict[str, Any]) -> None:
        for condition in entries(bundle, "Condition"):
            condition["code"]["coding"][0]["code"] = code

    return changed


def patient_is(**elements: Any) -> Change:
    return lambda bundle: entries(bundle, "Patient")[0].update(elements)


def merged_into(number: int) -> Change:
    """The patient's record is another one's now."""
    other = {"identifier": {"system": MRN, "value": mrn(number)}}
    return patient_is(active=False, link=[{"other": other, "type": "replaced-by"}])


def stay(number: int, status: str, **period: str) -> Resource:
    """A stay in hospital of the patient of one referral."""
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": "https://ehr.mercy.example/id/encounter", "value": f"E-{number}"}],
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": f"Patient/{patient_id(number)}"},
        "period": period,
    }


async def found(deployment: Deployment, query: str) -> list[Resource]:
    """What a search of the placer's system finds."""
    answer = await asked(deployment, "GET", query)
    return [e["resource"] for e in answer.json().get("entry", ())]


async def claims(deployment: Deployment, number: int) -> list[Any]:
    """What the payer holds of one patient: each Claim it was ever asked."""
    asked = {c["identifier"][0]["value"] for c in (await case_of(deployment, number)).of("Claim")}
    held = await deployment.debug("payer/prairie-health/debug/claims")
    return [c for c in held if c["identifier"]["value"] in asked]


def of_order(case: Case, status: str) -> list[Resource]:
    return [o for o in case.of("ServiceRequest") if (o["intent"], o["status"]) == ("filler-order", status)]


def told(case: Case, number: str) -> Resource:
    """The referral Task of one placer identifier."""
    tasks = case.tasks("referral")
    return next((t for t in tasks if any(i["value"] == number for i in t["identifier"])), {})


async def answered(deployment: Deployment, question: Resource, code: str) -> None:
    """A person of the practice answers which of two referrals go on."""
    answer = {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": code}]}
    said = {**question, "status": "completed", "output": [{"type": answer, "valueBoolean": True}]}
    await put(deployment, said)


def times(case: Case) -> list[tuple[str, str]]:
    """Each booked visit with its time."""
    return sorted((a["id"], a["start"]) for a in case.visits("booked"))


def is_unready(case: Case, requirement: str) -> bool:
    """Whether a requirement is not met for every booked visit."""
    found = [ready(a, requirement) for a in case.visits("booked")]
    return bool(found) and set(found) == {"unmet"}


async def asked(
    deployment: Deployment, method: str, place: str, body: Any = None, client: str = EHR, **headers: str
) -> httpx.Response:
    """One request of a client at our FHIR base; `place` is what stands behind it."""
    sender = deployment.sender(client)
    content = None if body is None else json.dumps(body)
    sent = {**await sender._headers(), "Content-Type": "application/fhir+json", **headers}
    async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
        answer = await http.request(method, f"{deployment.base_url}/fhir/{place}", content=content, headers=sent)
    await sender.close()
    return answer


async def put(deployment: Deployment, resource: Resource, client: str = DESK) -> None:
    """PUT of one resource as a client has it now."""
    answer = await asked(deployment, "PUT", reference(resource), resource, client)
    assert answer.status_code == 200, answer.text


async def patch(deployment: Deployment, place: str, *operations: Mapping[str, Any]) -> None:
    """A JSON Patch of one record by the placer's system."""
    answer = await asked(deployment, "PATCH", place, operations, **{"Content-Type": "application/json-patch+json"})
    assert answer.status_code == 200, answer.text


async def post(deployment: Deployment, resource: Resource) -> None:
    """POST of one resource by the placer's system."""
    sender = deployment.sender()
    try:
        body = json.dumps(resource).encode()
        answer = await sender.post(resource["resourceType"], body, f"/{resource['resourceType']}")
        assert answer.status in (200, 201), answer.answer
    finally:
        await sender.close()
