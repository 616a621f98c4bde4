"""How the items of an element fall into slices, and what is wrong with how many there are and where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.fhir.definitions import Slicing
from shared.fhir.problems import MOST, Demand, Problem, Problems, Scope, under

DEFAULT = "@default"
"""The slice of whatever is in no other."""


class Item(NamedTuple):
    """One value of an element: its position (None when it does not repeat), its `_name` half, its type code."""

    at: int | None
    value: Any
    beside: Any
    type: str

    @property
    def label(self) -> str:
        """Its part of the path."""
        return "" if self.at is None else f"[{self.at}]"


Matcher = Callable[[Item, Scope], bool]


@dataclass(frozen=True, slots=True)
class Keyed:
    """A matcher by a string, or the (system, code) of a coding, in one place of the item: any of these keys.

    place  ("coding" or "", the names of the elements on the way there, none for the item itself)
    """

    place: tuple[str, tuple[str, ...]]
    keys: frozenset[Any]

    def __call__(self, item: Item, scope: Scope) -> bool:
        return not self.keys.isdisjoint(found_at(self.place, item.value))


def found_at(place: tuple[str, tuple[str, ...]], value: Any) -> list[Any]:
    """The keys the value of an item has in a place."""
    coding, names = place
    for name in names:
        value = value.get(name) if value.__class__ is dict else None
    if not coding:
        return [value] if value.__class__ is str else []
    listed = value.get("coding") if value.__class__ is dict else None
    if listed.__class__ is not list:
        return []
    pairs = [(c.get("system"), c.get("code")) for c in listed if c.__class__ is dict]
    return [pair for pair in pairs if pair[0].__class__ is str and pair[1].__class__ is str]


Group = Callable[[list[Item], Scope], Problems]


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice; `matches` is None when nothing here can tell what belongs to it, `inner` slices it again."""

    name: str
    minimum: int
    maximum: int | None
    matches: Matcher | None
    demands: Mapping[str, Demand]
    inner: Group | None


def group_of(slices: tuple[Slice, ...], slicing: Slicing) -> Group:
    """The check of all items of an element against its slices."""
    decided = tuple(s for s in slices if s.matches is not None and s.name != DEFAULT)
    rest = next((s for s in slices if s.name == DEFAULT), None)
    placing = _placing(decided)
    beyond = _beyond(decided, rest, slicing, whole=len(decided) + (rest is not None) == len(slices))
    plain = slicing.rules == "open" and not slicing.ordered and rest is None
    named = [{**s.demands} for s in decided]
    least = [(at, s) for at, s in enumerate(decided) if s.minimum]
    most = [s.maximum for s in decided]
    again = [(at, s.inner) for at, s in enumerate(decided) if s.inner is not None]

    def check(items: list[Item], scope: Scope) -> Problems:
        counts = [0] * len(decided)
        found: list[Problem] = []
        placed = [placing(item, scope) for item in items]
        for item, where in zip(items, placed, strict=True):
            if len(found) > MOST:
                break
            for at in where:
                counts[at] += 1
                demand, limit = named[at].get(item.type), most[at]
                if demand is not None and (wrong := demand(item.value, item.beside, scope)):
                    found += under(item.label, wrong)
                if limit is not None and counts[at] > limit:
                    found.append(surplus(decided[at], item.label))
        for at, slice_ in least:
            if counts[at] < slice_.minimum:
                found.append(shortage(slice_))
        for at, inner in again:
            found += inner([item for item, where in zip(items, placed, strict=True) if at in where], scope) or ()
        if not plain:
            found += beyond(items, placed, scope)
        return found or None

    keyed = _index(decided)
    if plain and keyed and not again:
        return Lookup(decided, *keyed, check)
    return check


def _beyond(
    decided: tuple[Slice, ...], rest: Slice | None, slicing: Slicing, *, whole: bool
) -> Callable[[list[Item], list[list[int]], Scope], Iterator[Problem]]:
    """What is said of items by where they stand, and of those in no slice; `whole`: every slice can be told."""

    def check(items: list[Item], placed: list[list[int]], scope: Scope) -> Iterator[Problem]:
        if whole and rest is not None:
            left = [item for item, where in zip(items, placed, strict=True) if not where]
            yield from _within(rest, left, scope)
        elif whole:
            yield from _outside(items, placed, slicing, decided)
        if slicing.ordered:
            yield from _disordered(items, placed)

    return check


@dataclass(frozen=True, slots=True)
class Lookup:
    """Open slices all told by a key in one place: what is said of an item is looked up, and nothing else is asked.

    `index`: key -> positions of slices; `whole` is the same group for items of any kind.
    """

    slices: tuple[Slice, ...]
    place: tuple[str, tuple[str, ...]]
    index: Mapping[Any, list[int]]
    whole: Group

    def __call__(self, items: list[Item], scope: Scope) -> Problems:
        return self.whole(items, scope)

    def positions(self) -> Callable[[Any], Sequence[int]]:
        """The slices the value of an item is in."""
        (coding, names), index, place = self.place, self.index, self.place
        name = names[0] if len(names) == 1 else ""

        def by_text(value: Any) -> Sequence[int]:
            try:
                return index.get(value[name], ())
            except (KeyError, TypeError):
                return ()

        def by_coding(value: Any) -> Sequence[int]:
            try:
                (coding,) = value[name]["coding"]
                return index.get((coding["system"], coding["code"]), ())
            except (KeyError, TypeError, ValueError):
                return _looked_up(index, found_at(place, value))

        if not name:
            return lambda value: _looked_up(index, found_at(place, value))
        return by_coding if coding else by_text


def _placing(decided: tuple[Slice, ...]) -> Callable[[Item, Scope], list[int]]:
    """The positions of the slices an item is in: looked up where all of them have a key in the same place."""
    if keyed := _index(decided):
        place, index = keyed
        return lambda item, scope: _looked_up(index, found_at(place, item.value))
    return lambda item, scope: [at for at, s in enumerate(decided) if s.matches and s.matches(item, scope)]


def _index(decided: tuple[Slice, ...]) -> tuple[tuple[str, tuple[str, ...]], dict[Any, list[int]]] | None:
    """(the one place all slices have their keys in, key -> positions)."""
    keyed = [s.matches for s in decided if isinstance(s.matches, Keyed)]
    if not keyed or len(keyed) < len(decided) or len({k.place for k in keyed}) > 1:
        return None
    index: dict[Any, list[int]] = {}
    for at, matcher in enumerate(keyed):
        for key in matcher.keys:
            index.setdefault(key, []).append(at)
    return keyed[0].place, index


def _looked_up(index: Mapping[Any, list[int]], keys: list[Any]) -> list[int]:
    if len(keys) == 1:
        return index.get(keys[0], [])
    return sorted({at for key in keys for at in index.get(key, ())})


def shortage(slice_: Slice) -> Problem:
    return Problem("", "required", f"slice {slice_.name!r} needs at least {slice_.minimum}")


def surplus(slice_: Slice, label: str) -> Problem:
    return Problem(label, "structure", f"slice {slice_.name!r} allows at most {slice_.maximum}")


def _within(slice_: Slice, items: list[Item], scope: Scope) -> Iterator[Problem]:
    """What the default slice says of all that is in no other."""
    if len(items) < slice_.minimum:
        yield shortage(slice_)
    for item in items if slice_.maximum is None else items[slice_.maximum :]:
        if slice_.maximum is not None:
            yield surplus(slice_, item.label)
    for item in items:
        demand = slice_.demands.get(item.type)
        wrong = demand(item.value, item.beside, scope) if demand else None
        yield from under(item.label, wrong) if wrong else ()


def _outside(
    items: list[Item], placed: list[list[int]], slicing: Slicing, decided: tuple[Slice, ...]
) -> Iterator[Problem]:
    """Items in no slice, where there may be none, or none before the last that is in one."""
    if slicing.rules == "open":
        return
    last = max((at for at, where in enumerate(placed) if where), default=-1)
    names = ", ".join(s.name for s in decided)
    for at, (item, where) in enumerate(zip(items, placed, strict=True)):
        if not where and (slicing.rules == "closed" or at < last):
            told = "no other is allowed" if slicing.rules == "closed" else "others are allowed at the end only"
            yield Problem(item.label, "structure", f"is in none of the slices {names}; {told}")


def _disordered(items: list[Item], placed: list[list[int]]) -> Iterator[Problem]:
    """Items of ordered slices that stand behind one of a later slice."""
    highest = -1
    for item, where in zip(items, placed, strict=True):
        if where and where[0] < highest:
            yield Problem(item.label, "structure", "stands behind a later slice; the slices are ordered")
        highest = max(highest, *where) if where else highest
