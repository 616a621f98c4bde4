"""Objects made for one constraint: of the elements its expression names, legal in shape, of values it asks about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from shared.fhir.definitions import Constraint, Definitions, Element, Structure, Type

_WORD = re.compile(r"[A-Za-z]+")
_TEXT = re.compile(r"'((?:\\.|[^'\\])*)'")
_DEEP = 3
_POOLS: Mapping[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "date": ("2026-11-20", "2026-11-21"),
    "dateTime": ("2026-11-20", "2026-11-21"),
    "instant": ("2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z"),
    "integer": (-1, 0, 1, 2),
    "positiveInt": (1, 2),
    "unsignedInt": (0, 1, 2),
    "id": ("a", "b"),
    "decimal": (Decimal("-1"), Decimal("0.5"), Decimal(1), 2, 101),
}


class Place(NamedTuple):
    """Where a constraint stands: the structure, the element, the type of the value there."""

    structure: Structure
    element: Element
    type: str


def places(definitions: Definitions, names: list[str]) -> Iterator[tuple[Constraint, Place]]:
    """Every constraint of base structures with where it stands."""
    for name in names:
        structure = definitions.structure(name)
        inner = [e for children in structure.children.values() for e in children]
        for element in (structure.root, *inner):
            for type_ in element.types if element is not structure.root else (Type(name),):
                code = type_.code if element.path not in structure.children or element is structure.root else ""
                for constraint in element.constraints:
                    yield constraint, Place(structure, element, "" if code == "BackboneElement" else code)


def of_profiles(definitions: Definitions) -> Iterator[tuple[Constraint, Place]]:
    """Every constraint of profiles with where it stands in the base type."""
    for canonical in definitions.profiles():
        profile = definitions.profile(canonical)
        assert profile is not None
        base = definitions.structure(profile.type)
        known = {e.path: e for children in base.children.values() for e in children} | {base.root.path: base.root}
        inner = [e for children in profile.children.values() for e in children]
        for element in (profile.root, *inner, *(e for slices in profile.slices.values() for e in slices)):
            at = known.get(element.path, base.root)
            types = (element.types or at.types) if element is not profile.root else (Type(profile.type),)
            for code in sorted({t.code for t in types if t.code not in ("BackboneElement", "Resource")} or {""}):
                yield from ((c, Place(base, at, code)) for c in element.constraints if at is not base.root or code)


class Shaper:
    """Makes values for the expression of one constraint, the same ones every time.

    `lone` lets extensions stand for the value of a primitive here and there.
    """

    def __init__(self, definitions: Definitions, expression: str, *, lone: bool = True) -> None:
        self._definitions = definitions
        self.words = set(_WORD.findall(_TEXT.sub("", expression)))
        self._texts = [text for text in _TEXT.findall(expression) if text] or ["x"]
        self._lone = lone
        self._random = Random(0)

    def value(self, place: Place) -> Any:
        """One value, or None where the type has no shape here."""
        if place.type == "" or place.element is place.structure.root:
            made = self._object(place.structure, place.element, _DEEP)
            whole = place.structure.kind == "resource" and place.element is place.structure.root
            return {"resourceType": place.structure.name, **made} if whole else made
        return self._typed(place.type, _DEEP)

    def _object(self, structure: Structure, element: Element, deep: int) -> dict[str, Any]:
        of = element.content or element.id
        made: dict[str, Any] = {}
        for child in structure.children.get(of, ()):
            if child.minimum or (child.name in self.words and self._random.random() < 0.6):
                made |= self._member(structure, child, deep)
        return made

    def _member(self, structure: Structure, child: Element, deep: int) -> dict[str, Any]:
        type_ = self._random.choice(child.types or (Type(""),)).code
        name = child.name + (type_[:1].upper() + type_[1:] if child.choice else "")
        if self._lone and self._random.random() < 0.1 and type_ in _POOLS and not child.repeats and not child.minimum:
            return {f"_{name}": {"extension": [{"url": "a:b", "valueCode": "x"}]}}
        values = [self._single(structure, child, type_, deep) for _ in range(self._random.choice((1, 1, 2, 3)))]
        values = [value for value in values if value not in (None, {})]
        return {name: values if child.repeats else values[0]} if values else {}

    def _single(self, structure: Structure, child: Element, type_: str, deep: int) -> Any:
        if deep and (child.id in structure.children or child.content):
            return self._object(structure, child, deep - 1)
        return self._typed(type_, deep)

    def _typed(self, type_: str, deep: int) -> Any:
        if type_ in _POOLS:
            return self._random.choice(_POOLS[type_])
        if type_ == "Resource":
            kinds = [word for word in self.words if word in self._definitions.resource_types] or ["Patient"]
            return {"resourceType": self._random.choice((*kinds, "Basic")), "id": self._random.choice("ab")}
        if type_ in ("", "xhtml") or not deep:
            return None
        structure = self._definitions.structure(type_)
        if structure.kind == "primitive":
            return self._random.choice((*self._texts, "x", "#a"))
        return self._object(structure, structure.root, deep - 1) or {"id": "a"}
