"""Deliveries to a patient's home: how much is sent at once, when it arrives, and what is written of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from partners.clock import instant
from partners.pharmacy.dispense import dispense, order_of

SYSTEM = "urn:partners:pharmacy:delivery"
IDS = "https://carepod.example/id/"
FHIR = "https://carepod.example/fhir/"

Json = dict[str, Any]

STARTING = frozenset({"assessment", "teach"})

_DAYS: Mapping[str, float] = {"h": 1 / 24, "d": 1, "wk": 7, "mo": 30}


@dataclass(frozen=True, slots=True)
class Amount:
    """What is sent for one visit: for so many days (None: one dose), so many doses."""

    days: int | None
    doses: int


def is_home(appointment: Json) -> bool:
    """Whether a visit is one to the patient's home."""
    codings = (c for concept in appointment.get("serviceCategory", ()) for c in concept.get("coding", ()))
    return any(
        c.get("system") == f"{FHIR}CodeSystem/appointment-kind" and c.get("code") == "home-visit" for c in codings
    )


def promised(order: Json, at: datetime, lead_time: timedelta) -> datetime:
    """When a delivery arrives: as soon as it can, but on no day so early that its last dose is too old."""
    keeps = _beyond_use_days(order_of(order, "MedicationRequest"))
    before = _table()["dose_arrives_days_before"] if keeps is None else keeps - _planned(keeps)
    if _starts_care(order):
        before += _table()["first_arrives_days_earlier"]
    midnight = _visit(order).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(at + lead_time, (midnight - timedelta(days=before)).astimezone(UTC))


def amount(order: Json, at: datetime) -> Amount:
    """A week of a drug mixed ready to use, or less where it would grow too old, handed over at `at`; else one dose."""
    keeps = _beyond_use_days(order_of(order, "MedicationRequest"))
    if keeps is None:
        return Amount(None, 1)
    visit = _visit(order)
    early = max(0, (visit.date() - at.astimezone(visit.tzinfo).date()).days)
    days = max(1, min(_planned(keeps), keeps - early))
    return Amount(days, max(1, math.ceil(days * _doses_a_day(order_of(order, "MedicationRequest")))))


def _planned(keeps: int) -> int:
    """Days a delivery is planned to last: a week, or a day less than the drug keeps."""
    return max(1, min(int(_table()["cycle_days"]), keeps - 1))


def _starts_care(order: Json) -> bool:
    """Whether a visit is the one care begins with: then nobody waits for the next round of deliveries."""
    listed = (c for kind in order_of(order, "Appointment").get("serviceType", ()) for c in kind.get("coding", ()))
    return any(c.get("system") == f"{FHIR}CodeSystem/home-visit-kind" and c.get("code") in STARTING for c in listed)


def _visit(order: Json) -> datetime:
    return datetime.fromisoformat(order_of(order, "Appointment")["start"])


def handed_over(order: Json, number: str, at: datetime, *, delivered: bool) -> Json:
    """The MedicationDispense of a delivery: completed once handed over at home, stopped where nobody was there."""
    found, sent = dispense(order, number, at), amount(order, at)
    ended: Json = {"status": "completed", "whenHandedOver": instant(at)} if delivered else _STOPPED
    supply: Json = {"daysSupply": _quantity(sent.days, "d")} if sent.days else {}
    dose: Json = {"quantity": _times(found["quantity"], sent.doses)} if "quantity" in found else {}
    return {**found, **dose, **supply, **ended, "destination": {"display": "home of the patient"}}


_STOPPED: Json = {"status": "stopped", "statusReasonCodeableConcept": {"text": "nobody could take it at home"}}


def supplies(order: Json, number: str, at: datetime, status: str) -> Json:
    """The SupplyDelivery of a delivery: in-progress when promised, completed on arrival, abandoned when given up."""
    appointment, prescription = order_of(order, "Appointment"), order_of(order, "MedicationRequest")
    placed = {"system": f"{IDS}pharmacy-order", "value": appointment["id"]}
    prescribed = {"reference": f"MedicationRequest/{prescription['id']}"}
    return {
        "resourceType": "SupplyDelivery",
        "extension": [{"url": f"{FHIR}StructureDefinition/delivered-for", "valueReference": prescribed}],
        "identifier": [{"system": SYSTEM, "value": number}],
        "basedOn": [{"type": "SupplyRequest", "identifier": placed}],
        "status": status,
        "patient": prescription["subject"],
        "suppliedItem": {
            "quantity": {"value": amount(order, at).doses},
            "itemCodeableConcept": {"text": "infusion supplies, one set a dose"},
        },
        "occurrenceDateTime": instant(at),
        "destination": {"display": "home of the patient"},
    }


def _doses_a_day(prescription: Json) -> float:
    """How often a day the first instruction says; once where it does not."""
    repeat: Json = next((d["timing"]["repeat"] for d in prescription.get("dosageInstruction", ()) if _timed(d)), {})
    period = float(repeat.get("period", 1)) * _DAYS.get(repeat.get("periodUnit", "d"), 1)
    return float(repeat.get("frequency", 1)) / period if period else 1.0


def _timed(instruction: Json) -> bool:
    return "repeat" in instruction.get("timing", {})


def _beyond_use_days(prescription: Json) -> int | None:
    """How long the prescribed drug keeps, found by the names the prescription gives it."""
    told = _names(prescription.get("medicationCodeableConcept") or prescription.get("medicationReference") or {})
    contained = (_names(r.get("code", {})) for r in prescription.get("contained", ()))
    words = " ".join([told, *contained]).lower()
    return next((int(days) for name, days in _table()["beyond_use_days"].items() if name in words), None)


def _names(concept: Json) -> str:
    told = [concept.get("text", ""), concept.get("display", "")]
    return " ".join(told + [c.get("display", "") + " " + c.get("code", "") for c in concept.get("coding", ())])


def _times(quantity: Json, doses: int) -> Json:
    return {**quantity, "value": quantity["value"] * doses} if "value" in quantity else quantity


def _quantity(value: int | None, code: str) -> Json:
    return {"value": value, "system": "http://unitsofmeasure.org", "code": code}


@cache
def _table() -> Json:
    found: Json = yaml.safe_load(Path(__file__).with_name("stability.yaml").read_text(encoding="utf-8"))
    return found
