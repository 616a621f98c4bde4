"""FHIR's own functions for fhirpathpy, and those of its functions that answer differently from the specification.

What is mended, each shown by a test: a criterion was evaluated twice and took any value for true; `$this` was lost
after a nested criterion; `and`, `or` and `implies` refused anything but booleans; `=` compared the first items only and
took quantities without a code for equal; dates were compared as text; `as` took one item only; text predicates of
nothing gave nothing; the value and the extension of one primitive counted as two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol

from shared.fhir.fhirpath.members import lone, truth
from shared.fhir.fhirpath.places import UnknownError, plain
from shared.fhir.instants import later
from shared.fhir.narrative import unsafe

Context = dict[str, Any]
Items = list[Any]
Expression = Callable[[Any], Items]

_SYSTEM = frozenset(("Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time"))
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d.*)?)?)?")
_BY_TYPE = re.compile(r"resolve\(\)(?:\s+is\s|\.(?:is|ofType)\(|\.iif\(empty\(\), true, ofType\()")
_RELATIVE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


class Knowledge(Protocol):
    """What an expression may ask beyond the resource; None = that cannot be told."""

    def member(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set."""

    def conforms(self, resource: Mapping[str, Any], profile: str) -> bool | None:
        """Whether a resource conforms to a profile."""


def data(item: Any) -> Any:
    """The JSON value behind an item."""
    return item.data if type(item).__name__ == "ResourceNode" else item


def boolean(items: Items) -> bool | None:
    """The truth of a collection of items."""
    return truth([data(items[0])] if len(items) == 1 else items)


def resolved_by_type(expression: str) -> bool:
    """Whether the expression asks no more of what a reference leads to than its type."""
    return expression.count("resolve()") == len(_BY_TYPE.findall(expression))


def _said(answer: bool | None) -> Items:
    return [] if answer is None else [answer]


def _each(context: Context, items: Items, expression: Expression) -> Iterator[tuple[Any, Items]]:
    """(item, what the expression says of it); `$this` and `$index` are as before when it ends."""
    kept = context["$this"], context["$index"]
    for at, item in enumerate(items):
        context["$index"] = at
        yield item, list(expression(item))
    context["$this"], context["$index"] = kept


def _where(context: Context, items: Items, criterion: Expression) -> Items:
    return [item for item, found in _each(context, items, criterion) if boolean(found)]


def _exists(context: Context, items: Items, criterion: Expression | None = None) -> Items:
    return [bool(items if criterion is None else _where(context, items, criterion))]


def _all(context: Context, items: Items, criterion: Expression) -> Items:
    found = [boolean(answer) for _, answer in _each(context, items, criterion)]
    return [all(found)]


def _select(context: Context, items: Items, projection: Expression) -> Items:
    return [one for _, found in _each(context, items, projection) for one in found]


def _not(context: Context, items: Items) -> Items:
    found = boolean(items)
    return [] if found is None else [not found]


def _and(context: Context, one: Items, other: Items) -> Items:
    answers = boolean(one), boolean(other)
    return _said(False if False in answers else None if None in answers else True)


def _or(context: Context, one: Items, other: Items) -> Items:
    answers = boolean(one), boolean(other)
    return _said(True if True in answers else None if None in answers else False)


def _xor(context: Context, one: Items, other: Items) -> Items:
    answers = boolean(one), boolean(other)
    return _said(None if None in answers else answers[0] != answers[1])


def _implies(context: Context, one: Items, other: Items) -> Items:
    premise = boolean(one)
    return _or(context, [] if premise is None else [not premise], other)


def _equal(context: Context, one: Items, other: Items) -> Items:
    if not one or not other:
        return []
    if len(one) != len(other):
        return [False]
    answers = [_same(context, a, b) for a, b in zip(one, other, strict=True)]
    return _said(False if False in answers else None if None in answers else True)


def _same(context: Context, one: Any, other: Any) -> bool | None:
    a, b = data(one), data(other)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict | list | str) and isinstance(b, dict | list | str):
        return bool(a == b)
    found = _engine("equality").equal(context, [one], [other])
    return bool(found[0]) if found else None


def _unequal(context: Context, one: Items, other: Items) -> Items:
    return _not(context, _equal(context, one, other))


def _ordered(operator: str) -> Callable[[Context, Items, Items], Items]:
    """An inequality; dates of which nobody can tell give nothing."""

    def compared(context: Context, one: Items, other: Items) -> Items:
        if any(lone(data(item)) for item in (*one, *other)):
            return []
        if len(one) == len(other) == 1 and _is_date(data(one[0])) and _is_date(data(other[0])):
            return _said(_dated(operator, data(one[0]), data(other[0])))
        found = getattr(_engine("equality"), {"<": "lt", ">": "gt", "<=": "lte", ">=": "gte"}[operator])
        answer = found(context, one, other)
        return answer if isinstance(answer, list) else _said(answer)

    return compared


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def _dated(operator: str, one: str, other: str) -> bool | None:
    if later(one, other) or later(other, one):
        return later(one, other) == (operator[0] == ">")
    alike = len(one) == len(other) or (len(one) > 10 and len(other) > 10)
    return len(operator) == 2 if alike else None


def _of_type(context: Context, items: Items, wanted: Any) -> Items:
    return [item for item in items if _has_type(item, wanted)]


def _is(context: Context, items: Items, wanted: Any) -> Items:
    if len(items) > 1:
        raise UnknownError("'is' stands after more than one value")
    return [_has_type(item, wanted) for item in items]


def _has_type(item: Any, wanted: Any) -> bool:
    is_type = import_module("fhirpathpy.engine.nodes").TypeInfo.is_type
    return bool(is_type(_lowered(_typed(item).name), _lowered(wanted.name)))


def _typed(item: Any) -> Any:
    """The type of an item; UnknownError when fhirpathpy has lost it."""
    nodes = import_module("fhirpathpy.engine.nodes")
    resource = isinstance(item, dict) and "resourceType" in item
    found = nodes.TypeInfo.from_value(nodes.ResourceNode.create_node(item) if resource else item)
    if found is None:
        raise UnknownError("the type of a value cannot be told")
    return found


def _type(context: Context, items: Items) -> Items:
    return [{"namespace": found.namespace, "name": found.name} for found in map(_typed, items)]


def _lowered(name: str) -> str:
    """FHIR's `dateTime` for FHIRPath's own `DateTime`: the same values in an invariant."""
    return name[0].lower() + name[1:] if name in _SYSTEM else name


def _has_value(context: Context, items: Items) -> Items:
    return [len(items) == 1 and data(items[0]) is not None and not isinstance(data(items[0]), dict | list)]


def _html_checks(context: Context, items: Items) -> Items:
    return [all(isinstance(data(item), str) and not unsafe(data(item)) for item in items)]


def _extension(context: Context, items: Items, url: str) -> Items:
    nodes = import_module("fhirpathpy.engine.nodes")
    listed = (data(item).get("extension") for item in items if isinstance(data(item), dict))
    found = (one for many in listed if isinstance(many, list) for one in many if isinstance(one, dict))
    return [nodes.ResourceNode(one, "Extension") for one in found if one.get("url") == url]


def _resolve(context: Context, items: Items) -> Items:
    return [found for item in items for found in _resolved(context, data(item))]


def _resolved(context: Context, reference: Any) -> Items:
    """The resource a Reference or canonical leads to, inside the resource or its Bundle; else one of its type alone."""
    text = reference.get("reference") if isinstance(reference, dict) else reference
    if not isinstance(text, str):
        return []
    found = context["places"].led_to(reference, text)
    if found is not None or text.startswith("#"):
        return [] if found is None else [plain(found)]
    relative = _RELATIVE.search(text)
    if context["by_type"] and relative:
        return [{"resourceType": relative[1], "id": relative[2]}]
    raise UnknownError("a reference leads to what is not at hand")


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _text(name: str) -> Callable[..., Items]:
    """A predicate of one string; of nothing it is false, as the invariants of FHIR expect (bdl-8, ref-1)."""

    def holds(context: Context, items: Items, wanted: Any) -> Items:
        if not items or lone(data(items[0])):
            return [False]
        if not isinstance(wanted, str):
            return []
        return [getattr(_engine("strings"), name)(context, items, wanted)]

    return holds


def _member_of(context: Context, items: Items, value_set: str) -> Items:
    if not items:
        return []
    codings = [pair for item in items for pair in _codings(data(item))]
    knows: Knowledge | None = context["knows"]
    known = [knows.member(value_set, *pair) if knows else None for pair in codings]
    if True not in known and None in known:
        raise UnknownError("the codes of a value set are not at hand")
    return [True in known]


def _codings(value: Any) -> Iterator[tuple[str | None, str]]:
    if isinstance(value, str):
        yield None, value
    elif isinstance(value, dict):
        coding: Mapping[str, Any]
        for coding in _objects(value["coding"]) if "coding" in value else (value,):
            if isinstance(coding.get("code"), str):
                yield coding.get("system"), coding["code"]


def _conforms_to(context: Context, items: Items, profile: str) -> Items:
    knows: Knowledge | None = context["knows"]
    found = [knows.conforms(data(item), profile) if knows else None for item in items]
    if None in found:
        raise UnknownError("a profile is not at hand")
    return [all(found)] if found else []


def _engine(name: str) -> Any:
    return import_module(f"fhirpathpy.engine.invocations.{name}")


def _two(function: Callable[..., Items], kind: str = "Any") -> dict[str, Any]:
    return {"fn": function, "arity": {2: ["Any", kind]}}


def _one(function: Callable[..., Items], kind: str) -> dict[str, Any]:
    return {"fn": function, "arity": {1: [kind]}}


FUNCTIONS: Mapping[str, Mapping[str, Any]] = {
    "!=": _two(_unequal),
    "<": _two(_ordered("<")),
    "<=": _two(_ordered("<=")),
    "=": _two(_equal),
    ">": _two(_ordered(">")),
    ">=": _two(_ordered(">=")),
    "all": _one(_all, "Expr"),
    "and": _two(_and),
    "as": _one(_of_type, "TypeSpecifier"),
    "asOp": _two(_of_type, "TypeSpecifier"),
    "conformsTo": _one(_conforms_to, "String"),
    "contains": _one(_text("contains_fn"), "String"),
    "endsWith": _one(_text("ends_with"), "String"),
    "exists": {"fn": _exists, "arity": {0: [], 1: ["Expr"]}},
    "extension": _one(_extension, "String"),
    "hasValue": {"fn": _has_value},
    "htmlChecks": {"fn": _html_checks},
    "implies": _two(_implies),
    "is": _one(_is, "TypeSpecifier"),
    "isOp": _two(_is, "TypeSpecifier"),
    "matches": _one(_text("matches"), "String"),
    "memberOf": _one(_member_of, "String"),
    "not": {"fn": _not},
    "ofType": _one(_of_type, "TypeSpecifier"),
    "or": _two(_or),
    "resolve": {"fn": _resolve},
    "select": _one(_select, "Expr"),
    "startsWith": _one(_text("starts_with"), "String"),
    "type": {"fn": _type},
    "where": _one(_where, "Expr"),
    "xor": _two(_xor),
}
