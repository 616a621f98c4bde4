"""What a payer's CDS service is sent, judged by the profiles of Da Vinci CRD 2.0.1."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import respx

from contracts.conformance.definitions import package, unpinned
from shared.fhir import definitions
from shared.fhir.profiles import Validator
from shared.fhir.snapshots import resources
from tests.services.auth.test_discovery_calls import Outside, found, known, outside, sent

__all__ = ["outside"]

PACKAGES = ("hl7.fhir.us.core-6.1.0", "hl7.fhir.us.davinci-crd-2.0.1")
CRD = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/profile-"
PROFILES = {"MedicationRequest": "medicationrequest", "Patient": "patient", "Coverage": "coverage"}


@cache
def crd() -> Validator:
    read = (d for name in PACKAGES for d in resources(package(name).read_bytes()))
    return Validator(definitions.carepod().with_hl7().with_definitions(unpinned(d) for d in read))


@respx.mock
@pytest.mark.parametrize("kind", sorted(PROFILES))
async def test_what_is_sent_keeps_the_profiles_of_crd(outside: Outside, kind: str) -> None:
    route = sent()
    await found(outside, known())
    body = json.loads(route.calls.last.request.content)
    prefetched: list[Any] = [r for v in body["prefetch"].values() for r in _inside(v)]
    mine = [r for r in prefetched if r["resourceType"] == kind]
    issues = [i for r in mine for i in crd().check(r, (CRD + PROFILES[kind],)) if i.severity in ("error", "fatal")]
    assert mine
    assert issues == []


def _inside(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [e["resource"] for e in resource["entry"]] if resource["resourceType"] == "Bundle" else [resource]
