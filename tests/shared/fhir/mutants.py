"""Every single defect of a kind the validator promises to refuse, made of a good resource."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from shared.fhir.definitions import Definitions, Element, Structure, Type

Steps = tuple[str | int, ...]
Change = Callable[[Any, Any], object]


class Site(NamedTuple):
    """One member of one object: how to get there, and what FHIR says of it."""

    steps: Steps
    element: Element
    type: Type
    value: Any


ILLEGAL: dict[str, Any] = {
    "base64Binary": "A", "boolean": "true", "canonical": "a b", "code": " a", "date": "2026-02-30", "decimal": "1",
    "dateTime": "2026-11-21T10:00:00", "id": "a/b", "instant": "2026-11-21", "integer": Decimal("1.5"), "markdown": 1,
    "oid": "1.2", "positiveInt": 0, "string": 1, "time": "10:00", "unsignedInt": -1, "uri": "a b", "url": "a b",
    "uuid": "urn:uuid:1", "xhtml": "<div>a</div>",
}  # fmt: skip


BROKEN: dict[str, dict[str, Any]] = {
    "Attachment": {"data": "iVBORw0KGgo="},
    "Coding": {"system": "relative", "code": "a"},
    "ContactPoint": {"value": "1"},
    "Extension": {"url": "https://example.org/both", "valueCode": "a", "extension": [{"url": "b", "valueCode": "c"}]},
    "Narrative": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>'},
    "Period": {"start": "2026-12-02", "end": "2026-12-01"},
    "Quantity": {"value": 1, "code": "mg"},
    "Range": {"low": {"value": 2}, "high": {"value": 1}},
    "Ratio": {"numerator": {"value": 1}},
    "Reference": {"reference": "#nowhere"},
}
"""An object of each type that breaks an invariant of that type, and nothing else."""


def mutants(resource: dict[str, Any], definitions: Definitions) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is wrong and where, the resource with just that defect)."""
    for site in sites(resource, definitions):
        for defect, change in _changes(site, definitions):
            mutant = copy.deepcopy(resource)
            place: Any = mutant
            for step in site.steps[:-1]:
                place = place[step]
            change(place, site.steps[-1])
            yield f"{defect} at {'.'.join(map(str, site.steps))}", mutant


def sites(resource: dict[str, Any], definitions: Definitions) -> Iterator[Site]:
    structure = definitions.structure(resource["resourceType"])
    yield from _sites(resource, structure, structure.root.path, (), definitions)


def _sites(value: Any, structure: Structure, path: str, steps: Steps, definitions: Definitions) -> Iterator[Site]:
    known = {name: (e, t) for e in structure.children.get(path, ()) for name, t in _names(e)}
    for name, item in value.items():
        if name not in known:
            continue  # resourceType and the extensions of primitives
        element, type_ = known[name]
        yield Site((*steps, name), element, type_, item)
        for at, one in enumerate(item) if isinstance(item, list) else ((None, item),):
            if isinstance(one, dict):
                inner = (*steps, name) if at is None else (*steps, name, at)
                yield from _inside(one, structure, element, type_, inner, definitions)


def _inside(one: Any, structure: Structure, e: Element, t: Type, steps: Steps, d: Definitions) -> Iterator[Site]:
    if e.path in structure.children or e.content:
        yield from _sites(one, structure, e.content or e.path, steps, d)
    else:
        inner = d.structure(one["resourceType"] if t.code == "Resource" else t.profiles[0] if t.profiles else t.code)
        yield from _sites(one, inner, inner.root.path, steps, d)


def _names(element: Element) -> Iterator[tuple[str, Type]]:
    for t in element.types or (Type(""),):
        yield element.name + (t.code[0].upper() + t.code[1:] if element.choice else ""), t


def _changes(site: Site, definitions: Definitions) -> Iterator[tuple[str, Change]]:
    """(name, in-place change of the object) for one member."""
    element, type_, value = site.element, site.type, site.value
    first = value[0] if isinstance(value, list) else value

    def put(item: Any) -> Change:
        return lambda place, name: place.__setitem__(name, item)

    def one(item: Any) -> Change:
        return put([item, *value[1:]] if isinstance(value, list) else item)

    yield "unknown element", lambda place, _: place.__setitem__("notOfFhir", True)
    yield "null", put(None)
    yield "empty array", put([])
    yield "empty object", put({})
    yield "wrong number", put(first if element.repeats else [value])
    yield "wrong JSON type", one({"a": 1} if not isinstance(first, dict) else "a")
    if element.minimum:
        yield "required element missing", lambda place, name: (place.pop(name), place.pop(f"_{name}", None))
    if type_.code in ILLEGAL:
        yield "illegal primitive", one(ILLEGAL[type_.code])
    if type_.code == "code" and element.strength == "required" and element.value_set not in definitions.open:
        yield "code outside the value set", one("banana")
    if type_.code == "Reference" and type_.targets and isinstance(first, dict):
        yield "wrong target", one({"reference": f"{min(definitions.resource_types - type_.targets)}/1"})
    yield from _invariants(type_, first, one)
    if element.choice:
        other = "Boolean" if type_.code != "boolean" else "String"
        yield "two of a choice", lambda place, _: place.__setitem__(element.name + other, other == "Boolean" or "a")


def _invariants(type_: Type, first: Any, one: Callable[[Any], Change]) -> Iterator[tuple[str, Change]]:
    if type_.code in BROKEN and isinstance(first, dict) and not type_.profiles:
        yield "invariant broken", one(BROKEN[type_.code])
