"""Whether a JSON value is the one a profile fixes, or contains the one it gives as a pattern; decimals are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from shared.fhir.definitions import Element
from shared.fhir.problems import Demand, Problems, Scope, one

Matches = Callable[[Any], bool]


def same(value: Any, expected: Any) -> bool:
    """Deep equality of JSON; 1.0 is not 1.00, and 1 is not true."""
    if isinstance(expected, dict):
        known = value.__class__ is dict and value.keys() == expected.keys()
        return known and all(same(value[name], item) for name, item in expected.items())
    if isinstance(expected, list):
        known = value.__class__ is list and len(value) == len(expected)
        return known and all(map(same, value, expected))
    return _equal(value, expected)


def containing(pattern: Any) -> Matches:
    """Whether everything of the pattern is in a value; an item of an array anywhere in its array."""
    if coding := only_coding(pattern):
        return _with_coding(*coding)
    if isinstance(pattern, dict):
        return _with_members(tuple((name, containing(item)) for name, item in pattern.items()))
    if isinstance(pattern, list):
        return _with_items(tuple(containing(item) for item in pattern))
    if isinstance(pattern, str):
        return lambda value: bool(value == pattern)
    return lambda value: _equal(value, pattern)


def only_coding(pattern: Any) -> tuple[str, str] | None:
    """(system, code) of a pattern of one coding and nothing else, as most patterns are."""
    listed = pattern.get("coding") if isinstance(pattern, dict) and len(pattern) == 1 else None
    if not isinstance(listed, list) or len(listed) != 1 or listed[0].keys() != {"system", "code"}:
        return None
    return listed[0]["system"], listed[0]["code"]


def _with_coding(system: str, code: str) -> Matches:
    def matches(value: Any) -> bool:
        listed = value.get("coding") if value.__class__ is dict else None
        for coding in listed if listed.__class__ is list else ():
            if coding.__class__ is dict and coding.get("code") == code and coding.get("system") == system:
                return True
        return False

    return matches


def _with_members(members: tuple[tuple[str, Matches], ...]) -> Matches:
    def matches(value: Any) -> bool:
        known = value.__class__ is dict
        return known and all(name in value and wanted(value[name]) for name, wanted in members)

    return matches


def _with_items(items: tuple[Matches, ...]) -> Matches:
    def matches(value: Any) -> bool:
        if value.__class__ is not list:
            return False
        for wanted in items:
            for item in value:
                if wanted(item):
                    break
            else:
                return False
        return True

    return matches


def _equal(value: Any, expected: Any) -> bool:
    if isinstance(expected, str):
        return value.__class__ is str and value == expected
    if expected is None or isinstance(expected, bool) or isinstance(value, bool):
        return value is expected
    numbers = isinstance(value, int | Decimal) and isinstance(expected, int | Decimal)
    return numbers and value == expected and _digits(value) == _digits(expected)


def _digits(number: int | Decimal) -> int | str:
    """Digits after the point, for precision is part of a FHIR decimal."""
    return Decimal(number).as_tuple().exponent


def values(element: Element, above: Element) -> Iterator[Demand]:
    """Fixed values, patterns and limits of an element, without those of the one it constrains."""
    if element.fixed is not None and element.fixed != above.fixed:
        yield fixed(element.fixed)
    if element.pattern is not None and element.pattern != above.pattern:
        yield pattern(element.pattern)
    if element.length:
        yield at_most_characters(element.length)
    if element.least is not None or element.most is not None:
        yield between(element.least, element.most)


def fixed(expected: Any) -> Demand:
    """fixed[x]: exactly this value."""

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        return None if same(value, expected) else one("value", f"must be exactly {told(expected)}")

    return check


def pattern(expected: Any) -> Demand:
    """pattern[x]: at least this, with anything beside it."""
    matches = containing(expected)

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        return None if matches(value) else one("value", f"must contain {told(expected)}")

    return check


def at_most_characters(length: int) -> Demand:
    """maxLength of a string."""

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        long = value.__class__ is str and len(value) > length
        return one("too-long", f"at most {length} characters") if long else None

    return check


def between(least: Any, most: Any) -> Demand:
    """minValue and maxValue of a number, a quantity in the same unit, or a date or time of the same precision."""

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        if least is not None and _below(value, least):
            return one("value", f"must be at least {told(least)}")
        return one("value", f"must be at most {told(most)}") if most is not None and _below(most, value) else None

    return check


def _below(value: Any, limit: Any) -> bool:
    if isinstance(value, dict) and isinstance(limit, dict):
        same_unit = all(value.get(name) == limit.get(name) for name in ("system", "code"))
        return same_unit and _below(value.get("value"), limit.get("value"))
    return _comparable(value, limit) and bool(value < limit)


def _comparable(value: Any, limit: Any) -> bool:
    if isinstance(limit, str):
        return value.__class__ is str and len(value) == len(limit)
    number = isinstance(limit, int | Decimal) and not isinstance(value, bool)
    return number and isinstance(value, int | Decimal)


def told(expected: Any) -> str:
    """What a profile expects, short, in one line; it is the profile's text, never a patient's."""
    text = ", ".join(_leaves("", expected))
    return text if len(text) <= 200 else f"{text[:200]}..."


def _leaves(path: str, expected: Any) -> Iterator[str]:
    if isinstance(expected, dict):
        for name, item in expected.items():
            yield from _leaves(f"{path}.{name}", item)
    elif isinstance(expected, list):
        for item in expected:
            yield from _leaves(path, item)
    else:
        yield f"{path.lstrip('.')} {expected!r}".strip()
