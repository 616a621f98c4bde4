"""The MedicationDispense a pharmacy writes for an order: what was prepared, for whom, on which prescription."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from partners.clock import instant

SYSTEM = "urn:partners:pharmacy:dispense"

Json = dict[str, Any]


def dispense(order: Json, number: str, at: datetime) -> Json:
    """A MedicationDispense with status in-progress (on hand) for an order Bundle. `number` is the pharmacy's own."""
    appointment, prescription = order_of(order, "Appointment"), order_of(order, "MedicationRequest")
    quantity = _quantity(prescription)
    return {
        "resourceType": "MedicationDispense",
        "identifier": [{"system": SYSTEM, "value": number}],
        "status": "in-progress",
        "medicationCodeableConcept": _medication(prescription, order),
        "subject": prescription["subject"],
        "supportingInformation": [{"reference": f"Appointment/{appointment['id']}"}],
        "authorizingPrescription": [{"reference": f"MedicationRequest/{prescription['id']}"}],
        "whenPrepared": instant(at),
    } | ({"quantity": quantity} if quantity else {})


def order_of(order: Json, kind: str) -> Json:
    """The resource of one kind in an order Bundle."""
    return next(e["resource"] for e in order["entry"] if e["resource"]["resourceType"] == kind)


def _medication(prescription: Json, order: Json) -> Json:
    if "medicationCodeableConcept" in prescription:
        concept: Json = prescription["medicationCodeableConcept"]
        return concept
    reference = prescription["medicationReference"]
    known = {f"#{r.get('id')}": r for r in prescription.get("contained", ())}
    known |= {f"Medication/{e['resource'].get('id')}": e["resource"] for e in order["entry"]}
    code: Json | None = known.get(reference.get("reference"), {}).get("code")
    return code or {"text": reference.get("display", "as prescribed")}


def _quantity(prescription: Mapping[str, Any]) -> Json | None:
    """The amount of one dispense, else of one dose."""
    if asked := prescription.get("dispenseRequest", {}).get("quantity"):
        return dict(asked)
    doses = (d for i in prescription.get("dosageInstruction", ()) for d in i.get("doseAndRate", ()))
    return next((dict(d["doseQuantity"]) for d in doses if "doseQuantity" in d), None)
