"""How the children of an object are asked what a profile says of them: how many, of which types, each, and in slices.

Most children are absent or stand once, so each kind of child has the shortest check that will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.fhir.definitions import Element, Type
from shared.fhir.primitives import PRIMITIVES
from shared.fhir.problems import MOST, Demand, Problem, Problems, Scope, type_of, under
from shared.fhir.slices import Group, Item, Lookup, shortage, surplus

ANY = frozenset(("Resource", "DomainResource"))
"""Types of elements that hold whole resources; the type of such an item is its `resourceType`."""

Slot = Demand
"""Of one child of an object; of what is no object it says nothing."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a profile says of one child beyond its base element: numbers, types left (None = all), each by its type."""

    element: Element
    least: int
    most: int | None
    allowed: frozenset[str] | None
    demands: Mapping[str, Demand]
    group: Group | None
    implied: bool = False
    """Whether what is in a slice meets the demands by that."""

    @property
    def lone(self) -> Demand | None:
        """What is asked of each value of a single type, where nothing else is said."""
        other = self.least or self.most is not None or self.allowed is not None or self.group
        return None if other or len(self.demands) != 1 else next(iter(self.demands.values()))

    @property
    def new(self) -> bool:
        """Whether there is anything to check."""
        return bool(self.least or self.most is not None or self.allowed is not None or self.demands or self.group)

    @property
    def needed(self) -> bool:
        """Whether all it says is that the child has to be there."""
        return self.least == 1 and self.most is None and not (self.allowed or self.demands or self.group)

    @property
    def barred(self) -> bool:
        """Whether all it says is that there are none of several."""
        code = self.element.types[0].code if self.element.types else ""
        several = self.element.repeats and code not in PRIMITIVES and code not in ANY
        return several and self.most == 0 and not (self.allowed or self.demands or self.group)


def children(said: Sequence[Said], *, primitive: bool) -> Demand:
    """What is said of the children of an object; those of a primitive are in its `_name` half."""
    needed = tuple((frozenset(_index(s.element)), s.element.name) for s in said if s.needed)
    barred = tuple(s.element.name for s in said if s.barred)
    slots = tuple(_slot(s) for s in said if not (s.needed or s.barred))
    if len(slots) == 1 and not (needed or barred or primitive):
        return slots[0]

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        of = (beside if beside is not None else {}) if primitive else value
        if of.__class__ is not dict:
            return None
        found: Problems = None
        for names, name in needed:
            if name not in of and names.isdisjoint(of):
                found = [*(found or ()), Problem(f".{name}", "required", "is required")]
        for name in barred:
            if name in of and of[name].__class__ is list and of[name]:
                found = [*(found or ()), *under(f".{name}", list(_counted(1, 0, 0)))]
        for slot in slots:
            problems = slot(of, None, scope)
            if problems:
                found = problems if found is None else found + problems
        return found

    return check


def _slot(said: Said) -> Slot:
    element = said.element
    code = element.types[0].code if element.types else ""
    if element.choice and said.group is None and not element.repeats:
        return _choice(said)
    if isinstance(said.group, Lookup) and element.repeats and code not in PRIMITIVES and code not in ANY:
        return _sliced(said, said.group, code)
    if said.group is not None or said.allowed is not None or code in ANY:
        return _any(said)
    if not element.repeats:
        return _single(said, code)
    return _any(said) if code in PRIMITIVES else _array(said, code)


def _single(said: Said, code: str) -> Slot:
    """A child that stands once at most."""
    name, label = said.element.name, f".{said.element.name}"
    half = f"_{name}" if code in PRIMITIVES and not said.element.attribute else ""
    demand, forbidden = said.demands.get(code), said.most == 0
    missing = under(label, list(_counted(0, said.least, None))) or None

    def slot(value: Any, beside: Any, scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return None
        if name not in value and not (half and half in value):
            return missing
        if forbidden:
            return under(label, list(_counted(1, 0, 0)))
        if demand is None:
            return None
        problems = demand(value.get(name), value.get(half) if half else None, scope)
        return under(label, problems) if problems else None

    return slot


def _choice(said: Said) -> Slot:
    """A choice of types that is not sliced."""
    label, least, most = f".{said.element.name}", said.least, said.most
    ways = {key: _way(said, *found) for key, found in _index(said.element).items()}

    def slot(value: Any, beside: Any, scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return None
        found: Problems = None
        count = 0
        for key in value:
            if key in ways:
                name, half, demand, wrong = ways[key]
                if key != name and name in value:
                    continue
                count += 1
                problems = demand(value.get(name), value.get(half) if half else None, scope) if demand else None
                if problems or wrong:
                    found = [*(found or ()), *(problems or ()), *wrong]
        if count < least or (most is not None and count > most):
            found = [*(found or ()), *_counted(count, least, most)]
        return under(label, found) if found else None

    return slot


def _way(said: Said, name: str, code: str, halved: bool) -> tuple[str, str, Demand | None, list[Problem]]:
    """(JSON name, `_name` or "", what is asked, what is wrong with it at all) of one type of a choice."""
    wrong = list(_disallowed([Item(None, None, None, code)], said.allowed))
    return name, f"_{name}" if halved else "", said.demands.get(code), wrong


def _array(said: Said, code: str) -> Slot:
    """A child that repeats and is no primitive."""
    name, label = said.element.name, f".{said.element.name}"
    demand, least, most = said.demands.get(code), said.least, said.most

    def slot(value: Any, beside: Any, scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return None
        items = value.get(name, ())
        if items.__class__ is not list and items != ():
            return None
        found: list[Problem] = []
        if len(items) < least or (most is not None and len(items) > most):
            found = under(label, list(_counted(len(items), least, most)))
        if demand is not None:
            for at, item in enumerate(items):
                problems = demand(item, None, scope)
                if problems:
                    found += under(f"{label}[{at}]", problems)
                    if len(found) > MOST:
                        break
        return found or None

    return slot


def _sliced(said: Said, group: Lookup, code: str) -> Slot:
    """A child that repeats, is no primitive, and falls into open slices by a key."""
    name, label, demand = said.element.name, f".{said.element.name}", said.demands.get(code)
    positions, slices = group.positions(), group.slices
    said_of = [(s.demands.get(code), s.maximum) for s in slices]
    least, most, count, implied = said.least, said.most, len(slices), said.implied
    needed = [(at, s) for at, s in enumerate(slices) if s.minimum]
    absent = under(label, [*_counted(0, least, None), *(shortage(s) for _, s in needed)]) or None

    def slot(value: Any, beside: Any, scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return None
        items = value.get(name)
        if items.__class__ is not list:
            return None if name in value else absent
        found: list[Problem] = []
        if len(items) < least or (most is not None and len(items) > most):
            found += _counted(len(items), least, most)
        counts = [0] * count
        for at, item in enumerate(items):
            placed = positions(item)
            if demand is not None and not (implied and placed) and (wrong := demand(item, None, scope)):
                found += under(f"[{at}]", wrong)
            for where in placed:
                counts[where] += 1
                asked, limit = said_of[where]
                if asked is not None and (wrong := asked(item, None, scope)):
                    found += under(f"[{at}]", wrong)
                if limit is not None and counts[where] > limit:
                    found.append(surplus(slices[where], f"[{at}]"))
            if found and len(found) > MOST:
                break
        for at, slice_ in needed:
            if counts[at] < slice_.minimum:
                found.append(shortage(slice_))
        return under(label, found) if found else None

    return slot


def _any(said: Said) -> Slot:
    """A child of any kind: a choice, a whole resource, an array of primitives, or one that is sliced."""
    items, names, label = items_of(said.element), frozenset(_index(said.element)), f".{said.element.name}"
    demands, group, anyone = said.demands, said.group, said.demands.get("Resource")
    absent = under(label, [*_counted(0, said.least, None), *((group and group([], Scope({}))) or ())])

    def slot(value: Any, beside: Any, scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return None
        if names.isdisjoint(value):
            return absent or None
        found = items(value)
        problems = [*_counted(len(found), said.least, said.most), *_disallowed(found, said.allowed)]
        for item in found:
            demand = demands.get(item.type) or anyone
            if demand is not None and (wrong := demand(item.value, item.beside, scope)):
                problems += under(item.label, wrong)
                if len(problems) > MOST:
                    break
        if group is not None and len(problems) <= MOST:
            problems += group(found, scope) or ()
        return under(label, problems) if problems else None

    return slot


def _counted(count: int, least: int, most: int | None) -> Iterator[Problem]:
    if count < least:
        yield Problem("", "required", "is required" if least == 1 else f"at least {least} are required")
    if most is not None and count > most:
        yield Problem("", "structure", f"at most {most} here" if most else "is not allowed here")


def _disallowed(items: list[Item], allowed: frozenset[str] | None) -> Iterator[Problem]:
    for item in items if allowed is not None else ():
        if allowed is not None and item.type not in allowed:
            yield Problem(item.label, "structure", f"must be of type {' or '.join(sorted(allowed))}")


def items_of(element: Element) -> Callable[[Mapping[str, Any]], list[Item]]:
    """How the values of one element of a base type are taken out of the object they stand in."""
    index = _index(element)
    name, code, halved = next(iter(index.values()))
    if not element.repeats:
        return lambda value: _one_of(index, value)
    return (lambda value: _halves(name, code, value)) if halved else (lambda value: _items(name, code, value))


def _index(element: Element) -> dict[str, tuple[str, str, bool]]:
    """Every JSON name an element may have -> (the name of the value, its type, whether it has a `_name` half)."""
    found: dict[str, tuple[str, str, bool]] = {}
    for type_ in element.types or (Type(""),):
        name = element.name + (type_.code[0].upper() + type_.code[1:] if element.choice else "")
        halved = type_.code in PRIMITIVES and not element.attribute
        found |= dict.fromkeys((name, f"_{name}") if halved else (name,), (name, type_.code, halved))
    return found


def _one_of(index: Mapping[str, tuple[str, str, bool]], value: Mapping[str, Any]) -> list[Item]:
    """The value of a choice, or the values where there are too many; index: JSON name -> (name, type, has halves)."""
    found = []
    for key in value:
        if key in index:
            name, code, halved = index[key]
            item = value.get(name)
            if code in ANY:
                found.append(Item(None, item, url_of(value), type_of(item)))
            elif key == name or name not in value:
                found.append(Item(None, item, value.get(f"_{name}") if halved else None, code))
    return found


def url_of(entry: Mapping[str, Any]) -> str:
    """The fullUrl of the entry a resource stands in, or ""."""
    url = entry.get("fullUrl")
    return url if isinstance(url, str) else ""


def _items(name: str, code: str, value: Mapping[str, Any]) -> list[Item]:
    items = value.get(name)
    if items.__class__ is not list:
        return []
    if code in ANY:
        return [Item(at, item, None, type_of(item)) for at, item in enumerate(items)]
    return [Item(at, item, None, code) for at, item in enumerate(items)]


def _halves(name: str, code: str, value: Mapping[str, Any]) -> list[Item]:
    items, beside = value.get(name), value.get(f"_{name}")
    items = items if items.__class__ is list else []
    beside = beside if beside.__class__ is list else []
    size = max(len(items), len(beside))
    return [
        Item(at, items[at] if at < len(items) else None, beside[at] if at < len(beside) else None, code)
        for at in range(size)
    ]
