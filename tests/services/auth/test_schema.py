"""A policy that is wrong is told what is wrong, where, and what would be right, before it decides anything."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.auth.criteria.schema import check_criteria
from shared.policy import Figure, PolicyError

LAB = {"loinc": ["2276-4"], "units": {"ng/mL": 1}, "below": 30, "within_days": 90}


def figure(value: Any, begins: date = date(2026, 1, 1), ends: date | None = None, **scope: Any) -> Figure:
    applies = {"payer": "a-payer", "drugs": ["iron-sucrose"]} | scope
    return Figure("auth/new", "criteria", value, "rule", applies, "a policy (2026)", "V", "payer", begins, ends)


def covered(rule: Any = None, **more: Any) -> dict[str, Any]:
    return {"covered": True, "initial_days": 90, "rule": rule, **more}


def leaf(kind: str, said: Any) -> dict[str, Any]:
    return {"id": "c", "text": "t", kind: said}


def told(value: Any, **scope: Any) -> str:
    with pytest.raises(PolicyError) as error:
        check_criteria([figure(value, **scope)])
    return str(error.value)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"some": []}, "value.rule: a criterion with `id` and `text` would be right"),
        ({"all": []}, "value.rule: `all` alone, with a list of rules would be right"),
        ({"any": [{"id": "c"}]}, "value.rule.any[0]: a criterion with `id` and `text`"),
        ([], "value.rule: `all`, `any` or one criterion"),
        (leaf("horoscope", {}), "value.rule (c): one of ["),
        (leaf("lab", 3), "value.rule (c).lab: an object with its keys"),
        (leaf("lab", LAB | {"bellow": 3}), "value.rule (c).lab.bellow: one of ["),
        (leaf("lab", {k: v for k, v in LAB.items() if k != "below"}), "value.rule (c).lab: one of ['above',"),
        (leaf("lab", LAB | {"at_most": 3}), "value.rule (c).lab: one of ['above',"),
        (
            leaf("lab", {k: v for k, v in LAB.items() if k != "loinc"}),
            "results by `loinc` or by what they are `called`",
        ),
        (leaf("lab", {k: v for k, v in LAB.items() if k != "within_days"}), "value.rule (c).lab: `within_days`"),
        (leaf("lab", LAB | {"within_days": -1}), "lab.within_days: a whole number from 0 on"),
        (leaf("lab", LAB | {"loinc": "2276-4"}), "lab.loinc: a list of codes, each in quotes"),
        (leaf("lab", LAB | {"units": {"g/L": "a tenth"}}), "lab.units: an object of units, each with its factor"),
        (leaf("lab", LAB | {"times": 2}), "`times` and `apart_days` together"),
        (leaf("lab", LAB | {"below": {"male": 13}}), "lab.below: a number for `male` and one for `female`"),
        (leaf("lab", LAB | {"below": [{"limit": 12, "age_below": 5}]}), "lab.below: a last line with `limit` alone"),
        (
            leaf("lab", LAB | {"below": [{"limit": 12, "older": 5}, {"limit": 15}]}),
            "lab.below: lines with `limit` and any",
        ),
        (leaf("lab", LAB | {"below": "30"}), "lab.below: a number, numbers by sex, or a list of lines"),
        (leaf("trial", {"name": "n", "days": 28}), "trial: medicines by `rxnorm`, `words` or `drugs`"),
        (
            leaf("trial", {"name": "n", "days": 28, "words": ["Ferrous"]}),
            "trial.words: a list of words in small letters",
        ),
        (leaf("trial", {"name": "n", "days": 0, "drugs": ["feraheme"]}), "which ['feraheme'] are not"),
        (
            leaf("trial", {"name": "n", "days": 0, "of": [{"words": ["a"]}], "count": 2}),
            "trial.count: at least 1, at most",
        ),
        (leaf("trial", {"name": "n", "days": 0, "of": [{}]}), "trial.of[0]: medicines by"),
        (leaf("age", {"unit": "a"}), "age: `at_least` or `below`"),
        (leaf("age", {"at_least": 12, "unit": "wk"}), "age.unit: one of ['a', 'mo']"),
        (leaf("specialty", {"nucc": ["207R00000X"]}), "specialty: `words`"),
        (leaf("quantity", {}), "quantity: one of ['days_between',"),
        (leaf("document", {"name": "n"}), "document: `loinc`"),
        (leaf("condition", {"icd10": ["D50"], "active": "yes"}), "condition.active: true or false"),
    ],
)
def test_a_wrong_rule_is_told_what_where_and_what_would_be_right(rule: Any, says: str) -> None:
    message = told(covered(rule))
    assert message.startswith("auth/new: value.rule")
    assert says in message
    assert message.endswith("would be right")


@pytest.mark.parametrize(
    ("value", "scope", "says"),
    [
        ({"covered": "yes"}, {}, "value.covered: true or false"),
        ({"covered": True}, {}, "value: `initial_days`"),
        ({"covered": False, "rule": {}}, {}, "value.rule: one of ['covered', 'preferred']"),
        (covered(preferred=["venofer"]), {}, "value.preferred: keys of shared/catalogue, which ['venofer'] are not"),
        (covered(renewal={"rule": None}), {}, "value.renewal: `days`"),
        (covered(renewal=180), {}, "value.renewal: an object with `days` and `rule`"),
        (covered(), {"drugs": ["ferric-carboxymaltos"]}, "applies_to.drugs: keys of shared/catalogue"),
        (covered(), {"plan": "gold"}, "applies_to.plan: one of ['drugs', 'icd10', 'payer']"),
        (covered({"all": [leaf("age", {"below": 3}), leaf("age", {"below": 4})]}), {}, "an id that no other criterion"),
    ],
)
def test_a_wrong_figure_is_told_so(value: Any, scope: dict[str, Any], says: str) -> None:
    assert says in told(value, **scope)


def test_two_figures_for_the_same_days_and_drug_are_one_too_many() -> None:
    early, late = date(2025, 12, 31), date(2026, 1, 1)
    check_criteria([figure(covered(), ends=early, begins=date(2025, 1, 1)), figure(covered(), begins=late)])
    check_criteria([figure(covered()), figure(covered(), icd10=["N18"])])
    with pytest.raises(
        PolicyError, match="auth/new: applies_to: one figure for a-payer and iron-sucrose on 2026-01-01"
    ):
        check_criteria([figure(covered()), figure(covered(), drugs=["infliximab", "iron-sucrose"])])
