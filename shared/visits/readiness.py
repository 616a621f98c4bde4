"""Answers `Appointment/$readiness`: whether a visit can happen, what is missing, and who has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.core import Operation, Resource
from shared.visits.elements import EXTENSIONS


def readiness_of(appointment: Resource) -> dict[str, Any]:
    """Parameters: `ready`, then one `requirement` for each requirement, with the parts of its extension."""
    requirements = list(_requirements(appointment))
    unmet = any(p.get("valueCode") == "unmet" for r in requirements for p in r["part"] if p["name"] == "status")
    return {"resourceType": "Parameters", "parameter": [{"name": "ready", "valueBoolean": not unmet}, *requirements]}


def _requirements(appointment: Resource) -> Iterator[Mapping[str, Any]]:
    for found in appointment.get("extension", ()):
        if found["url"] == EXTENSIONS + "visit-readiness":
            parts = [{"name": p["url"], **{k: v for k, v in p.items() if k != "url"}} for p in found["extension"]]
            yield {"name": "requirement", "part": parts}


READINESS = Operation(
    kind="Appointment",
    code="readiness",
    title="Readiness of a visit",
    description="Whether the visit can happen, and for each requirement: met by what, or unmet, why and who has it.",
    answer=readiness_of,
    parts=(
        ("ready", "boolean", "Whether no requirement of the visit is unmet."),
        ("requirement", "", "One requirement of the visit."),
        ("requirement.requirement", "code", "Its name."),
        ("requirement.status", "code", "met, unmet, overridden or not-needed."),
        ("requirement.deadline", "code", "By when it must be met: book, prepare or start."),
        ("requirement.evidence", "Reference", "The resource it is met by."),
        ("requirement.holder", "string", "Who has what is missing."),
        ("requirement.reason", "string", "Why it is unmet, or overridden; of a met one, what is unverified yet."),
    ),
)
