"""Which elements a FHIR structure has: compiled tables read into element definitions, one structure at a time.

Base types and profiles share this one form: a profile is a structure whose elements say more. Tables lie in layers:
R4, over it ours, over them packages read at run time.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from shared.fhir import snapshots

Columns = Mapping[str, Any]

_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Type:
    """One type an element may have; `targets` are resource types or canonicals of profiles (none listed = any)."""

    code: str
    targets: frozenset[str] = frozenset()
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """One invariant in the words of its definition; `source` is the profile that says it, "" for base R4."""

    key: str
    severity: str
    human: str
    expression: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Slicing:
    """How items fall into slices: (type, path) of each discriminator; rules open, closed or openAtEnd."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str
    ordered: bool


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One element definition.

    id         the path with the slices on it.
    name       last part of the path, without `[x]`; `choice` says that it had one.
    repeats    whether its JSON is an array; a profile that allows one at most does not change that.
    maximum    how many at most, None = any number.
    content    path of the element whose children it takes.
    attribute  it has no `_name` beside it.
    fixed, pattern, least, most   a JSON value, None = not said.
    length     characters at most, 0 = not said.
    """

    id: str
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
    slice_name: str = ""
    slicing: Slicing | None = None
    fixed: Any = None
    pattern: Any = None
    least: Any = None
    most: Any = None
    length: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A resource type, data type or profile.

    name      of a base type its own, of a profile canonical|version.
    children  by the id of the parent, slices not among them; `slices` by the id of what is sliced.
    """

    name: str
    kind: str
    type: str
    abstract: bool
    root: Element
    children: Mapping[str, tuple[Element, ...]]
    slices: Mapping[str, tuple[Element, ...]]
    url: str = ""


class Definitions:
    """Everything compiled: structures (read when first asked for) and the codes of value sets."""

    def __init__(self, table: Columns, below: Definitions | None = None) -> None:
        self._below = below
        self._constraints = tuple(Constraint(*columns) for columns in table["constraints"])
        self._value_sets: Mapping[str, Mapping[str, list[str]]] = table["valueSets"]
        self._types: Mapping[str, Columns] = {n: s for n, s in table["structures"].items() if "url" not in s}
        self._profiles: dict[str, dict[str, Columns]] = {}
        for columns in table["structures"].values():
            if "url" in columns:
                self._profiles.setdefault(columns["url"], {})[columns["version"]] = columns
        self._read: dict[str, Structure] = {}
        self._bound: dict[str, frozenset[tuple[str, str]]] = {}
        self.open: Mapping[str, str] = {**(below.open if below else {}), **table["open"]}
        self.resource_types: frozenset[str] = frozenset(self._concrete()) | (
            below.resource_types if below else frozenset()
        )

    def with_definitions(self, definitions: Iterable[snapshots.Definition]) -> Definitions:
        """These and, over them, StructureDefinitions (with snapshots), ValueSets and CodeSystems."""
        return Definitions(snapshots.table(definitions, _further()["terminology"]), self)

    def with_package(self, package: bytes) -> Definitions:
        """These and, over them, the definitions of a FHIR package (tgz)."""
        return self.with_definitions(snapshots.resources(package))

    def with_hl7(self) -> Definitions:
        """These and, over them, the profiles and extensions of the R4 core itself."""
        return Definitions(_further(), self)

    def kind(self, name: str) -> str:
        """`resource`, `complex` or `primitive`, of a base type."""
        return self.structure(name).kind

    def structure(self, name: str) -> Structure:
        """One base type by its name; KeyError when there is none."""
        if name in self._types:
            if name not in self._read:
                self._read[name] = self._structure(name, self._types[name])
            return self._read[name]
        if self._below is None:
            raise KeyError(name)
        return self._below.structure(name)

    def profile(self, canonical: str) -> Structure | None:
        """A profile or extension by canonical, or None; without `|version` the newest, with `|1` the newest 1.x.

        A base type, by name or canonical, is a profile of itself.
        """
        url, _, version = canonical.partition("|")
        columns = self._newest(url, version)
        if columns is None:
            if self._below is not None:
                return self._below.profile(canonical)
            name = snapshots.short(url)
            return self.structure(name) if name in self._types else None
        name = f"{url}|{columns['version']}"
        if name not in self._read:
            self._read[name] = self._structure(name, columns)
        return self._read[name]

    def profiles(self) -> Iterator[str]:
        """canonical|version of every profile and extension."""
        for url, versions in self._profiles.items():
            yield from (f"{url}|{version}" for version in versions)
        if self._below is not None:
            yield from self._below.profiles()

    def extensions(self) -> frozenset[str]:
        """The URL of every extension that is known."""
        own = (url for url, known in self._profiles.items() if any(c["type"] == "Extension" for c in known.values()))
        return frozenset(own) | (self._below.extensions() if self._below else frozenset())

    def codings(self, value_set: str) -> frozenset[tuple[str, str]] | None:
        """(system, code) of every code of a value set, or None when they cannot be listed."""
        if value_set not in self._value_sets:
            return self._below.codings(value_set) if self._below else None
        if value_set not in self._bound:
            systems = self._value_sets[value_set]
            self._bound[value_set] = frozenset((s, code) for s, codes in systems.items() for code in codes)
        return self._bound[value_set]

    def _concrete(self) -> Iterator[str]:
        return (name for name, s in self._types.items() if s["kind"] == "resource" and not s.get("abstract"))

    def _newest(self, url: str, version: str) -> Columns | None:
        known = self._profiles.get(url, {})
        if version in known and version:
            return known[version]
        fitting = [v for v in known if not version or v.startswith(f"{version}.")]
        return known[max(fitting, key=_ranked)] if fitting else None

    def _structure(self, name: str, columns: Columns) -> Structure:
        root, *elements = (self._element(e) for e in columns["elements"])
        children: dict[str, list[Element]] = {}
        slices: dict[str, list[Element]] = {}
        for element in elements:
            if element.slice_name:
                slices.setdefault(_sliced(element), []).append(element)
            else:
                children.setdefault(element.id.rpartition(".")[0], []).append(element)
        return Structure(
            name,
            columns["kind"],
            columns["type"],
            columns.get("abstract", False),
            root,
            {parent: tuple(found) for parent, found in children.items()},
            {parent: tuple(found) for parent, found in slices.items()},
            columns.get("url", ""),
        )

    def _element(self, columns: Columns) -> Element:
        last = columns["path"].rpartition(".")[2]
        binding = columns.get("binding", {})
        return Element(
            id=columns.get("id", columns["path"]),
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
            slice_name=columns.get("sliceName", ""),
            slicing=_slicing(columns.get("slicing")),
            fixed=_exact(columns.get("fixed")),
            pattern=_exact(columns.get("pattern")),
            least=_exact(columns.get("minValue")),
            most=_exact(columns.get("maxValue")),
            length=columns.get("maxLength", 0),
        )


def _type(columns: Columns) -> Type:
    return Type(columns["code"], frozenset(columns.get("targets", ())), tuple(columns.get("profiles", ())))


def _slicing(columns: Columns | None) -> Slicing | None:
    if columns is None:
        return None
    discriminators = tuple((d["type"], d["path"]) for d in columns["discriminator"])
    return Slicing(discriminators, columns["rules"], columns.get("ordered", False))


def _exact(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)


def _sliced(element: Element) -> str:
    """The id of what a slice is a slice of: the element, or for `a/b` the slice `a`."""
    whole = element.id.removesuffix(f":{element.slice_name}")
    outer = element.slice_name.rpartition("/")[0]
    return f"{whole}:{outer}" if outer else whole


def _ranked(version: str) -> tuple[bool, list[int], str]:
    """Versions in their order: by number, a pre-release (`2.0.0-ballot`) before all releases."""
    return "-" not in version, [int(n) for n in _NUMBERS.findall(version.partition("-")[0])], version


@cache
def r4() -> Definitions:
    """The FHIR R4 (4.0.1) core definitions, as `contracts/compile.py` compiled them."""
    return Definitions(_compiled("r4"))


@cache
def carepod() -> Definitions:
    """R4 and, over it, our own profiles, extensions and value sets."""
    return Definitions(_compiled("carepod"), r4())


@cache
def _further() -> Any:
    """The rest of the R4 core: its profiles and extensions, and the terminology packages compose theirs of."""
    return _compiled("hl7")


def _compiled(name: str) -> Any:
    return orjson.loads(gzip.decompress((files("contracts") / "compiled" / f"{name}.json.gz").read_bytes()))
