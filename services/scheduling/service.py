"""Declares scheduling: what it owns, hears and says, its capacity, its deliveries and what can be searched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from services.scheduling.appointments import seats_of
from services.scheduling.coordinator import REASONS, coordinate
from services.scheduling.deliver import PHARMACY
from services.scheduling.gather import gatherer
from services.scheduling.policy import practice_of
from services.scheduling.readiness import READINESS
from shared import refused
from shared.borders import types_of
from shared.core import Resource, Service
from shared.settings import Site

PROFILES = {
    "Appointment#chair": "chair-appointment|1.0",
    "CarePlan": "series|1.0",
    "Task#chair": "chair-task|1.0",
    "Task#scheduling-question": "scheduling-question|1.0",
    refused.KIND: refused.PROFILE,
}
"""What scheduling saves, each kind under its profile."""

READS = {
    "Consent": "consent|1",
    "Coverage": "coverage|1",
    "CoverageEligibilityResponse": "eligibility-response|1",
    "MedicationDispense": "medication-dispense|1",
    "MedicationRequest": "medication-request|1",
    "Observation": "observation|1",
    "Patient": "patient|1",
    "ServiceRequest#filler-order": "filler-order|1",
    "Task#intake-question": "intake-question|1",
    "Task#preauthorization": "preauthorization-task|1",
}
"""What scheduling hears of others, in the version it understands."""


def declared(site: Site) -> Service:
    """Scheduling for one practice. Raises PolicyError when a policy file is wrong."""
    practice = practice_of(site)
    return Service(
        name="scheduling",
        prefix="sc",
        owns=types_of(PROFILES),
        listens=types_of(READS),
        reasons={**{reason: said for reason, (_, said) in REASONS.items()}, **refused.REASONS},
        coordinate=coordinate,
        gather=gatherer(practice),
        policy=practice,
        channels=(PHARMACY,) if site.pharmacy else (),
        capacity=partial(seats_of, practice=practice),
        profiles=PROFILES,
        reads=READS,
        operations=(READINESS,),
        asks="infusion-coordinator",
        search={
            "Appointment": {"patient": _patients, "status": _status, "date": _dates, "identifier": _identifiers},
            "CarePlan": {"patient": _subject, "status": _status},
            "Task": {"patient": _for, "status": _status, "code": _codes, "identifier": _identifiers},
        },
    )


def _patients(appointment: Resource) -> Sequence[str]:
    actors = (p.get("actor", {}).get("reference", "") for p in appointment["participant"])
    return [name for actor in actors if actor.startswith("Patient/") for name in _names(actor)]


def _subject(plan: Resource) -> Sequence[str]:
    return _names(plan["subject"].get("reference", ""))


def _for(task: Resource) -> Sequence[str]:
    return _names(task.get("for", {}).get("reference", ""))


def _names(target: str) -> Sequence[str]:
    """A reference as it may be searched: `Patient/id` and `id`."""
    return [target, target.partition("/")[2]] if target else []


def _status(resource: Resource) -> Sequence[str]:
    return [resource["status"]]


def _dates(appointment: Resource) -> Sequence[str]:
    """The start as written, and its local day."""
    return [appointment["start"], appointment["start"][:10]] if "start" in appointment else []


def _identifiers(resource: Resource) -> Sequence[str]:
    """`system|value` and the value alone."""
    found = [i for i in resource.get("identifier", ()) if "value" in i]
    return [text for i in found for text in (f"{i.get('system', '')}|{i['value']}", i["value"])]


def _codes(task: Resource) -> Sequence[str]:
    """`system|code` and the code alone."""
    codings = task.get("code", {}).get("coding", ())
    return [text for c in codings for text in (f"{c.get('system', '')}|{c['code']}", c["code"])]
