"""The declaration of prior authorization: what it owns, hears, says, asks of payers, and how it can be searched."""

from __future__ import annotations

from pathlib import Path

from services.auth.api import router
from services.auth.assistance.programmes import check_programmes
from services.auth.coordinator import coordinate
from services.auth.criteria.precheck import PRECHECK
from services.auth.criteria.schema import check_criteria
from services.auth.deliver import CHANNELS
from services.auth.gather import gather_facts
from services.auth.news import REASONS
from services.auth.pharmacy.sets import check_question_sets
from services.auth.policy import AuthPolicy
from services.auth.search import SEARCH
from services.auth.words import PREFIX
from shared import refused
from shared.borders import types_of
from shared.core import Service
from shared.policy import load_figures
from shared.settings import Site

PROFILES = {
    "Appointment#peer-to-peer": "peer-to-peer-appointment|1.0",
    "Binary#letter": "letter-content|1.0",
    "ChargeItem": "dose-charge|2.0",
    "Claim": "preauthorization-claim|4.1",
    "ClaimResponse": "preauthorization-response|1.1",
    "CoverageEligibilityRequest": "eligibility-request|1.2",
    "CoverageEligibilityResponse": "eligibility-response|1.0",
    "CoverageEligibilityResponse#coverage-requirements": "coverage-requirements|1.0",
    "DocumentReference#letter": "letter|1.0",
    "Provenance": "provenance|1.0",
    "QuestionnaireResponse": "question-set-response|1.0",
    "Subscription#at-payer": "subscription|1.0",
    "Task#appeal": "appeal-task|1.0",
    "Task#authorization-question": "authorization-question|5.0",
    "Task#hub-enrolment": "hub-enrolment-task|2.0",
    "Task#preauthorization": "preauthorization-task|4.0",
    "Task#renewal": "renewal-task|1.0",
    refused.KIND: refused.PROFILE,
}
"""What auth saves, each kind under its profile."""

READS = {
    "AllergyIntolerance": "allergy-intolerance|1",
    "Appointment#chair": "chair-appointment|2",
    "Appointment#home-visit": "home-visit-appointment|2",
    "ClaimResponse#held": "held-authorization|1",
    "Condition": "condition|1",
    "Consent": "consent|1",
    "Coverage": "coverage|1",
    "DocumentReference": "document-reference|1",
    "Medication": "medication|1",
    "MedicationRequest": "medication-request|1",
    "MedicationStatement": "medication-statement|1",
    "Observation": "observation|1",
    "Organization": "organization|1",
    "Patient": "patient|1",
    "Practitioner": "practitioner|1",
    "PractitionerRole": "practitioner-role|1",
    "RelatedPerson": "related-person|1",
    "ServiceRequest": "received-order|1",
    "ServiceRequest#filler-order": "filler-order|2",
}
"""What auth hears of others, in the version it understands."""


def declared(site: Site) -> Service:
    """The service for one practice. Raises PolicyError when a policy file is wrong."""
    figures = load_figures("auth", Path(__file__).with_name("policies"), (a.policy for a in site.adopted))
    check_criteria(figures.figures)
    check_programmes(figures.figures)
    check_question_sets(figures.figures)
    return Service(
        name="auth",
        prefix=PREFIX,
        owns=types_of(PROFILES),
        listens=types_of(READS),
        reasons={**REASONS, **refused.REASONS},
        coordinate=coordinate,
        gather=gather_facts,
        policy=AuthPolicy(figures, site),
        channels=CHANNELS,
        search=SEARCH,
        routes=router,
        paths=("/notifications",),
        inquiries=(PRECHECK,),
        profiles=PROFILES,
        reads=READS,
        asks="authorization-coordinator",
    )
