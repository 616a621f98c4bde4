"""Invariants as FHIRPath: hand-written rules, closures and fhirpathpy agree, and nothing raises or prints."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from shared.fhir import definitions
from shared.fhir.definitions import Constraint
from shared.fhir.fhirpath import ELSEWHERE, RUNS, by_hand, expressed, rule_of, run
from shared.fhir.fhirpath.members import Beyond
from shared.fhir.fhirpath.places import MOST
from shared.fhir.fhirpath.reader import compiled
from shared.fhir.invariants import Unknown
from shared.fhir.problems import Scope
from shared.fhir.profiles import Validator

from .shaped import Place, Shaper, of_profiles, places

TRIES = 60
COMPARING = ("ig-1", "inv-1", "mdd-1", "ras-2", "tim-4", "tim-5")
"""Rules that compare nothing where extensions stand for a value; their expressions do not think of it."""

BY_OTHERS = {
    "rng-2": "fhirpathpy compares no quantities; the hand-written rule does",
    "app-4": "the expression says 'no-show' where the code is 'noshow'",
    "tim-9": "'in' is said of one value, and when may have several",
    "que-12": "the expression says 'more than two' where the text says 'more than one', as HL7 corrected it",
}
"""Hand-written rules that are meant to differ from the expression of R4, and why."""


TYPES = re.findall(
    r"\w+",
    """Address Age Annotation Attachment CodeableConcept Coding ContactDetail ContactPoint Contributor Count
    DataRequirement Distance Dosage Duration ElementDefinition Expression Extension HumanName Identifier
    Meta Money MoneyQuantity Narrative ParameterDefinition Period Quantity Range Ratio Reference
    RelatedArtifact SampledData Signature SimpleQuantity Timing TriggerDefinition UsageContext""",
)


def base() -> list[tuple[Constraint, Place]]:
    """Every constraint of severity error of base R4, once for each place of its own."""
    of = definitions.r4()
    names = sorted(of.resource_types | {n for n in TYPES if n not in of.resource_types})
    found = {(c.key, c.expression, p.element.path, p.type): (c, p) for c, p in places(of, names)}
    inherited = {"dom-2", "dom-3", "dom-4", "dom-5"}
    kept = [(c, p) for c, p in found.values() if c.key not in inherited or p.structure.name == "Patient"]
    return [(c, p) for c, p in kept if c.severity == "error"]


BASE = base()
OURS = [(c, p) for c, p in of_profiles(definitions.carepod()) if c.severity == "error"]
ALL = {f"{c.key} {p.element.path} {p.type}": (c, p) for c, p in (*BASE, *OURS) if c.key not in ELSEWHERE}


def asked(expression: str, value: Any, type_: str, resource: dict[str, Any] | None = None) -> Any:
    scope = Scope(resource or (value if isinstance(value, dict) else {}))
    return expressed(expression, type_)(value, scope)


@pytest.mark.parametrize("name", ALL)
def test_every_way_to_judge_an_invariant_agrees(name: str) -> None:
    constraint, place = ALL[name]
    type_, inner = place.type or place.element.path, "." in place.element.path
    slow, quick = run(constraint.expression, type_, inner=inner), compiled(constraint.expression, type_)
    hand = by_hand(constraint, place.element.path) if constraint.key not in BY_OTHERS else None
    shaper = Shaper(definitions.r4(), constraint.expression, lone=constraint.key not in COMPARING)
    for value in filter(None, (shaper.value(place) for _ in range(TRIES))):
        scope = Scope(value if isinstance(value, dict) else {})
        said = slow(value, scope)
        if isinstance(said, Unknown):
            assert constraint.key in BY_OTHERS
            continue
        if hand is not None:
            assert bool(hand(value, scope)) == said, value
        if quick is not None:
            assert _quickly(quick, value) in (not said, None), value


def _quickly(quick: Any, value: Any) -> bool | None:
    try:
        return bool(quick(value))
    except Beyond:
        return None


def test_every_constraint_of_severity_error_is_accounted_for() -> None:
    ways = Counter(_way(c, p) for c, p in BASE)
    assert ways.keys() == {"by hand", "closures", *ELSEWHERE.values()} - {ELSEWHERE["ele-1"]}
    assert {way: ways[way] for way in ACCOUNT} == ACCOUNT


def _way(constraint: Constraint, place: Place) -> str:
    if constraint.key in ELSEWHERE:
        return ELSEWHERE[constraint.key]
    assert rule_of(constraint, place.element.path, place.type) is not None
    if by_hand(constraint, place.element.path) is not None:
        return "by hand"
    known = compiled(constraint.expression, place.type or place.element.path)
    return "closures" if known is not None else "fhirpathpy"


ACCOUNT = {"by hand": 94, "closures": 112}

PATIENT = {"resourceType": "Patient", "id": "a"}
OMB = "extension.where(url = 'a').value.where(code in 'UNK'|'ASKU').exists() implies extension.count() = 1"
AGENT = "who.exists((resolve() is Practitioner) or (resolve() is Device)) implies onBehalfOf.exists()"
ANSWERS = (
    "(QuestionnaireResponse | repeat(answer | item))"
    ".select(item.where(answer.value.exists()).linkId.isDistinct()).allTrue()"
)


def omb(*codes: str) -> dict[str, Any]:
    return {"extension": [{"url": "a", "valueCoding": {"code": code}} for code in codes]}


def answers(*names: str) -> dict[str, Any]:
    items = [{"linkId": name, "answer": [{"valueString": "a"}]} for name in names]
    return {"resourceType": "QuestionnaireResponse", "item": items}


def entry(resource: dict[str, Any], url: str = "urn:a") -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"fullUrl": url, "resource": resource}]}


# expression, type, a value that keeps it, a value that breaks it
MEANT: list[tuple[str, str, Any, Any]] = [
    ("$this is dateTime implies $this.toString().length() >= 10", "dateTime", "2026-11-22", "2026-11"),
    ("$this is DateTime implies $this.toString().length() >= 10", "dateTime", "2026-11-22", "2026-11"),
    ("($this as dateTime).toString().length() >= 8", "dateTime", "2026-11-22", "2026"),
    ("ofType(Quantity).system.empty() or ofType(Quantity).system = 'a'", "Quantity", {"system": "a"}, {"system": "b"}),
    ("value.ofType(Quantity).system = 'a'", "Observation", {"valueQuantity": {"system": "a"}}, {"valueString": "a"}),
    ("value.exists() or dataAbsentReason.exists()", "Observation", {"valueBoolean": False}, {"valueSet": 1}),
    ("telecom or endpoint", "PractitionerRole", {"telecom": [{}, {}]}, {"id": "a"}),
    ("name.hasValue()", "Patient.contact", {"name": "a", "_name": {"extension": []}}, {"_name": {"extension": []}}),
    ("name.count() = 1", "Patient.contact", {"name": "a", "_name": {"id": "b"}}, {"name": ["a", "b"]}),
    ("given.count() = 2", "HumanName", {"given": ["a", None], "_given": [None, {"id": "b"}]}, {"given": ["a"]}),
    ("value > 0", "Quantity", {"value": Decimal("0.1")}, {"value": Decimal("-0.1")}),
    ("start <= end", "Period", {"start": "2026-11-22", "end": "2026-11-22"}, {"start": "2026-12", "end": "2026-11"}),
    ("a.where($this = 1).exists() and $this.b.exists()", "Basic", {"a": [1], "b": 1}, {"a": [2], "b": 1}),
    ("a.all($this = b) = false or a.exists(b.exists())", "Basic", {"a": [{"b": 1}]}, {"a": []}),
    ("entry.first().resource is Patient", "Bundle", entry(PATIENT), entry({"resourceType": "Group"})),
    ("extension('a').value.exists()", "Patient", omb("b"), {"extension": [{"url": "b"}]}),
    (OMB, "Extension", omb("UNK"), omb("UNK", "a")),
    (AGENT, "Provenance.agent", {"who": {"reference": "Patient/1"}}, {"who": {"reference": "Practitioner/1"}}),
    (ANSWERS, "QuestionnaireResponse", answers("1", "2"), answers("1", "1")),
    ("%context.type().name = 'HumanName'", "HumanName", {"text": "a"}, None),
    ("start < @2026-11-22", "Period", {"start": "2026-11-21"}, {"start": "2026-11-23"}),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(MEANT)))
def test_an_expression_means_what_fhir_says(at: int) -> None:
    expression, type_, kept, broken = MEANT[at]
    for way in (expressed(expression, type_), run(expression, type_)):
        assert way(kept, Scope(kept if isinstance(kept, dict) else {})) is False
        if broken is not None:
            assert way(broken, Scope(broken if isinstance(broken, dict) else {})) is True


UNKNOWN = {
    "code.exists() garbage": "not FHIRPath",
    "code.exists(": "not FHIRPath",
    "code.unheardOf()": "cannot be evaluated",
    "code.memberOf('http://a')": "not at hand",
    "conformsTo('http://a')": "not at hand",
    "%vsOfNobody.exists()": "cannot be evaluated",
    "a.resolve().active = true": "not at hand",
    "a.as(Quantity) > 'b'": "cannot be evaluated",
}


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_cannot_be_evaluated_is_said_to_be_unknown(expression: str) -> None:
    value = {"code": "a", "a": {"reference": "Patient/1", "value": 1}}
    found = asked(expression, value, "Basic")
    if isinstance(found, Unknown):
        assert UNKNOWN[expression] in found.reason
    else:
        assert expression == "a.as(Quantity) > 'b'"


def test_a_value_too_large_for_fhirpathpy_is_said_to_be_unknown() -> None:
    found = run("name.given.isDistinct()", "Patient")({"name": [{"given": ["a"] * MOST}]}, Scope({}))
    assert found == Unknown(f"more than {MOST} values")


def test_a_resource_with_endless_work_for_fhirpathpy_is_said_to_be_unknown() -> None:
    rule, scope = run("given.isDistinct()", "HumanName"), Scope({})
    found = [rule({"given": ["a", "a"]}, scope) for _ in range(RUNS + 1)]
    assert found[:RUNS] == [True] * RUNS
    assert isinstance(found[RUNS], Unknown)


def test_what_is_unknown_is_a_warning_with_its_rule() -> None:
    constraint = {"key": "odd-1", "severity": "error", "human": "a", "expression": "name.unheardOf()"}
    profile = {
        "resourceType": "StructureDefinition",
        "url": "http://a.example/StructureDefinition/odd",
        "version": "1.0",
        "kind": "resource",
        "type": "Patient",
        "derivation": "constraint",
        "snapshot": {"element": [{"id": "Patient", "path": "Patient", "constraint": [constraint]}]},
    }
    url = "http://a.example/StructureDefinition/odd"
    validator = Validator(definitions.r4().with_definitions([profile]))
    (issue,) = validator.check({"resourceType": "Patient", "active": True}, (url,))
    assert (issue.severity, issue.code, issue.rule) == ("warning", "not-supported", "odd-1")
    assert issue.profile == f"{url}|1.0"


class Known:
    """A value set of one code, and a profile that patients meet."""

    def member(self, value_set: str, system: str | None, code: str) -> bool | None:
        return code == "a" if value_set == "http://a" else None

    def conforms(self, resource: Any, profile: str) -> bool | None:
        return bool(resource["resourceType"] == "Patient") if profile == "http://p" else None


def test_value_sets_and_profiles_are_asked_of_who_knows_them() -> None:
    member = expressed("code.memberOf('http://a')", "Coding", Known())
    assert [member({"code": code}, Scope({})) for code in "ab"] == [False, True]
    concept = expressed("memberOf('http://a')", "CodeableConcept", Known())
    assert concept({"coding": [{"code": "b"}, {"code": "a"}]}, Scope({})) is False
    conforms = expressed("conformsTo('http://p')", "Patient", Known())
    assert [conforms({"resourceType": name}, Scope({})) for name in ("Patient", "Basic")] == [False, True]


def test_references_lead_to_contained_resources_and_entries() -> None:
    device = {"resourceType": "Device", "id": "d"}
    observation = {"resourceType": "Observation", "contained": [device], "device": {"reference": "#d"}}
    bundle = entry(observation)
    deep = expressed("entry.resource.ofType(Observation).all(device.resolve().id = 'd')", "Bundle")
    assert deep(bundle, Scope(bundle)) is False
    near = expressed("device.resolve().ofType(Device).exists()", "Observation")
    assert near({"device": {"reference": "urn:d"}}, Scope({}, Scope(entry(device, "urn:d")))) is False
    assert near({"device": {"reference": "#none"}}, Scope({})) is True


def test_resources_around_are_the_ones_meant() -> None:
    name = {"text": "a"}
    contained: dict[str, Any] = {"resourceType": "Practitioner", "id": "p", "name": [name]}
    patient = {"resourceType": "Patient", "contained": [contained]}
    inside = "%resource.type().name = 'Practitioner' and %rootResource.type().name = 'Patient'"
    around = "%resource.type().name = 'Patient' and %rootResource.type().name = 'Patient'"
    bundled = "%resource.type().name = 'Bundle' and %context.type().name = 'Patient'"
    bundle = Scope({"resourceType": "Bundle"})
    scope = Scope(patient, bundle)
    assert run(inside, "HumanName", inner=True)(name, scope.inner(contained)) is False
    assert run(around, "Practitioner", inner=True)(contained, scope.inner(contained)) is False
    assert run(bundled, "Patient", inner=True)(patient, scope) is False
    assert run(around, "Patient")(patient, scope) is False


JUNK: list[Any] = [None, 1, "a", [], [1], [None], {}, {"coding": 1}, True, [[]], {"a": {"a": [{"a": None}]}}]


@pytest.mark.parametrize("name", ALL)
def test_no_expression_is_brought_down_by_odd_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    constraint, place = ALL[name]
    rule = rule_of(constraint, place.element.path, place.type)
    assert rule is not None
    words = Shaper(definitions.r4(), constraint.expression).words
    for junk in JUNK:
        value = {**dict.fromkeys(words, junk), "resourceType": place.structure.name}
        assert isinstance(rule[0](value, Scope(value)), bool | list | Unknown)
    assert capsys.readouterr() == ("", "")


def test_trace_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("name.trace('names').family.trace('family') = 'a'", "Patient")({"name": {"family": "a"}}, Scope({}))
        is False
    )
    assert capsys.readouterr() == ("", "")


def test_a_rule_of_another_owner_with_a_known_key_is_not_taken_for_it() -> None:
    theirs = Constraint("con-4", "error", "theirs", "id.exists()")
    found = rule_of(theirs, "Condition", "Condition")
    assert found is not None
    assert found[0]({"resourceType": "Condition"}, Scope({})) is True


def test_what_is_checked_elsewhere_or_says_nothing_has_no_rule() -> None:
    assert rule_of(Constraint("txt-1", "error", "", "htmlChecks()"), "Narrative.div", "xhtml") is None
    assert rule_of(Constraint("txt-1", "error", "theirs", "id.exists()"), "Narrative.div", "xhtml") is not None
    assert rule_of(Constraint("a-1", "error", "", ""), "Patient", "Patient") is None


def test_fhirpathpy_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from shared.fhir import profiles; v = profiles.carepod(); "
        "v.check({'resourceType': 'Patient', 'name': [{'text': 'a'}]}); "
        "assert not [m for m in sys.modules if m.startswith(('fhirpathpy', 'antlr4'))]"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
