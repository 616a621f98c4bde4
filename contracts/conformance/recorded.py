"""The verdicts of the HL7 validator as the tree keeps them: a digest of each input, place and rule of each error.

Nothing of an input stands in a record. One file for each round; `disagreements.yaml`, written by hand, says why where
our own verdict may differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contracts.conformance.validator import Verdict
from shared.settings import ROOT

FOLDER = ROOT / "tests" / "contracts" / "conformance"
VALID = "valid"
_TOLD_APART = frozenset({"resourceType", "status", "intent", "use", "code", "system", "url", "profile"})
"""The elements whose values make two resources of one kind different in shape."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`errors` are [expression, rule], none where the input is valid."""

    digest: str
    errors: tuple[tuple[str, str], ...]

    @property
    def valid(self) -> bool:
        return not self.errors


def digest(resource: Any) -> str:
    """A resource's own digest, whatever the order and layout of its members."""
    text = json.dumps(resource, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shape(resource: Mapping[str, Any]) -> str:
    """A digest in which ids, times, numbers, texts and how often an element stands make no difference."""
    return digest(sorted(set(_shapes(resource))))


def _shapes(value: Any, path: str = "") -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _shapes(member, f"{path}.{name}")
    elif isinstance(value, list):
        for member in value:
            yield from _shapes(member, path)
    else:
        told_apart = path.rpartition(".")[2] in _TOLD_APART and not path.endswith("valueQuantity.code")
        yield f"{path}={value}" if told_apart else path


def of(verdict: Verdict, digested: str) -> Recorded:
    """What is kept of one verdict: each error once, in order of place and rule."""
    return Recorded(digested, tuple(sorted({(error.expression, error.rule) for error in verdict.errors})))


def write(path: Path, about: Mapping[str, Any], verdicts: Mapping[str, Recorded]) -> None:
    """Writes a record; `about` says by what and of what."""
    rows = {name: _row(kept) for name, kept in sorted(verdicts.items())}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(about, rows), encoding="utf-8")


def text(about: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    """A record as YAML, one line for each input."""
    head = yaml.safe_dump(dict(about), sort_keys=False, width=120)
    lines = [f"  {json.dumps(name)}: {json.dumps(row)}\n" for name, row in rows.items()]
    return "# Written by `make conformance`.\n" + head + "verdicts:\n" + "".join(lines)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Recorded]]:
    """(about, verdicts by name) of a record."""
    about = yaml.safe_load(path.read_text(encoding="utf-8"))
    verdicts = about.pop("verdicts") or {}
    return about, {name: _kept(row) for name, row in verdicts.items()}


def _row(kept: Recorded) -> list[Any]:
    return [kept.digest, VALID if kept.valid else [list(error) for error in kept.errors]]


def _kept(row: list[Any]) -> Recorded:
    digested, errors = row
    return Recorded(digested, () if errors == VALID else tuple((place, rule) for place, rule in errors))


def disagreements(folder: Path = FOLDER) -> dict[str, dict[str, str]]:
    """round -> name -> why our verdict may differ there."""
    listed: dict[str, dict[str, str]] = yaml.safe_load((folder / "disagreements.yaml").read_text(encoding="utf-8"))
    return {round_: names or {} for round_, names in listed.items()}
