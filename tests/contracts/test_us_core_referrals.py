"""Whoever sends what our referral profiles ask for has sent what US Core 8.0.0 asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from contracts.conformance.examples import Example, examples
from shared.fhir import definitions, profiles
from shared.settings import ROOT

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
PACKAGE = ROOT.parent / "shared" / "packages" / "hl7.fhir.us.core-8.0.0.tgz"
OURS: Mapping[str, tuple[str, ...]] = {
    "referral-patient": ("patient",),
    "referral-coverage": ("coverage",),
    "referral-order": ("servicerequest",),
    "referral-medication-request": ("medicationrequest",),
    "referral-lab": ("observation-lab",),
    "referral-condition": ("condition-problems-health-concerns", "condition-encounter-diagnosis"),
    "referral-prescriber": ("practitioner",),
}
"""Each of our profiles beside those of US Core, of which one is enough: a diagnosis is of one kind or the other."""

REFERRALS = [e for e in examples() if e.name.partition("/")[0] in OURS and e.issue is None]


@cache
def known() -> definitions.Definitions:
    return definitions.carepod().with_package(PACKAGE.read_bytes())


@cache
def validator() -> profiles.Validator:
    return profiles.Validator(known())


@pytest.mark.parametrize("example", REFERRALS, ids=lambda e: e.name)
def test_a_complete_record_meets_us_core(example: Example) -> None:
    asked = OURS[example.name.partition("/")[0]]
    found = {name: validator().check(example.resource, (US_CORE + name,)) for name in asked}
    assert [] in [[i for i in issues if i.severity == "error"] for issues in found.values()], found


def test_every_profile_of_a_referral_stands_beside_one_of_us_core() -> None:
    assert {e.name.partition("/")[0] for e in REFERRALS} == set(OURS)
    assert all(known().profile(US_CORE + name) for names in OURS.values() for name in names)
