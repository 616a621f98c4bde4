"""The shapes every element check is built from: objects, arrays, primitives beside their extensions, and codings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.fhir.definitions import Constraint
from shared.fhir.invariants import Broken, Unknown
from shared.fhir.primitives import EMPTY
from shared.fhir.problems import MOST, Check, Problem, Problems, Scope, one, under

_NAME = re.compile(r"_?([A-Za-z][A-Za-z0-9]{0,63})")
_UNCODED = "must be a code of the required value set"
_NULL = one("structure", "null is allowed only in an array, beside the other half of the same item")

Rule = tuple[Broken, Constraint]

_OF_CONTAINED = frozenset(("dom-2", "dom-3", "dom-4", "dom-5"))
"""Invariants that hold wherever nothing is contained."""


class Members(dict[str, Check]):
    """The check of each member of an object, compiled when it is first met; unknown names are never kept."""

    def __init__(self, compiled: Mapping[str, Callable[[], Check]], unknown: Callable[[str], Check]) -> None:
        super().__init__()
        self._compiled = compiled
        self._unknown = unknown

    def __missing__(self, name: str) -> Check:
        if name not in self._compiled:
            return self._unknown(name)
        self[name] = self._compiled[name]()
        return self[name]


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object has to look like.

    labels    the path part of each known member: `.value` for `valueQuantity` and `_valueString`.
    required  (path part, names of which one must be there).
    choices   names -> the path part of their choice element, where there are any.
    alone     whether an id alone is enough: in a resource, and in `_name` beside a value.
    """

    members: Members
    labels: Mapping[str, str]
    required: tuple[tuple[str, tuple[str, ...]], ...]
    choices: Mapping[str, str]
    rules: tuple[Rule, ...]
    alone: bool


def object_of(shape: Shape) -> Check:
    """A JSON object: each member by its own check, then what only the whole shows; the good way builds nothing."""
    members, alone = shape.members, shape.alone
    whole = _whole(shape) if shape.required or shape.choices or shape.rules else None

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return one("structure", "must be a JSON object")
        found: Problems = None
        for name, item in value.items():
            problems = members[name](item, value, scope)
            if problems is not None:
                found = _more(found, under(_label(shape, name), problems))
                if len(found) > MOST:
                    return found
        if len(value) < 2 and (not value or (not alone and "id" in value)):
            found = _more(found, EMPTY)
        return found if whole is None else whole(found, value, scope)

    return check


def _whole(shape: Shape) -> Callable[[Problems, Mapping[str, Any], Scope], Problems]:
    """What only the whole object shows: what is missing, what excludes another, which invariants are broken."""
    of_contained = tuple(rule for rule in shape.rules if rule[1].key in _OF_CONTAINED)
    rules = tuple(rule for rule in shape.rules if rule not in of_contained)
    needed = tuple(names[0] for _, names in shape.required if shape.choices.keys().isdisjoint(names))
    chosen = tuple(frozenset(names) for _, names in shape.required if not shape.choices.keys().isdisjoint(names))
    choosable = len(needed) + 2 if shape.choices else 1_000_000
    choosers = shape.choices.keys()

    def check(found: Problems, value: Mapping[str, Any], scope: Scope) -> Problems:
        for name in needed:
            if name not in value:
                found = _more_or_none(found, _missing(shape, value))
                break
        for names in chosen:
            if names.isdisjoint(value):
                found = _more_or_none(found, _missing(shape, value))
                break
        if len(value) >= choosable and len(value.keys() & choosers) > 1:
            found = _more_or_none(found, _ambiguous(shape, value))
        for broken, constraint in rules:
            if places := broken(value, scope):
                found = _more(found, _told(places, constraint))
        if of_contained and "contained" in value:
            found = _more_or_none(found, [p for b, c in of_contained if (at := b(value, scope)) for p in _told(at, c)])
        return found

    return check


def _ambiguous(shape: Shape, value: Mapping[str, Any]) -> list[Problem]:
    """Two types of one choice, which only an object with more members than it needs can have."""
    chosen: dict[str, set[str]] = {}
    for name in value:
        if name in shape.choices:
            chosen.setdefault(shape.choices[name], set()).add(name.lstrip("_"))
    return [
        Problem(label, "structure", "only one type of value at a time") for label, n in chosen.items() if len(n) > 1
    ]


def _missing(shape: Shape, value: Mapping[str, Any]) -> list[Problem]:
    missing = (label for label, names in shape.required if not any(name in value for name in names))
    return [Problem(label, "required", "is required") for label in missing]


def _told(places: bool | list[str] | Unknown, constraint: Constraint) -> list[Problem]:
    if isinstance(places, Unknown):
        told = f"could not be checked: {places.reason}"
        return [Problem("", "not-supported", told, constraint.key, "warning")]
    paths = [""] if isinstance(places, bool) else places
    return [Problem(path, "invariant", constraint.human, constraint.key) for path in paths]


def _label(shape: Shape, name: str) -> str:
    """The path part of a member; a name that cannot be one of FHIR's is left out, for it may be anything."""
    if name in shape.labels:
        return shape.labels[name]
    known = _NAME.fullmatch(name)
    return f".{known[1]}" if known else ""


def unknown_in(names: Mapping[str, str], choices: frozenset[str]) -> Callable[[str], Check]:
    """The check of members that are not known: a refusal that says what was probably meant, where that is safe."""

    def unknown(name: str) -> Check:
        if name.strip() in names:
            told = f"{name.strip()!r} is written with white space around it"
        elif name in choices:
            told = "the name of its type is missing, as in valueString"
        else:
            told = "is not an element of this type"
        return lambda value, parent, scope: one("structure", told)

    return unknown


def array_of(single: Check, maximum: int | None) -> Check:
    """A JSON array that is not empty."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not list:
            return one("structure", "must be a JSON array")
        found: Problems = None
        for at, item in enumerate(value):
            problems = single(item, parent, scope)
            if problems is not None:
                found = _more(found, under(f"[{at}]", problems))
                if len(found) > MOST:
                    return found
        return found if value and (maximum is None or len(value) <= maximum) else _more(found, _count(maximum))

    return check


def array_beside(single: Check, other: str, maximum: int | None, *, coded: bool = False) -> Check:
    """One of the two arrays of a repeating primitive: where it says nothing, the other has to.

    coded  whether this is the `_name` half of codes of a required binding, which no extension can stand for.
    """

    def half(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        return None if value is None else single(value, parent, scope)

    whole = array_of(half, maximum)

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        found = whole(value, parent, scope)
        if coded and value.__class__ is list:
            found = _more_or_none(found, _uncoded(value, parent.get(other)))
        silent = [at for at, item in enumerate(value) if _silent(item)] if value.__class__ is list else ()
        if not silent:
            return found
        beside = parent.get(other)
        lone = [at for at in silent if not (isinstance(beside, list) and _present(beside, at))]
        return _more_or_none(found, [Problem(f"[{at}]", *_NULL[0][1:]) for at in lone[:MOST]])

    return check


def _uncoded(halves: Sequence[Any], codes: Any) -> list[Problem]:
    """Where extensions stand without the code they belong to."""
    given = codes if codes.__class__ is list else []
    lone = [at for at, half in enumerate(halves) if half is not None and not _present(given, at)]
    return [Problem(f"[{at}]", "code-invalid", _UNCODED) for at in lone[:MOST]]


def _silent(item: Any) -> bool:
    return item is None or (item.__class__ is dict and "extension" not in item)


def _present(items: Sequence[Any], at: int) -> bool:
    return at < len(items) and items[at] is not None


def extension_beside(extensible: Check, name: str, *, coded: bool = False) -> Check:
    """`_name`: the id and extensions of a primitive, which alone must at least be extensions (ele-1).

    coded  whether the primitive is the code of a required binding, which no extension can stand for.
    """

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        found = extensible(value, parent, scope)
        if coded and parent.get(name) is None:
            return _more(found, one("code-invalid", _UNCODED))
        lone = value.__class__ is dict and "extension" not in value and parent.get(name) is None
        return EMPTY if found is None and lone else found

    return check


def forbidden(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    """An element that a profile does not allow."""
    return one("structure", "is not allowed here")


def also(first: Check, second: Check) -> Check:
    """Both checks of one value."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        found, more = first(value, parent, scope), second(value, parent, scope)
        return found if more is None else _more(found, more)

    return check


def obeying(rules: tuple[Rule, ...]) -> Check:
    """Invariants said of an object where it is used, not of its type."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return None
        found: Problems = None
        for broken, constraint in rules:
            if places := broken(value, scope):
                found = _more(found, _told(places, constraint))
        return found

    return check


def obeying_value(rules: tuple[Rule, ...]) -> Check:
    """Invariants said of a primitive, which has no say where an extension stands for it."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value is None or value.__class__ in (dict, list):
            return None
        return [p for broken, c in rules if (places := broken(value, scope)) for p in _told(places, c)] or None

    return check


def _count(maximum: int | None) -> list[Problem]:
    return one("structure", "is empty; leave it out instead" if maximum is None else f"at least 1, at most {maximum}")


def _more(found: Problems, problems: list[Problem]) -> list[Problem]:
    return problems if found is None else found + problems


def _more_or_none(found: Problems, problems: list[Problem]) -> Problems:
    return _more(found, problems) if problems else found
