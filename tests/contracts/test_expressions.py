"""On the published examples, and on what single defects make of good resources, a rule and its expression agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.fhir.definitions import r4
from shared.fhir.elements import Unknown
from shared.fhir.fhirpath import ELSEWHERE, expressed, rule_of, run
from shared.fhir.json import decode
from shared.fhir.problems import Scope
from tests.shared.fhir.instances import Asked, asked
from tests.shared.fhir.mutants import mutants
from tests.shared.fhir.resources import GOOD
from tests.shared.fhir.shaped import Shaper, of_profiles

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1].parent / "shared" / "examples"
PACKAGES = EXAMPLES.parent / "packages"
RESOURCES: dict[str, Any] = yaml.safe_load((HERE / "verdicts.yaml").read_text())["resources"]
FOLDERS = sorted({name.partition("/")[0] for name in RESOURCES})
SHAPELESS = (
    "null", "empty array", "empty object", "illegal primitive", "required element missing at type", "two of a choice",
    "wrong JSON type", "wrong number",
)  # fmt: skip
"""Defects that are refused whatever an invariant says of what is left; a Bundle without its type is one."""

LEAST = 20
TRIES = 40
UNKNOWN: dict[str, set[str]] = {
    "hl7.fhir.us.core-6.1.0": set(),
    "hl7.fhir.us.core-8.0.0": set(),
    "hl7.fhir.us.davinci-pas-2.2.1": {"crd-ci-q7"},
}
"""Expressions that cannot be told without what is not at hand: a value set of a package that is not."""


def differing(resources: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(key, path) where the rule in use answers otherwise than fhirpathpy, as far as that can tell."""
    return [(one.constraint.key, one.path) for resource in resources for one in asked(resource, r4()) if _differs(one)]


def _differs(one: Asked) -> bool:
    if one.constraint.key in ELSEWHERE:
        return False
    rule = rule_of(one.constraint, one.path, one.type)
    assert rule is not None
    said = run(one.constraint.expression, one.type or one.path, inner="." in one.path)(one.value, one.scope)
    found = rule[0](one.value, one.scope) if isinstance(one.value, dict) or one.type not in ("", one.path) else False
    return not isinstance(said, Unknown) and bool(found) != said


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", ["hl7.fhir.us.core-6.1.0", "hl7.fhir.us.core-8.0.0", "hl7.fhir.us.davinci-pas-2.2.1"]
)
def test_expressions_of_other_profiles_mean_the_same_every_way(package: str) -> None:
    of = r4().with_package((PACKAGES / f"{package}.tgz").read_bytes())
    found = {(c.expression, p.element.path, p.type): (c, p) for c, p in of_profiles(of) if c.severity == "error"}
    unknown: set[str] = set()
    for constraint, place in found.values():
        type_, shaper = place.type or place.element.path, Shaper(r4(), constraint.expression)
        inner = "." in place.element.path
        slow, used = (
            run(constraint.expression, type_, inner=inner),
            expressed(constraint.expression, type_, inner=inner),
        )
        for value in filter(None, (shaper.value(place) for _ in range(TRIES))):
            scope = Scope(value if isinstance(value, dict) else {})
            said = slow(value, scope)
            if isinstance(said, Unknown):
                unknown.add(constraint.key)
            else:
                assert used(value, scope) == said, (constraint.key, value)
    assert unknown == UNKNOWN[package]


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_published_examples_show_no_difference(folder: str) -> None:
    names = [name for name in RESOURCES if name.partition("/")[0] == folder]
    assert names
    assert differing(decode((EXAMPLES / name).read_bytes()) for name in names) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_single_defects_show_no_difference(name: str) -> None:
    made = [mutant for defect, mutant in mutants(GOOD[name](), r4()) if not defect.startswith(SHAPELESS)]
    assert len(made) > LEAST
    assert differing(made) == []
