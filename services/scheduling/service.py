"""Declares scheduling: what it owns, hears and says, its capacity, its deliveries and what can be searched."""

from __future__ import annotations

from functools import partial

from services.scheduling.appointments import seats_of
from services.scheduling.coordinator import REASONS, coordinate
from services.scheduling.deliver import PHARMACY
from services.scheduling.gather import gatherer
from services.scheduling.policy import practice_of
from shared import refused
from shared.borders import types_of
from shared.core import Service
from shared.settings import Site
from shared.visits import search
from shared.visits.readiness import READINESS

PROFILES = {
    "Appointment#chair": "chair-appointment|2.0",
    "CarePlan": "series|1.0",
    "Task#chair": "chair-task|3.0",
    "Task#scheduling-question": "scheduling-question|2.0",
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
    "ServiceRequest#filler-order": "filler-order|2",
    "Task#intake-question": "intake-question|2",
    "Task#preauthorization": "preauthorization-task|4",
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
        search={"Appointment": search.APPOINTMENTS, "CarePlan": search.PLANS, "Task": search.TASKS},
    )
