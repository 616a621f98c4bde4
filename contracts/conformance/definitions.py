"""The definitions the HL7 validator is given beside base R4: our own as SUSHI makes them, and published packages."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts import sushi
from shared.settings import ROOT

PACKAGES = ROOT.parent / "shared" / "packages"
"""Where the published packages may stand, beside the checkout."""
KINDS = ("StructureDefinition", "ValueSet", "CodeSystem")
ENCOUNTER = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Claim.encounter"
_PINNING = frozenset({"profile", "targetProfile", "baseDefinition", "valueSet"})


def package(name: str, packages: Path = PACKAGES) -> Path:
    """The file of a package, e.g. `hl7.fhir.us.core-8.0.0`."""
    return packages / f"{name}.tgz"


def members(archive: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of the JSON resources directly in one folder of a package."""
    with tarfile.open(archive) as opened:
        for member in opened:
            path = Path(member.name)
            if path.parent.as_posix() == folder and path.suffix == ".json" and not path.name.startswith("."):
                content = opened.extractfile(member)
                if content is not None:
                    yield path.name, content.read()


def ours(folder: Path) -> Path:
    """A file of our definitions, built from the FSH sources as they are now. Raises `sushi.ToolError`."""
    return _written(folder / "carepod.ndjson", (d for d in sushi.built().definitions if d["resourceType"] in KINDS))


def of_package(archive: Path, folder: Path) -> Path:
    """A file of a package's definitions. They name others' versions we do not have: any version at hand is taken."""
    found = (unpinned(json.loads(body)) for _, body in members(archive, "package"))
    return _written(folder / f"{archive.stem}.ndjson", (d for d in found if d.get("resourceType") in KINDS))


def unpinned(value: Any, key: str = "") -> Any:
    """A definition in which no profile or value set is named with its version."""
    if isinstance(value, dict):
        return {k: unpinned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [unpinned(v, key) for v in value]
    return value.partition("|")[0] if key in _PINNING and isinstance(value, str) else value


def encounter(folder: Path) -> Path:
    """A file with R5's Claim.encounter as the R4 extension PAS names; the package that defines it is not at hand."""
    reference = {"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Encounter"]}
    extension = {
        "resourceType": "StructureDefinition", "url": ENCOUNTER, "name": "ClaimEncounter", "status": "active",
        "fhirVersion": "4.0.1", "kind": "complex-type", "abstract": False, "type": "Extension",
        "context": [{"type": "element", "expression": "Claim"}], "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "differential": {"element": [
            {"id": "Extension", "path": "Extension"},
            {"id": "Extension.url", "path": "Extension.url", "fixedUri": ENCOUNTER},
            {"id": "Extension.value[x]", "path": "Extension.value[x]", "type": [reference]},
        ]},
    }  # fmt: skip
    return _written(folder / "encounter.ndjson", [extension])


def _written(path: Path, definitions: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(d) + "\n" for d in definitions), encoding="utf-8")
    return path
