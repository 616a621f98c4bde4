"""A patient on antibiotics or immune globulin at home, as intake sends him, and the visits nursing holds for him."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from shared.core import CANONICAL
from tests.services.auth.journey import Journey
from tests.services.auth.patient import START, coded, condition, coverage, medication, order, patient

HOME = [coded(CANONICAL + "CodeSystem/site-of-care", "home")]
VANCOMYCIN = ("vancomycin", "J3373")
GAMUNEX = ("gamunex-c", "J1561")


def vancomycin(days: int = 42, hours: int = 12) -> dict[str, Any]:
    """1,250 mg every so many hours from the start, for so many days."""
    bounds = {"start": START.isoformat(), "end": (START + timedelta(days=days - 1)).isoformat()}
    return _prescribed(1250, {"boundsPeriod": bounds, "frequency": 1, "period": hours, "periodUnit": "h"})


def gamunex(doses: int = 6) -> dict[str, Any]:
    """30 g every four weeks."""
    return _prescribed(30000, {"count": doses, "frequency": 1, "period": 28, "periodUnit": "d"})


def _prescribed(milligrams: int, repeat: dict[str, Any]) -> dict[str, Any]:
    given = medication(milligrams)
    (instruction,) = given["dosageInstruction"]
    return {**given, "dosageInstruction": [{**instruction, "timing": {"repeat": repeat}}]}


def note() -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": "in-note",
        "status": "current",
        "type": coded("http://loinc.org", "18842-5"),
        "subject": {"reference": "Patient/in-p"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aXJvbg=="}}],
    }


def creatinine(value: Any = 1, on: date = START - timedelta(days=3)) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "in-creatinine",
        "status": "final",
        "code": coded("http://loinc.org", "2160-0"),
        "subject": {"reference": "Patient/in-p"},
        "effectiveDateTime": f"{on}T08:00:00-06:00",
        "valueQuantity": {
            "value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL",
        },
    }  # fmt: skip


def prognosis(code: str = "4") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "in-prognosis",
        "status": "final",
        "code": coded("http://loinc.org", "75328-5"),
        "subject": {"reference": "Patient/in-p"},
        "valueCodeableConcept": coded("https://codesystem.x12.org/005010/923", code),
    }


def opat(payer: str = "prairie-health", prescribed: dict[str, Any] | None = None, **changes: Any) -> list[Any]:
    """A referral for vancomycin at home."""
    ordered = order(VANCOMYCIN, **({"locationCode": HOME} | changes))
    received = (condition("anemia", "M46.26"), prescribed or vancomycin(), note(), creatinine())
    return [ordered, patient(), coverage(payer), *received]


def ivig(payer: str = "original-medicare", diagnosis: str = "D83.9", **changes: Any) -> list[Any]:
    """A referral for immune globulin at home."""
    ordered = order(GAMUNEX, **({"locationCode": HOME} | changes))
    igg = {**creatinine(178), "id": "in-igg", "code": coded("http://loinc.org", "2465-3")}
    return [ordered, patient(), coverage(payer), condition("anemia", diagnosis), gamunex(), creatinine(), igg]


def visit(kind: str, number: int, status: str = "pending", hold: int = 1, on: date = START, key: str = "") -> Any:
    """An Appointment as nursing holds it, at ten in the morning."""
    dose = [{"url": "number", "valuePositiveInt": number}]
    held = [{"url": "number", "valuePositiveInt": hold}]
    return {
        "resourceType": "Appointment",
        "id": f"nu-{key or kind}-{number}",
        "extension": [
            {"url": CANONICAL + "StructureDefinition/dose", "extension": dose},
            {"url": CANONICAL + "StructureDefinition/hold", "extension": held},
        ],
        "status": status,
        "serviceCategory": [coded(CANONICAL + "CodeSystem/appointment-kind", "home-visit")],
        "serviceType": [coded(CANONICAL + "CodeSystem/home-visit-kind", kind)],
        "basedOn": [{"reference": "ServiceRequest/in-order"}],
        "start": f"{on}T10:00:00-06:00",
        "participant": [{"actor": {"reference": "Patient/in-p"}, "status": "accepted"}],
    }


def units(journey: Journey, kind: str = "units") -> dict[str, int]:
    """Code -> units the Task tells."""
    return {q["code"]: int(q["value"]) for q in journey.outputs(kind)}


def asked(journey: Journey) -> dict[str, int]:
    """Code -> units the one Claim asks for."""
    items = journey.one("Claim")["item"]
    return {i["productOrService"]["coding"][0]["code"]: int(i["quantity"]["value"]) for i in items}


def benefits(journey: Journey) -> list[str]:
    """Which benefit pays drug, nursing and supplies."""
    parts = ("drug", "nursing", "supplies")
    return [journey.outputs(f"benefit-{p}")[0]["coding"][0]["code"] for p in parts]


def answers(journey: Journey) -> Iterable[str]:
    """The answers to held times, in the order they stand on the Task."""
    found = (o for o in journey.task.get("output", ()) if o["type"]["coding"][0]["code"] == "hold-answer")
    parts = (o["extension"][0]["extension"] for o in found)
    return [next(p["valueCode"] for p in told if p["url"] == "answer") for told in parts]
