"""Says what of a chart may be cited to a payer by itself, and encloses the rest in a Bundle, which always may be.

Source: Da Vinci PAS 2.2.1, profile-claim (supportingInfo), extension-requestedService, profile-medicationrequest;
US Core 8.0.0, us-core-observation-lab, -condition-problems-health-concerns, -condition-encounter-diagnosis,
-medicationrequest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from services.auth.words import INFO_CANCELLED, PREFIX, UCUM, code_of
from shared.core import CANONICAL, Resource, derived_id, reference
from shared.fhir import definitions
from shared.fhir.outcomes import Issue, errors
from shared.fhir.profiles import Validator

PROFILES: Mapping[str, str] = {
    "Condition": "pas-condition",
    "Coverage": "pas-coverage",
    "DocumentReference": "pas-document",
    "Observation": "pas-observation",
    "Organization": "pas-organization",
    "Patient": "pas-beneficiary",
    "Practitioner": "pas-practitioner",
    "PractitionerRole": "pas-practitioner-role",
}
"""Resource type -> our profile of what is sent."""

CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
ORDERED = ("order", "original-order", "reflex-order", "filler-order", "instance-order")


def cited_by(claim: Resource) -> Iterator[Mapping[str, Any]]:
    """Every Reference of a Claim to a piece of evidence."""
    return (i["valueReference"] for i in claim.get("supportingInfo", ()) if "valueReference" in i)


def profile_of(resource: Resource) -> tuple[str, ...]:
    """The canonicals of what a resource has to meet where it stands in a Bundle by itself."""
    name = PROFILES.get(resource["resourceType"])
    return (f"{CANONICAL}StructureDefinition/{name}|1",) if name else ()


def is_whole(resource: Resource) -> bool:
    """Whether a resource, in the shape in which it is sent, may stand by itself.

    What it contains would have to meet US Core as well: of that only a Medication is known to, once it has a code.
    """
    kind = resource["resourceType"]
    if kind not in PROFILES and kind not in DEMANDS:
        return False
    known = all(c["resourceType"] == "Medication" and "code" in c for c in resource.get("contained", ()))
    said = known and all(demand(resource) for demand in DEMANDS.get(kind, ()))
    return said and not issues(resource, profile_of(resource))


def issues(resource: Resource, profiles: Iterable[str] = ()) -> list[Issue]:
    """Every reason why a resource may not be sent under these profiles."""
    return errors(_outward().check(resource, profiles))


@cache
def _outward() -> Validator:
    """Our profiles, and what only a request on its way to a payer says."""
    return Validator(definitions.carepod(), modifiers=(INFO_CANCELLED,))


def may_be_requested(prescription: Resource) -> bool:
    """Whether a prescription, as it is sent, may be named as the requested service: an active order, its times counted.

    Our filler order is none (its intent), nor is one whose doses end on a date (profile-datatype-timing).
    """
    is_order = (prescription.get("resourceType"), prescription.get("intent")) == ("MedicationRequest", "order")
    timings = (d.get("timing", {}).get("repeat", {}) for d in prescription.get("dosageInstruction", ()))
    dated = any("boundsPeriod" in t or "boundsRange" in t for t in timings)
    return is_order and prescription["status"] == "active" and not dated and is_whole(prescription)


def enclosed(evidence: Resource) -> dict[str, Any]:
    """A Bundle around a piece of evidence that may not be cited alone."""
    return {
        "resourceType": "Bundle",
        "id": derived_id(PREFIX, "Bundle", reference(evidence)),
        "type": "collection",
        "entry": [{"fullUrl": CANONICAL + reference(evidence), "resource": dict(evidence)}],
    }


# What US Core asks for besides


def _says_something(observation: Resource) -> bool:
    """A result, why there is none, or parts that have them (us-core-2)."""
    parts = ("component", "hasMember", "dataAbsentReason")
    return any(k.startswith("value") or k in parts for k in observation)


def _dated_to_the_day(observation: Resource) -> bool:
    """When it was measured is said, to the day at least (us-core-1, vs-1)."""
    at = observation.get("effectiveDateTime")
    return len(at) >= len("2000-01-01") if at is not None else "effectivePeriod" in observation


def _measured_in_ucum(observation: Resource) -> bool:
    """Whatever is coded is coded in UCUM (us-core-3, us-core-22)."""
    ranges = (r.get(k, {}) for r in observation.get("referenceRange", ()) for k in ("low", "high"))
    return all(q.get("system", UCUM) == UCUM for q in (observation.get("valueQuantity", {}), *ranges))


def _of_one_kind(condition: Resource) -> bool:
    """On the problem list, or the diagnosis of one encounter."""
    codes = [code_of(c, CONDITION_CATEGORY) for c in condition.get("category", ())]
    return codes.count("encounter-diagnosis") < 2


def _asked_for_by_somebody(prescription: Resource) -> bool:
    """An order says who gives it (us-core-21)."""
    return prescription.get("intent") not in ORDERED or "requester" in prescription


def _names_its_drug(prescription: Resource) -> bool:
    """By a code or a text, here or in the Medication inside it."""
    contained = (m for m in prescription.get("contained", ()) if m["resourceType"] == "Medication")
    return "medicationCodeableConcept" in prescription or any("code" in m for m in contained)


def _is_coded(resource: Resource) -> bool:
    return "code" in resource


DEMANDS: Mapping[str, tuple[Callable[[Resource], bool], ...]] = {
    "AllergyIntolerance": (_is_coded,),
    "Condition": (_of_one_kind,),
    "MedicationRequest": (_asked_for_by_somebody, _names_its_drug),
    "Observation": (_says_something, _dated_to_the_day, _measured_in_ucum),
}
"""Resource type -> what it must say beyond our profile, in order to be cited by itself."""
