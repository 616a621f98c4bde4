"""The everyday operators and functions of FHIRPath as closures over JSON values.

Law of this file: what it cannot judge it gives back (Beyond) and fhirpathpy decides; what it can, it answers as
`functions` does, which a differential test shows on every expression at hand.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from shared.fhir.fhirpath.members import (
    Always,
    Beyond,
    Items,
    Many,
    Member,
    Truth,
    always,
    lone,
    member,
    nothing,
    this,
    truth,
)

_WHOLE = re.compile(r"[+-]?[0-9]+")


def resource_is(left: Many, name: str) -> Many:
    def answered(focus: Items) -> Items:
        items = left(focus)
        if len(items) > 1 or any(not isinstance(one, dict) or "resourceType" not in one for one in items):
            raise Beyond
        return [one["resourceType"] == name for one in items]

    return answered


def _said(answer: Truth) -> Items:
    return [] if answer is None else [answer]


def _and(left: Many, right: Many) -> Many:
    def answered(focus: Items) -> Items:
        one = truth(left(focus))
        if one is False:
            return [False]
        other = truth(right(focus))
        return [False] if other is False else _said(None if one is None or other is None else True)

    return answered


def _or(left: Many, right: Many) -> Many:
    def answered(focus: Items) -> Items:
        one = truth(left(focus))
        if one is True:
            return [True]
        other = truth(right(focus))
        return [True] if other is True else _said(None if one is None or other is None else False)

    return answered


def _xor(left: Many, right: Many) -> Many:
    def answered(focus: Items) -> Items:
        one, other = truth(left(focus)), truth(right(focus))
        return _said(None if one is None or other is None else one != other)

    return answered


def _implies(left: Many, right: Many) -> Many:
    def answered(focus: Items) -> Items:
        premise = truth(left(focus))
        if premise is False:
            return [True]
        conclusion = truth(right(focus))
        return [True] if conclusion is True else _said(None if premise is None or conclusion is None else False)

    return answered


def _compared(left: Many, right: Many) -> Callable[[Items], Truth]:
    def same(focus: Items) -> Truth:
        one, other = left(focus), right(focus)
        if not one or not other:
            return None
        if len(one) != len(other):
            return False
        return all(map(_same, one, other))

    return same


def _same(one: Any, other: Any) -> bool:
    if one.__class__ is bool or other.__class__ is bool:
        return one is other
    return bool(one == other)


def _equal(left: Many, right: Many) -> Many:
    same = _compared(left, right)
    if not (isinstance(left, Member) and left.before is this and isinstance(right, Always) and _is_text(right.value)):
        return lambda focus: _said(same(focus))
    name, text = left.name, right.value

    def answered(focus: Items) -> Items:
        value = focus[0].get(name) if len(focus) == 1 and focus[0].__class__ is dict else None
        return ([True] if value == text else [False]) if value.__class__ is str else _said(same(focus))

    return answered


def _is_text(value: Any) -> bool:
    return value.__class__ is str


def _unequal(left: Many, right: Many) -> Many:
    same = _compared(left, right)

    def answered(focus: Items) -> Items:
        found = same(focus)
        return [] if found is None else [not found]

    return answered


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Many, Many], Many]:
    """An inequality of two numbers; of anything else fhirpathpy decides."""

    def made(left: Many, right: Many) -> Many:
        def answered(focus: Items) -> Items:
            one, other = left(focus), right(focus)
            if not one or not other:
                return []
            if len(one) > 1 or len(other) > 1 or not (_is_number(one[0]) and _is_number(other[0])):
                raise Beyond
            return [compare(one[0], other[0])]

        return answered

    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _in(left: Many, right: Many) -> Many:
    def answered(focus: Items) -> Items:
        one, among = left(focus), right(focus)
        if len(one) > 1:
            raise Beyond
        return [any(_same(one[0], other) for other in among)] if one else []

    return answered


def _contains(left: Many, right: Many) -> Many:
    return _in(right, left)


def _union(left: Many, right: Many) -> Many:
    return lambda focus: _distinct(left(focus) + right(focus))


def _distinct(items: Items) -> Items:
    """Each value once, by its JSON."""
    return list({_written(item): item for item in items}.values())


def _written(item: Any) -> Any:
    """What tells a value from others; a number is not a string of the same digits."""
    return item if item.__class__ is str else orjson.dumps(item, option=orjson.OPT_SORT_KEYS, default=str)


def _sum(left: Many, right: Many) -> Many:
    def answered(focus: Items) -> Items:
        one, other = left(focus), right(focus)
        if not one or not other:
            return []
        if len(one) > 1 or len(other) > 1 or not (_is_number(one[0]) and _is_number(other[0])):
            raise Beyond
        return [one[0] + other[0]]

    return answered


def _joined(left: Many, right: Many) -> Many:
    """`&`: two strings, where nothing is an empty one."""

    def answered(focus: Items) -> Items:
        one, other = left(focus), right(focus)
        if len(one) > 1 or len(other) > 1 or any(part.__class__ is not str for part in (*one, *other)):
            raise Beyond
        return ["".join((*one, *other))]

    return answered


OPERATORS: Mapping[str, Callable[[Many, Many], Many]] = {
    "!=": _unequal,
    "&": _joined,
    "+": _sum,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    "=": _equal,
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "and": _and,
    "contains": _contains,
    "implies": _implies,
    "in": _in,
    "or": _or,
    "xor": _xor,
    "|": _union,
}


def _where(of: Many, criterion: Many) -> Many:
    return lambda focus: [one for one in of(focus) if truth(criterion([one]))]


def _exists(of: Many, criterion: Many | None = None) -> Many:
    found = of if criterion is None else _where(of, criterion)
    return lambda focus: [bool(found(focus))]


def _all(of: Many, criterion: Many) -> Many:
    return lambda focus: [all(truth(criterion([one])) for one in of(focus))]


def _empty(of: Many) -> Many:
    return lambda focus: [not of(focus)]


def _not(of: Many) -> Many:
    def answered(focus: Items) -> Items:
        found = truth(of(focus))
        return [] if found is None else [not found]

    return answered


def _count(of: Many) -> Many:
    return lambda focus: [len(of(focus))]


def _first(of: Many) -> Many:
    return lambda focus: of(focus)[:1]


def _tail(of: Many) -> Many:
    return lambda focus: of(focus)[1:]


def _select(of: Many, projection: Many) -> Many:
    return lambda focus: [found for one in of(focus) for found in projection([one])]


def _combine(of: Many, other: Many) -> Many:
    return lambda focus: of(focus) + other(focus)


def _is_distinct(of: Many) -> Many:
    def answered(focus: Items) -> Items:
        found = of(focus)
        return [len(set(map(_written, found))) == len(found)]

    return answered


def _traced(of: Many, *told: Many) -> Many:
    """`trace()`, which tells nobody here."""
    return of


def _chosen(of: Many, condition: Many, then: Many, otherwise: Many = nothing) -> Many:
    """`iif()`, asked of the value at hand."""
    if of is not this:
        raise Beyond
    return lambda focus: then(focus) if truth(condition(focus)) else otherwise(focus)


def _to_integer(of: Many) -> Many:
    def answered(focus: Items) -> Items:
        found = of(focus)
        if len(found) != 1 or isinstance(found[0], bool):
            return []
        whole = found[0].__class__ is int or (found[0].__class__ is str and _WHOLE.fullmatch(found[0]) is not None)
        return [int(found[0])] if whole else []

    return answered


def _children(of: Many) -> Many:
    return lambda focus: [child for one in of(focus) for child in _members(one)]


def _members(one: Any) -> Items:
    values = one.values() if one.__class__ is dict else ()
    return [item for value in values for item in (value if value.__class__ is list else (value,)) if item is not None]


def _descendants(of: Many) -> Many:
    def answered(focus: Items) -> Items:
        found: Items = []
        waiting = _members({"": of(focus)})
        while waiting:
            waiting = [child for one in waiting for child in _members(one)]
            found += waiting
        return found

    return answered


def _has_value(of: Many) -> Many:
    def answered(focus: Items) -> Items:
        found = of(focus)
        return [len(found) == 1 and not isinstance(found[0], dict | list)]

    return answered


def _to_string(of: Many) -> Many:
    def answered(focus: Items) -> Items:
        found = of(focus)
        if len(found) > 1 or (found and found[0].__class__ is not str):
            raise Beyond
        return found

    return answered


def _length(of: Many) -> Many:
    text = _to_string(of)
    return lambda focus: [len(one) for one in text(focus)]


def _extension(of: Many, url: Many) -> Many:
    extensions = member(of, "extension")
    return lambda focus: [e for e in extensions(focus) if e.__class__ is dict and [e.get("url")] == url(focus)]


def _predicate(holds: Callable[[str, str], bool]) -> Callable[[Many, Many], Many]:
    """A predicate of one string and a literal; of nothing, and where extensions stand for the string, it is false."""

    def made(of: Many, wanted: Many) -> Many:
        def answered(focus: Items) -> Items:
            found, sought = of(focus), wanted(focus)
            if len(found) > 1 or len(sought) != 1 or sought[0].__class__ is not str or not sought[0]:
                raise Beyond
            if found and found[0].__class__ is not str and not lone(found[0]):
                raise Beyond
            return [bool(found) and found[0].__class__ is str and holds(found[0], sought[0])]

        return answered

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
