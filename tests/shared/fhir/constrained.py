"""Profiles written down in a line or two, as a snapshot of what they say and nothing else."""

from __future__ import annotations

from typing import Any

from shared.fhir.definitions import Definitions, r4
from shared.fhir.outcomes import Issue
from shared.fhir.profiles import Validator
from shared.fhir.snapshots import KINDS, STRUCTURE

PROFILE = "https://example.org/StructureDefinition/"


def profile(name: str, type_: str, *elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A StructureDefinition; an element is its id, `min`, `max` and what else it says. The types are those of R4."""
    kinds = {kind: name for name, kind in KINDS.items()}
    snapshot = [{"id": type_, "path": type_}, *(_element(e) for e in elements)]
    return {
        "resourceType": "StructureDefinition",
        "url": PROFILE + name,
        "version": "1.0",
        "kind": kinds[r4().kind(type_)],
        "type": type_,
        "derivation": "constraint",
        "abstract": False,
        "baseDefinition": STRUCTURE + type_,
        "snapshot": {"element": snapshot},
    } | more


def _element(said: dict[str, Any]) -> dict[str, Any]:
    sliced = said["id"].rpartition(".")[2].partition(":")[2]
    return {"path": said["id"], "min": 0, "max": "*"} | ({"sliceName": sliced} if sliced else {}) | said


def sliced(id_: str, *discriminators: str, rules: str = "open", **more: Any) -> dict[str, Any]:
    """An element that is sliced by discriminators written `type:path`."""
    by = [dict(zip(("type", "path"), d.split(":", 1), strict=True)) for d in discriminators]
    return {"id": id_, "slicing": {"discriminator": by, "rules": rules} | more}


def having(*profiles: dict[str, Any], below: Definitions | None = None) -> Validator:
    """A validator that knows these profiles over R4."""
    return Validator((below or r4()).with_definitions(profiles))


def told(validator: Validator, resource: Any, *names: str) -> list[tuple[str, str]]:
    """(code, expression) of every issue of a resource with profiles of this file, sorted."""
    return sorted((i.code, i.expression) for i in issues(validator, resource, *names))


def issues(validator: Validator, resource: Any, *names: str) -> list[Issue]:
    return validator.check(resource, profiles=[PROFILE + name for name in names])
