"""By what everything from outside is found: the search parameters of each type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.intake.persons.duplicates import alike_keys
from services.intake.persons.kinship import links
from services.intake.records import known_as, subject_of
from shared.core import Resource
from shared.fhir.searching import Values, codes, dates, identifiers, names, plain, references, tags


def by_patient(resource: Resource) -> Sequence[str]:
    """`id` and `Patient/id` of the patient, by each record of his that the case is known by."""
    found = [p for p in (subject_of(resource), *known_as(resource)) if p]
    return [value for patient in found for value in (patient, f"Patient/{patient}")]


_PARTY: Mapping[str, Values] = {"identifier": identifiers, "name": names}
_RECORD: Mapping[str, Values] = {"_tag": tags, "identifier": identifiers, "patient": by_patient}
_KEPT: Mapping[str, Values] = {**_RECORD, "status": plain("status")}

SEARCH: Mapping[str, Mapping[str, Values]] = {
    "AllergyIntolerance": {**_RECORD, "code": codes("code")},
    "Communication": {**_KEPT, "based-on": references("basedOn"), "category": codes("category")},
    "CommunicationRequest": {**_KEPT, "category": codes("category"), "recipient": references("recipient")},
    "Condition": {**_RECORD, "category": codes("category"), "code": codes("code")},
    "Consent": _KEPT,
    "Coverage": {**_KEPT, "beneficiary": references("beneficiary")},
    "Device": _KEPT,
    "DeviceUseStatement": _KEPT,
    "DocumentReference": {**_KEPT, "date": dates("date"), "type": codes("type")},
    "Encounter": {**_KEPT, "date": dates("period")},
    "Immunization": {**_KEPT, "date": dates("occurrenceDateTime")},
    "MedicationDispense": {**_KEPT, "prescription": references("authorizingPrescription")},
    "MedicationRequest": {
        **_KEPT, "authoredon": dates("authoredOn"), "intent": plain("intent"), "requester": references("requester"),
    },
    "MedicationStatement": _KEPT,
    "Observation": {
        **_KEPT, "category": codes("category"), "code": codes("code"),
        "date": dates("effectiveDateTime", "effectiveInstant", "effectivePeriod"),
    },
    "Organization": _PARTY,
    "Patient": {
        "alike": alike_keys, "birthdate": dates("birthDate"), "gender": plain("gender"), "identifier": identifiers,
        "link": links, "name": names,
    },
    "Practitioner": _PARTY,
    "RelatedPerson": {"identifier": identifiers, "name": names, "patient": by_patient},
    "ServiceRequest": {
        **_KEPT, "authored": dates("authoredOn"), "based-on": references("basedOn"), "category": codes("category"),
        "code": codes("code"), "intent": plain("intent"), "requester": references("requester"),
    },
    "SupplyDelivery": _KEPT,
    "Task": {
        "authored-on": dates("authoredOn"), "based-on": references("basedOn"),
        "business-status": codes("businessStatus"), "code": codes("code"), "focus": references("focus"),
        "identifier": identifiers, "owner": references("owner"), "part-of": references("partOf"),
        "patient": by_patient, "requester": references("requester"), "status": plain("status"),
    },
}  # fmt: skip

PRIVATE = frozenset({"alike", "link"})
"""What intake alone searches by: people who may be one and the same, and who are."""
