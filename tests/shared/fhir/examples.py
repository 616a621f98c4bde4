"""The valid examples of our own profiles, `contracts/examples/<profile>/*.json`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from shared.fhir.json import decode

EXAMPLES = Path(__file__).resolve().parents[3] / "contracts" / "examples"
PROFILE = "https://carepod.example/fhir/StructureDefinition/"


@cache
def profiles() -> tuple[str, ...]:
    """The names of the profiles that have examples."""
    return tuple(sorted(path.parent.name for path in EXAMPLES.glob("*/minimal.json")))


def examples(profile: str) -> dict[str, dict[str, Any]]:
    """Every valid example of a profile by its name."""
    return {path.stem: decode(path.read_bytes()) for path in sorted((EXAMPLES / profile).glob("*.json"))}


def full(profile: str) -> dict[str, Any]:
    """The richest example of a profile."""
    found = examples(profile)
    return found.get("full") or found["minimal"]
