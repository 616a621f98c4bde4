"""Good resources, as rich as the mutants made of them need."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>An order</p></div>'
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
UCUM = "http://unitsofmeasure.org"


def order() -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": "in-1",
        "meta": {
            "versionId": "1",
            "lastUpdated": "2026-11-20T09:30:00.123-06:00",
            "profile": ["https://example.org/p"],
        },
        "language": "en-US",
        "text": {"status": "generated", "div": DIV},
        "contained": [
            {
                "resourceType": "Organization",
                "id": "site",
                "name": "Riverside",
                "telecom": [{"system": "phone", "value": "1"}],
            }
        ],
        "extension": [
            {
                "url": "https://example.org/weight",
                "valueQuantity": {"value": Decimal("71.50"), "system": UCUM, "code": "kg"},
            },
            {"url": "https://example.org/dose", "extension": [{"url": "number", "valuePositiveInt": 1}]},
            {
                "url": "https://example.org/unknown",
                "_valueString": {"extension": [{"url": "u", "valueCode": "unknown"}]},
            },
        ],
        "identifier": [
            {"system": "urn:oid:1.2.3", "value": "A-1", "period": {"start": "2026-11-01", "end": "2026-12-01"}}
        ],
        "basedOn": [{"reference": "MedicationRequest/1"}],
        "status": "active",
        "intent": "order",
        "category": [
            {"coding": [{"system": "http://snomed.info/sct", "code": "1", "userSelected": True}], "text": "iron"}
        ],
        "priority": "routine",
        "doNotPerform": False,
        "code": {"coding": [{"system": HCPCS, "code": "J1439"}]},
        "quantityQuantity": {"value": 750, "comparator": "<=", "unit": "mg", "system": UCUM, "code": "mg"},
        "subject": {"reference": "Patient/1", "type": "Patient"},
        "occurrenceTiming": {
            "event": ["2026-12-01", "2026-12-08T10:00:00Z"],
            "repeat": {"frequency": 1, "period": Decimal("7"), "periodUnit": "d", "timeOfDay": ["09:00:00"]},
        },
        "authoredOn": "2026-11-19T14:00:00-06:00",
        "_authoredOn": {"extension": [{"url": "https://example.org/by", "valueString": "clerk"}]},
        "requester": {"reference": "https://ehr.example.org/fhir/PractitionerRole/7", "display": "Dr"},
        "performer": [{"reference": "#site"}],
        "reasonReference": [{"reference": "Condition/1"}],
        "insurance": [{"identifier": {"system": "https://example.org/id", "value": "1"}, "type": "Coverage"}],
        "note": [{"authorString": "clerk", "time": "2026-11-19", "text": "first visit"}],
    }


def patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "name": [
            {"use": "official", "family": "Doe", "given": ["Ann", None], "_given": [None, {"extension": [ABSENT]}]}
        ],
        "gender": "female",
        "_gender": {"id": "g"},
        "birthDate": "1980-02-29",
        "multipleBirthInteger": 2,
        "contact": [{"relationship": [{"text": "sister"}], "name": {"family": "Roe"}}],
        "communication": [{"language": {"text": "English"}, "preferred": True}],
        "generalPractitioner": [{"reference": "Practitioner/1"}],
        "link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}],
        "photo": [{"contentType": "image/png", "data": "iVBORw0KGgo="}],
    }


ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


def observation() -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2276-4"}]},
        "subject": {"reference": "urn:uuid:0b6c5f2e-26a5-4b0f-8f1c-1f2a3b4c5d6e"},
        "effectiveDateTime": "2026-11",
        "issued": "2026-11-02T08:00:00Z",
        "valueQuantity": {"value": Decimal("12.10"), "unit": "ng/mL", "system": UCUM, "code": "ng/mL"},
        "referenceRange": [{"low": {"value": 30}, "high": {"value": 400}}],
        "component": [
            {"code": {"text": "part"}, "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 2}}}
        ],
    }


def task() -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "for": {"reference": "Patient/1"},
        "authoredOn": "2026-11-20",
        "lastModified": "2026-11-21",
        "input": [{"type": {"text": "order"}, "valueUrl": "https://example.org/a"}],
        "output": [{"type": {"text": "number"}, "valueString": "1"}],
    }


def bundle() -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:0b6c5f2e-26a5-4b0f-8f1c-1f2a3b4c5d6e",
                "resource": patient(),
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "fullUrl": "urn:uuid:1b6c5f2e-26a5-4b0f-8f1c-1f2a3b4c5d6e",
                "resource": observation(),
                "request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=a|b"},
            },
        ],
    }


GOOD = {"ServiceRequest": order, "Task": task, "Patient": patient, "Observation": observation, "Bundle": bundle}
