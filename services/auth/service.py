"""The declaration of prior authorization: what it owns, hears, says, asks of payers, and how it can be searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.auth.api import router
from services.auth.coordinator import coordinate
from services.auth.criteria import check_criteria
from services.auth.deliver import CHANNELS
from services.auth.gather import gather_facts
from services.auth.news import REASONS
from services.auth.policy import AuthPolicy
from services.auth.words import ORDER, PREFIX, extension, target
from shared import refused
from shared.borders import types_of
from shared.core import Resource, Service
from shared.policy import load_figures
from shared.settings import Site

PROFILES = {
    "ChargeItem": "dose-charge|1.0",
    "Claim": "preauthorization-claim|1.0",
    "ClaimResponse": "preauthorization-response|1.0",
    "CoverageEligibilityRequest": "eligibility-request|1.0",
    "CoverageEligibilityResponse": "eligibility-response|1.0",
    "Task#appeal": "appeal-task|1.0",
    "Task#authorization-question": "authorization-question|1.0",
    "Task#preauthorization": "preauthorization-task|1.0",
    refused.KIND: refused.PROFILE,
}
"""What auth saves, each kind under its profile."""

READS = {
    "AllergyIntolerance": "allergy-intolerance|1",
    "Appointment#chair": "chair-appointment|1",
    "Condition": "condition|1",
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
    "ServiceRequest#filler-order": "filler-order|1",
}
"""What auth hears of others, in the version it understands."""


def declared(site: Site) -> Service:
    """The service for one practice. Raises PolicyError when a policy file is wrong."""
    figures = load_figures("auth", Path(__file__).with_name("policies"), (a.policy for a in site.adopted))
    check_criteria(figures.figures)
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
        profiles=PROFILES,
        reads=READS,
        asks="authorization-coordinator",
    )


def _id(resource: Resource) -> Sequence[str]:
    return (resource["id"],)


def _status(resource: Resource) -> Sequence[str]:
    return (resource["status"],)


def _identifier(resource: Resource) -> Sequence[str]:
    """`system|value` and `value` of every identifier."""
    found = [(i.get("system", ""), i["value"]) for i in resource.get("identifier", ()) if "value" in i]
    return [*(f"{s}|{v}" for s, v in found), *(v for _, v in found)]


def _patient(resource: Resource) -> Sequence[str]:
    """`Patient/id` and `id` of whom it is about."""
    about = next((target(resource[k]) for k in ("patient", "subject", "for") if k in resource), None)
    return (about, about.rpartition("/")[2]) if about else ()


def _request(resource: Resource) -> Sequence[str]:
    found = target(resource.get("request"))
    return (found, found.rpartition("/")[2]) if found else ()


def _order(resource: Resource) -> Sequence[str]:
    found = target((extension(resource, ORDER) or {}).get("valueReference"))
    return (found, found.rpartition("/")[2]) if found else ()


def _based_on(resource: Resource) -> Sequence[str]:
    found = [r for b in resource.get("basedOn", ()) if (r := target(b))]
    return [*found, *(r.rpartition("/")[2] for r in found)]


def _focus(resource: Resource) -> Sequence[str]:
    found = target(resource.get("focus"))
    return (found, found.rpartition("/")[2]) if found else ()


def _codes(coded: Mapping[str, Any] | None) -> Sequence[str]:
    codings = [(c.get("system", ""), c["code"]) for c in (coded or {}).get("coding", ()) if "code" in c]
    return [*(f"{s}|{c}" for s, c in codings), *(c for _, c in codings)]


def _code(resource: Resource) -> Sequence[str]:
    return _codes(resource.get("code"))


def _business_status(resource: Resource) -> Sequence[str]:
    return _codes(resource.get("businessStatus"))


_COMMON = {"_id": _id, "identifier": _identifier, "patient": _patient, "status": _status}
SEARCH = {
    "Claim": {**_COMMON, "order": _order},
    "ClaimResponse": {**_COMMON, "request": _request},
    "CoverageEligibilityRequest": {**_COMMON, "order": _order},
    "CoverageEligibilityResponse": {**_COMMON, "request": _request, "order": _order},
    "ChargeItem": {**_COMMON, "subject": _patient, "code": _code},
    "Task": {
        **_COMMON, "code": _code, "focus": _focus, "based-on": _based_on, "business-status": _business_status,
        "subject": _patient,
    },
}  # fmt: skip
