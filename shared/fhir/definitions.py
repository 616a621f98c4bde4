"""Which elements a FHIR structure has: the compiled table read into element definitions, one structure at a time.

Base types and profiles share this one form: a profile is a structure whose elements say more.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Type:
    """One type an element may have; `targets` are resource types (none listed = any)."""

    code: str
    targets: frozenset[str] = frozenset()
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """One invariant in the words of its definition."""

    key: str
    severity: str
    human: str
    expression: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element definition.

    name       last part of the path, without `[x]`; `choice` says that it had one.
    repeats    whether its JSON is an array; a profile that allows one at most does not change that.
    maximum    how many at most, None = any number.
    content    path of the element whose children it takes.
    attribute  it has no `_name` beside it.
    """

    path: str
    name: str
    choice: bool
    repeats: bool
    minimum: int
    maximum: int | None
    types: tuple[Type, ...]
    content: str
    strength: str
    value_set: str
    modifier: bool
    attribute: bool
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """A resource type, data type or profile; `children` by the path of the parent."""

    name: str
    kind: str
    type: str
    abstract: bool
    root: Element
    children: Mapping[str, tuple[Element, ...]]


class Definitions:
    """Everything compiled: structures (read when first asked for) and the codes of value sets."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._structures: Mapping[str, Mapping[str, Any]] = table["structures"]
        self._value_sets: Mapping[str, Mapping[str, list[str]]] = table["valueSets"]
        self._constraints = tuple(Constraint(*columns) for columns in table["constraints"])
        self._read: dict[str, Structure] = {}
        self.open: Mapping[str, str] = table["open"]
        self.resource_types = frozenset(
            name for name, s in self._structures.items() if s["kind"] == "resource" and not s.get("abstract")
        )

    def kind(self, name: str) -> str:
        """`resource`, `complex` or `primitive`."""
        return str(self._structures[name]["kind"])

    def structure(self, name: str) -> Structure:
        """One structure by its name; KeyError when there is none."""
        if name not in self._read:
            self._read[name] = self._structure(name, self._structures[name])
        return self._read[name]

    def codings(self, value_set: str) -> frozenset[tuple[str, str]] | None:
        """(system, code) of every code of a value set, or None when they cannot be listed."""
        systems = self._value_sets.get(value_set)
        return None if systems is None else frozenset((s, code) for s, codes in systems.items() for code in codes)

    def _structure(self, name: str, columns: Mapping[str, Any]) -> Structure:
        root, *elements = (self._element(e) for e in columns["elements"])
        children: dict[str, tuple[Element, ...]] = {}
        for element in elements:
            parent = element.path.rpartition(".")[0]
            children[parent] = (*children.get(parent, ()), element)
        return Structure(name, columns["kind"], columns["type"], columns.get("abstract", False), root, children)

    def _element(self, columns: Mapping[str, Any]) -> Element:
        last = columns["path"].rpartition(".")[2]
        binding = columns.get("binding", {})
        return Element(
            path=columns["path"],
            name=last.removesuffix("[x]"),
            choice=last.endswith("[x]"),
            repeats=columns.get("baseMax", columns["max"]) not in ("0", "1"),
            minimum=columns["min"],
            maximum=None if columns["max"] == "*" else int(columns["max"]),
            types=tuple(_type(t) for t in columns.get("types", ())),
            content=columns.get("content", ""),
            strength=binding.get("strength", ""),
            value_set=binding.get("valueSet", ""),
            modifier=columns.get("modifier", False),
            attribute=columns.get("attribute", False),
            constraints=tuple(self._constraints[at] for at in columns.get("constraints", ())),
        )


def _type(columns: Mapping[str, Any]) -> Type:
    return Type(columns["code"], frozenset(columns.get("targets", ())), tuple(columns.get("profiles", ())))


@cache
def r4() -> Definitions:
    """The FHIR R4 (4.0.1) core definitions, as `contracts/compile.py` compiled them."""
    return Definitions(orjson.loads(gzip.decompress((files("contracts") / "compiled" / "r4.json.gz").read_bytes())))
