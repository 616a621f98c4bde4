"""The published cases of the official validator: what each asks, what Java said, and what is no question to us."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.fhir import definitions
from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import Issue
from shared.fhir.profiles import Validator

Json = Mapping[str, Any]

FOLDER = "org/hl7/fhir/testcases/validator/"
R4 = ("4.0", "4.0.1")
MODELS = ("cda", "cdshooks", "logical", "shc")
"""Modules of things that are not FHIR resources."""
OPTIONS = (
    "allow-comments", "best-practice", "examples", "for-publication", "ips", "matchetype", "noHtmlInMarkdown",
    "scoring", "security-checks", "validateContains",
)  # fmt: skip
"""Entries of a case that ask for a manner of validation beyond the specification's own."""


@dataclass(frozen=True, slots=True)
class Question:
    """One resource against base R4 and what it claims (part `base`), or against one profile as well (`profile`)."""

    name: str
    body: bytes = field(repr=False)
    definitions: tuple[Json, ...] = field(repr=False)
    profile: str
    told: tuple[str, ...] = field(repr=False)
    excluded: str

    @property
    def legal(self) -> bool:
        """Whether Java found no error."""
        return not self.told


def questions(jar: Path) -> list[Question]:
    """Every case of the manifest, in its parts."""
    with zipfile.ZipFile(jar) as archive:
        manifest = json.loads(archive.read(f"{FOLDER}manifest.json"))
        return [question for case in manifest["test-cases"] for question in _parts(archive, case)]


def answered(question: Question) -> list[Issue]:
    """The errors found here, at the gate or after it."""
    try:
        resource = decode(question.body)
    except GateError as refused:
        return list(refused.issues)
    asked = (question.profile,) if question.profile else ()
    known = [d for d in question.definitions if d["resourceType"] in ("StructureDefinition", "ValueSet", "CodeSystem")]
    made = [sparse(d, known) if d["resourceType"] == "StructureDefinition" else d for d in known]
    found = _validator(json.dumps(made, default=str)).check(resource, asked, claimed=True)
    return [issue for issue in found if issue.severity in ("error", "fatal")]


@cache
def _validator(known: str) -> Validator:
    made = json.loads(known, parse_float=Decimal)
    of = definitions.r4().with_hl7()
    return Validator(of.with_definitions(made) if made else of)


def _parts(archive: zipfile.ZipFile, case: Json) -> Iterator[Question]:
    yield _question(archive, case, case, case["name"], [*case.get("supporting", ()), *case.get("profiles", ())])
    profile = case.get("profile", {})
    if profile:
        supporting = [*case.get("supporting", ()), *case.get("profiles", ()), *profile.get("supporting", ())]
        yield _question(archive, case, profile, f"{case['name']} (profile)", [*supporting, profile.get("source", "")])


def _question(archive: zipfile.ZipFile, case: Json, part: Json, name: str, files: list[str]) -> Question:
    outcome = _outcome(archive, part.get("java"))
    reason = _excluded(case, outcome, files)
    if reason:
        return Question(name, b"", (), "", (), reason)
    paths = [f"{FOLDER}{file}" for file in files]
    missing = [path for path in paths if path not in _names(archive)]
    if missing or f"{FOLDER}{case['file']}" not in _names(archive):
        return Question(name, b"", (), "", (), "a file of it is not among the cases")
    known = tuple(json.loads(archive.read(path), parse_float=Decimal) for path in paths)
    asked = str(known[-1].get("url", "")) if part is not case else ""
    issues = (outcome or {}).get("issue", ())
    told = tuple(i["details"]["text"] for i in issues if i["severity"] in ("error", "fatal"))
    return Question(name, archive.read(f"{FOLDER}{case['file']}"), known, asked, told, "")


def _excluded(case: Json, outcome: Json | None, files: list[str]) -> str:
    """Why the manifest alone says that a case is no question to us; "" when it is one."""
    reasons = {
        "another version of FHIR": case.get("version") not in R4 or case.get("module") == "xver",
        "not JSON": not case["file"].endswith(".json"),
        "no verdict of Java": outcome is None or case.get("use-test") is False,
        "a digital signature": case.get("module") == "dsig",
        "not a FHIR resource": case.get("module") in MODELS or "logical" in case,
        "an option of the validator": any(option in case for option in OPTIONS),
        "packages that are not at hand": "packages" in case,
        "definitions in XML": any(not file.endswith(".json") for file in files),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _outcome(archive: zipfile.ZipFile, java: Any) -> Json | None:
    if isinstance(java, dict):
        return java
    path = f"{FOLDER}outcomes/{java}"
    if path not in _names(archive):
        return None
    found: Json = json.loads(archive.read(path))
    return found


def _names(archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    return archive.NameToInfo


def sparse(definition: Json, known: list[Json]) -> Json:
    """A StructureDefinition whose snapshot is what it and its parents say themselves: all that an overlay reads."""
    if "snapshot" in definition:
        return definition
    return {**definition, "snapshot": {"element": list(_said(definition, known).values())}}


def _said(definition: Json, known: list[Json]) -> dict[str, dict[str, Any]]:
    root = definition["type"].rpartition("/")[2]
    parent = next((d for d in known if d.get("url") == definition.get("baseDefinition")), None)
    found = _said(parent, known) if parent is not None else {root: {"id": root, "path": root}}
    for element in definition.get("differential", {}).get("element", ()):
        id_ = _chosen(found, element.get("id", element["path"]))
        _upwards(found, id_)
        path = found[id_]["path"] if id_ in found else element["path"]
        found[id_] = {**found.get(id_, {}), **element, "id": id_, "path": path}
        if "sliceName" in element:
            _sliced(found, id_)
    return found


def _chosen(found: Mapping[str, Any], id_: str) -> str:
    """`Observation.value[x]` for `Observation.valueQuantity`, where the choice was narrowed to that type before."""
    above, _, name = id_.rpartition(".")
    names = (of.rpartition(".")[2][:-3] for of in found if of.endswith("[x]") and of.rpartition(".")[0] == above)
    return next((f"{above}.{of}[x]" for of in names if name.startswith(of) and name[len(of) :][:1].isupper()), id_)


def _upwards(found: dict[str, dict[str, Any]], id_: str) -> None:
    """Room for the elements an element stands in."""
    parts = id_.split(".")
    for end in range(1, len(parts)):
        above = ".".join(parts[:end])
        path = ".".join(part.partition(":")[0] for part in parts[:end])
        found.setdefault(above, {"id": above, "path": path})


def _sliced(found: dict[str, dict[str, Any]], id_: str) -> None:
    """The element a slice is of; extensions are always told apart by their url."""
    of = id_.rpartition(":")[0]
    _upwards(found, of)
    path = ".".join(part.partition(":")[0] for part in of.split("."))
    whole = found.setdefault(of, {"id": of, "path": path})
    if of.endswith("xtension"):
        whole.setdefault("slicing", {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"})
