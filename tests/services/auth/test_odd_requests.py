"""However odd a chart that is legal R4: the request made of it keeps PAS and US Core, or is not sent at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.wire.bundles import broken, request_bundle
from services.auth.wire.claims import REQUESTED_SERVICE
from services.auth.wire.shapes import RELATIONSHIP
from shared.core import CANONICAL, Resource, reference
from tests.services.auth.journey import Journey
from tests.services.auth.outward import broken_request, outside
from tests.services.auth.patient import PRACTICE, coded, validator
from tests.services.auth.test_odd_resources import ODD, legally_changed, paths_in
from tests.services.auth.test_odd_resources import Path as Path_

EXAMPLES = Path(__file__).resolve().parents[3] / "contracts" / "examples"
KINDS = (
    "allergy-intolerance", "condition", "coverage", "document-reference", "encounter", "medication-request",
    "medication-statement", "observation", "organization", "patient", "practitioner", "practitioner-role",
    "received-order", "related-person",
)  # fmt: skip
EVIDENCE = (
    "AllergyIntolerance", "Condition", "DocumentReference", "MedicationRequest", "MedicationStatement", "Observation",
    "ServiceRequest",
)  # fmt: skip

ADDED: Mapping[str, dict[str, Any]] = {
    "Observation": {
        "specimen": {"reference": "Specimen/elsewhere"},
        "hasMember": [{"reference": "Observation/elsewhere"}],
        "note": [{"authorReference": {"reference": "Practitioner/elsewhere"}, "text": "x"}],
        "component": [{"code": {"text": "x"}, "valueString": "x"}],
    },
    "Condition": {
        "evidence": [{"detail": [{"reference": "Observation/elsewhere"}]}],
        "stage": [{"assessment": [{"reference": "Observation/elsewhere"}]}],
        "recorder": {"reference": "RelatedPerson/elsewhere"},
        "encounter": {"reference": "Encounter/elsewhere"},
    },
    "DocumentReference": {
        "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/elsewhere"}}],
        "content": [{"attachment": {"contentType": "text/plain", "data": "aXJvbg==", "url": "Binary/x"}}],
    },
    "MedicationStatement": {
        "contained": [{"resourceType": "Practitioner", "id": "p", "qualification": [{"code": {"text": "x"}}]}],
        "informationSource": {"reference": "#p"},
    },
    "Patient": {"contact": [{"organization": {"reference": "Organization/elsewhere"}}]},
    "Practitioner": {"qualification": [{"code": {"text": "x"}, "issuer": {"reference": "Organization/elsewhere"}}]},
    "Coverage": {"costToBeneficiary": [{"valueMoney": {"value": 1}}]},
}
"""Elements beside those of our examples: references that lead nowhere, also where one is mandatory."""


@cache
def chart() -> tuple[Resource, ...]:
    """Everything a service may send of one patient, with every optional element of our examples."""
    read = (json.loads((EXAMPLES / k / "full.json").read_bytes(), parse_float=Decimal) for k in KINDS)
    return tuple({k: v for k, v in r.items() if k != "meta"} | ADDED.get(r["resourceType"], {}) for r in read)


def the(kind: str) -> str:
    return next(reference(r) for r in chart() if r["resourceType"] == kind)


@cache
def claim() -> Resource:
    """A Claim that cites all of it."""
    made = Journey().benefit_known().one("Claim")
    prescribed = {"url": REQUESTED_SERVICE, "valueReference": {"reference": the("MedicationRequest")}}
    item = {**made["item"][0], "extension": [*made["item"][0]["extension"], prescribed]}
    info = [made["supportingInfo"][0] | {"valueReference": {"reference": the(kind)}} for kind in EVIDENCE]
    return {
        **made,
        "patient": {"reference": the("Patient")},
        "careTeam": [made["careTeam"][0] | {"provider": {"reference": the("PractitionerRole")}}],
        "supportingInfo": [{**i, "sequence": n} for n, i in enumerate(info, 1)],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": the("Coverage")}}],
        "item": [item],
    }


def request(resources: Iterable[Resource]) -> dict[str, Any]:
    return request_bundle(claim(), {reference(r): r for r in resources}, PRACTICE, PRACTICE.payers[0])


@cache
def values() -> tuple[Any, ...]:
    """What an element may become: odd JSON, a reference to anything, a category, a concept of ours."""
    cited = [{"reference": reference(r)} for r in chart()]
    ours = coded(CANONICAL + "CodeSystem/site-of-care", "aic")
    concepts = [
        ours, coded(RELATIONSHIP, "child"), coded("http://terminology.hl7.org/CodeSystem/condition-category", "x"),
        coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs"),
        coded("http://loinc.org", "29463-7"),
    ]  # fmt: skip
    identifiers = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1"}, {"value": "1"}, {"system": "urn:x"}]
    single: list[Any] = [*cited, *concepts, *identifiers, {"text": "x"}, {"url": "x"}, {"use": "home"}]
    return (*ODD, *single, *([v] for v in single), "order", "proposal", "completed", "Binary/x", "http://x.example/x")


@cache
def places() -> tuple[tuple[str, Path_], ...]:
    kept = ((), ("id",), ("resourceType",))
    return tuple((r["id"], p) for r in chart() for p in paths_in(r) if p not in kept)


CHANGES = st.lists(
    st.tuples(st.deferred(lambda: st.sampled_from(places())), st.none() | st.integers(0, 255)), min_size=1, max_size=4
)
"""Which element is dropped, or replaced by the next of the values, from this one on, that leaves it legal."""


def oddly_changed(changes: Iterable[tuple[tuple[str, Path_], int | None]]) -> tuple[Resource, ...]:
    """The chart with elements changed, wherever it stays legal R4."""
    found = {r["id"]: r for r in chart()}
    for (id_, path), first in changes:
        offered = (None,) if first is None else (*values()[first % len(values()) :], *values()[: first % len(values())])
        found[id_] = next(_legally(found[id_], path, offered), found[id_])
    return tuple(found.values())


def _legally(resource: Resource, path: Path_, offered: Iterable[Any]) -> Iterator[Resource]:
    for odd in offered:
        changed = legally_changed(resource, path, odd)
        if changed is not resource:
            yield changed


def test_the_whole_chart_makes_a_request_that_may_be_sent() -> None:
    assert [i for r in chart() for i in validator().check(r)] == []
    bundle = request(chart())
    assert broken(bundle) == []
    assert broken_request(bundle) == []
    cited = [
        i["valueReference"]["reference"].partition("/")[0] for i in bundle["entry"][0]["resource"]["supportingInfo"]
    ]
    assert cited == [
        "AllergyIntolerance", "Condition", "DocumentReference", "MedicationRequest", "Bundle", "Observation",
    ]  # fmt: skip
    assert "ServiceRequest" not in str(bundle)


@pytest.mark.slow
def test_without_any_one_element_the_request_keeps_everything_or_is_not_sent() -> None:
    for place in places():
        assert_kept_or_refused(oddly_changed([(place, None)]))


@pytest.mark.slow
@settings(max_examples=400)
@given(CHANGES)
def test_an_odd_chart_makes_a_request_that_keeps_everything_or_is_not_sent(changes: Any) -> None:
    assert_kept_or_refused(oddly_changed(changes))


def assert_kept_or_refused(resources: tuple[Resource, ...]) -> None:
    bundle = request(resources)
    refused = broken(bundle)
    assert refused or broken_request(bundle) == []
    assert all(i.expression and i.diagnostics for i in refused)


def test_the_second_opinion_knows_what_it_judges_by() -> None:
    assert outside().check(
        {"resourceType": "Patient"}, ("http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient",)
    )
