"""Gives every resource that goes to a payer the shape PAS demands, with no more of a person than the payer needs.

Source: Da Vinci Prior Authorization Support 2.2.1, profile-beneficiary, -subscriber, -coverage, -practitioner,
-practitionerrole, -organization; US Core 8.0.0, which these build on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.auth.criteria.findings import LOINC
from services.auth.wire.claims import TERMINOLOGY, X12
from services.auth.words import NPI, PATIENT_ID, PREFIX, code_of, concept, member_number, target
from shared.core import Resource, derived_id, reference

Known = Mapping[str, Resource]

IDENTIFIER_TYPE = TERMINOLOGY + "v2-0203"
RELATIONSHIP = TERMINOLOGY + "subscriber-relationship"
COVERAGE_CLASS = TERMINOLOGY + "coverage-class"
SELF = {"system": X12 + "1069", "code": "18"}
DOCUMENT_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
OBSERVATION_CATEGORY = TERMINOLOGY + "observation-category"
VITAL_SIGNS = {
    "85353-1", "9279-1", "8867-4", "2708-6", "8310-5", "8302-2", "9843-4", "29463-7", "39156-5", "85354-9", "8480-6",
    "8462-4",
}  # fmt: skip
"""LOINC codes of which R4 (observation-vitalsigns) says that they are vital signs."""

FORMATS = {
    NPI: re.compile(r"[0-9]{10}"),
    "urn:oid:2.16.840.1.113883.4.7": re.compile(r"[0-9]{2}D[0-9]{7}"),
    "urn:oid:2.16.840.1.113883.6.300": re.compile(r"[0-9]{5}"),
}
"""How the identifiers look that US Core knows: NPI, CLIA and NAIC (us-core-16, -18, -19)."""


def shaped(resource: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """A resource in its shape, without profiles, versions and narrative; `available` are all that may be cited."""
    shape = SHAPES.get(resource["resourceType"])
    found = shape(resource, available, insurer) if shape else resource
    kept = {k: v for k, v in found.items() if k not in ("resourceType", "id", "meta", "text")}
    return {"resourceType": resource["resourceType"], "id": resource["id"], **kept}


def as_patient(person: Resource) -> dict[str, Any]:
    """A RelatedPerson as the Patient PAS wants a subscriber to be."""
    return {**person, "resourceType": "Patient", "id": derived_id(PREFIX, "Patient", reference(person))}


def _patient(patient: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With a record number and a gender; a birth date only where it is whole.

    No other number of a person: what this payer calls the member is said by the Coverage, the rest is not its concern.
    """
    own = {"system": PATIENT_ID, "value": patient["id"]}
    born = patient.get("birthDate", "")
    records = [i for i in _identifiers(patient) if code_of(i.get("type"), IDENTIFIER_TYPE) == "MR"]
    return {
        "identifier": records or [own],
        **_some("name", _names(patient, "family", "given")),
        **_some("telecom", _having(patient, "telecom", "system", "value")),
        "gender": patient.get("gender", "unknown"),
        **({"birthDate": born} if len(born) == len("2000-01-01") else {}),
        **_only(patient, "address"),
    }


def _coverage(coverage: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With one member identifier, the relationship to the subscriber, and the payer as its payor."""
    identifiers = [_bare(i) for i in coverage.get("identifier", ())]
    of_members = [i for i in identifiers if code_of(i.get("type"), IDENTIFIER_TYPE) == "MB"]
    members = [i for i in of_members if "value" in i]
    number = member_number(coverage)
    if not members and number is not None:
        members = [{"type": concept(IDENTIFIER_TYPE, "MB"), "value": number}]
    return {
        **_some("identifier", [*members[:1], *(i for i in identifiers if i not in of_members)]),
        **_only(coverage, "status", "type"),
        **_subscriber(coverage, available),
        **_only(coverage, "subscriberId", "beneficiary", "dependent"),
        "relationship": _relationship(coverage),
        **_only(coverage, "period"),
        "payor": [{"reference": reference(insurer)}],
        **_some("class", list(_classes(coverage))),
        **_only(coverage, "order"),
    }


def _subscriber(coverage: Resource, available: Known) -> dict[str, Any]:
    """The subscriber as a Patient; one that is not known is left out."""
    found = available.get(target(coverage.get("subscriber")) or "")
    if found is None or found["resourceType"] not in ("Patient", "RelatedPerson"):
        return {}
    person = found if found["resourceType"] == "Patient" else as_patient(found)
    return {"subscriber": {"reference": reference(person)}}


def _relationship(coverage: Resource) -> dict[str, Any]:
    """As received; unsaid, the beneficiary is the subscriber unless another is named. `self` also in X12's code."""
    subscriber = target(coverage.get("subscriber"))
    own = subscriber is None or subscriber == target(coverage["beneficiary"])
    said: Mapping[str, Any] = coverage.get("relationship") or concept(RELATIONSHIP, "self" if own else "other")
    if code_of(said, RELATIONSHIP) != "self" or code_of(said, SELF["system"]) is not None:
        return dict(said)
    return {**said, "coding": [*said["coding"], SELF]}


def _classes(coverage: Resource) -> Iterable[Mapping[str, Any]]:
    """The first group and the first plan (US Core allows one each), and whatever else there is."""
    seen = set()
    for each in coverage.get("class", ()):
        code = code_of(each.get("type"), COVERAGE_CLASS)
        if code not in seen or code not in ("group", "plan"):
            yield each
        seen.add(code)


def _organization(organization: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    return {
        **_some("identifier", _one_each(_identifiers(organization))),
        "active": organization.get("active", True),
        **_only(organization, "type", "name"),
        **_some("telecom", _having(organization, "telecom", "system", "value")),
    }


def _practitioner(practitioner: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    return {
        **_some("identifier", _one_each(_identifiers(practitioner))),
        **_some("name", _names(practitioner, "family")),
        **_some("telecom", _having(practitioner, "telecom", "system", "value")),
    }


def _role(role: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With a telecom (pd-1): its own, else the practitioner's, else the organization's."""
    cited = (available.get(target(role.get(k)) or "", {}) for k in ("practitioner", "organization"))
    telecom = next((t for r in (role, *cited) if (t := _having(r, "telecom", "system", "value"))), [])
    return {**_only(role, "practitioner", "organization", "code", "specialty"), **_some("telecom", telecom)}


def _document(document: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With the one category US Core 8.0.0 knows, where its author gave none, and no address only we can read."""
    content = [{**c, "attachment": _attachment(c["attachment"])} for c in document["content"]]
    category = document.get("category") or [concept(DOCUMENT_CATEGORY, "clinical-note")]
    return {**document, "category": category, "content": content}


def _attachment(attachment: Mapping[str, Any]) -> dict[str, Any]:
    """Without its address where the content is inside, or where that leads only to us and something else is said."""
    kept = {k: v for k, v in attachment.items() if k not in ("url", "_url")}
    elsewhere = "data" not in attachment and ":" in attachment.get("url", "")
    return dict(attachment) if elsewhere or not kept else kept


def _prescription(prescription: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """Of insurance only which Coverage: a number or a name may be another plan's."""
    coverages = [{"reference": literal} for i in prescription.get("insurance", ()) if (literal := target(i))]
    kept = {k: v for k, v in prescription.items() if k != "insurance"}
    return {**kept, **_some("insurance", coverages)}


def _observation(observation: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With the category R4 says a vital sign has, where its code is one of those."""
    categories = observation.get("category", [])
    is_vital = code_of(observation["code"], LOINC) in VITAL_SIGNS
    if not is_vital or any(code_of(c, OBSERVATION_CATEGORY) == "vital-signs" for c in categories):
        return dict(observation)
    return {**observation, "category": [*categories, concept(OBSERVATION_CATEGORY, "vital-signs")]}


SHAPES: Mapping[str, Callable[[Resource, Known, Resource], dict[str, Any]]] = {
    "Coverage": _coverage,
    "DocumentReference": _document,
    "MedicationRequest": _prescription,
    "Observation": _observation,
    "Organization": _organization,
    "Patient": _patient,
    "Practitioner": _practitioner,
    "PractitionerRole": _role,
}
"""Resource type -> its shape, given what else is known and who the insurer is; any other goes as received."""


# Parts


def _only(resource: Resource, *elements: str) -> dict[str, Any]:
    return {e: resource[e] for e in elements if e in resource}


def _some(element: str, values: list[Any]) -> dict[str, Any]:
    return {element: values} if values else {}


def _having(resource: Resource, element: str, *parts: str) -> list[Any]:
    """The repetitions of an element that have all these parts."""
    return [e for e in resource.get(element, ()) if all(p in e for p in parts)]


def _names(resource: Resource, *parts: str) -> list[Any]:
    """The names that have one of these parts, without what says that others are absent."""
    found = (n for n in resource.get("name", ()) if any(p in n for p in parts))
    return [{k: v for k, v in name.items() if k != "extension"} for name in found]


def _identifiers(resource: Resource) -> Iterable[dict[str, Any]]:
    """The identifiers that say their system and are written as it prescribes."""
    return (_bare(i) for i in _having(resource, "identifier", "system", "value") if _well_formed(i))


def _bare(identifier: Mapping[str, Any]) -> dict[str, Any]:
    return _only(identifier, "use", "type", "system", "value")


def _one_each(identifiers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first identifier of each system (PAS allows one taxpayer's, one payer's)."""
    found: dict[str, dict[str, Any]] = {}
    for identifier in identifiers:
        found.setdefault(identifier["system"], identifier)
    return list(found.values())


def _well_formed(identifier: Mapping[str, Any]) -> bool:
    wanted = FORMATS.get(identifier["system"])
    if wanted is None:
        return True
    return bool(wanted.fullmatch(identifier["value"])) and (identifier["system"] != NPI or _checks(identifier["value"]))


def _checks(npi: str) -> bool:
    """Whether the check digit of an NPI holds (us-core-17): Luhn over 80840, which adds 24, and the number."""
    doubled = (sum(divmod(2 * int(d), 10)) for d in npi[-2::-2])
    return (24 + sum(doubled) + sum(int(d) for d in npi[-1::-2])) % 10 == 0
