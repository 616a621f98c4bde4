"""Declares intake: what it owns, listens to, says, delivers and answers searches by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from services.intake import bundles
from services.intake.coordinator import Policy, coordinate
from services.intake.deliver import placer
from services.intake.demands import demands_of
from services.intake.entries import RECEIVED
from services.intake.gather import gather_facts
from services.intake.records import subject_of
from shared import refused
from shared.borders import checking, types_of
from shared.core import Resource, Service
from shared.fhir.profiles import carepod
from shared.policy import load_figures
from shared.settings import Site

POLICIES = Path(__file__).with_name("policies")
GAPS = Path(str(files("contracts") / "profiles" / "gaps.yaml"))

REASONS: Mapping[str, str] = {
    "referral-accepted": "ServiceRequest#filler-order or Task#referral: a referral is taken; "
    "its order is a draft while something clinical is missing.",
    "referral-completed": "ServiceRequest#filler-order: an order has all it needs clinically and is active.",
    "referral-changed": "ServiceRequest#filler-order: an order says something else, is on hold or completed.",
    "referral-revoked": "ServiceRequest#filler-order or Task#referral: the referrer called the referral off.",
    "referral-reported": "Task#referral or Task#intake-question: what the referrer is told changed.",
    "observation-received": "Observation: results came, and no order changed with them.",
    "dispense-received": "MedicationDispense: the pharmacy has a drug ready or handed it out.",
    "record-received": "any: other records of a patient came or changed, and no order changed with them.",
    "question-answered": "Task#intake-question or Task#referral: a person answered a question of intake.",
    "placer-unreached": "Task#intake-question: the referrer's system refused our answer, and a person is asked.",
}


PROFILES = {
    "AllergyIntolerance": "allergy-intolerance|1.0",
    "Binary": "binary|1.0",
    "Condition": "condition|1.0",
    "Consent": "consent|1.0",
    "Coverage": "coverage|1.0",
    "Device": "device|1.0",
    "DeviceUseStatement": "device-use-statement|1.0",
    "DocumentReference": "document-reference|1.0",
    "Encounter": "encounter|1.0",
    "Immunization": "immunization|1.0",
    "Location": "location|1.0",
    "Medication": "medication|1.0",
    "MedicationDispense": "medication-dispense|1.0",
    "MedicationRequest": "medication-request|1.0",
    "MedicationStatement": "medication-statement|1.0",
    "Observation": "observation|1.0",
    "Organization": "organization|1.0",
    "Patient": "patient|1.0",
    "Practitioner": "practitioner|1.0",
    "PractitionerRole": "practitioner-role|1.0",
    "RelatedPerson": "related-person|1.0",
    "ServiceRequest": "received-order|1.0",
    "ServiceRequest#filler-order": "filler-order|1.0",
    "Task#intake-question": "intake-question|1.0",
    "Task#referral": "referral-task|1.0",
    refused.KIND: refused.PROFILE,
}
"""What intake saves, each kind under its profile."""

READS = {
    "Appointment#chair": "chair-appointment|1",
    "Task#appeal": "appeal-task|1",
    "Task#authorization-question": "authorization-question|1",
    "Task#chair": "chair-task|1",
    "Task#preauthorization": "preauthorization-task|1",
    "Task#scheduling-question": "scheduling-question|1",
    refused.KIND: "message-question|1",
}
"""What intake hears of others, in the version it understands."""


def by_identifier(resource: Resource) -> Sequence[str]:
    """`value` and `system|value` of each identifier."""
    listed = resource.get("identifier") or []
    return [v for i in listed if "value" in i for v in (i["value"], f"{i.get('system', '')}|{i['value']}")]


def by_patient(resource: Resource) -> Sequence[str]:
    """`id` and `Patient/id` of the patient."""
    patient = subject_of(resource)
    return [patient, f"Patient/{patient}"] if patient else []


def by_code(resource: Resource) -> Sequence[str]:
    """`code` and `system|code` of each coding of `code`."""
    codings: list[dict[str, Any]] = resource.get("code", {}).get("coding", [])
    return [v for c in codings if "code" in c for v in (c["code"], f"{c.get('system', '')}|{c['code']}")]


def by_status(resource: Resource) -> Sequence[str]:
    """The status."""
    return [resource["status"]] if "status" in resource else []


SEARCH: Mapping[str, Mapping[str, Callable[[Resource], Sequence[str]]]] = {
    "Task": {"identifier": by_identifier, "patient": by_patient, "code": by_code, "status": by_status},
    "ServiceRequest": {"identifier": by_identifier, "patient": by_patient, "status": by_status},
    "MedicationRequest": {"identifier": by_identifier, "patient": by_patient},
    "Patient": {"identifier": by_identifier},
    "Observation": {"patient": by_patient, "code": by_code},
    "Coverage": {"patient": by_patient},
    "MedicationDispense": {"patient": by_patient},
}


def declared(site: Site) -> Service:
    """Intake of one practice; it decides by the draft `intake/requirements` where the practice adopted it."""
    adopted = [a.policy for a in site.adopted]
    return Service(
        name="intake",
        prefix="in",
        owns=frozenset(RECEIVED),
        listens=types_of(READS),
        reasons={**REASONS, **refused.REASONS},
        coordinate=coordinate,
        gather=gather_facts,
        policy=Policy(load_figures("intake", POLICIES, adopted), site, demands_of(GAPS, checking(carepod()))),
        channels=(placer(site),),
        search=SEARCH,
        door=bundles,
        profiles=PROFILES,
        reads=READS,
        asks="intake-coordinator",
    )
