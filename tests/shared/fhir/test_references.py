"""References are found where the validator finds them, and rewriting changes them alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fhir.definitions import Element
from shared.fhir.definitions import r4 as definitions
from shared.fhir.json import encode
from shared.fhir.profiles import r4
from shared.fhir.references import literals, references, rewritten

from .resources import GOOD, bundle, order

URN = "urn:uuid:0b6c5f2e-26a5-4b0f-8f1c-1f2a3b4c5d6e"


def test_every_reference_is_found_with_its_expression() -> None:
    medication = {
        "resourceType": "MedicationRequest",
        "medicationReference": {"reference": "#m"},
        "instantiatesCanonical": ["PlanDefinition/1"],
        "_note": {"extension": [{"url": "u", "valueReference": {"reference": "Group/1"}}]},
        "reasonReference": [{"display": "a"}, {"reference": URN}],
        "insurance": [{"identifier": {"value": "1", "assigner": {"reference": "Organization/1"}}}],
    }
    assert list(references(medication)) == [
        ("MedicationRequest.medication.reference", "#m"),
        ("MedicationRequest.note.extension[0].value.reference", "Group/1"),
        ("MedicationRequest.reasonReference[1].reference", URN),
        ("MedicationRequest.insurance[0].identifier.assigner.reference", "Organization/1"),
    ]


@pytest.mark.parametrize(
    ("resource", "expression"),
    [
        (
            {"resourceType": "ServiceRequest", "locationReference": [{"reference": "a"}]},
            "ServiceRequest.locationReference[0]",
        ),
        ({"resourceType": "Claim", "accident": {"locationReference": {"reference": "a"}}}, "Claim.accident.location"),
        (
            {"resourceType": "CarePlan", "activity": [{"reference": {"reference": "a"}}]},
            "CarePlan.activity[0].reference",
        ),
    ],
)
def test_the_expression_names_the_element_and_not_the_json(resource: dict[str, Any], expression: str) -> None:
    assert list(references(resource)) == [(f"{expression}.reference", "a")]


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "DetectedIssue", "status": "final", "reference": "Patient/1"},
        {"resourceType": "Immunization", "education": [{"reference": "Patient/1"}]},
        {"resourceType": "Measure", "group": [{"expression": {"language": "a", "reference": "Patient/1"}}]},
        {"resourceType": "Claim", "related": [{"reference": {"value": "Patient/1"}}]},
    ],
)
def test_a_uri_called_reference_is_none(resource: dict[str, Any]) -> None:
    assert list(references(resource)) == []
    assert list(literals(resource)) == []
    assert rewritten(resource, {"Patient/1": "Patient/2"}) == resource


@pytest.mark.parametrize("name", GOOD)
def test_the_expressions_are_those_of_the_validator(name: str) -> None:
    resource = GOOD[name]()
    broken = rewritten(resource, {reference: "?" for _, reference in references(resource)})
    told = [issue.expression for issue in r4().check(broken) if issue.code == "value"]
    assert told == [expression for expression, reference in references(broken) if reference == "?"]
    assert told
    assert list(literals(resource)) == [reference for _, reference in references(resource)]


def test_only_exact_references_are_replaced_and_nothing_else_changes() -> None:
    before = bundle() | {"id": URN}
    before["entry"][1]["resource"]["performer"] = [{"reference": "Patient/1"}, {"reference": "Patient/11"}]
    before["entry"][1]["resource"]["note"] = [{"text": "Patient/1"}]
    kept = copy.deepcopy(before)
    after = rewritten(before, {URN: "Patient/in-1", "Patient/1": "Patient/in-2"})
    assert before == kept
    assert [reference for _, reference in references(after)] == [
        "Practitioner/1", "Patient/2", "Patient/in-1", "Patient/in-2", "Patient/11",
    ]  # fmt: skip
    assert encode(after).replace(b'"reference":"Patient/in-1"', f'"reference":"{URN}"'.encode()).replace(
        b"Patient/in-2", b"Patient/1"
    ) == encode(before)


def test_an_absolute_reference_is_replaced_and_a_contained_one_never() -> None:
    absolute = "https://ehr.example.org/fhir/PractitionerRole/7"
    after = rewritten(order(), {absolute: "PractitionerRole/in-7", "#site": "Organization/1"})
    assert after["requester"]["reference"] == "PractitionerRole/in-7"
    assert after["performer"] == order()["performer"]


def test_nothing_of_the_copy_is_shared_with_the_original() -> None:
    before = order()
    rewritten(before, {})["note"][0]["text"] = "changed"
    assert before == order()


texts = st.text(max_size=5) | st.sampled_from(["reference", "education"])
values = st.recursive(
    st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=3))
def test_without_a_mapping_a_copy_is_equal_in_value_and_order(resource: dict[str, Any]) -> None:
    after = rewritten(resource, {})
    assert repr(after) == repr(resource)


def test_plain_elements_that_end_in_reference_are_named_whole() -> None:
    def plain(element: Element) -> bool:
        return not element.choice and element.name.endswith("Reference") and element.types[0].code == "Reference"

    for name in sorted(definitions().resource_types):
        for child in (e for children in definitions().structure(name).children.values() for e in children if plain(e)):
            item = {child.name: {"reference": "a"}}
            assert list(references({"resourceType": name} | item)) == [(f"{name}.{child.name}.reference", "a")]


def test_the_address_of_an_attachment_that_is_an_entry_is_replaced_and_any_other_url_stays() -> None:
    document = {
        "resourceType": "DocumentReference",
        "extension": [{"url": URN, "valueBoolean": True}],
        "content": [{"attachment": {"url": URN}}, {"attachment": {"url": "https://ehr.test/Binary/1"}}],
    }
    copied = rewritten(document, {URN: "Binary/in-1"})
    assert [c["attachment"]["url"] for c in copied["content"]] == ["Binary/in-1", "https://ehr.test/Binary/1"]
    assert copied["extension"] == document["extension"]
