"""What is compared at the place a discriminator leads to: a value, a pattern, codes, presence, a type or a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.fhir.bindings import bound_in
from shared.fhir.definitions import Element, Structure, Type
from shared.fhir.overlays import Base, Overlays
from shared.fhir.patterns import containing, same
from shared.fhir.problems import Scope
from shared.fhir.slices import Item
from shared.fhir.slots import items_of

UNSEEN = object()
"""Beside an item: a resource of which only the type is known."""

Criterion = Callable[[Item, Scope], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a discriminator path leads: what the slice says there (said), and the element of the base type."""

    said: tuple[tuple[Structure, Element], ...]
    base: Base | None
    types: tuple[Type, ...]


class Undecided(Exception):
    """Nothing here can tell what belongs to the slice."""


def asked_of(overlays: Overlays, place: Place, kind: str) -> Criterion:
    """What is asked of what stands at a place; of `exists` only whether it should be there."""
    if kind == "exists":
        return _existing(place)
    if kind == "type":
        return _typed(place)
    if kind == "profile":
        return _conforming(overlays, place)
    found = [c for s, e in place.said if (c := valued(overlays, s, e)) is not None]
    if not found:
        raise Undecided
    return lambda item, scope: all(criterion(item, scope) for criterion in found)


def _existing(place: Place) -> Criterion:
    required = any(e.minimum for _, e in place.said)
    excluded = any(e.maximum == 0 for _, e in place.said)
    if required == excluded:
        raise Undecided
    return lambda item, scope: required


def _typed(place: Place) -> Criterion:
    codes = frozenset(t.code for t in place.types)
    if not codes:
        raise Undecided
    return lambda item, scope: item.type in codes


def _conforming(overlays: Overlays, place: Place) -> Criterion:
    canonicals = [p for t in place.types for p in t.profiles]
    known = [overlays.definitions.profile(canonical) for canonical in canonicals]
    structures = [s for s in known if s is not None]
    if not structures or len(structures) < len(known):
        raise Undecided
    return lambda item, scope: (
        item.beside is not UNSEEN and any(overlays.conforms(item.value, s, scope) for s in structures)
    )


def valued(overlays: Overlays, structure: Structure, element: Element) -> Criterion | None:
    """The value a profile gives at an element, or at elements inside it, or the codes it allows there."""
    if element.fixed is not None:
        return lambda item, scope: same(item.value, element.fixed)
    if element.pattern is not None:
        matches = containing(element.pattern)
        return lambda item, scope: matches(item.value)
    inner = [c for c in _children(overlays, structure, element) if c is not None]
    if inner:
        return lambda item, scope: all(criterion(item, scope) for criterion in inner)
    return _bound(overlays, element)


def _bound(overlays: Overlays, element: Element) -> Criterion | None:
    codings = overlays.definitions.codings(element.value_set) if element.strength == "required" else None
    if codings is None:
        return None
    codes = frozenset(code for _, code in codings)

    def check(item: Item, scope: Scope) -> bool:
        value = item.value
        if isinstance(value, str):
            return value in codes
        listed = value.get("coding", [value]) if value.__class__ is dict else None
        return listed.__class__ is list and bound_in(listed, codings)

    return check


def _children(overlays: Overlays, structure: Structure, element: Element) -> Iterator[Criterion | None]:
    for child in structure.children.get(element.id, ()):
        for _, said in named(structure, element, child.name):
            criterion = valued(overlays, structure, said)
            if criterion is not None:
                yield _at(child.name, said, criterion)


def _at(name: str, element: Element, criterion: Criterion) -> Criterion:
    """A criterion of a child, met by any of its values."""
    items = items_of(element)
    return lambda item, scope: item.value.__class__ is dict and any(criterion(i, scope) for i in items(item.value))


def named(structure: Structure, element: Element, name: str) -> Iterator[tuple[Structure, Element]]:
    """The element of a name under another, and its mandatory slices, for they say something of it too."""
    for child in structure.children.get(element.id, ()):
        if child.name == name:
            yield structure, child
            yield from ((structure, s) for s in structure.slices.get(child.id, ()) if s.minimum)
