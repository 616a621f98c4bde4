"""Every single defect a profile promises to refuse, made of an example that meets it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

from shared.fhir.definitions import Element, Structure, Type
from shared.fhir.overlays import Base, Overlays
from shared.fhir.problems import Scope
from shared.fhir.slices import Item, Matcher
from shared.fhir.slicing import matcher_of

from .mutants import Steps

Change = Callable[[Any, Any], object]


class Guard(NamedTuple):
    """An item that has to stay in its slice, for outside of it other demands hold."""

    steps: Steps
    matcher: Matcher
    type: str


@dataclass(frozen=True)
class At:
    """One object of the example, the element of the profile that describes it, and the slices it is in."""

    structure: Structure
    element: Element
    base: Base
    steps: Steps
    guards: tuple[Guard, ...] = ()


class Mutants:
    """The mutants of one example of one profile."""

    def __init__(self, overlays: Overlays, structure: Structure, resource: dict[str, Any]) -> None:
        self._overlays = overlays
        self._resource = resource
        base = overlays.definitions.structure(structure.type)
        self._root = At(structure, structure.root, Base(base, base.root), ())

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(what is wrong and where, the resource with just that defect)."""
        yield from self._object(self._root, self._resource, Type(self._root.structure.type))

    def _object(self, at: At, value: Mapping[str, Any], type_: Type) -> Iterator[tuple[str, dict[str, Any]]]:
        listed = at.structure.children.get(at.element.id, ())
        inner = self._overlays.inside(at.base, type_) if listed else None
        if inner is None:
            return
        known = {c.name: c for c in inner.structure.children.get(inner.element.id, ())}
        for child in listed:
            if child.name in known:
                base = Base(inner.structure, known[child.name])
                yield from self._child(replace(at, element=child, base=base), value)

    def _child(self, at: At, value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for type_ in at.element.types or at.base.element.types or (Type(""),):
            name = _named(at.base.element, type_)
            if name in value:
                here = replace(at, steps=(*at.steps, name))
                yield from self._numbers(here, value[name])
                yield from self._items(here, value[name], type_)
                yield from self._slices(here, value[name], type_)

    def _numbers(self, at: At, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """Too few, too many, and another type of a choice."""
        element, base = at.element, at.base.element
        if element.minimum > base.minimum:
            yield from self._mutant(at, "required element missing", lambda place, name: _removed(place, name))
        if element.maximum is not None and element.maximum != base.maximum and base.repeats and element.maximum:
            many = [copy.deepcopy(value[0]) for _ in range(element.maximum + 1)]
            yield from self._mutant(at, "too many", lambda place, name: place.__setitem__(name, many))
        left = {t.code for t in element.types}
        others = [t for t in base.types if t.code not in left and t.code in ("boolean", "string")]
        if base.choice and left and others:
            other, odd = _named(base, others[0]), True if others[0].code == "boolean" else "a"
            yield from self._mutant(at, "type", lambda place, name: (place.pop(name), place.__setitem__(other, odd)))

    def _items(self, at: At, value: Any, type_: Type) -> Iterator[tuple[str, dict[str, Any]]]:
        for steps, item in _each(at.steps, value, at.base.element):
            one = replace(at, steps=steps)
            yield from self._value(one, item, type_)
            if isinstance(item, dict) and type_.code != "Extension":
                yield from self._object(one, item, type_)

    def _value(self, at: At, item: Any, type_: Type) -> Iterator[tuple[str, dict[str, Any]]]:
        """Another value than the fixed one, a pattern not met, a code of no value set, a wrong target."""
        element = at.element
        for name, expected in (("fixed", element.fixed), ("pattern", element.pattern)):
            if expected is not None:
                wrong = _altered(item, expected)
                yield from self._mutant(at, f"{name} broken", lambda place, step, w=wrong: place.__setitem__(step, w))
        listed = self._overlays.definitions.codings(element.value_set) is not None
        if element.strength == "required" and element.value_set and listed and (wrong := _uncoded(type_.code)):
            yield from self._mutant(at, "code of no value set", lambda place, step: place.__setitem__(step, wrong))
        if type_.code == "Reference" and type_.targets and isinstance(item, dict) and "reference" in item:
            targets = [self._overlays.definitions.profile(target) for target in type_.targets]
            kinds = {target.type for target in targets if target is not None}
            if len(targets) == len([t for t in targets if t is not None]) and "Resource" not in kinds:
                other = min(self._overlays.definitions.resource_types - kinds)
                lost = {"reference": f"{other}/1"}
                yield from self._mutant(at, "wrong target", lambda place, step: place.__setitem__(step, lost))

    def _slices(self, at: At, value: Any, type_: Type) -> Iterator[tuple[str, dict[str, Any]]]:
        slicing = at.element.slicing
        for slice_ in at.structure.slices.get(at.element.id, ()) if slicing else ():
            assert slicing is not None
            matcher = matcher_of(self._overlays, at.structure, slice_, at.base, slicing)
            if matcher is not None:
                yield from self._slice(at, value, type_, slice_, matcher)

    def _slice(
        self, at: At, value: Any, type_: Type, slice_: Element, matcher: Matcher
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        mine = [(s, i) for s, i in _each(at.steps, value, at.base.element) if self._matches(matcher, i, type_)]
        if (slice_.types and type_.code not in {t.code for t in slice_.types}) or not mine:
            return
        if slice_.minimum:
            rest = [i for _, i in _each(at.steps, value, at.base.element) if not self._matches(matcher, i, type_)]
            yield from self._mutant(at, f"slice {slice_.slice_name} missing", _left(rest))
        if slice_.maximum and at.base.element.repeats:
            more = [*value, *(copy.deepcopy(mine[0][1]) for _ in range(slice_.maximum + 1 - len(mine)))]
            yield from self._mutant(
                at, f"slice {slice_.slice_name} too often", lambda place, name: place.__setitem__(name, more)
            )
        inner = next((t for t in slice_.types if t.code == type_.code), type_)
        for steps, item in mine:
            one = replace(at, element=slice_, steps=steps, guards=(*at.guards, Guard(steps, matcher, type_.code)))
            yield from self._value(one, item, inner)
            if isinstance(item, dict) and inner.code != "Extension":
                yield from self._object(one, item, inner)

    def _matches(self, matcher: Matcher, value: Any, code: str | Type) -> bool:
        type_ = code if isinstance(code, str) else code.code
        kind = value.get("resourceType", type_) if isinstance(value, dict) and type_ == "Resource" else type_
        return matcher(Item(None, value, None, kind), Scope(self._resource, Scope({})))

    def _mutant(self, at: At, defect: str, change: Change) -> Iterator[tuple[str, dict[str, Any]]]:
        mutant: Any = copy.deepcopy(self._resource)
        place = mutant
        for step in at.steps[:-1]:
            place = place[step]
        change(place, at.steps[-1])
        kept = all(self._still(mutant, guard) for guard in at.guards)
        if kept and mutant != self._resource:
            yield f"{defect} at {'.'.join(map(str, at.steps))} ({at.element.id})", mutant

    def _still(self, mutant: Any, guard: Guard) -> bool:
        value = mutant
        for step in guard.steps:
            try:
                value = value[step]
            except (KeyError, IndexError):
                return False
        return self._matches(guard.matcher, value, guard.type)


def _named(element: Element, type_: Type) -> str:
    return element.name + (type_.code[0].upper() + type_.code[1:] if element.choice else "")


def _each(steps: Steps, value: Any, element: Element) -> list[tuple[Steps, Any]]:
    if element.repeats:
        return [((*steps, at), item) for at, item in enumerate(value)] if isinstance(value, list) else []
    return [(steps, value)]


def _removed(place: Any, name: Any) -> None:
    place.pop(name)
    place.pop(f"_{name}", None)


def _left(rest: list[Any]) -> Change:
    return lambda place, name: place.__setitem__(name, rest) if rest else _removed(place, name)


def _altered(item: Any, expected: Any) -> Any:
    """The item with one of the values a fixed value or pattern gives changed."""
    if isinstance(expected, dict) and isinstance(item, dict):
        name = next(iter(expected))
        return item | {name: _altered(item[name], expected[name])} if name in item else {}
    if isinstance(expected, list) and isinstance(item, list):
        return [_altered(one, expected[0]) for one in item]
    if isinstance(expected, bool):
        return not item
    return f"{item}x" if isinstance(item, str) else Decimal(str(item)) + 1


def _uncoded(code: str) -> Any:
    coding = {"system": "https://example.org/nowhere", "code": "banana"}
    return {"code": "banana", "Coding": coding, "CodeableConcept": {"coding": [coding]}}.get(code)
