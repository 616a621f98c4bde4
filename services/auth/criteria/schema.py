"""The one schema of payers' policies: what a figure `criteria` may say; a file that says something else is told where.

`applies_to`: `payer`, `drugs` (catalogue keys), and `icd10` where the figure is for one diagnosis group alone.
`value`: `covered`; where it is, `initial_days` and the `rule` (none: nothing is asked), and `renewal` with `days` and
its own `rule`; `preferred`: products the payer would rather pay, best first. A rule is `all`, `any`, or one criterion:
`id`, `text` and one kind of `kinds.py`, whose keys are listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from services.auth.criteria.findings import COMPARISONS
from services.auth.criteria.kinds import COMPLETED, KINDS
from services.auth.criteria.thresholds import SEXES, WHOM
from shared.catalogue import drug
from shared.policy import Figure, PolicyError

Check = Callable[[Any], str | None]
"""What would be right, or None where it is."""


def check_criteria(figures: Iterable[Figure]) -> None:
    """Every figure `criteria` against the schema. Raises PolicyError with policy, place, and what would be right."""
    known = [f for f in figures if f.id == "criteria"]
    for figure in known:
        for place, right in _problems(figure):
            raise PolicyError(f"{figure.policy}: {place}: {right} would be right")
    _check_alone(known)


def _check_alone(known: Iterable[Figure]) -> None:
    """On any day a payer has one figure for a drug and a diagnosis group."""
    seen: dict[tuple[Any, ...], list[Figure]] = {}
    for figure in known:
        groups = tuple(sorted(figure.applies_to.get("icd10", ())))
        for key in figure.applies_to["drugs"]:
            same = seen.setdefault((figure.applies_to["payer"], key, groups), [])
            for other in same:
                if on := _together(figure, other):
                    which = f"{figure.applies_to['payer']} and {key} on {on}"
                    raise PolicyError(f"{figure.policy}: applies_to: one figure for {which} would be right")
            same.append(figure)


def _together(one: Figure, other: Figure) -> date | None:
    """The first day both are in force."""
    first = max(one.effective_from, other.effective_from)
    return first if one.in_force(first) and other.in_force(first) else None


def _problems(figure: Figure) -> Iterator[tuple[str, str]]:
    yield from _keys("applies_to", figure.applies_to, APPLIES_TO, ("payer", "drugs"))
    if not isinstance(figure.value, Mapping) or not isinstance(figure.value.get("covered"), bool):
        yield "value.covered", "true or false"
        return
    covered = figure.value["covered"]
    needed = ("initial_days",) if covered else ()
    yield from _keys("value", figure.value, VALUE if covered else NOT_COVERED, needed)
    seen: set[str] = set()
    yield from _of_rule("value.rule", figure.value.get("rule"), seen)
    renewal = figure.value.get("renewal")
    if renewal is not None:
        yield from _keys("value.renewal", renewal, RENEWAL, ("days",))
        yield from _of_rule("value.renewal.rule", renewal.get("rule"), set())


def _of_rule(place: str, rule: Any, seen: set[str]) -> Iterator[tuple[str, str]]:
    if rule is None:
        return
    if not isinstance(rule, Mapping):
        yield place, "`all`, `any` or one criterion"
    elif word := next((w for w in ("all", "any") if w in rule), None):
        if len(rule) > 1 or not isinstance(rule[word], list) or not rule[word]:
            yield place, f"`{word}` alone, with a list of rules"
            return
        for at, branch in enumerate(rule[word]):
            yield from _of_rule(f"{place}.{word}[{at}]", branch, seen)
    else:
        yield from _of_criterion(place, rule, seen)


def _of_criterion(place: str, criterion: Mapping[str, Any], seen: set[str]) -> Iterator[tuple[str, str]]:
    name = criterion.get("id")
    if not isinstance(name, str) or not isinstance(criterion.get("text"), str):
        yield place, "a criterion with `id` and `text`"
        return
    if name in seen:
        yield f"{place} ({name})", "an id that no other criterion of the rule has"
    seen.add(name)
    kinds = [k for k in criterion if k not in ("id", "text")]
    if len(kinds) != 1 or kinds[0] not in KINDS:
        yield f"{place} ({name})", f"one of {sorted(KINDS)}"
    elif not isinstance(criterion[kinds[0]], Mapping):
        yield f"{place} ({name}).{kinds[0]}", "an object with its keys"
    else:
        yield from _of_kind(f"{place} ({name}).{kinds[0]}", kinds[0], criterion[kinds[0]])


def _of_kind(place: str, kind: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    keys, needed, choices = SCHEMA[kind]
    yield from _keys(place, said, keys, needed)
    for words, right in choices:
        if not any(w in said for w in words):
            yield place, right
    if kind == "lab":
        if sum(w in said for w in COMPARISONS) != 1:
            yield place, f"one of {sorted(COMPARISONS)}"
        if ("times" in said) != ("apart_days" in said):
            yield place, "`times` and `apart_days` together"
    if kind == "trial" and said.get("count", 1) not in range(1, len(said.get("of", ((),))) + 1):
        yield f"{place}.count", "at least 1, at most as many as there are steps in `of`"
    for at, step in enumerate(said.get("of", ()) if kind == "trial" else ()):
        yield from _keys(f"{place}.of[{at}]", step, MEDICINE, ())
        if not MEDICINE.keys() & step.keys():
            yield f"{place}.of[{at}]", NAMED


def _keys(
    place: str, said: Mapping[str, Any], known: Mapping[str, Check], needed: Iterable[str]
) -> Iterator[tuple[str, str]]:
    for key in said:
        if key not in known:
            yield f"{place}.{key}", f"one of {sorted(known)}"
        elif right := known[key](said[key]):
            yield f"{place}.{key}", right
    for key in needed:
        if key not in said:
            yield place, f"`{key}`"


# What one value may be


def _number(value: Any) -> str | None:
    return None if _is_number(value) else "a number"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number from 0 on"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _word(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a word"


def _words(value: Any) -> str | None:
    fine = isinstance(value, list) and value and all(isinstance(v, str) and v == v.lower() and v for v in value)
    return None if fine else "a list of words in small letters"


def _coded(value: Any) -> str | None:
    fine = isinstance(value, list) and value and all(isinstance(v, str) and v for v in value)
    return None if fine else "a list of codes, each in quotes"


def _drugs(value: Any) -> str | None:
    fine = isinstance(value, list) and value and all(isinstance(v, str) and drug(v) is not None for v in value)
    unknown = [v for v in value if drug(str(v)) is None] if isinstance(value, list) else value
    return None if fine else f"keys of shared/catalogue, which {unknown} are not,"


def _units(value: Any) -> str | None:
    fine = isinstance(value, Mapping) and value and all(_is_number(f) or _is_decimal(f) for f in value.values())
    return None if fine else "an object of units, each with its factor"


def _is_decimal(text: Any) -> bool:
    return isinstance(text, str) and text.replace(".", "", 1).isdecimal()


def _age_unit(value: Any) -> str | None:
    return None if value in COMPLETED else f"one of {sorted(COMPLETED)}"


def _threshold(value: Any) -> str | None:
    """A number, a number for each sex (and pregnancy), or lines of which the last is for everybody else."""
    if _is_number(value):
        return None
    if isinstance(value, Mapping):
        fine = set(SEXES) <= set(value) <= {*SEXES, "pregnant"} and all(map(_is_number, value.values()))
        return None if fine else "a number for `male` and one for `female` (and one for `pregnant`)"
    if not isinstance(value, list) or not value:
        return "a number, numbers by sex, or a list of lines with `limit`"
    for row in value:
        if not isinstance(row, Mapping) or not _is_number(row.get("limit")) or set(row) - {"limit", *WHOM}:
            return f"lines with `limit` and any of {sorted(WHOM)}"
    return None if set(value[-1]) == {"limit"} else "a last line with `limit` alone, for everybody else"


MEDICINE: Mapping[str, Check] = {"rxnorm": _coded, "words": _words, "drugs": _drugs}
NAMED = "medicines by `rxnorm`, `words` or `drugs`"
RESULT: Mapping[str, Check] = {"loinc": _coded, "called": _words, "within_days": _count}
BY_NAME = (("loinc", "called"), "results by `loinc` or by what they are `called`")
BY_MEDICINE = (tuple(MEDICINE), NAMED)
AMOUNTS = ("dose", "dose_per_kg", "total", "total_per_kg", "doses", "days_between")
Choices = tuple[tuple[tuple[str, ...], str], ...]

SCHEMA: Mapping[str, tuple[Mapping[str, Check], tuple[str, ...], Choices]] = {
    "lab": (
        {
            **RESULT, "units": _units, "times": _count, "apart_days": _count, "of_upper_limit": _flag,
            **dict.fromkeys(COMPARISONS, _threshold),
        },
        ("units", "within_days"),
        (BY_NAME,),
    ),
    "condition": ({"icd10": _coded, "active": _flag}, ("icd10",), ()),
    "episodes": (
        {"name": _word, "icd10": _coded, "at_least": _count, "within_days": _count},
        ("name", "icd10", "at_least", "within_days"),
        (),
    ),
    "trial": (
        {
            **MEDICINE, "name": _word, "days": _count, "since_days": _count, "count": _count,
            "of": lambda v: None if isinstance(v, list) and v else "a list of steps",
        },
        ("name", "days"),
        (((*MEDICINE, "of"), NAMED),),
    ),
    "intolerance": ({**MEDICINE, "name": _word}, ("name",), (BY_MEDICINE,)),
    "without": (
        {**MEDICINE, "name": _word, "icd10": _coded},
        ("name",),
        (((*MEDICINE, "icd10"), NAMED + " or `icd10`"),),
    ),
    "result": ({**RESULT, "name": _word, "says": _words}, ("name", "within_days"), (BY_NAME,)),
    "document": (
        {"name": _word, "loinc": _coded, "about": _words, "within_days": _count},
        ("name", "loinc"),
        (),
    ),
    "age": (
        {"at_least": _count, "below": _count, "unit": _age_unit},
        (),
        ((("at_least", "below"), "`at_least` or `below`"),),
    ),
    "specialty": (
        {"nucc": _coded, "words": _words, "consulted": _flag},
        ("nucc", "words"),
        (),
    ),
    "quantity": (
        dict.fromkeys(AMOUNTS, _number),
        (),
        ((AMOUNTS, f"one of {sorted(AMOUNTS)}"),),
    ),
}  # fmt: skip
"""Kind -> its keys and what each may be, those it must have, and of which at least one."""

APPLIES_TO: Mapping[str, Check] = {"payer": _word, "drugs": _drugs, "icd10": _coded}
NOT_COVERED: Mapping[str, Check] = {"covered": _flag, "preferred": _drugs}
VALUE: Mapping[str, Check] = {
    **NOT_COVERED,
    "initial_days": _count,
    "rule": lambda _: None,
    "renewal": lambda v: None if isinstance(v, Mapping) else "an object with `days` and `rule`",
}
RENEWAL: Mapping[str, Check] = {"days": _count, "rule": lambda _: None}
