"""What the services emit in the demo: every version they save, every message, and what each partner received."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.settings import ROOT

PREFIXES = {"intake": "in-", "auth": "au-", "nursing": "nu-", "scheduling": "sc-"}
"""How the ids of each service's own resources begin; what else it stores are copies of others'."""
RECEIVED = {
    "payer": ("payer-*.sqlite", "select request from claim order by received"),
    "ehr": ("ehr-mercy.sqlite", "select body from task order by id, version"),
    "pharmacy": ("pharmacy.sqlite", "select body from pharmacy_order order by received"),
}
"""Partner -> where it keeps what it was sent."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """One resource with who it was said to: `saved`, `message`, or the partner that received it."""

    by: str
    to: str
    resource: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its type, with the code that tells kinds of it apart: `Task#referral`, `Appointment#chair`."""
        codes = [c["code"] for c in _telling(self.resource).get("coding", ()) if "code" in c]
        return "#".join([self.resource["resourceType"], *codes[:1]])


def _telling(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """The element whose code tells kinds of one type apart."""
    kind = resource["resourceType"]
    if kind == "Task":
        return dict(resource.get("code", {}))
    if kind == "Appointment":
        return dict(resource.get("serviceCategory", [{}])[0])
    filled = kind == "ServiceRequest" and resource.get("intent") == "filler-order"
    return {"coding": [{"code": "filler-order"}]} if filled else {}


def run(folder: Path) -> list[Emitted]:
    """Runs the demo to its end in an empty folder and reads what was emitted. Raises CalledProcessError."""
    command = [sys.executable, "-m", "services", "demo", "--once", "--port", "0", "--folder", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    return list(emitted(folder))


def emitted(folder: Path) -> Iterator[Emitted]:
    """What a demo that ended in this folder has emitted."""
    for service, prefix in PREFIXES.items():
        database = folder / f"{service}.db"
        for saved in _bodies(database, "select body from history order by id, epoch, version"):
            if saved.get("id", "").startswith(prefix):
                yield Emitted(service, "saved", saved)
        for message in _bodies(database, "select body from outbox order by id"):
            yield Emitted(service, "message", message)
    for partner, (pattern, sql) in RECEIVED.items():
        for database in sorted((folder / "partners").glob(pattern)):
            yield from (Emitted("outside", partner, body) for body in _bodies(database, sql))


def _bodies(database: Path, sql: str) -> Iterator[Mapping[str, Any]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for (body,) in connection.execute(sql):
            yield json.loads(body, parse_float=Decimal)
