"""Declares nursing: what it owns, hears and says, its nurses' time, its deliveries and what can be searched."""

from __future__ import annotations

from functools import partial

from services.nursing.appointments import seats_of
from services.nursing.coordinator import REASONS, coordinate
from services.nursing.deliver import PHARMACY
from services.nursing.deliver_agency import AGENCY
from services.nursing.gather import gatherer
from services.nursing.policy import practice_of
from shared import refused
from shared.borders import types_of
from shared.core import Channel, Service
from shared.settings import Site
from shared.visits import search
from shared.visits.readiness import READINESS

PROFILES = {
    "Appointment#home-visit": "home-visit-appointment|2.0",
    "Task#agency-visit": "agency-visit-task|1.0",
    "Task#home-nursing": "home-nursing-task|2.0",
    "Task#nursing-question": "nursing-question|1.0",
    refused.KIND: refused.PROFILE,
}
"""What nursing saves, each kind under its profile."""

READS = {
    "Consent": "consent|1",
    "Coverage": "coverage|1",
    "CoverageEligibilityResponse": "eligibility-response|1",
    "Device": "device|1",
    "DeviceUseStatement": "device-use-statement|1",
    "Encounter": "encounter|1",
    "MedicationDispense": "medication-dispense|1",
    "MedicationRequest": "medication-request|1",
    "MedicationStatement": "medication-statement|1",
    "Observation": "observation|1",
    "Patient": "patient|1",
    "RelatedPerson": "related-person|1",
    "ServiceRequest": "received-order|1",
    "ServiceRequest#filler-order": "filler-order|2",
    "SupplyDelivery": "supply-delivery|1",
    "Task#intake-question": "intake-question|2",
    "Task#preauthorization": "preauthorization-task|4",
}
"""What nursing hears of others, in the version it understands."""


def declared(site: Site) -> Service:
    """Nursing for one practice. Raises PolicyError when a policy file is wrong."""
    practice = practice_of(site)
    return Service(
        name="nursing",
        prefix="nu",
        owns=types_of(PROFILES),
        listens=types_of(READS),
        reasons={**{reason: said for reason, (_, said) in REASONS.items()}, **refused.REASONS},
        coordinate=coordinate,
        gather=gatherer(practice),
        policy=practice,
        channels=_channels(site),
        capacity=partial(seats_of, site=site),
        profiles=PROFILES,
        reads=READS,
        operations=(READINESS,),
        asks="nursing-coordinator",
        search={"Appointment": search.APPOINTMENTS, "Task": search.TASKS},
    )


def _channels(site: Site) -> tuple[Channel, ...]:
    agencies = (AGENCY,) if site.home is not None and site.home.agencies else ()
    return (*((PHARMACY,) if site.pharmacy else ()), *agencies)
