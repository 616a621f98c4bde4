"""What each profile demands beyond its base type: the normal form that digests are made of and versions compared by.

Only what decides whether a resource is refused counts. Human texts, bindings that are not checked, warnings, the order
of elements and children unfolded without being constrained do not: they may change and the form stays the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from contracts.compile import COMPILED as R4

Columns = Mapping[str, Any]
Codes = Mapping[str, list[str]]
"""system -> codes of a value set."""

CHECKED = ("required", "extensible")
PLAIN = ("modifier", "maxLength")
VALUES = ("fixed", "pattern", "minValue", "maxValue")
BY_URL = {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}
"""How extensions are always sliced, said or not."""
HL7 = ("http://hl7.org/", "http://terminology.hl7.org/")
NOTHING: Columns = {"min": 0, "max": "*"}

_SLICE = re.compile(r":[^.]*")


@dataclass(frozen=True, slots=True)
class Contract:
    """One profile or extension.

    demands  element id -> the columns in which it differs from its base type; `at` is the path of that base element
             where the id does not say it. A slice is always there, be it with no columns.
    codes    value set -> its codes, of the bound ones that are not HL7's.
    """

    version: str
    type: str
    demands: Mapping[str, Columns]
    codes: Mapping[str, Codes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 of all but the version."""
        text = json.dumps([self.type, self.demands, self.codes], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Base:
    """The elements of R4's own types, by path."""

    def __init__(self, table: Columns) -> None:
        types = (s for name, s in table["structures"].items() if s["type"] == name)
        self._elements: dict[str, Columns] = {e["path"]: e for s in types for e in s["elements"]}

    def child(self, of: str, name: str, types: list[str]) -> str:
        """The path where the child of an element with these types is defined; "" where R4 has none."""
        content = self._elements.get(of, NOTHING).get("content", "")
        paths = (f"{parent}.{name}" for parent in (of, content, *types, "Element"))
        return next((path for path in paths if path in self._elements), "")

    def demanded(self, id_: str, demands: Columns) -> dict[str, Any]:
        """What holds for an element with these columns: they, and for the rest what the base type says."""
        columns = self._elements.get(demands.get("at", unsliced(id_)), NOTHING)
        return normal(columns) | ({"min": 0} if is_slice(id_) else {}) | dict(demands)


def r4() -> Base:
    """R4 as it is compiled in."""
    return Base(json.loads(gzip.decompress(R4.read_bytes())))


def contracts(table: Columns, base: Base) -> dict[str, Contract]:
    """canonical -> contract of every profile and extension of ours in a compiled table.

    Abstract ones are left out: nothing declares them, and what they demand stands in each profile made of them.
    Raises ValueError for a version that is not two numbers.
    """
    profiles = {url: s for url, s in table["structures"].items() if "url" in s and not s.get("abstract")}
    majors = {url: f"{url}|{numbers(s['version'])[0]}" for url, s in profiles.items() if not url.startswith(HL7)}
    return {url: _Reading(profiles[url], table, base, majors).contract() for url in sorted(majors)}


def numbers(version: str) -> tuple[int, int]:
    """(major, minor). Raises ValueError where a version is not two numbers."""
    try:
        major, minor = map(int, version.split("."))
    except ValueError:
        raise ValueError(f"version {version!r}: two numbers, major.minor, would be right") from None
    return major, minor


def normal(columns: Columns) -> dict[str, Any]:
    """The columns of one element that decide whether a resource is refused, invariants and slicing aside."""
    binding = columns.get("binding", {})
    found = {name: columns[name] for name in ("min", "max", *PLAIN) if columns.get(name) is not None}
    found |= {name: json.loads(columns[name], parse_float=str) for name in VALUES if name in columns}
    if "content" in columns:
        found["content"] = columns["content"].rpartition("#")[2]
    if binding.get("strength") in CHECKED:
        found["binding"] = {"strength": binding["strength"], "valueSet": binding["valueSet"]}
    if columns.get("types"):
        found["types"] = {t["code"]: _named(t) for t in columns["types"]}
    return found


def unsliced(id_: str) -> str:
    """The path of an element id."""
    return _SLICE.sub("", id_)


def is_slice(id_: str) -> bool:
    """Whether an element id is that of a slice, and not of an element inside one."""
    return ":" in id_.rpartition(".")[2]


def _is_coded(value: Any) -> bool:
    """Whether a fixed value or a pattern says the code: a code, Coding or CodeableConcept."""
    if isinstance(value, dict):
        return "code" in value or any("code" in coding for coding in value.get("coding", ()))
    return isinstance(value, str)


def _named(type_: Columns) -> dict[str, list[str]]:
    return {name: sorted(type_[name]) for name in ("targets", "profiles") if type_.get(name)}


@dataclass
class _Reading:
    """One structure of a table on its way to a contract."""

    structure: Columns
    table: Columns
    base: Base
    majors: Mapping[str, str]

    def contract(self) -> Contract:
        demands = {id_: found for id_ in self._elements if (found := self._demanded(id_)) or is_slice(id_)}
        bound = sorted({d["binding"]["valueSet"] for d in demands.values() if "binding" in d})
        listed = self.table["valueSets"]
        codes = {url: listed[url] for url in bound if url in listed and not url.startswith(HL7)}
        return Contract(self.structure["version"], self.structure["type"], demands, codes)

    @cached_property
    def _elements(self) -> Mapping[str, Columns]:
        return {e.get("id", e["path"]): e for e in self.structure["elements"]}

    @cached_property
    def _places(self) -> dict[str, str]:
        """Element id -> path of its base element."""
        found: dict[str, str] = {}
        for id_ in self._elements:
            parent, _, name = id_.rpartition(".")
            types = [t["code"] for t in self._elements[parent].get("types", ())] if parent else []
            only = types if len(types) == 1 else []
            found[id_] = self.base.child(found[parent], unsliced(name), only) if parent else id_
        return found

    def _demanded(self, id_: str) -> dict[str, Any]:
        """The columns of an element that are not those of its base."""
        columns, place = self._elements[id_], self._places[id_]
        at = {"at": place} if place != unsliced(id_) else {}
        base = self.base.demanded(id_, at)
        own = {name: value for name, value in self._own(id_, columns).items() if value != base.get(name)}
        return own | at if own else {}

    def _own(self, id_: str, columns: Columns) -> dict[str, Any]:
        own = normal(columns)
        if "types" in own:
            own["types"] = {code: self._versioned(type_) for code, type_ in own["types"].items()}
        if _is_coded(own.get("pattern", own.get("fixed"))):  # then it does not matter which others a value set has
            own.pop("binding", None)
        if rules := self._rules(columns):
            own["constraints"] = rules
        if columns.get("slicing", BY_URL) != BY_URL and self._sliced(id_):
            own["slicing"] = columns["slicing"]
        return own

    def _rules(self, columns: Columns) -> dict[str, str]:
        """key -> expression of the invariants of severity error."""
        rows = (self.table["constraints"][at] for at in columns.get("constraints", ()))
        return {key: expression for key, severity, _, expression, *_ in rows if severity == "error"}

    def _sliced(self, id_: str) -> bool:
        return any(other.startswith((f"{id_}:", f"{id_}/")) for other in self._elements)

    def _versioned(self, type_: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Profiles of ours with their major version: when that rises, who names them demands something else."""
        profiles = [self.majors.get(url, url) for url in type_.get("profiles", ())]
        return {**type_, "profiles": profiles} if profiles else dict(type_)
