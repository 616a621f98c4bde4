"""What belongs to a slice: its discriminators compiled to functions that look at one item.

A discriminator is a short path and what is compared there: the fixed value, pattern or value set the slice gives at
that place, whether anything is there, its type, or whether it conforms to a profile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from shared.fhir.criteria import UNSEEN, Criterion, Place, Undecided, asked_of, named, valued
from shared.fhir.definitions import Element, Slicing, Structure, Type
from shared.fhir.overlays import Base, Overlays
from shared.fhir.patterns import only_coding
from shared.fhir.problems import Scope, type_of
from shared.fhir.slices import Item, Keyed, Matcher
from shared.fhir.slots import items_of
from shared.fhir.targets import led_to

_STEP = re.compile(r"extension\(\s*['\"]?([^'\")]+)['\"]?\s*\)|ofType\((\w+)\)|(resolve)\(\)|(\$this)|(\w+)")

_NEAR = re.compile(r"\$this|\w+(?:\.\w+)*")
"""A path of names; nothing is called on the way."""

Walk = Callable[[Item, Scope], Iterator[tuple[Item, Scope]]]


def matcher_of(overlays: Overlays, profile: Structure, slice_: Element, base: Base, slicing: Slicing) -> Matcher | None:
    """Whether an item belongs to a slice; None when that cannot be told from the definitions."""
    start = Place(((profile, slice_),), base, slice_.types or base.element.types)
    try:
        if keyed := _keyed(overlays, start, slicing):
            return keyed
        criteria = [_discriminator(overlays, start, kind, path) for kind, path in slicing.discriminators]
    except Undecided:
        return None
    if not criteria:
        return None
    if len(criteria) == 1:
        return criteria[0]
    return lambda item, scope: all(criterion(item, scope) for criterion in criteria)


def _discriminator(overlays: Overlays, start: Place, kind: str, path: str) -> Criterion:
    place, walks = start, []
    for url, type_, resolve, this, name in _STEP.findall(path):
        if not this:
            place, walk = _stepped(overlays, place, url, type_, resolve, name)
            walks.append(walk)
    asked = asked_of(overlays, place, kind)
    found = _walked(walks)
    if kind == "exists":
        return lambda item, scope: asked(item, scope) == any(True for _ in found(item, scope))
    return lambda item, scope: any(asked(at, inner) for at, inner in found(item, scope))


def _keyed(overlays: Overlays, start: Place, slicing: Slicing) -> Keyed | None:
    """The key items of a slice have in one element of theirs, which is what nearly all slices ask for."""
    (kind, path), *more = slicing.discriminators or (("", ""),)
    if more or kind not in ("value", "pattern") or not _NEAR.fullmatch(path):
        return None
    if path == "url" and (urls := _urls(start)):
        return Keyed(("", (path,)), frozenset(urls))
    names = () if path == "$this" else tuple(path.split("."))
    place = start
    for name in names:
        place = _child(overlays, place, name)[0]
        if place.base is None or place.base.element.repeats or place.base.element.choice:
            return None
    given = [e for s, e in place.said if valued(overlays, s, e) is not None]
    if len(given) != 1:
        return None
    expected = given[0].pattern if given[0].fixed is None else given[0].fixed
    if isinstance(expected, str):
        return Keyed(("", names), frozenset((expected,)))
    coding = only_coding(given[0].pattern)
    return Keyed(("coding", names), frozenset((coding,))) if coding else None


def _urls(place: Place) -> tuple[str, ...]:
    """The addresses of the extensions a slice is narrowed to, which need not be known for that."""
    return tuple(p.partition("|")[0] for t in place.types if t.code == "Extension" for p in t.profiles)


def _walked(walks: list[Walk]) -> Walk:
    """One step after the other."""

    def walk(item: Item, scope: Scope) -> Iterator[tuple[Item, Scope]]:
        found = [(item, scope)]
        for step in walks:
            found = [further for at, inner in found for further in step(at, inner)]
        return iter(found)

    return walk


def _stepped(overlays: Overlays, place: Place, url: str, type_: str, resolve: str, name: str) -> tuple[Place, Walk]:
    if url:
        return _extension(overlays, place, url)
    if type_:
        return _of_type(place, type_)
    if resolve:
        return _resolved(overlays, place)
    return _child(overlays, place, name)


def _child(overlays: Overlays, place: Place, name: str) -> tuple[Place, Walk]:
    """An element of the base type, with all that the slice says of it."""
    inner = _inside(overlays, place)
    if inner is None:
        raise Undecided
    child = next((c for c in inner.structure.children.get(inner.element.id, ()) if c.name == name), None)
    if child is None:
        raise Undecided
    said = [found for s, e in _opened(overlays, place) for found in named(s, e, name)]
    types = next((e.types for _, e in said if e.types), child.types)
    items = items_of(child)

    def walk(item: Item, scope: Scope) -> Iterator[tuple[Item, Scope]]:
        if item.value.__class__ is dict:
            for at in items(item.value):
                yield at, scope

    return Place(tuple(said), Base(inner.structure, child), types), walk


def _inside(overlays: Overlays, place: Place) -> Base | None:
    """Where the children of a place are defined in the base."""
    return overlays.inside(place.base, place.types[0] if place.types else Type("")) if place.base else None


def _opened(overlays: Overlays, place: Place) -> Iterator[tuple[Structure, Element]]:
    """What is said of the children of a place: by the slice itself, and by the profiles its types are narrowed to."""
    for structure, element in place.said:
        yield structure, element
        for type_ in element.types:
            for canonical in type_.profiles:
                known = overlays.definitions.profile(canonical)
                if known is not None:
                    yield known, known.root


def _extension(overlays: Overlays, place: Place, url: str) -> tuple[Place, Walk]:
    """`extension('url')`: the slice of that extension."""
    found, steps = _child(overlays, place, "extension")
    said = [
        (s, e)
        for s, e in (*found.said, *_slices(overlays, place))
        if any(p.partition("|")[0] == url for t in e.types for p in t.profiles)
    ]
    types = (Type("Extension", profiles=(url,)),)
    known = overlays.definitions.profile(url)
    if known is not None:
        said.append((known, known.root))

    def walk(item: Item, scope: Scope) -> Iterator[tuple[Item, Scope]]:
        for at, inner in steps(item, scope):
            if at.value.__class__ is dict and at.value.get("url") == url:
                yield at, inner

    return Place(tuple(dict.fromkeys(said)), found.base, types), walk


def _slices(overlays: Overlays, place: Place) -> Iterator[tuple[Structure, Element]]:
    """Every slice of the extensions of a place, mandatory or not."""
    for structure, element in _opened(overlays, place):
        for child in structure.children.get(element.id, ()):
            if child.name == "extension":
                yield from ((structure, s) for s in structure.slices.get(child.id, ()))


def _of_type(place: Place, code: str) -> tuple[Place, Walk]:
    """`ofType(code)`: the values of one type of a choice, with what slices of that type say."""
    sliced = [(s, one) for s, e in place.said for one in s.slices.get(e.id, ()) if code in {t.code for t in one.types}]
    types = tuple(t for t in place.types if t.code == code) or (Type(code),)

    def walk(item: Item, scope: Scope) -> Iterator[tuple[Item, Scope]]:
        if item.type == code:
            yield item, scope

    return replace(place, said=tuple(dict.fromkeys((*place.said, *sliced))), types=types), walk


def _resolved(overlays: Overlays, place: Place) -> tuple[Place, Walk]:
    """`resolve()`: the resource a reference leads to; where only its type is known, a resource of nothing else."""
    targets = sorted({target for t in place.types for target in t.targets})
    known = [overlays.definitions.profile(target) for target in targets]
    if None in known:
        known = []
    structures = [s for s in known if s is not None]
    types = tuple(Type(s.type, profiles=(s.name,) if s.url else ()) for s in structures)
    resource_types = overlays.definitions.resource_types

    def walk(item: Item, scope: Scope) -> Iterator[tuple[Item, Scope]]:
        text = item.value.get("reference") if item.value.__class__ is dict else None
        if not isinstance(text, str):
            return
        resolved = scope.resolve(text)
        if resolved is not None:
            yield Item(None, resolved[0], None, type_of(resolved[0])), resolved[1]
        elif type_ := led_to(text, scope, resource_types)[0]:
            yield Item(None, {"resourceType": type_}, UNSEEN, type_), scope

    single = structures[0] if len(structures) == 1 else None
    base = None
    if single is not None:
        of_type = overlays.definitions.structure(single.type)
        base = Base(of_type, of_type.root)
    return Place(tuple((s, s.root) for s in structures), base, types), walk
