"""On the published examples, and on what single defects make of good resources, a rule and its expression agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.fhir.definitions import r4
from shared.fhir.fhirpath import ELSEWHERE, rule_of, run
from shared.fhir.invariants import Unknown
from shared.fhir.json import decode
from tests.shared.fhir.instances import Asked, asked
from tests.shared.fhir.mutants import mutants
from tests.shared.fhir.resources import GOOD

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1].parent / "shared" / "examples"
RESOURCES: dict[str, Any] = yaml.safe_load((HERE / "verdicts.yaml").read_text())["resources"]
FOLDERS = sorted({name.partition("/")[0] for name in RESOURCES})
SHAPELESS = (
    "null", "empty array", "empty object", "illegal primitive", "required element missing at type", "two of a choice",
    "wrong JSON type", "wrong number",
)  # fmt: skip
"""Defects that are refused whatever an invariant says of what is left; a Bundle without its type is one."""

LEAST = 20


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
