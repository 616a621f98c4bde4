"""What the other services say of an order, and what the placer is told then."""

from __future__ import annotations

from typing import Any

from shared.core import CANONICAL, reference

CANON = CANONICAL + "CodeSystem/"


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": CANON + system, "code": code}]}


def said(desk: Any, code: str, status: str, business: str = "", **elements: Any) -> dict[str, Any]:
    """A Task of another service about the order."""
    task = {
        "resourceType": "Task",
        "id": f"au-{code}",
        "status": status,
        "code": concept("task-code", code),
        "for": desk.referral["for"],
        "basedOn": [{"reference": reference(desk.order)}],
    }
    return task | ({"businessStatus": concept("preauthorization-status", business)} if business else {}) | elements


def visit(desk: Any, number: int, status: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": f"sc-{number}",
        "status": status,
        "basedOn": [{"reference": reference(desk.order)}],
    } | elements


def stands(desk: Any) -> tuple[str, str, str]:
    """Status, BSeR code and reason told to the placer."""
    task = desk.referral
    code = task["businessStatus"]["coding"][0]["code"]
    return task["status"], code, task.get("statusReason", {}).get("text", "")
