"""Every payer's policy by its YAML cases: each rule just below, at and just above what it asks.

A new policy is one file in `services/auth/policies/` and one in `policies/` here: nothing in this module names any.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.criteria.criteria import NOTHING, judged
from services.auth.policy import AuthPolicy, rule_of
from shared.catalogue import drug
from shared.policy import Figure, load_figures
from shared.settings import ROOT, Payer
from tests.services.auth.charts import chart_of
from tests.services.auth.patient import PRACTICE, TODAY

Case = Mapping[str, Any]
FILES = {path.stem: path for path in sorted(Path(__file__).with_name("policies").glob("*.yaml"))}


def files() -> Iterator[tuple[str, Case]]:
    for name, path in FILES.items():
        yield from ((name, block) for block in yaml.safe_load(path.read_text(encoding="utf-8")))


def cases() -> Iterator[Any]:
    for name, block in files():
        for label, case in _cases(block):
            yield pytest.param(block, case, id=f"{name}: {block['drug']}: {label}")


def _cases(block: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """A case of its own, or one for each value of a row `of`: value -> what is then missing."""
    for row in block.get("cases", ()):
        if "of" not in row:
            yield row["name"], _changed(block, row) | {"missing": row.get("missing", {})}
            continue
        for value, missing in row["values"]:
            said = _changed(block, row)
            _set(said, row["of"], value)
            yield f"{row['of']} {value}", said | {"missing": missing}


def _changed(block: Case, row: Case) -> dict[str, Any]:
    said = copy.deepcopy(dict(block.get("base", {})))
    for place in row.get("without", ()):
        _set(said, place, None)
    for place, value in row.get("with", {}).items():
        _set(said, place, value)
    return said


def _set(said: dict[str, Any], place: str, value: Any) -> None:
    *path, last = place.split("/")
    for key in path:
        said = said.setdefault(key, {})
    if value is None:
        del said[last]
    else:
        said[last] = value


def figure_of(block: Case, said: Case | None = None) -> Figure:
    """The figure in force that decides for a payer, drug and diagnoses, drafts included."""
    known = drug(block["drug"])
    assert known is not None
    diagnoses = [c if isinstance(c, str) else c[0] for c in (said or block.get("base", {})).get("conditions", ())]
    payer = Payer(block["payer"], block["payer"], (), "commercial", "")
    found = every().criteria(payer, known, diagnoses, block.get("submitted", TODAY))
    assert found is not None
    return found


@cache
def every() -> AuthPolicy:
    """All figures, each draft adopted."""
    folder = ROOT / "services" / "auth" / "policies"
    return AuthPolicy(load_figures("auth", folder, [f"auth/{path.stem}" for path in folder.glob("*.yaml")]), PRACTICE)


@pytest.mark.parametrize(("block", "case"), list(cases()))
def test_a_policy_asks_for_what_it_says(block: Case, case: Case) -> None:
    on: date = block.get("submitted", TODAY)
    figure = figure_of(block, case)
    judgement = judged(rule_of(figure, block.get("period", "initial")) or NOTHING, chart_of(case, on))
    assert {v.criterion: v.gap for v in judgement.missing} == case["missing"]


@pytest.mark.parametrize(
    "block", [pytest.param(b, id=f"{n}: {b['drug']}") for n, b in files() if "preferred" in b or "covered" in b]
)
def test_what_is_not_covered_or_preferred_is_said(block: Case) -> None:
    value = figure_of(block).value
    assert value["covered"] is block.get("covered", True)
    assert value.get("preferred", []) == block.get("preferred", [])


def test_there_are_three_hundred_cases_that_differ() -> None:
    found = [
        (b["payer"], b["drug"], b.get("period", ""), str(b.get("submitted", "")), repr(sorted(c.items())))
        for _, b in files()
        for _, c in _cases(b)
    ]
    assert len(set(found)) >= 300


STEPS = (0.1, 1)


def numbers(said: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], float]]:
    """Every number a criterion decides by, with its place; factors of units and how many steps there are, are none."""
    if isinstance(said, Mapping):
        for key, value in said.items():
            if key != "units":
                yield from numbers(value, (*place, key))
    elif isinstance(said, list):
        for at, value in enumerate(said):
            yield from numbers(value, (*place, at))
    elif isinstance(said, int | float) and not isinstance(said, bool) and said and place[-1] != "count":
        yield place, said


def moved(rule: Any, place: tuple[Any, ...], by: float) -> Any:
    """A rule with one of its numbers moved."""
    changed = copy.deepcopy(rule)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] += round(by) if place[-1] == "times" else by
    return changed


def told(rule: Any, charts: list[Any]) -> list[Any]:
    return [judged(rule, chart).missing for chart in charts]


def rules() -> Iterator[tuple[str, Any, list[Any]]]:
    """Every rule that has cases, with the charts of all its cases."""
    found: dict[tuple[int, str], tuple[str, Any, list[Any]]] = {}
    for name, block in files():
        for _, case in _cases(block):
            figure, period = figure_of(block, case), block.get("period", "initial")
            rule = rule_of(figure, period) or NOTHING
            label = f"{name}: {'/'.join(figure.applies_to['drugs'])} {figure.applies_to.get('icd10', '')} {period}"
            _, _, charts = found.setdefault((id(figure), period), (label, rule, []))
            charts.append(chart_of(case, block.get("submitted", TODAY)))
    yield from found.values()


@pytest.mark.parametrize(("label", "rule", "charts"), [pytest.param(*r, id=r[0]) for r in rules()])
def test_no_number_of_a_policy_can_move_unnoticed(label: str, rule: Any, charts: list[Any]) -> None:
    """A number moved by one or by a tenth, up or down, changes what some case is told."""
    right = told(rule, charts)
    unnoticed = {
        named(rule, place)
        for place, number in numbers(rule)
        for way in (1, -1)
        if number + way * STEPS[0] >= 0
        and all(told(moved(rule, place, way * s), charts) == right for s in STEPS if number + way * s >= 0)
    }
    assert unnoticed <= ELSEWHERE.get(label.partition(":")[0], frozenset())


def named(rule: Any, place: tuple[Any, ...]) -> str:
    """The criterion a number stands in."""
    found = rule.get("id", "")
    for key in place:
        rule = rule[key]
        found = rule.get("id", found) if isinstance(rule, Mapping) else found
    return str(found)


ELSEWHERE: Mapping[str, frozenset[str]] = {
    "aetna-growth-factor": frozenset({
        "regimen-of-middle-risk",
    }),
    "aetna-ravulizumab": frozenset({
        "gpi-deficient-cells",
    }),
    "arkansas-bcbs-iv-iron": frozenset({
        "ferritin-low-with-disease", "hemoglobin-low", "saturation-low", "saturation-low-with-inflammation",
    }),
    "avmed-eculizumab": frozenset({
        "hemoglobin-very-low",
    }),
    "bcbs-nc-infliximab": frozenset({
        "adult",
    }),
    "cigna-emicizumab": frozenset({
        "inhibitor",
    }),
    "evicore-immunoglobulin": frozenset({
        "igg-low-twice",
    }),
    "evicore-iv-iron": frozenset({
        "dose-as-labelled", "ferritin-up-to-300", "one-dose-by-weight", "oral-iron-trial",
    }),
    "evicore-natalizumab": frozenset({
        "dose",
    }),
    "medical-mutual-immunoglobulin": frozenset({
        "pneumonia", "sinusitis",
    }),
    "oklahoma-ohca-iv-iron": frozenset({
        "anemia-by-laboratory", "ferritin-up-to-299", "hemoglobin-to-14", "hemoglobin-to-14-from-70",
        "hemoglobin-under-10-from-70", "hemoglobin-under-15", "one-maintenance-dose", "one-of-1000", "one-of-500",
        "saturation-low", "saturation-still-low", "up-to-1500", "up-to-1500-from-70", "up-to-2000",
        "weight-from-70", "weight-from-70-again", "weight-under-70", "weight-under-70-again",
    }),
    "original-medicare-esa": frozenset({
        "hematocrit-low",
    }),
    "south-carolina-blues-iv-iron": frozenset({
        "hemoglobin-low-with-disease", "hemoglobin-very-low", "no-stainable-iron", "saturation-low",
        "saturation-very-low",
    }),
    "uhc-commercial-iv-iron": frozenset({
        "saturation-low",
    }),
}  # fmt: skip
"""Criteria with a number no case of their own file watches: another criterion decides before it, the cases of
`test_criteria.py` do, or it is the age of a result, which only some policies' cases try."""


def test_every_policy_of_a_payer_has_cases() -> None:
    decided = {f.policy.removeprefix("auth/") for f in every().figures.figures if f.id == "criteria"}
    assert decided - set(FILES) == INVENTED


INVENTED = {
    "lakeland-advantage-immunoglobulin", "lakeland-advantage-infliximab", "lakeland-advantage-iv-iron",
    "lakeland-advantage-opat", "prairie-health-immunoglobulin", "prairie-health-infliximab", "prairie-health-iv-iron",
    "prairie-health-opat",
}  # fmt: skip
"""Plans of the demo, no payer's: their cases are those of `test_criteria.py`."""
