"""What leaves for a payer, judged as it may be there: by our own profile, Da Vinci PAS 2.2.1 and US Core 8.0.0.

PAS names US Core 7.0.0: 8.0.0 stands in its place. The value sets of X12 are licensed and bind nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from contracts.conformance.definitions import package, unpinned
from services.auth.wire.bundles import REQUEST
from services.auth.wire.shapes import OBSERVATION_CATEGORY
from services.auth.words import code_of
from shared.fhir import definitions
from shared.fhir.outcomes import Issue
from shared.fhir.profiles import Validator
from shared.fhir.snapshots import resources

PACKAGES = ("hl7.fhir.us.core-8.0.0", "hl7.fhir.us.davinci-pas-2.2.1")
PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"

OF_PAS: Mapping[str, tuple[str, ...]] = {
    "Patient": ("beneficiary",),
    "Coverage": ("coverage",),
    "Organization": ("organization",),
    "PractitionerRole": ("practitionerrole",),
    "Practitioner": ("practitioner",),
    "DocumentReference": ("documentreference",),
}
OF_US_CORE: Mapping[str, tuple[str, ...]] = {
    "Patient": ("patient",),
    "Coverage": ("coverage",),
    "Organization": ("organization",),
    "PractitionerRole": ("practitionerrole",),
    "Practitioner": ("practitioner",),
    "DocumentReference": ("documentreference",),
    "AllergyIntolerance": ("allergyintolerance",),
    "MedicationRequest": ("medicationrequest",),
    "Condition": ("condition-problems-health-concerns", "condition-encounter-diagnosis"),
    "Observation": ("simple-observation", "observation-clinical-result"),
}
"""Resource type -> the profiles of which one is enough, by the last part of their names."""
OF_CATEGORY = {"laboratory": "observation-lab", "vital-signs": "vital-signs"}
"""Category of an Observation -> the profile that one has besides."""


@cache
def known() -> definitions.Definitions:
    read = (d for name in PACKAGES for d in resources(package(name).read_bytes()))
    return definitions.carepod().with_hl7().with_definitions(unpinned(d) for d in read)


@cache
def outside() -> Validator:
    """Knows our profiles, those of the R4 core, of US Core 8.0.0 and of PAS 2.2.1."""
    return Validator(known())


def errors(resource: Mapping[str, Any], *profiles: str) -> list[Issue]:
    return [i for i in outside().check(resource, profiles, claimed=True) if i.severity in ("error", "fatal")]


def broken_request(bundle: Mapping[str, Any]) -> list[Issue]:
    """Every error of a request: our profile, what it claims of PAS, and PAS and US Core for each resource in it."""
    return [*errors(bundle, REQUEST, PAS + "pas-request-bundle"), *broken_inside(bundle)]


def broken_inside(bundle: Mapping[str, Any]) -> list[Issue]:
    """Every error of the resources of a Bundle with the profiles of their types."""
    return [i for e in bundle["entry"] for i in _of_its_type(e["resource"])]


def _of_its_type(resource: Mapping[str, Any]) -> Iterator[Issue]:
    kind = resource["resourceType"]
    pairs = ((PAS, OF_PAS.get(kind, ())), (US_CORE, OF_US_CORE.get(kind, ())))
    asked = [[base + name for name in names] for base, names in pairs if names]
    asked += [[US_CORE + name] for name in _categories(resource)] if kind == "Observation" else []
    for alternatives in asked:
        yield from min((errors(resource, profile) for profile in alternatives), key=len)


def _categories(observation: Mapping[str, Any]) -> list[str]:
    codes = {code_of(c, OBSERVATION_CATEGORY) for c in observation.get("category", ())}
    return [profile for code, profile in OF_CATEGORY.items() if code in codes]
