"""Small resources that invariants are tried on."""

from __future__ import annotations

from typing import Any

PATIENT = {"reference": "Patient/1"}
CONCEPT = {"text": "a"}
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"


def observation(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": CONCEPT, **elements}


def appointment(status: str, **elements: Any) -> dict[str, Any]:
    someone = {"actor": PATIENT, "status": "accepted"}
    return {"resourceType": "Appointment", "status": status, "participant": [someone], **elements}


def bundle(type_: str, *entries: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, **({"entry": list(entries)} if entries else {}), **elements}


def condition(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "subject": PATIENT, **elements}


def allergy(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "AllergyIntolerance", "patient": PATIENT, **elements}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def task(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "status": "requested", "intent": "order", **elements}


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **elements}


def order(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": PATIENT, **elements}


def timing(**elements: Any) -> dict[str, Any]:
    return order(occurrenceTiming={"repeat": elements})


def period(start: str, end: str) -> dict[str, Any]:
    return order(occurrencePeriod={"start": start, "end": end})


def limits(low: Any, high: Any) -> dict[str, Any]:
    return order(quantityRange={"low": low, "high": high})


def holding(contained: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return patient(contained=[contained], generalPractitioner=[{"reference": "#c"}], **elements)


ORG = {"resourceType": "Organization", "id": "c", "name": "a"}
GET = {"method": "GET", "url": "Patient/a"}
OK = {"status": "200"}
PERSON = {"resource": {"resourceType": "Patient", "id": "a"}}
URL = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
ENTRY = PERSON | {"fullUrl": URL}
VERSIONED = {"resource": {"resourceType": "Patient", "meta": {"versionId": "2"}}, "fullUrl": URL}
HEADER = {"resourceType": "MessageHeader", "eventUri": "a:b", "source": {"endpoint": "http://a"}}
LETTER = {
    "resourceType": "Composition",
    "status": "final",
    "type": CONCEPT,
    "date": "2026",
    "author": [{"display": "a"}],
    "title": "a",
}
DOCUMENT = {"identifier": {"system": "a:b", "value": "1"}, "timestamp": "2026-11-21T00:00:00Z"}
LOINC = {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}
