"""The everyday functions of FHIRPath as closures over JSON values.

Law of this file: what it cannot judge it gives back (Beyond) and fhirpathpy decides; what it can, it answers as
`functions` does, which a differential test shows on every expression at hand.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from shared.fhir.elements import written
from shared.fhir.fhirpath.members import (
    Beyond,
    Items,
    Judged,
    Many,
    Truth,
    always,
    judge,
    literal,
    lone,
    member,
    nothing,
    own,
    this,
)

_WHOLE = re.compile(r"[+-]?[0-9]+")


def resource_is(left: Many, name: str) -> Many:
    def answered(value: Any) -> Items:
        items = left(value)
        if len(items) > 1 or any(not isinstance(one, dict) or "resourceType" not in one for one in items):
            raise Beyond
        return [one["resourceType"] == name for one in items]

    return answered


def _where(of: Many, criterion: Many) -> Many:
    holds = judge(criterion)
    return lambda value: [one for one in of(value) if holds(one)]


def _exists(of: Many, criterion: Many | None = None) -> Many:
    found = of if criterion is None else _where(of, criterion)
    name = own(found)
    if name is None:
        return Judged(lambda value: bool(found(value)))

    def quickly(value: Any) -> Truth:
        item = value.get(name) if value.__class__ is dict else None
        return item.__class__ in (str, dict) or bool(found(value))

    return Judged(quickly)


def _all(of: Many, criterion: Many) -> Many:
    holds = judge(criterion)
    return Judged(lambda value: all(holds(one) for one in of(value)))


def _empty(of: Many) -> Many:
    return Judged(lambda value: not of(value))


def _not(of: Many) -> Many:
    found = judge(of)

    def answered(value: Any) -> Truth:
        answer = found(value)
        return None if answer is None else not answer

    return Judged(answered)


def _count(of: Many) -> Many:
    return lambda value: [len(of(value))]


def _first(of: Many) -> Many:
    return lambda value: of(value)[:1]


def _tail(of: Many) -> Many:
    return lambda value: of(value)[1:]


def _select(of: Many, projection: Many) -> Many:
    return lambda value: [found for one in of(value) for found in projection(one)]


def _combine(of: Many, other: Many) -> Many:
    return lambda value: of(value) + other(value)


def _is_distinct(of: Many) -> Many:
    def answered(value: Any) -> Truth:
        found = of(value)
        return len(set(map(written, found))) == len(found)

    return Judged(answered)


def _traced(of: Many, *told: Many) -> Many:
    """`trace()`, which tells nobody here."""
    return of


def _chosen(of: Many, condition: Many, then: Many, otherwise: Many = nothing) -> Many:
    """`iif()`, asked of the value at hand."""
    if of is not this:
        raise Beyond
    holds = judge(condition)
    return lambda value: then(value) if holds(value) else otherwise(value)


def _to_integer(of: Many) -> Many:
    def answered(value: Any) -> Items:
        found = of(value)
        if len(found) != 1 or isinstance(found[0], bool):
            return []
        whole = found[0].__class__ is int or (found[0].__class__ is str and _WHOLE.fullmatch(found[0]) is not None)
        return [int(found[0])] if whole else []

    return answered


def _children(of: Many) -> Many:
    return lambda value: [child for one in of(value) for child in _members(one)]


def _members(one: Any) -> Items:
    values = one.values() if one.__class__ is dict else ()
    return [item for value in values for item in (value if value.__class__ is list else (value,)) if item is not None]


def _descendants(of: Many) -> Many:
    def answered(value: Any) -> Items:
        found: Items = []
        waiting = _members({"": of(value)})
        while waiting:
            waiting = [child for one in waiting for child in _members(one)]
            found += waiting
        return found

    return answered


def _has_value(of: Many) -> Many:
    def answered(value: Any) -> Truth:
        found = of(value)
        return len(found) == 1 and not isinstance(found[0], dict | list)

    return Judged(answered)


def _to_string(of: Many) -> Many:
    def answered(value: Any) -> Items:
        found = of(value)
        if len(found) > 1 or (found and found[0].__class__ is not str):
            raise Beyond
        return found

    return answered


def _length(of: Many) -> Many:
    text = _to_string(of)
    return lambda value: [len(one) for one in text(value)]


def _extension(of: Many, url: Many) -> Many:
    extensions = member(of, "extension")
    return lambda value: [e for e in extensions(value) if e.__class__ is dict and [e.get("url")] == url(value)]


def _predicate(holds: Callable[[str, str], bool]) -> Callable[[Many, Many], Many]:
    """A predicate of one string and a literal; of nothing, and where extensions stand for the string, it is false."""

    def made(of: Many, wanted: Many) -> Many:
        def answered(value: Any) -> Truth:
            found, sought = of(value), wanted(value)
            if len(found) > 1 or len(sought) != 1 or sought[0].__class__ is not str or not sought[0]:
                raise Beyond
            if found and found[0].__class__ is not str and not lone(found[0]):
                raise Beyond
            return bool(found) and found[0].__class__ is str and holds(found[0], sought[0])

        name, text = own(of), literal(wanted)
        if name is None or text is None:
            return Judged(answered)

        def quickly(value: Any) -> Truth:
            found = value.get(name) if value.__class__ is dict else None
            return holds(found, text) if found.__class__ is str else answered(value)

        return Judged(quickly)

    return made


def _matches(text: str, pattern: str) -> bool:
    return re.search(pattern, text, re.DOTALL) is not None


NAMED: Mapping[str, Many] = {
    "true": always(True),
    "false": always(False),
    "$this": this,
    "%ucum": always("http://unitsofmeasure.org"),
}
FUNCTIONS: Mapping[str, Callable[..., Many]] = {
    "all": _all,
    "children": _children,
    "combine": _combine,
    "contains": _predicate(operator.contains),
    "count": _count,
    "descendants": _descendants,
    "empty": _empty,
    "endsWith": _predicate(str.endswith),
    "exists": _exists,
    "extension": _extension,
    "first": _first,
    "hasValue": _has_value,
    "iif": _chosen,
    "isDistinct": _is_distinct,
    "length": _length,
    "matches": _predicate(_matches),
    "not": _not,
    "select": _select,
    "startsWith": _predicate(str.startswith),
    "tail": _tail,
    "toInteger": _to_integer,
    "toString": _to_string,
    "trace": _traced,
    "where": _where,
}
