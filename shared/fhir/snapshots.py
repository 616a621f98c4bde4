"""Moves FHIR StructureDefinitions, with their snapshots, into the compact table the border checks are compiled from.

The table, one JSON object:
  structures   name or canonical -> {kind, type, base, url?, version?, abstract?, elements}; an element has path, min,
               max, and where they apply:
               id (when it is not the path), baseMax (when it is not max), types [{code, targets?, profiles?}], content
               (path whose children it takes), binding {strength, valueSet}, modifier, attribute (in XML: no primitive
               extension), constraints (positions below), sliceName, slicing {discriminator, rules, ordered?}, fixed,
               pattern, minValue and maxValue (the JSON text, so that decimals stay exact), maxLength.
  constraints  [[key, severity, human text, FHIRPath expression, source?]]; ele-1 is left out, for it holds everywhere.
  valueSets    url -> {system: [codes]}: the bindings that are checked, where every code is known.
  open         url -> why its codes cannot be listed: these bindings are not checked.
Base types are known by their name, profiles and extensions by their canonical.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.fhir.valuesets import expansions

Definition = Mapping[str, Any]

STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = STRUCTURE + "structuredefinition-fhir-type"
KINDS = {"resource": "resource", "complex-type": "complex", "primitive-type": "primitive"}
KEPT = ("StructureDefinition", "ValueSet", "CodeSystem")

_PRIMITIVES = (
    "base64Binary|boolean|canonical|code|date|dateTime|decimal|id|instant|integer|markdown|oid|positiveInt|string|time"
    "|unsignedInt|uri|url|uuid|xhtml"
)
_BASE = re.compile(rf"{re.escape(STRUCTURE)}([A-Z][A-Za-z]*|{_PRIMITIVES})$")
"""Core profiles share the address of the core types, and are written with a small letter."""
_SLICED = re.compile(r":[^.]*")


def resources(package: bytes, kinds: Sequence[str] = KEPT) -> Iterator[Definition]:
    """The definitions of these kinds in a FHIR package (tgz), decimals exact; examples are passed over."""
    prefixes = tuple(f"{kind}-" for kind in kinds)
    with tarfile.open(fileobj=io.BytesIO(package)) as members:
        for member in members:
            path = Path(member.name)
            if path.name.startswith(prefixes) and path.suffix == ".json" and len(path.parts) < 3:
                opened = members.extractfile(member)
                if opened is not None:
                    yield json.loads(opened.read(), parse_float=Decimal)


def table(definitions: Iterable[Definition], also: Iterable[Definition] = ()) -> dict[str, Any]:
    """The table of profiles and extensions, keyed by canonical.

    definitions: StructureDefinitions with a snapshot, ValueSets and CodeSystems; all else is passed over.
    also: further ValueSets and CodeSystems that value sets are composed of.
    """
    given = list(definitions)
    structures = keyed(d for d in given if is_structure(d))
    positions = positioned(structures.values())
    made = {key: structure(d, positions) for key, d in structures.items()}
    listed, unlisted = expansions(bindings(made, ("required", "extensible")), [*also, *given])
    constraints = [list(c) for c in positions]
    return {"structures": made, "constraints": constraints, "valueSets": listed, "open": unlisted}


def is_structure(definition: Definition) -> bool:
    """A StructureDefinition with a snapshot of a resource or data type; logical models are none."""
    known = definition.get("resourceType") == "StructureDefinition" and definition.get("kind") in KINDS
    return known and bool(definition.get("snapshot", {}).get("element"))


def keyed(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """The structures by canonical; where there are several versions, all but the first with `|version`."""
    found: dict[str, Definition] = {}
    for definition in definitions:
        url = str(definition["url"])
        found[f"{url}|{definition.get('version', '')}" if url in found else url] = definition
    return found


def positioned(definitions: Iterable[Definition]) -> dict[tuple[str, ...], int]:
    """The invariants of all structures, each once, in a stable order."""
    found = sorted({c for d in definitions for e in elements(d) for c in constraints_of(d, e)})
    return {constraint: at for at, constraint in enumerate(found)}


def bindings(structures: Mapping[str, Definition], strengths: Sequence[str]) -> list[str]:
    """Value sets bound with one of the strengths."""
    found = (e.get("binding", {}) for s in structures.values() for e in s["elements"])
    return sorted({b["valueSet"] for b in found if b.get("strength") in strengths and b["valueSet"]})


def elements(definition: Definition) -> list[dict[str, Any]]:
    """The snapshot of one definition."""
    found: list[dict[str, Any]] = definition["snapshot"]["element"]
    return found


def structure(definition: Definition, positions: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """One structure of the table."""
    named = {"url": definition["url"], "version": definition.get("version", "")} if is_profile(definition) else {}
    return {
        "kind": KINDS[definition["kind"]],
        "type": definition["type"].removeprefix(STRUCTURE),
        "base": short(definition.get("baseDefinition", "")),
        **named,
        **({"abstract": True} if definition.get("abstract") else {}),
        "elements": [element(definition, e, positions) for e in elements(definition)],
    }


def is_profile(definition: Definition) -> bool:
    """Whether a structure constrains a type instead of defining one."""
    return definition.get("derivation") == "constraint" and not _BASE.match(definition["url"])


def element(definition: Definition, e: Definition, positions: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """One element of the table; a column that does not apply is left out."""
    binding = e.get("binding")
    id_ = e.get("id", e["path"])
    path = _SLICED.sub("", id_)
    columns: dict[str, Any] = {
        "id": id_ if id_ != path else "",
        "types": [element_type(t, e) for t in e.get("type", ())],
        "content": content(e.get("contentReference", "")),
        "binding": binding and {"strength": binding["strength"], "valueSet": unversioned(binding.get("valueSet", ""))},
        "modifier": e.get("isModifier", False),
        "attribute": "xmlAttr" in e.get("representation", ()),
        "constraints": sorted(positions[c] for c in constraints_of(definition, e)),
    }
    columns |= constrained(e) if is_profile(definition) else {}
    columns = {name: value for name, value in columns.items() if value}
    return {"path": path, "min": e.get("min", 0), "max": e.get("max", "*")} | columns


def constrained(e: Definition) -> dict[str, Any]:
    """The columns only a profile has."""
    of_base = e.get("base", {}).get("max", e.get("max", "*"))
    columns: dict[str, Any] = {
        "sliceName": e.get("sliceName", ""),
        "slicing": slicing(e["slicing"]) if "slicing" in e else None,
        "maxLength": e.get("maxLength", 0),
        "baseMax": of_base if of_base != e.get("max", "*") else "",
    }
    return columns | {name: valued(e, name) for name in ("fixed", "pattern", "minValue", "maxValue")}


def valued(e: Definition, name: str) -> str:
    """The JSON text of a choice element of an ElementDefinition, or ""."""
    found = next((value for key, value in e.items() if key.startswith(name) and key[len(name) :][:1].isupper()), None)
    return "" if found is None else json_text(found)


def json_text(value: Any) -> str:
    """JSON with every decimal as it was written."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def slicing(of: Definition) -> dict[str, Any]:
    """How the items of an element fall into slices."""
    discriminator = [{"type": d["type"], "path": d["path"]} for d in of.get("discriminator", ())]
    ordered = {"ordered": True} if of.get("ordered") else {}
    return {"discriminator": discriminator, "rules": of.get("rules", "open")} | ordered


def content(reference: str) -> str:
    """`Bundle.link` for `#Bundle.link`; a reference into another definition stays whole."""
    return reference.removeprefix("#")


def element_type(type_: Definition, e: Definition) -> dict[str, Any]:
    """Code, allowed targets, and profiles; `http://hl7.org/fhirpath/System.*` becomes its FHIR type."""
    marked = [x.get("valueUrl", x.get("valueUri")) for x in type_.get("extension", ()) if x["url"] == FHIR_TYPE]
    is_id = e.get("base", {}).get("path") in ("Resource.id", "DomainResource.id")
    code = "id" if is_id else (marked or [type_["code"]])[0]
    targets = sorted({short(target) for target in type_.get("targetProfile", ())})
    profiles = [short(profile) for profile in type_.get("profile", ())]
    columns = {"targets": [] if "Resource" in targets else targets, "profiles": profiles}
    return {"code": code} | {k: v for k, v in columns.items() if v}


def constraints_of(definition: Definition, e: Definition) -> list[tuple[str, ...]]:
    """Invariants said here: on the root of a base type every inherited one too, elsewhere not those of its type.

    Of a profile: those that are not of FHIR's own types, which are checked anyway, with where they come from.
    """
    of_profile, on_root = is_profile(definition), "." not in e["path"]
    found: list[tuple[str, ...]] = []
    for c in e.get("constraint", ()):
        source = c.get("source", definition["url"])
        said = (c["key"], c["severity"], c.get("human", ""), c.get("expression", ""))
        if of_profile and c["key"] != "ele-1" and not _BASE.match(unversioned(source)):
            found.append((*said, source))
        elif not of_profile and c["key"] != "ele-1" and (on_root or source == definition["url"]):
            found.append(said)
    return found


def short(canonical: str) -> str:
    """The name of a base type, or the canonical of anything else."""
    of_base = _BASE.match(unversioned(canonical))
    return of_base[1] if of_base else canonical


def unversioned(canonical: str) -> str:
    """A canonical without its `|version`."""
    return canonical.partition("|")[0]
