"""Each hand-written invariant refuses what breaks it and nothing beside it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from shared.fhir.definitions import Element, Structure
from shared.fhir.definitions import carepod as definitions_of_ours
from shared.fhir.definitions import r4 as definitions
from shared.fhir.invariants import BROKEN, EXPRESSED
from shared.fhir.problems import Scope
from shared.fhir.profiles import r4
from tests.shared.fhir.tried import CASES, CONCEPT, PATIENT, coded, observation

TYPES = re.findall(
    r"\w+",
    """Age Attachment ContactPoint Count DataRequirement Distance Duration Expression Extension MoneyQuantity Period
    Quantity Range Ratio Reference SimpleQuantity Timing TriggerDefinition""",
)

ALONGSIDE = {"dom-2": {"ref-1"}}
"""Rules that the same defect cannot but break."""


def broken(resource: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(issue.code, issue.rule, issue.expression) for issue in r4().check(resource)]


@pytest.mark.parametrize(("key", "at"), [(key, at) for key, (bad, _) in CASES.items() for at in range(len(bad))])
def test_what_breaks_the_rule_alone_is_refused(key: str, at: int) -> None:
    resource, expression = CASES[key][0][at]
    rule = key.rpartition(" ")[2]
    assert ("invariant", rule, expression) in broken(resource)
    assert {found for _, found, _ in broken(resource)} <= {rule} | ALONGSIDE.get(key, set())


@pytest.mark.parametrize(("key", "at"), [(key, at) for key, (_, good) in CASES.items() for at in range(len(good))])
def test_what_keeps_the_rule_is_legal(key: str, at: int) -> None:
    assert broken(CASES[key][1][at]) == []


def test_every_rule_belongs_to_a_constraint_of_fhir() -> None:
    names = sorted(definitions().resource_types) + TYPES
    structures = [definitions().structure(name) for name in names]
    elements = [e for s in structures for e in (s.root, *(c for children in s.children.values() for c in children))]
    keys = {key for e in elements for c in e.constraints for key in (c.key, f"{e.path} {c.key}")}
    assert BROKEN.keys() - keys == set()


@pytest.mark.parametrize("key", sorted(BROKEN))
@pytest.mark.parametrize(
    "junk", [None, 1, "a", [], [1], [None], {}, {"coding": 1}, {"meta": []}, [{"coding": [{"code": []}]}]]
)
def test_no_rule_is_brought_down_by_malformed_elements(key: str, junk: Any) -> None:
    names = (
        "entry code component contained start end type value low high meta coding when period status fullUrl identifier"
    )
    for name in names.split():
        assert BROKEN[key]({name: junk, "type": "document", "valueString": "a"} | {name: junk}, Scope({})) is not None


UCUM = {"system": "http://unitsofmeasure.org"}


def defining() -> dict[str, Any]:
    return {"definition": {"resource": [{"fhirVersion": ["4.0.1"]}]}}


def guide(group: str) -> dict[str, Any]:
    return {"grouping": [{"id": "a", "name": "a"}], "resource": [{"groupingId": group}, {"reference": PATIENT}]}


def member(reference: str) -> dict[str, Any]:
    return {"member": {"reference": reference}, "onBehalfOf": {"reference": "Organization/1"}}


def elements(*paths: str) -> dict[str, Any]:
    return {"element": [{"path": path} for path in paths]}


def consent(scope: str) -> dict[str, Any]:
    return {"scope": coded("something", scope)}


# key: an object that breaks it, one that keeps it
ALONE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "age-1": (UCUM | {"value": 0, "code": "a"}, UCUM | {"value": Decimal("0.5"), "code": "a"}),
    "apr-1": ({"participantStatus": "accepted"}, {"actor": PATIENT}),
    "ces-1": ({"category": CONCEPT, "productOrService": CONCEPT}, {"category": CONCEPT}),
    "cmp-1": ({"title": "a"}, {"section": []}),
    "cmp-2": ({"emptyReason": CONCEPT, "entry": [PATIENT]}, {"emptyReason": CONCEPT}),
    "cnt-3": (UCUM | {"value": Decimal("1.5"), "code": "1"}, UCUM | {"value": 1, "code": "1"}),
    "con-1": ({"type": CONCEPT}, {"summary": CONCEPT}),
    "ctm-1": (member("Patient/1"), member("Practitioner/1")),
    "con-2": ({"id": "a"}, {"detail": [PATIENT]}),
    "cpl-3": ({"detail": {}, "reference": PATIENT}, {"reference": PATIENT}),
    "dis-1": (UCUM | {"value": 1}, UCUM | {"value": 1, "code": "m"}),
    "drq-1": ({"path": "a", "searchParam": "b"}, {"path": "a"}),
    "drq-2": ({"date": []}, {"searchParam": "b"}),
    "drt-1": ({"value": 1, "code": "d"}, {"value": 1, "code": "d", "system": "http://unitsofmeasure.org"}),
    "exp-1": ({"language": "text/cql"}, {"language": "text/cql", "expression": "a"}),
    "ext-1": ({"url": "a"}, {"url": "a", "_valueString": {}}),
    "imm-1": ({"publicationDate": "2026"}, {"reference": "http://a"}),
    "lst-1": ({"emptyReason": CONCEPT, "entry": []}, {"entry": []}),
    "mad-1": ({"text": "a"}, {"rateQuantity": {"value": 1}}),
    "ig-1": (guide("b"), guide("a")),
    "ig-2": (defining(), defining() | {"fhirVersion": ["4.0.1"]}),
    "mdd-1": ({"whenPrepared": "2026-11-21", "whenHandedOver": "2026-11-20"}, {"whenHandedOver": "2026-11-20"}),
    "mqty-1": ({"value": 1, "code": "USD", "system": "a:b"}, {"value": 1, "code": "USD"}),
    "org-3": ({"use": "home"}, {"use": "work"}),
    "ppc-1": ({"status": "active"}, {"policyRule": CONCEPT}),
    "ppc-2": (consent("patient-privacy"), consent("research")),
    "ppc-3": (consent("research"), consent("adr")),
    "ppc-4": (consent("adr"), consent("treatment")),
    "ppc-5": (consent("treatment"), consent("treatment") | {"patient": PATIENT}),
    "qrs-1": ({"answer": [], "item": []}, {"item": []}),
    "que-7": ({"operator": "exists", "answerString": "a"}, {"operator": "exists", "answerBoolean": True}),
    "que-12": ({"enableWhen": [{}, {}]}, {"enableWhen": [{}]}),
    "ras-2": ({"probabilityDecimal": Decimal("100.1")}, {"probabilityDecimal": 100}),
    "sev-1": ({"name": "a", "query": "AAAA"}, {"query": "AAAA"}),
    "sqty-1": ({"comparator": "<"}, {"value": 1}),
    "tim-6": ({"periodMax": 2}, {"periodMax": 2, "period": 1}),
    "tim-7": ({"durationMax": 2}, {"durationMax": 2, "_duration": {}}),
    "trd-1": ({"data": [], "timingDate": "2026"}, {"data": []}),
    "trd-2": ({"condition": {}}, {"condition": {}, "data": []}),
    "trd-3": ({"type": "named-event"}, {"type": "data-added", "data": []}),
}


@pytest.mark.parametrize("key", ALONE)
def test_the_rule_tells_the_broken_object_from_the_good_one(key: str) -> None:
    bad, good = ALONE[key]
    assert BROKEN[key](bad, Scope({}))
    assert not BROKEN[key](good, Scope({}))


def structure(snapshot: dict[str, Any], differential: dict[str, Any]) -> Scope:
    named = {"resourceType": "StructureDefinition", "kind": "resource", "type": "Patient"}
    return Scope({**named, "snapshot": snapshot, "differential": differential})


def test_the_elements_of_a_structure_stand_below_its_type() -> None:
    good, bad = elements("Patient", "Patient.name"), elements("Patient", "Person.name")
    for key in ("sdf-8", "sdf-8a"):
        assert BROKEN[key](good, structure(good, good)) is False
        assert BROKEN[key](bad, structure(bad, bad)) is True
    deep = elements("Patient.name.given", "Patient.contact")
    assert BROKEN["sdf-8a"](deep, structure(good, deep)) is False
    assert BROKEN["sdf-8"](elements(), structure(elements(), good)) is True
    assert BROKEN["sdf-8"](elements("Other"), Scope({"kind": "logical"})) is False


def test_every_rule_is_tried_here() -> None:
    assert BROKEN.keys() == CASES.keys() | ALONE.keys() | {"sdf-8", "sdf-8a"}


def test_a_national_provider_identifier_has_its_check_digit() -> None:
    (misnumbered,) = EXPRESSED.values()
    numbers = ("1234567893", "1234567890", "3234567893", "123456789", "12345678٣3", None)
    assert [misnumbered({"value": number}, Scope({})) for number in numbers] == [False, True, True, True, True, True]
    assert not misnumbered({"system": "http://hl7.org/fhir/sid/us-npi"}, Scope({}))


def test_every_expression_known_by_hand_is_one_of_a_profile_of_ours() -> None:
    ours = definitions_of_ours()
    found = {c.expression for url in ours.profiles() for e in elements_of(ours.profile(url)) for c in e.constraints}
    assert EXPRESSED.keys() - found == set()


def elements_of(structure: Structure | None) -> list[Element]:
    assert structure is not None
    return [
        structure.root,
        *(e for group in (structure.children, structure.slices) for es in group.values() for e in es),
    ]


def test_codings_are_compared_whatever_numbers_stand_in_them() -> None:
    huge = {"coding": [{"system": "a", "code": 2**64}]}
    component = [{"code": huge}, {"code": {"coding": [{"system": "a", "code": 2**65}]}}]
    found = BROKEN["obs-7"](observation(code=huge, valueString="a", component=component), Scope({}))
    assert found == [".component[0].code"]
