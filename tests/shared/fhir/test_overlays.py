"""What a profile demands beyond its base type is told with its name, and nothing of it is told twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.fhir.definitions import r4
from shared.fhir.profiles import Validator
from shared.fhir.snapshots import STRUCTURE

from .constrained import PROFILE, having, issues, profile, sliced, told

OURS = "https://carepod.example/fhir/ValueSet/colour"
THEIRS = "https://example.org/ValueSet/colour"
SYSTEM = "https://example.org/CodeSystem/colour"


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "active": True} | more


def order(**more: Any) -> dict[str, Any]:
    subject = {"reference": "Patient/1"}
    return {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": subject} | more


def value_set(url: str) -> dict[str, Any]:
    include = [{"system": SYSTEM, "concept": [{"code": "red"}, {"code": "blue"}]}]
    return {"resourceType": "ValueSet", "url": url, "compose": {"include": include}}


def one(type_: str, *elements: dict[str, Any]) -> Validator:
    """A validator with one profile, `p`."""
    return having(profile("p", type_, *elements), value_set(OURS), value_set(THEIRS))


def bound(id_: str, strength: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "binding": {"strength": strength, "valueSet": f"{url}|1.0"}} | more


def concept(*codes: str) -> dict[str, Any]:
    return {"coding": [{"system": SYSTEM, "code": code} for code in codes]}


NARROWED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "a minimum": (
        {"id": "Patient.name", "min": 1},
        patient(name=[{"text": "a"}]),
        patient(),
        [("required", "Patient.name")],
    ),
    "a minimum of two": (
        {"id": "Patient.name", "min": 2},
        patient(name=[{"text": "a"}, {"text": "b"}]),
        patient(name=[{"text": "a"}]),
        [("required", "Patient.name")],
    ),
    "a maximum": (
        {"id": "Patient.name", "max": "1", "base": {"max": "*"}},
        patient(name=[{"text": "a"}]),
        patient(name=[{"text": "a"}, {"text": "b"}]),
        [("structure", "Patient.name")],
    ),
    "an element that is not allowed": (
        {"id": "Patient.photo", "max": "0", "base": {"max": "*"}},
        patient(),
        patient(photo=[{"title": "a"}]),
        [("structure", "Patient.photo")],
    ),
    "a primitive that is not allowed": (
        {"id": "Patient.birthDate", "max": "0", "base": {"max": "1"}},
        patient(),
        patient(_birthDate={"extension": [{"url": "u", "valueCode": "a"}]}),
        [("structure", "Patient.birthDate")],
    ),
    "a choice that has to be made": (
        {"id": "Patient.deceased[x]", "min": 1, "max": "1"},
        patient(_deceasedBoolean={"extension": [{"url": "u", "valueCode": "a"}]}),
        patient(),
        [("required", "Patient.deceased")],
    ),
    "fewer types of a choice": (
        {"id": "Patient.deceased[x]", "max": "1", "type": [{"code": "boolean"}]},
        patient(deceasedBoolean=False),
        patient(deceasedDateTime="2026"),
        [("structure", "Patient.deceased")],
    ),
    "a fixed decimal": (
        {"id": "ServiceRequest.quantity[x]", "max": "1", "fixedQuantity": {"value": Decimal("1.0")}},
        order(quantityQuantity={"value": Decimal("1.0")}),
        order(quantityQuantity={"value": Decimal("1.00")}),
        [("value", "ServiceRequest.quantity")],
    ),
    "a fixed boolean": (
        {"id": "ServiceRequest.doNotPerform", "max": "1", "fixedBoolean": False},
        order(doNotPerform=False),
        order(doNotPerform=True),
        [("value", "ServiceRequest.doNotPerform")],
    ),
    "a pattern": (
        {"id": "ServiceRequest.code", "max": "1", "patternCodeableConcept": concept("red")},
        order(code={"text": "a", "coding": [{"code": "x"}, {"system": SYSTEM, "code": "red", "display": "Red"}]}),
        order(code=concept("blue")),
        [("value", "ServiceRequest.code")],
    ),
    "a binding of a concept": (
        bound("ServiceRequest.code", "required", THEIRS, max="1"),
        order(code=concept("green", "red")),
        order(code=concept("green")),
        [("code-invalid", "ServiceRequest.code.coding")],
    ),
    "a binding of a concept in words": (
        bound("ServiceRequest.code", "required", THEIRS, max="1"),
        order(code={"extension": [{"url": "u", "valueCode": "unknown"}]}),
        order(code={"text": "red"}),
        [("code-invalid", "ServiceRequest.code.coding")],
    ),
    "our extensible binding": (
        bound("ServiceRequest.code", "extensible", OURS, max="1"),
        order(code={"text": "magenta"}),
        order(code=concept("green")),
        [("code-invalid", "ServiceRequest.code.coding")],
    ),
    "a narrower target": (
        {
            "id": "ServiceRequest.subject",
            "max": "1",
            "type": [{"code": "Reference", "targetProfile": [STRUCTURE + "Group"]}],
        },
        order(subject={"reference": "Group/1"}),
        order(),
        [("value", "ServiceRequest.subject.reference")],
    ),
    "a length": (
        {"id": "ServiceRequest.patientInstruction", "max": "1", "maxLength": 3},
        order(patientInstruction="abc"),
        order(patientInstruction="abcd"),
        [("too-long", "ServiceRequest.patientInstruction")],
    ),
    "a least quantity": (
        {"id": "ServiceRequest.quantity[x]", "max": "1", "minValueQuantity": {"value": 2, "code": "mg", "system": "u"}},
        order(quantityQuantity={"value": Decimal("2.0"), "code": "mg", "system": "u"}),
        order(quantityQuantity={"value": Decimal("1.9"), "code": "mg", "system": "u"}),
        [("value", "ServiceRequest.quantity")],
    ),
    "a most of a date": (
        {"id": "Patient.birthDate", "max": "1", "maxValueDate": "2026-01-01"},
        patient(birthDate="2025-12-31"),
        patient(birthDate="2026-01-02"),
        [("value", "Patient.birthDate")],
    ),
}


@pytest.mark.parametrize("name", NARROWED)
def test_a_profile_narrows_its_base(name: str) -> None:
    element, good, bad, expected = NARROWED[name]
    validator = one(element["id"].partition(".")[0], element)
    assert told(validator, good, "p") == []
    assert told(validator, bad, "p") == expected
    assert {i.profile for i in issues(validator, bad, "p")} == {PROFILE + "p|1.0"}
    assert validator.check(bad) == []


def test_a_required_binding_of_a_code_is_narrowed() -> None:
    statuses = {"system": "http://hl7.org/fhir/request-status", "concept": [{"code": "active"}]}
    narrow = {"resourceType": "ValueSet", "url": THEIRS, "compose": {"include": [statuses]}}
    validator = having(profile("p", "ServiceRequest", bound("ServiceRequest.status", "required", THEIRS)), narrow)
    assert told(validator, order(), "p") == []
    assert told(validator, order(status="revoked"), "p") == [("code-invalid", "ServiceRequest.status")]


def test_children_are_narrowed_inside_data_types_and_primitives() -> None:
    validator = one(
        "Patient",
        {"id": "Patient.name"},
        {"id": "Patient.name.family", "min": 1, "max": "1"},
        {"id": "Patient.birthDate", "max": "1"},
        {"id": "Patient.birthDate.extension", "min": 1},
    )
    timed = {"extension": [{"url": "u", "valueDateTime": "2026"}]}
    assert told(validator, patient(name=[{"family": "a"}], birthDate="2026", _birthDate=timed), "p") == []
    assert told(validator, patient(name=[{"family": "a"}, {"text": "b"}], birthDate="2026"), "p") == [
        ("required", "Patient.birthDate.extension"),
        ("required", "Patient.name[1].family"),
    ]


def test_the_items_of_items_obey_what_is_said_of_items() -> None:
    validator = one(
        "Questionnaire",
        {"id": "Questionnaire.item"},
        {"id": "Questionnaire.item.text", "min": 1, "max": "1"},
        {"id": "Questionnaire.item.item", "contentReference": "#Questionnaire.item"},
    )
    deep = {"linkId": "1", "type": "group", "text": "a", "item": [{"linkId": "2", "type": "display"}]}
    questionnaire = {"resourceType": "Questionnaire", "status": "draft", "item": [deep]}
    assert told(validator, questionnaire, "p") == [("required", "Questionnaire.item[0].item[0].text")]


def test_what_base_says_already_a_profile_does_not_say_again() -> None:
    validator = one("ServiceRequest", {"id": "ServiceRequest.code", "min": 1, "max": "1"})
    wrong = order(status="x", code={"coding": "red"})
    assert told(validator, wrong, "p") == [
        ("code-invalid", "ServiceRequest.status"),
        ("structure", "ServiceRequest.code.coding"),
    ]
    assert {i.profile for i in issues(validator, wrong, "p")} == {""}


def test_the_invariants_of_a_profile_bear_its_name_and_key() -> None:
    coded = {"key": "p-1", "severity": "error", "human": "a code or a reason", "expression": "code.exists()"}
    weak = coded | {"key": "p-2", "severity": "warning", "expression": "false"}
    validator = having(profile("p", "ServiceRequest", {"id": "ServiceRequest.code"}))
    made = profile("p", "ServiceRequest")
    made["snapshot"]["element"][0]["constraint"] = [coded, weak]
    validator = having(made)
    assert told(validator, order(code={"text": "a"}), "p") == []
    [issue] = issues(validator, order(), "p")
    assert (issue.code, issue.expression, issue.rule) == ("invariant", "ServiceRequest", "p-1")
    assert issue.profile == PROFILE + "p|1.0"


NAMED = profile("named", "Patient", {"id": "Patient.name", "min": 1})
REFERRING = profile(
    "referring",
    "ServiceRequest",
    {
        "id": "ServiceRequest.subject",
        "min": 1,
        "max": "1",
        "type": [{"code": "Reference", "targetProfile": [PROFILE + "named|1.0"]}],
    },
)


def test_a_target_at_hand_has_to_meet_the_profile_of_the_reference() -> None:
    validator = having(NAMED, REFERRING)
    led = order(subject={"reference": "#p"})
    good, bad = ({"contained": [patient(id="p", **more)]} for more in ({"name": [{"text": "a"}]}, {}))
    assert told(validator, led | good, "referring") == []
    assert told(validator, led | bad, "referring") == [("value", "ServiceRequest.subject.reference")]
    assert told(validator, order(), "referring") == []
    assert told(validator, order(subject={"reference": "Group/1"}), "referring") == [
        ("value", "ServiceRequest.subject.reference")
    ]


def test_a_target_in_the_bundle_is_found_by_its_full_url() -> None:
    validator = having(NAMED, REFERRING)
    claims = order(id="1", meta={"profile": [PROFILE + "referring"]})
    base = "https://ehr.example.org/fhir/"
    entries = [
        {"fullUrl": f"{base}ServiceRequest/1", "resource": claims},
        {"fullUrl": f"{base}Patient/1", "resource": patient(id="1")},
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    [issue] = validator.check(bundle, claimed=True)
    assert (issue.code, issue.expression) == ("value", "Bundle.entry[0].resource.subject.reference")
    assert validator.check(bundle) == []


def test_resources_that_refer_to_each_other_in_a_circle_come_to_an_end() -> None:
    led = {"type": [{"code": "Reference", "targetProfile": [PROFILE + "circle"]}], "min": 1}
    validator = having(profile("circle", "Observation", {"id": "Observation.hasMember"} | led))
    first, second = (
        {"resourceType": "Observation", "id": me, "status": "final", "code": {"text": "a"}}
        | {"hasMember": [{"reference": f"Observation/{other}"}]}
        for me, other in (("a", "b"), ("b", "a"))
    )  # fmt: skip
    urls = {"https://x.example/Observation/a": first, "https://x.example/Observation/b": second}
    entries = [{"fullUrl": url, "resource": r | {"meta": {"profile": [PROFILE + "circle"]}}} for url, r in urls.items()]
    assert validator.check({"resourceType": "Bundle", "type": "collection", "entry": entries}, claimed=True) == []


def test_profiles_are_checked_where_they_are_claimed_and_only_if_asked() -> None:
    validator = having(NAMED)
    claiming = patient(meta={"profile": [PROFILE + "named|1.0"]})
    assert validator.check(claiming) == []
    assert [i.expression for i in validator.check(claiming, claimed=True)] == ["Patient.name"]
    inside = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": claiming}]}
    assert [i.expression for i in validator.check(inside, claimed=True)] == ["Bundle.entry[0].resource.name"]
    contained = order(contained=[claiming | {"id": "p"}], subject={"reference": "#p"})
    assert "ServiceRequest.contained[0].name" in [i.expression for i in validator.check(contained, claimed=True)]


def test_an_unknown_profile_is_an_error_when_asked_for_and_an_information_when_claimed() -> None:
    unknown = PROFILE + "unknown"
    [asked] = having(NAMED).check(patient(), profiles=[unknown])
    [claimed] = having(NAMED).check(patient(meta={"profile": [unknown]}), claimed=True)
    assert (asked.severity, asked.code, asked.profile) == ("error", "not-found", unknown)
    assert (claimed.severity, claimed.code, claimed.profile) == ("information", "not-found", unknown)


@pytest.mark.parametrize(
    ("asked", "met"), [("", "1.10"), ("|1", "1.10"), ("|1.2", "1.2"), ("|2", "2.0-draft"), ("|3", "")]
)
def test_a_version_is_met_by_the_newest_that_fits(asked: str, met: str) -> None:
    versions = [NAMED | {"version": version} for version in ("1.2", "1.10", "1.9", "2.0-draft")]
    [issue] = having(*versions).check(patient(), profiles=[f"{PROFILE}named{asked}"])
    assert (issue.profile, issue.code) == (
        (f"{PROFILE}named|{met}", "required") if met else (f"{PROFILE}named{asked}", "not-found")
    )


def test_a_resource_of_another_type_does_not_meet_a_profile() -> None:
    assert told(having(NAMED), order(), "named") == [("structure", "ServiceRequest.resourceType")]


def test_a_base_type_is_a_profile_of_itself() -> None:
    assert Validator(r4()).check(patient(), profiles=[STRUCTURE + "Patient"]) == []


MODIFIER = profile(
    "cancelled", "Extension", {"id": "Extension.value[x]", "min": 1, "max": "1", "type": [{"code": "boolean"}]}
)


def test_a_modifier_extension_is_let_in_where_its_definition_is_known_and_kept_to() -> None:
    modified = order(modifierExtension=[{"url": PROFILE + "cancelled", "valueBoolean": True}])
    worded = order(modifierExtension=[{"url": PROFILE + "cancelled", "valueString": "yes"}])
    assert [i.code for i in having(NAMED).check(modified)] == ["extension"]
    assert having(MODIFIER).check(modified) == []
    assert [i.expression for i in having(MODIFIER).check(worded)] == ["ServiceRequest.modifierExtension[0].value"]


def test_extensions_inside_extensions_are_sliced_and_kept_to_their_definition() -> None:
    validator = having(
        profile(
            "dose",
            "Extension",
            sliced("Extension.extension", "value:url", rules="closed"),
            {"id": "Extension.extension:number", "min": 1, "max": "1"},
            {"id": "Extension.extension:number.url", "min": 1, "max": "1", "fixedUri": "number"},
            {"id": "Extension.extension:number.value[x]", "min": 1, "max": "1", "type": [{"code": "integer"}]},
            {"id": "Extension.value[x]", "max": "0", "base": {"max": "1"}},
        )
    )

    def dosed(*inner: dict[str, Any]) -> dict[str, Any]:
        return order(extension=[{"url": PROFILE + "dose", "extension": list(inner)}])

    number = {"url": "number", "valueInteger": 1}
    assert validator.check(dosed(number)) == []
    assert [i.expression for i in validator.check(dosed({"url": "number", "valueString": "1"}))] == [
        "ServiceRequest.extension[0].extension[0].value"
    ]
    assert [(i.code, i.expression) for i in validator.check(dosed({"url": "of", "valueInteger": 3}))] == [
        ("required", "ServiceRequest.extension[0].extension"),
        ("structure", "ServiceRequest.extension[0].extension[0]"),
    ]


@pytest.mark.parametrize(
    "elements",
    [
        [{"id": "Observation.component"}, {"id": "Observation.component.interpretation", "min": 1}],
        [sliced("Observation.component", "value:code"), {"id": "Observation.component:a", "max": "1"},
         {"id": "Observation.component:a.code", "min": 1, "patternCodeableConcept": concept("red")}],
        [sliced("Observation.component", "value:code", rules="closed"), {"id": "Observation.component:a"},
         {"id": "Observation.component:a.code", "min": 1, "patternCodeableConcept": concept("blue")}],
    ],
)  # fmt: skip
def test_of_very_many_faults_the_first_thousand_are_told(elements: list[dict[str, Any]]) -> None:
    many = [{"code": concept("red")} for _ in range(20_000)]
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "a"}, "component": many}
    found = issues(one("Observation", *elements), resource, "p")
    assert len(found) == 1001
    assert found[-1].code == "too-costly"


def test_what_a_profile_expects_is_said_and_what_was_there_is_not() -> None:
    validator = one("ServiceRequest", {"id": "ServiceRequest.code", "patternCodeableConcept": concept("red")})
    [issue] = issues(validator, order(code=concept("secret")), "p")
    assert issue.diagnostics == f"must contain coding.system '{SYSTEM}', coding.code 'red'"
