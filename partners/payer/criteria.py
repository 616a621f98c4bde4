"""How one criterion of a payer is judged on the facts of a Bundle: met, not met, or not documented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from partners.payer.facts import Facts, Mention, Requested, Result

Finding = Literal["met", "not-met", "not-documented"]
Criterion = Mapping[str, Any]

_TESTS: Mapping[str, dict[str, Any]] = {
    "haemoglobin": {"codes": {"718-7", "20509-6", "30313-1"}, "units": {"g/dl": "1", "g/l": "0.1"}},
    "ferritin": {
        "codes": {"2276-4", "20567-4", "24373-3"},
        "units": {"ng/ml": "1", "ug/l": "1", "mcg/l": "1", "µg/l": "1"},
    },
    "transferrin-saturation": {"codes": {"2502-3", "14801-5"}, "units": {"%": "1"}},
    "immunoglobulin-g": {"codes": {"2465-3"}, "units": {"mg/dl": "1", "g/l": "100"}},
    "tuberculosis-screen": {
        "codes": {"45323-3", "64084-7", "71773-6", "71774-4", "82311-2"},
        "words": ("tubercul", "quantiferon", "tb screen", "tb test", "t-spot"),
    },
    "hepatitis-b-screen": {"codes": {"5195-3", "5196-1", "63557-3"}, "words": ("hepatitis b", "hbsag", "hbv")},
}
_NEGATIVE_CODES = {"260385009", "260415000", "LA6577-6", "LA24520-5", "NEG", "ND", "NR"}
_NEGATIVE_WORDS = ("negative", "not detected", "nonreactive", "non-reactive", "non reactive")


def judge(criterion: Criterion, facts: Facts, item: Requested) -> Finding:
    """One criterion of `rules/*.yaml`; `check` names how it is judged."""
    return CHECKS[criterion["check"]](criterion, facts, item)


def _never(_criterion: Criterion, _facts: Facts, _item: Requested) -> Finding:
    return "not-met"


def _diagnosis(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    """The Claim's own diagnoses: one of them begins with a listed ICD-10-CM code."""
    if not facts.diagnoses:
        return "not-documented"
    return "met" if _any_begins(facts.diagnoses, criterion["begins_with"]) else "not-met"


def _condition(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    """Any Condition in the Bundle, the Claim's diagnoses among them."""
    return "met" if _any_begins(facts.conditions, criterion["begins_with"]) else "not-documented"


def _any_begins(codes: frozenset[str], beginnings: list[str]) -> bool:
    return any(code.startswith(tuple(b.replace(".", "") for b in beginnings)) for code in codes)


def _laboratory(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    """The latest value of a test against `below` (less than), `at_most` or `at_least`; a bound may differ by gender."""
    value = _value(_latest(criterion, facts), _TESTS[criterion["test"]]["units"])
    if value is None:
        return "not-documented"
    if "at_least" in criterion:
        return "met" if value >= Decimal(str(criterion["at_least"])) else "not-met"
    bound, strict = (criterion["below"], True) if "below" in criterion else (criterion["at_most"], False)
    limit = Decimal(str(bound.get(facts.gender, bound["female"]) if isinstance(bound, Mapping) else bound))
    return "met" if value < limit or (value == limit and not strict) else "not-met"


def _value(result: Result | None, units: Mapping[str, str]) -> Decimal | None:
    factor = units.get(result.unit.lower()) if result else None
    return None if result is None or result.value is None or factor is None else result.value * Decimal(factor)


def _latest(criterion: Criterion, facts: Facts) -> Result | None:
    """The newest result of a test, not older than `within_days` before the Claim was made."""
    test = _TESTS[criterion["test"]]
    found = [r for r in facts.results if r.codes & test["codes"] or _has_word(r.words, test.get("words", ()))]
    if (days := criterion.get("within_days")) is not None:
        found = [r for r in found if r.on and r.on >= facts.on - timedelta(days=days)]
    return max(found, key=lambda r: (r.on is not None, r.on), default=None)


def _screened_negative(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    result = _latest(criterion, facts)
    if result is None or not (result.answers or result.value is not None):
        return "not-documented"
    negative = any(a in _NEGATIVE_CODES or a.startswith(_NEGATIVE_WORDS) for a in result.answers)
    return "met" if negative else "not-met"


def _tried(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    """Something named by `words` or `codes` was taken, at least `days` where it is said how long, or not tolerated."""
    named = [m for m in facts.mentions if _names(criterion, m)]
    if any(m.happened and (m.days is None or m.days >= criterion.get("days", 0)) for m in named):
        return "met"
    return "not-met" if named else "not-documented"


def _names(criterion: Criterion, mention: Mention) -> bool:
    codes = {str(code) for code in criterion.get("codes", ())}
    return bool(mention.codes & codes) or _has_word(mention.words, criterion.get("words", ()))


def _has_word(text: str, words: tuple[str, ...] | list[str]) -> bool:
    return any(word in text for word in words)


def _document(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    """A current document in the Bundle says one of these words in its title or description."""
    return "met" if any(_has_word(text, criterion["words"]) for text in facts.documents) else "not-documented"


def _answered(criterion: Criterion, facts: Facts, _item: Requested) -> Finding:
    """An item of the question set is answered by the value that is wanted, or by a number that is low enough."""
    said = [value for link, value in facts.answers if link == criterion["item"]]
    if not said:
        return "not-documented"
    if "at_most" in criterion:
        return "met" if all(value <= criterion["at_most"] for value in said) else "not-met"
    return "met" if criterion["says"] in said else "not-met"


def _any_of(criterion: Criterion, facts: Facts, item: Requested) -> Finding:
    findings = {judge(c, facts, item) for c in criterion["of"]}
    return next((f for f in _BEST_FIRST if f in findings), "not-met")


def _all_of(criterion: Criterion, facts: Facts, item: Requested) -> Finding:
    findings = {judge(c, facts, item) for c in criterion["of"]}
    return next((f for f in _WORST_FIRST if f in findings), "met")


_BEST_FIRST: tuple[Finding, ...] = ("met", "not-met", "not-documented")
_WORST_FIRST: tuple[Finding, ...] = ("not-met", "not-documented", "met")

CHECKS: Mapping[str, Callable[[Criterion, Facts, Requested], Finding]] = {
    "never": _never,
    "diagnosis": _diagnosis,
    "condition": _condition,
    "laboratory": _laboratory,
    "screened-negative": _screened_negative,
    "tried": _tried,
    "document": _document,
    "answered": _answered,
    "any-of": _any_of,
    "all-of": _all_of,
}
