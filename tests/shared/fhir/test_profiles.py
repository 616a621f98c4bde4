"""Base R4 holds for good resources, and each way to break it is told with code and expression."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fhir.definitions import r4 as definitions
from shared.fhir.profiles import Validator, r4

from .resources import GOOD, bundle, observation, order, patient


def said(resource: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(issue.code, issue.expression) for issue in r4().check(resource)]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_resource_has_no_issue(name: str) -> None:
    assert r4().check(GOOD[name]()) == []


@pytest.mark.parametrize("name", sorted(definitions().resource_types))
def test_every_resource_type_compiles_and_knows_its_own_elements(name: str) -> None:
    structure = definitions().structure(name)
    names = [c.name for c in structure.children[structure.root.path] if not c.choice]
    issues = r4().check({"resourceType": name} | dict.fromkeys(names, "?") | {"notOfFhir": 1})
    assert [i.expression for i in issues if "not an element" in i.diagnostics] == [f"{name}.notOfFhir"]


@pytest.mark.parametrize("kind", [None, 1, [], "Nothing", "Resource", "DomainResource", "Element", "Extension"])
def test_only_resource_types_are_resources(kind: Any) -> None:
    assert said({"resourceType": kind}) == [("structure", "resourceType")]


def test_any_mapping_is_checked() -> None:
    assert r4().check(MappingProxyType(order())) == []


DEFECTS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "an unknown element": ({"foo": 1}, [("structure", "ServiceRequest.foo")]),
    "an unknown primitive extension": ({"_subject": {}}, [("structure", "ServiceRequest.subject")]),
    "a name with a blank": ({"status ": "active"}, [("structure", "ServiceRequest")]),
    "a name that may be a value": ({"Jane Roe": 1}, [("structure", "ServiceRequest")]),
    "a choice without type": ({"quantity": {"value": 1}}, [("structure", "ServiceRequest.quantity")]),
    "an empty object": ({"subject": {}}, [("structure", "ServiceRequest.subject")]),
    "an object of an id alone": ({"subject": {"id": "a"}}, [("structure", "ServiceRequest.subject")]),
    "an empty array": ({"note": []}, [("structure", "ServiceRequest.note")]),
    "an empty string": ({"patientInstruction": ""}, [("structure", "ServiceRequest.patientInstruction")]),
    "null": ({"priority": None}, [("structure", "ServiceRequest.priority")]),
    "null for an object": ({"subject": None}, [("structure", "ServiceRequest.subject")]),
    "null in an array": ({"note": [None]}, [("structure", "ServiceRequest.note[0]")]),
    "an array for one": ({"status": ["active"]}, [("structure", "ServiceRequest.status")]),
    "one for an array": ({"note": {"text": "a"}}, [("structure", "ServiceRequest.note")]),
    "a string for an object": ({"code": "J1439"}, [("structure", "ServiceRequest.code")]),
    "a number for a string": ({"patientInstruction": 1}, [("structure", "ServiceRequest.patientInstruction")]),
    "a string for a boolean": ({"doNotPerform": "true"}, [("structure", "ServiceRequest.doNotPerform")]),
    "a second type of a choice": ({"occurrenceDateTime": "2026"}, [("structure", "ServiceRequest.occurrence")]),
    "a code not of the value set": ({"status": "banana"}, [("code-invalid", "ServiceRequest.status")]),
    "a code with a blank": ({"status": "active "}, [("code-invalid", "ServiceRequest.status")]),
    "a wrong target": ({"subject": {"reference": "Observation/1"}}, [("value", "ServiceRequest.subject.reference")]),
    "a wrong absolute target": (
        {"subject": {"reference": "http://a.org/r4/Observation/1/_history/2"}},
        [("value", "ServiceRequest.subject.reference")],
    ),
    "a wrong logical target": (
        {"subject": {"type": "Observation", "display": "a"}},
        [("value", "ServiceRequest.subject.type")],
    ),
    "a type that contradicts": (
        {"subject": {"reference": "Patient/1", "type": "Group"}},
        [("value", "ServiceRequest.subject.type")],
    ),
    "a wrong contained target": (
        {"subject": {"reference": "#site"}, "performer": [{"reference": "#site"}]},
        [("value", "ServiceRequest.subject.reference")],
    ),
    "no contained target": (
        {"requester": {"reference": "#nobody"}},
        [("invariant", "ServiceRequest.requester.reference")],
    ),
    "a reference of no form": ({"requester": {"reference": "7"}}, [("value", "ServiceRequest.requester.reference")]),
    "a modifier extension": (
        {"modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]},
        [("extension", "ServiceRequest.modifierExtension[0]")],
    ),
    "an extension without url": (
        {"extension": [{"valueCode": "a"}]},
        [("required", "ServiceRequest.extension[0].url")],
    ),
    "an extension with nothing": ({"extension": [{"url": "a"}]}, [("invariant", "ServiceRequest.extension[0]")]),
    "an extension with both": (
        {"extension": [{"url": "a", "valueCode": "b", "extension": [{"url": "c", "valueCode": "d"}]}]},
        [("invariant", "ServiceRequest.extension[0]")],
    ),
    "an extension with two values": (
        {"extension": [{"url": "a", "valueCode": "b", "valueString": "c"}]},
        [("structure", "ServiceRequest.extension[0].value")],
    ),
    "two values, one without value": (
        {
            "extension": [
                {"url": "a", "valueCode": "b", "_valueString": {"extension": [{"url": "c", "valueCode": "d"}]}}
            ]
        },
        [("structure", "ServiceRequest.extension[0].value")],
    ),
    "a quantity of a quantity": (
        {"quantityRange": {"low": {"value": 1, "comparator": "<"}}, "quantityQuantity": None},
        [
            ("structure", "ServiceRequest.quantity"),
            ("invariant", "ServiceRequest.quantity.low"),
            ("structure", "ServiceRequest.quantity.low.comparator"),
            ("structure", "ServiceRequest.quantity"),
        ],
    ),
    "a script": (
        {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>'}},
        [("value", "ServiceRequest.text.div")],
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_one_defect_is_told_with_code_and_expression(name: str) -> None:
    change, expected = DEFECTS[name]
    assert sorted(said(order() | change)) == sorted(expected)


def test_every_issue_is_told_and_not_the_first_only() -> None:
    broken = order() | {
        "status": "x",
        "intent": "y",
        "note": [{}, {"text": ""}],
        "foo": 1,
        "code": {"coding": [{"system": " ", "code": "a"}]},
    }
    broken.pop("subject")
    assert sorted(said(broken)) == [
        ("code-invalid", "ServiceRequest.intent"),
        ("code-invalid", "ServiceRequest.status"),
        ("invariant", "ServiceRequest.code.coding[0]"),
        ("required", "ServiceRequest.note[0].text"),
        ("required", "ServiceRequest.subject"),
        ("structure", "ServiceRequest.foo"),
        ("structure", "ServiceRequest.note[0]"),
        ("structure", "ServiceRequest.note[1].text"),
        ("value", "ServiceRequest.code.coding[0].system"),
    ]


def test_an_element_is_there_when_it_has_a_value_or_an_extension() -> None:
    absent = {"extension": [{"url": "u", "valueCode": "unknown"}]}
    resource = order()
    status = resource.pop("status")
    assert said(resource) == [("required", "ServiceRequest.status")]
    assert said(resource | {"status": status, "_status": {"id": "a"}}) == []
    assert said(order() | {"note": [{"_text": absent}]}) == []
    assert said(order() | {"note": [{"_text": {"id": "a"}}]}) == [("structure", "ServiceRequest.note[0].text")]


def test_no_extension_stands_for_the_code_of_a_required_binding() -> None:
    absent = {"extension": [{"url": "u", "valueCode": "unknown"}]}
    resource = order()
    del resource["status"]
    assert said(resource | {"_status": absent}) == [("code-invalid", "ServiceRequest.status")]


def test_the_id_of_a_resource_has_no_extensions() -> None:
    extended = order() | {"_id": {"extension": [{"url": "u", "valueCode": "c"}]}}
    assert said(extended) == [("structure", "ServiceRequest.id")]


@pytest.mark.parametrize(
    ("given", "beside", "expected"),
    [
        (["a", None], [None, {"extension": [{"url": "u", "valueCode": "c"}]}], []),
        (["a", "b"], [{"id": "x"}], []),
        (None, [{"extension": [{"url": "u", "valueCode": "c"}]}], []),
        (["a", None], None, ["Patient.name[0].given[1]"]),
        (["a", None], [{"id": "x"}], ["Patient.name[0].given[1]"]),
        (["a", None], [None, None], ["Patient.name[0].given[1]"]),
        (["a"], [None, {"id": "x"}], ["Patient.name[0].given[1]"]),
        (["a"], {"id": "x"}, ["Patient.name[0].given"]),
        (["a", ""], None, ["Patient.name[0].given[1]"]),
        (["a", ["b"]], None, ["Patient.name[0].given[1]"]),
    ],
)
def test_null_stands_only_where_the_other_array_says_something(given: Any, beside: Any, expected: list[str]) -> None:
    halves = {"given": given, "_given": beside}
    name = {"family": "Doe"} | {key: value for key, value in halves.items() if value is not None}
    assert [expression for _, expression in said(patient() | {"name": [name]})] == expected


def test_problems_in_bundles_and_contained_resources_are_told_from_the_outside() -> None:
    broken = bundle()
    broken["entry"][1]["resource"]["status"] = "x"
    broken["entry"][0]["resource"]["contained"] = [{"resourceType": "Organization", "id": "o", "name": 1}]
    assert sorted(said(broken)) == [
        ("code-invalid", "Bundle.entry[1].resource.status"),
        ("invariant", "Bundle.entry[0].resource.contained[0]"),
        ("structure", "Bundle.entry[0].resource.contained[0].name"),
    ]


def test_a_urn_leads_to_the_entry_of_the_bundle() -> None:
    wrong = bundle()
    wrong["entry"][1]["resource"]["encounter"] = {"reference": wrong["entry"][0]["fullUrl"]}
    assert said(wrong) == [("value", "Bundle.entry[1].resource.encounter.reference")]
    dangling = bundle()
    dangling["entry"][1]["resource"]["subject"]["reference"] = "urn:uuid:9b6c5f2e-26a5-4b0f-8f1c-1f2a3b4c5d6e"
    assert said(dangling) == [("value", "Bundle.entry[1].resource.subject.reference")]
    assert said(dangling | {"type": "collection", "entry": [{"resource": dangling["entry"][1]["resource"]}]}) == []


def test_resources_of_parameters_are_checked() -> None:
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "r", "resource": patient() | {"gender": "x"}}]}
    assert said(parameters) == [("code-invalid", "Parameters.parameter[0].resource.gender")]


def test_a_concept_of_a_required_binding_needs_one_of_its_codings() -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}}
    other = {"system": "https://example.org", "code": "active"}

    def status(**concept: Any) -> list[tuple[str, str]]:
        return said(condition | {"clinicalStatus": concept})

    assert status(coding=[other, {"system": system, "code": "active"}]) == []
    assert status(extension=[{"url": "u", "valueCode": "unknown"}]) == []
    assert status(coding=[other]) == [("code-invalid", "Condition.clinicalStatus.coding")]
    assert status(coding=[{"code": "active"}]) == [("code-invalid", "Condition.clinicalStatus.coding")]
    assert status(text="active") == [("code-invalid", "Condition.clinicalStatus.coding")]


def test_open_bindings_are_not_checked() -> None:
    assert "http://hl7.org/fhir/ValueSet/mimetypes" in definitions().open
    assert said(patient() | {"photo": [{"contentType": "text/x-own; charset=utf-8", "data": "AAAA"}]}) == []


def test_a_decimal_has_to_be_exact() -> None:
    assert said(observation() | {"valueQuantity": {"value": 1.5}}) == [("structure", "Observation.value.value")]
    assert said(observation() | {"valueQuantity": {"value": Decimal("1.5")}}) == []


def test_a_modifier_extension_is_let_in_by_who_acts_on_it() -> None:
    resource = order() | {"modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]}
    assert Validator(modifiers=["https://example.org/not"]).check(resource) == []


def test_at_most_a_thousand_issues_are_told_and_that_there_are_more() -> None:
    for many in ({"note": [{}] * 5000}, {f"a{n}": n for n in range(5000)}):
        issues = r4().check(order() | many)
        assert (len(issues), issues[-1].code) == (1001, "too-costly")


NAMES = ["id", "extension", "url", "valueCode", "coding", "reference", "_given", "entry", "meta", "contained"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_json_brings_out_an_exception(name: str, data: st.DataObject) -> None:
    resource = copy.deepcopy(GOOD[name]())
    place: Any = resource
    while data.draw(st.booleans()):
        inner = [v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, dict | list) and v]
        if not inner:
            break
        place = data.draw(st.sampled_from(inner))
    key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(json_values)
    assert isinstance(r4().check(resource), list)
