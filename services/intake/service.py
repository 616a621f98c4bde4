"""Declares intake: what it owns, listens to, says, delivers and answers searches by."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from services.intake.consequences import Policy
from services.intake.coordinator import coordinate
from services.intake.deliver import channels
from services.intake.doors.door import Doors
from services.intake.doors.entries import RECEIVED
from services.intake.gather import gathering
from services.intake.notices.carrying import notice_channels
from services.intake.pulls.ehr import pulls
from services.intake.requirements.demands import demands_of
from services.intake.search import PRIVATE, SEARCH
from shared import refused
from shared.borders import checking, types_of
from shared.core import Service
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
    "referral-doubled": "Task#referral-question: another referral asks for the same therapy, and a person is asked.",
    "observation-received": "Observation: results came, and no order changed with them.",
    "dispense-received": "MedicationDispense: the pharmacy has a drug ready or handed it out.",
    "delivery-received": "SupplyDelivery: the pharmacy promises, has made or gave up a delivery to a patient's home.",
    "record-received": "any: other records of a patient came or changed, and no order changed with them.",
    "pull-wanted": "Task#pull or Task#referral: a sender's system is to be read for a referral, which is on hold.",
    "pull-tried": "Task#pull: a sender's system is read again.",
    "pull-failed": "Task#pull: a sender's system could not be read; it is tried again later.",
    "pull-ended": "Task#pull: a sender's system was read and said nothing new, or need not be read any more.",
    "question-answered": "Task#intake-question or Task#referral: a person answered a question of intake.",
    "notice-given": "CommunicationRequest or Communication: a patient is told or asked something, or was.",
    "answer-told": "Communication: a referrer was told where his referral stands.",
    "answer-diverted": "Communication: a referrer could not be told by one way, and the next one is tried.",
    "placer-unreached": "Task#intake-question or Communication: no way to tell a referrer is left; a person is asked.",
}


PROFILES = {
    "AllergyIntolerance": "allergy-intolerance|1.0",
    "Binary": "binary|1.0",
    "ClaimResponse#held": "held-authorization|1.0",
    "Communication": "communication|2.0",
    "CommunicationRequest": "communication-request|1.0",
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
    "ServiceRequest#filler-order": "filler-order|2.0",
    "SupplyDelivery": "supply-delivery|1.0",
    "Subscription": "subscription|1.0",
    "Task#intake-question": "intake-question|2.0",
    "Task#pull": "pull-task|1.0",
    "Task#referral": "referral-task|2.1",
    "Task#referral-question": "referrals-question|1.0",
    refused.KIND: refused.PROFILE,
}
"""What intake saves, each kind under its profile."""

READS = {
    "Appointment#chair": "chair-appointment|2",
    "Appointment#home-visit": "home-visit-appointment|2",
    "Task#appeal": "appeal-task|1",
    "Task#authorization-question": "authorization-question|5",
    "Task#chair": "chair-task|3",
    "Task#home-nursing": "home-nursing-task|2",
    "Task#nursing-question": "nursing-question|1",
    "Task#preauthorization": "preauthorization-task|4",
    "Task#renewal": "renewal-task|1",
    "Task#scheduling-question": "scheduling-question|2",
    refused.KIND: "message-question|1",
}
"""What intake hears of others, in the version it understands."""


def declared(site: Site) -> Service:
    """Intake of one practice; it decides by the draft `intake/requirements` where the practice adopted it."""
    adopted = [a.policy for a in site.adopted]
    figures = load_figures("intake", POLICIES, adopted)
    return Service(
        name="intake",
        prefix="in",
        owns=frozenset(RECEIVED) | {"CommunicationRequest", "Subscription"},
        listens=types_of(READS),
        reasons={**REASONS, **refused.REASONS},
        coordinate=coordinate,
        gather=gathering(site),
        policy=Policy(figures, site, demands_of(GAPS, checking(carepod()))),
        channels=(pulls(checking(carepod())), *channels(site), *notice_channels(figures)),
        search=SEARCH,
        private=PRIVATE,
        door=Doors(site),
        profiles=PROFILES,
        reads=READS,
        asks="intake-coordinator",
    )
