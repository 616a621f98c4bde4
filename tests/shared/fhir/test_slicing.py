"""Every way FHIR tells slices apart, and what is wrong with too few, too many, misplaced and wrong items."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .constrained import PROFILE, having, issues, profile, sliced, told

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
SYSTOLIC = {"coding": [{"system": LOINC, "code": "8480-6"}]}
DIASTOLIC = {"coding": [{"system": LOINC, "code": "8462-4"}]}


def pressure(*components: Any, **more: Any) -> dict[str, Any]:
    listed = {"component": list(components)} if components else {}
    return {"resourceType": "Observation", "status": "final", "code": {"text": "blood pressure"}} | listed | more


def part(code: dict[str, Any], value: str = "120") -> dict[str, Any]:
    return {"code": copy.deepcopy(code), "valueQuantity": {"value": Decimal(value), "unit": "mmHg"}}


def slice_(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_} | more


PARTS = [
    slice_("Observation.component:systolic", min=1, max="1"),
    slice_("Observation.component:systolic.code", min=1, max="1", patternCodeableConcept=SYSTOLIC),
    slice_("Observation.component:systolic.value[x]", min=1, max="1", type=[{"code": "Quantity"}]),
    slice_("Observation.component:diastolic", max="1"),
    slice_("Observation.component:diastolic.code", min=1, max="1", patternCodeableConcept=DIASTOLIC),
]
GOOD = pressure(part(SYSTOLIC), part(DIASTOLIC, "80"))


def by(discriminator: str, **more: Any) -> Any:
    return having(profile("bp", "Observation", sliced("Observation.component", discriminator, **more), *PARTS))


@pytest.mark.parametrize("discriminator", ["pattern:code", "value:code", "value:code.coding.code"])
def test_a_slice_is_told_by_the_value_or_pattern_it_gives(discriminator: str) -> None:
    if discriminator.endswith("coding.code"):
        inner = [
            slice_("Observation.component:systolic.code.coding"),
            slice_("Observation.component:systolic.code.coding.code", fixedCode="8480-6"),
        ]
        validator = having(
            profile(
                "bp",
                "Observation",
                sliced("Observation.component", discriminator),
                PARTS[0],
                slice_("Observation.component:systolic.code"),
                *inner,
            )
        )
    else:
        validator = by(discriminator)
    assert told(validator, GOOD, "bp") == []
    assert told(validator, pressure(part(DIASTOLIC)), "bp") == [("required", "Observation.component")]
    assert told(validator, pressure(), "bp") == [("required", "Observation.component")]


def test_a_slice_above_its_maximum_is_refused_where_it_is_too_many() -> None:
    assert told(by("pattern:code"), pressure(part(SYSTOLIC), part(DIASTOLIC), part(SYSTOLIC)), "bp") == [
        ("structure", "Observation.component[2]")
    ]


def test_a_slice_is_told_by_the_value_some_elements_away() -> None:
    v = having(
        profile(
            "visit",
            "Appointment",
            sliced("Appointment.participant", "value:actor.identifier.system"),
            {"id": "Appointment.participant:nurse", "min": 1, "max": "1"},
            {"id": "Appointment.participant:nurse.actor", "max": "1"},
            {"id": "Appointment.participant:nurse.actor.identifier", "max": "1"},
            {"id": "Appointment.participant:nurse.actor.identifier.system", "min": 1, "max": "1", "fixedUri": "urn:n"},
            {"id": "Appointment.participant:nurse.required", "min": 1, "max": "1"},
        )
    )

    def said(*actors: Any) -> list[tuple[str, str]]:
        people = [{"actor": actor, "status": "accepted"} for actor in actors]
        return told(v, {"resourceType": "Appointment", "status": "proposed", "participant": people}, "visit")

    nurse, other = {"identifier": {"system": "urn:n", "value": "1"}}, {"identifier": {"system": "urn:o", "value": "1"}}
    required = ("required", "Appointment.participant[0].required")
    assert said(nurse, other) == [required]
    assert said(nurse, nurse)[0] == required
    assert ("structure", "Appointment.participant[1]") in said(nurse, nurse)
    assert said(other, {"display": "a"}) == [("required", "Appointment.participant")]


def test_a_code_outside_the_binding_is_refused_beside_slices_told_by_its_codes() -> None:
    codes = "http://hl7.org/fhir/ValueSet/task-intent"
    system = "http://hl7.org/fhir/task-intent"
    v = having(
        profile(
            "answered",
            "Task",
            sliced("Task.output", "value:type"),
            {
                "id": "Task.output.type",
                "min": 1,
                "max": "1",
                "binding": {"strength": "required", "valueSet": codes},
            },
            {"id": "Task.output:known"},
            {
                "id": "Task.output:known.type",
                "min": 1,
                "max": "1",
                "patternCodeableConcept": {"coding": [{"system": system, "code": "unknown"}]},
            },
        )
    )

    def said(code: str) -> list[tuple[str, str]]:
        output = {"type": {"coding": [{"system": system, "code": code}]}, "valueString": "a"}
        return told(v, {"resourceType": "Task", "status": "draft", "intent": "order", "output": [output]}, "answered")

    assert said("unknown") == []
    assert said("nonsense") == [("code-invalid", "Task.output[0].type.coding")]


def test_what_a_slice_demands_is_asked_of_its_items_only() -> None:
    worded = {"code": SYSTOLIC, "valueString": "120 over"}
    other = {"code": {"text": "cuff"}, "valueString": "large"}
    assert told(by("pattern:code"), pressure(worded, other), "bp") == [("structure", "Observation.component[0].value")]
    assert told(by("pattern:code"), pressure({"code": SYSTOLIC}, other), "bp") == [
        ("required", "Observation.component[0].value")
    ]


def test_open_slices_allow_others_closed_ones_none_and_open_at_end_only_behind() -> None:
    cuff = {"code": {"text": "cuff"}, "valueString": "large"}
    before, behind = pressure(cuff, part(SYSTOLIC)), pressure(part(SYSTOLIC), cuff)
    assert told(by("pattern:code"), before, "bp") == []
    assert told(by("pattern:code", rules="closed"), behind, "bp") == [("structure", "Observation.component[1]")]
    assert told(by("pattern:code", rules="openAtEnd"), before, "bp") == [("structure", "Observation.component[0]")]
    assert told(by("pattern:code", rules="openAtEnd"), behind, "bp") == []


def test_ordered_slices_stand_in_their_order() -> None:
    turned = pressure(part(DIASTOLIC), part(SYSTOLIC))
    assert told(by("pattern:code", ordered=True), GOOD, "bp") == []
    assert told(by("pattern:code", ordered=True), turned, "bp") == [("structure", "Observation.component[1]")]
    assert told(by("pattern:code"), turned, "bp") == []


def test_the_default_slice_takes_what_is_in_no_other() -> None:
    rest = slice_("Observation.component:@default", max="1", sliceName="@default")
    coded = slice_("Observation.component:@default.dataAbsentReason", min=1, max="1")
    validator = having(
        profile(
            "bp", "Observation", sliced("Observation.component", "pattern:code", rules="closed"), *PARTS, rest, coded
        )
    )
    cuff = {"code": {"text": "cuff"}, "dataAbsentReason": {"text": "lost"}}
    assert told(validator, pressure(part(SYSTOLIC), cuff), "bp") == []
    assert told(validator, pressure(part(SYSTOLIC), cuff, cuff), "bp") == [("structure", "Observation.component[2]")]
    assert told(validator, pressure(part(SYSTOLIC), part({"text": "cuff"})), "bp") == [
        ("required", "Observation.component[1].dataAbsentReason")
    ]


def test_a_slice_is_told_by_what_is_there() -> None:
    validator = having(
        profile(
            "absent",
            "Observation",
            sliced("Observation.component", "exists:dataAbsentReason"),
            slice_("Observation.component:measured", min=1),
            slice_("Observation.component:measured.dataAbsentReason", max="0"),
            slice_("Observation.component:missing", max="1"),
            slice_("Observation.component:missing.dataAbsentReason", min=1, max="1"),
        )
    )
    missing = {"code": SYSTOLIC, "dataAbsentReason": {"text": "lost"}}
    assert told(validator, pressure(part(SYSTOLIC), missing), "absent") == []
    assert told(validator, pressure(missing, missing), "absent") == [
        ("required", "Observation.component"),
        ("structure", "Observation.component[1]"),
    ]


def test_a_choice_is_sliced_by_its_type() -> None:
    validator = having(
        profile(
            "measured",
            "Observation",
            sliced("Observation.value[x]", "type:$this", rules="closed"),
            slice_("Observation.value[x]:valueQuantity", min=1, max="1", type=[{"code": "Quantity"}]),
            slice_("Observation.value[x]:valueQuantity.unit", min=1, max="1"),
        )
    )
    assert told(validator, pressure(valueQuantity={"value": 1, "unit": "mg"}), "measured") == []
    assert told(validator, pressure(valueQuantity={"value": 1}), "measured") == [("required", "Observation.value.unit")]
    assert told(validator, pressure(valueString="a"), "measured") == [
        ("required", "Observation.value"),
        ("structure", "Observation.value"),
    ]


def test_entries_are_sliced_by_the_type_of_their_resource() -> None:
    patient = profile("patient", "Patient", slice_("Patient.name", min=1))
    validator = having(
        patient,
        profile(
            "pack",
            "Bundle",
            sliced("Bundle.entry", "type:resource"),
            slice_("Bundle.entry:patient", min=1, max="1"),
            slice_(
                "Bundle.entry:patient.resource",
                min=1,
                max="1",
                type=[{"code": "Patient", "profile": [PROFILE + "patient"]}],
            ),
        ),
    )
    named, nameless = {"resourceType": "Patient", "name": [{"text": "A"}]}, {"resourceType": "Patient", "active": True}

    def pack(*resources: dict[str, Any]) -> dict[str, Any]:
        return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}

    assert told(validator, pack(pressure(), named), "pack") == []
    assert told(validator, pack(pressure()), "pack") == [("required", "Bundle.entry")]
    [issue] = issues(validator, pack(nameless), "pack")
    assert (issue.code, issue.expression) == ("required", "Bundle.entry[0].resource.name")
    assert issue.profile == PROFILE + "patient|1.0"


def test_slices_are_told_by_the_profile_of_what_is_referred_to() -> None:
    validator = having(
        profile("lab", "Observation", slice_("Observation.issued", min=1)),
        profile(
            "report",
            "DiagnosticReport",
            sliced("DiagnosticReport.result", "profile:resolve()"),
            slice_(
                "DiagnosticReport.result:lab",
                min=1,
                max="1",
                type=[{"code": "Reference", "targetProfile": [PROFILE + "lab"]}],
            ),
        ),
    )

    def report(**more: Any) -> dict[str, Any]:
        return {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": {"text": "a"},
            "contained": [pressure() | {"id": "o"} | more],
            "result": [{"reference": "#o"}],
        }

    assert told(validator, report(issued="2026-11-20T10:00:00Z"), "report") == []
    assert told(validator, report(), "report") == [("required", "DiagnosticReport.result")]


def test_slices_are_told_by_the_type_of_what_is_referred_to() -> None:
    type_ = [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]
    validator = having(
        profile(
            "seen",
            "Observation",
            sliced("Observation.performer", "type:resolve()"),
            slice_("Observation.performer:person", min=1, max="1", type=type_),
        )
    )
    assert told(validator, pressure(performer=[{"reference": "Practitioner/1"}]), "seen") == []
    assert told(validator, pressure(performer=[{"reference": "Organization/1"}]), "seen") == [
        ("required", "Observation.performer")
    ]


COLOUR, SCOPE = PROFILE + "colour", PROFILE + "scope"
EXTENSIONS = [
    profile(
        "colour",
        "Extension",
        slice_("Extension.extension", max="0"),
        slice_("Extension.url", min=1, max="1", fixedUri=COLOUR),
        slice_("Extension.value[x]", min=1, max="1", type=[{"code": "boolean"}]),
    )
]


def test_extensions_are_sliced_by_url_and_kept_to_their_definition() -> None:
    validator = having(
        *EXTENSIONS,
        profile(
            "dyed",
            "Patient",
            sliced("Patient.extension", "value:url"),
            slice_("Patient.extension:colour", min=1, max="1", type=[{"code": "Extension", "profile": [COLOUR]}]),
        ),
    )

    def dyed(*extensions: dict[str, Any]) -> dict[str, Any]:
        return {"resourceType": "Patient", "extension": list(extensions), "active": True}

    good = {"url": COLOUR, "valueBoolean": True}
    assert told(validator, dyed(good), "dyed") == []
    assert told(validator, {"resourceType": "Patient"}, "dyed") == [("required", "Patient.extension")]
    assert told(validator, dyed({"url": "https://example.org/other", "valueCode": "a"}), "dyed") == [
        ("required", "Patient.extension")
    ]
    assert told(validator, dyed(good, good), "dyed") == [("structure", "Patient.extension[1]")]
    [issue] = issues(validator, dyed({"url": COLOUR, "valueString": "a"}), "dyed")
    assert (issue.expression, issue.profile) == ("Patient.extension[0].value", COLOUR + "|1.0")


def test_a_slice_is_told_by_the_value_of_an_extension() -> None:
    path = f"extension('{COLOUR}').value.ofType(boolean)"
    inner = [
        slice_("Observation.component:dyed", min=1, max="1"),
        sliced("Observation.component:dyed.extension", "value:url"),
        slice_(
            "Observation.component:dyed.extension:colour",
            min=1,
            max="1",
            sliceName="colour",
            type=[{"code": "Extension", "profile": [COLOUR]}],
        ),
        slice_("Observation.component:dyed.extension:colour.value[x]", type=[{"code": "boolean"}], fixedBoolean=True),
    ]
    validator = having(
        *EXTENSIONS, profile("dyed", "Observation", sliced("Observation.component", f"value:{path}"), *inner)
    )
    dyed = part(SYSTOLIC) | {"extension": [{"url": COLOUR, "valueBoolean": True}]}
    plain = part(SYSTOLIC) | {"extension": [{"url": COLOUR, "valueBoolean": False}]}
    assert told(validator, pressure(dyed, plain), "dyed") == []
    assert told(validator, pressure(plain), "dyed") == [("required", "Observation.component")]


def test_a_slice_is_sliced_again() -> None:
    validator = having(
        profile(
            "twice",
            "Observation",
            sliced("Observation.category", "value:coding.system"),
            {"id": "Observation.category:ours", "min": 1}
            | sliced("", "value:coding.code")
            | {"id": "Observation.category:ours", "sliceName": "ours"},
            slice_("Observation.category:ours.coding.system", fixedUri="https://example.org/ours"),
            slice_("Observation.category:ours.coding"),
            slice_("Observation.category:ours/lab", min=1, max="1", sliceName="ours/lab"),
            slice_("Observation.category:ours/lab.coding"),
            slice_("Observation.category:ours/lab.coding.code", fixedCode="lab"),
        )
    )

    def of(*codes: tuple[str, str]) -> dict[str, Any]:
        return pressure(category=[{"coding": [{"system": f"https://example.org/{s}", "code": c}]} for s, c in codes])

    assert told(validator, of(("ours", "lab"), ("ours", "x"), ("theirs", "lab")), "twice") == []
    assert told(validator, of(("ours", "x"), ("theirs", "lab")), "twice") == [("required", "Observation.category")]
    assert told(validator, of(("ours", "lab"), ("ours", "lab")), "twice") == [("structure", "Observation.category[1]")]


def test_what_cannot_be_told_apart_is_listed_and_not_judged() -> None:
    validator = having(
        profile(
            "vague",
            "Observation",
            sliced("Observation.category", "value:$this", rules="closed"),
            slice_(
                "Observation.category:unknown",
                min=1,
                binding={"strength": "required", "valueSet": "https://example.org/ValueSet/nowhere"},
            ),
        )
    )
    assert told(validator, pressure(category=[{"text": "a"}]), "vague") == []
    assert any("Observation.category:unknown: slice" in line for line in validator.unchecked)


@given(st.permutations([part(SYSTOLIC), part(DIASTOLIC), {"code": {"text": "cuff"}}]), st.data())
def test_items_taken_away_and_doubled_are_found_wherever_they_stand(components: list[Any], data: st.DataObject) -> None:
    validator, at = by("pattern:code"), data.draw(st.integers(0, 2))
    chosen, without = components[at], components[:at] + components[at + 1 :]
    assert told(validator, pressure(*components), "bp") == []
    missing = told(validator, pressure(*without), "bp")
    doubled = told(validator, pressure(*components, chosen), "bp")
    assert missing == ([("required", "Observation.component")] if chosen["code"] == SYSTOLIC else [])
    assert doubled == ([] if "text" in chosen["code"] else [("structure", "Observation.component[3]")])
