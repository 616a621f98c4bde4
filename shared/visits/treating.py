"""What whoever treats a patient for us gets to know of him: a nursing agency, a pharmacy; what nobody needs stays here.

Source: 42 CFR 456.705(d) for what a pharmacy keeps of a patient (name, address, telephone number, birth date, gender);
45 CFR 164.514(d) for no more than is needed. Insurance numbers, links to other records and people beside him never go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, tzinfo
from typing import Any

from shared.core import Resource
from shared.visits.elements import EXTENSIONS, identifier, last_day

NOT_IN_USE = frozenset({"old", "maiden", "billing"})
"""Uses of a name, an address or a telecom by which nobody calls, visits or reaches the patient."""

OF_PRESCRIPTION = (
    "status", "statusReason", "intent", "category", "priority", "doNotPerform", "reportedBoolean",
    "medicationCodeableConcept", "authoredOn", "reasonCode", "courseOfTherapyType", "dosageInstruction", "substitution",
    "modifierExtension",
)  # fmt: skip
"""Elements of a MedicationRequest that go as they are."""

OF_ORDER = (
    "identifier", "basedOn", "status", "intent", "category", "priority", "code", "occurrencePeriod", "authoredOn",
    "performer", "locationCode", "reasonCode",
)  # fmt: skip
"""Elements of our own order that go as they are."""

OF_SUPPLY = (
    "initialFill", "dispenseInterval", "validityPeriod", "numberOfRepeatsAllowed", "quantity", "expectedSupplyDuration",
)  # fmt: skip
"""Elements of a dispenseRequest that go as they are."""

OF_MEDICATION = ("resourceType", "id", "code", "status", "form", "amount", "ingredient", "batch")
"""Elements of a contained Medication that go as they are."""

OF_NAME = ("use", "text", "family", "given", "prefix", "suffix", "period")
OF_TELECOM = ("system", "value", "use", "rank", "period")
OF_ADDRESS = (
    "use", "type", "text", "line", "city", "district", "state", "postalCode", "country", "period",
)  # fmt: skip


def for_treatment(resource: Resource, on: date, zone: tzinfo) -> dict[str, Any]:
    """A Patient, a MedicationRequest, our order or a visit, as it goes on a day to who treats the patient.

    Each keeps its id and the profile it is stored under. Raises KeyError for any other type: it does not go.
    """
    kept = SHAPES[resource["resourceType"]](resource, on, zone)
    meta = _only(resource.get("meta", {}), "versionId", "lastUpdated", "profile", "security")
    return {**_only(resource, "resourceType", "id"), **({"meta": meta} if meta else {}), **kept}


def _patient(patient: Resource, on: date, zone: tzinfo) -> dict[str, Any]:
    """Known by our own id; by the names, addresses and numbers in use, those at work only where there are no others."""
    names, telecoms, addresses = (
        [_only(v, *parts) for v in patient.get(element, ()) if _in_use(v, on, zone)]
        for element, parts in (("name", OF_NAME), ("telecom", OF_TELECOM), ("address", OF_ADDRESS))
    )
    return {
        "identifier": [identifier("patient", patient["id"])],
        **_some("name", names),
        **_some("telecom", _private(telecoms)),
        **_only(patient, "gender", "birthDate"),
        **_some("address", _private(addresses)),
        **_some("communication", [_only(c, "language", "preferred") for c in patient.get("communication", ())]),
    }


def _in_use(element: Mapping[str, Any], on: date, zone: tzinfo) -> bool:
    """Whether something is in use on a day, or will be."""
    last = last_day(element.get("period", {}).get("end"), zone)
    return element.get("use") not in NOT_IN_USE and (last is None or on <= last)


def _private(elements: list[Any]) -> list[Any]:
    return [e for e in elements if e.get("use") != "work"] or elements


def _prescription(prescription: Resource, on: date, zone: tzinfo) -> dict[str, Any]:
    """What is given, how, for what and by whose word; `contained` only the Medication."""
    supply = _only(prescription.get("dispenseRequest", {}), *OF_SUPPLY)
    return {
        **_some("contained", _drugs(prescription)),
        **_only(prescription, *OF_PRESCRIPTION),
        **_cited(prescription, "medicationReference", "reference", "display"),
        **_cited(prescription, "subject", "reference"),
        **_cited(prescription, "requester", "reference", "identifier", "display"),
        **_some("note", [_only(n, "time", "text") for n in prescription.get("note", ())]),
        **({"dispenseRequest": supply} if supply else {}),
    }


def _drugs(prescription: Resource) -> list[Any]:
    return [_only(c, *OF_MEDICATION) for c in prescription.get("contained", ()) if c["resourceType"] == "Medication"]


def _order(order: Resource, on: date, zone: tzinfo) -> dict[str, Any]:
    """What is asked for, why, from when and by whom; of what it rests on, the prescription."""
    cited = [i for i in order.get("supportingInfo", ()) if i.get("reference", "").startswith("MedicationRequest/")]
    reasons = [_only(r, "reference", "display") for r in order.get("reasonReference", ())]
    return {
        **_only(order, *OF_ORDER),
        **_cited(order, "subject", "reference"),
        **_cited(order, "requester", "reference", "identifier", "display"),
        **_some("reasonReference", reasons),
        **_some("supportingInfo", [_only(i, "reference") for i in cited]),
    }


def _visit(appointment: Resource, on: date, zone: tzinfo) -> dict[str, Any]:
    """As it stands, without what it waits for and who has said what about that."""
    kept = {k: v for k, v in appointment.items() if k not in ("meta", "extension")}
    readiness = EXTENSIONS + "visit-readiness"
    return {**kept, **_some("extension", [e for e in appointment.get("extension", ()) if e["url"] != readiness])}


SHAPES: Mapping[str, Callable[[Resource, date, tzinfo], dict[str, Any]]] = {
    "Appointment": _visit,
    "MedicationRequest": _prescription,
    "Patient": _patient,
    "ServiceRequest": _order,
}
"""Resource type -> its shape, on a day, in a time zone."""


# Parts


def _only(element: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {n: element[n] for n in names if n in element}


def _some(element: str, values: list[Any]) -> dict[str, Any]:
    return {element: found} if (found := [v for v in values if v]) else {}


def _cited(resource: Resource, element: str, *parts: str) -> dict[str, Any]:
    """A Reference with these parts of it, where it leads to nothing contained that does not go along."""
    cited = _only(resource.get(element, {}), *parts)
    inside = {f"#{drug.get('id')}" for drug in _drugs(resource)}
    if str(cited.get("reference", "")).startswith("#") and cited["reference"] not in inside:
        del cited["reference"]
    return {element: cited} if cited else {}
