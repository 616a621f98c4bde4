"""The everyday operators of FHIRPath as closures over JSON values; what they cannot judge they give back (Beyond)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from shared.fhir.elements import written
from shared.fhir.fhirpath.members import Beyond, Items, Judge, Judged, Many, Truth, judge, literal, own


def _and(left: Many, right: Many) -> Many:
    first, second = judge(left), judge(right)

    def answered(value: Any) -> Truth:
        one = first(value)
        if one is False:
            return False
        other = second(value)
        return False if other is False else None if one is None or other is None else True

    return Judged(answered)


class _Among(Judged):
    """Whether a member is one of several texts: equal to one or to another; `otherwise` judges what is no text."""

    __slots__ = ("name", "texts")

    def __init__(self, name: str, texts: frozenset[str], otherwise: Judge) -> None:
        def answered(value: Any) -> Truth:
            found = value.get(name) if value.__class__ is dict else None
            return found in texts if found.__class__ is str else otherwise(value)

        super().__init__(answered)
        self.name, self.texts = name, texts


def _or(left: Many, right: Many) -> Many:
    first, second = judge(left), judge(right)

    def answered(value: Any) -> Truth:
        one = first(value)
        if one is True:
            return True
        other = second(value)
        return True if other is True else None if one is None or other is None else False

    if isinstance(left, _Among) and isinstance(right, _Among) and left.name == right.name:
        return _Among(left.name, left.texts | right.texts, answered)
    return Judged(answered)


def _xor(left: Many, right: Many) -> Many:
    first, second = judge(left), judge(right)

    def answered(value: Any) -> Truth:
        one, other = first(value), second(value)
        return None if one is None or other is None else one != other

    return Judged(answered)


def _implies(left: Many, right: Many) -> Many:
    first, second = judge(left), judge(right)

    def answered(value: Any) -> Truth:
        premise = first(value)
        if premise is False:
            return True
        conclusion = second(value)
        return True if conclusion is True else None if premise is None or conclusion is None else False

    return Judged(answered)


def _compared(left: Many, right: Many) -> Judge:
    def same(value: Any) -> Truth:
        one, other = left(value), right(value)
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
    same, name, text = _compared(left, right), own(left), literal(right)
    return Judged(same) if name is None or text is None else _Among(name, frozenset((text,)), same)


def _unequal(left: Many, right: Many) -> Many:
    same = _compared(left, right)

    def answered(value: Any) -> Truth:
        found = same(value)
        return None if found is None else not found

    return Judged(answered)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Many, Many], Many]:
    """An inequality of two numbers; of anything else fhirpathpy decides."""

    def made(left: Many, right: Many) -> Many:
        def answered(value: Any) -> Truth:
            one, other = left(value), right(value)
            if not one or not other:
                return None
            if len(one) > 1 or len(other) > 1 or not (_is_number(one[0]) and _is_number(other[0])):
                raise Beyond
            return compare(one[0], other[0])

        return Judged(answered)

    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _in(left: Many, right: Many) -> Many:
    def answered(value: Any) -> Truth:
        one, among = left(value), right(value)
        if len(one) > 1:
            raise Beyond
        return any(_same(one[0], other) for other in among) if one else None

    return Judged(answered)


def _contains(left: Many, right: Many) -> Many:
    return _in(right, left)


def _union(left: Many, right: Many) -> Many:
    return lambda value: _distinct(left(value) + right(value))


def _distinct(items: Items) -> Items:
    """Each value once, by its JSON."""
    return list({written(item): item for item in items}.values())


def _sum(left: Many, right: Many) -> Many:
    def answered(value: Any) -> Items:
        one, other = left(value), right(value)
        if not one or not other:
            return []
        if len(one) > 1 or len(other) > 1 or not (_is_number(one[0]) and _is_number(other[0])):
            raise Beyond
        return [one[0] + other[0]]

    return answered


def _joined(left: Many, right: Many) -> Many:
    """`&`: two strings, where nothing is an empty one."""

    def answered(value: Any) -> Items:
        one, other = left(value), right(value)
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
