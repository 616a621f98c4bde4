"""Reads what the payer's side has said of an order: benefit, authorization, and the answers to held times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from services.scheduling.elements import any_refers, code_of, day, extended, extension_value, is_task, last_day, refers
from services.scheduling.facts import Case, Visit
from shared.core import Resource, reference

GRANTED = frozenset({"approved", "partly-approved", "not-required"})
"""Preauthorization statuses on which a time may be held."""

ANSWERED = frozenset({"reserved", "not-needed"})
"""Answers to a hold that let it be booked."""


def preauthorization(case: Case) -> Resource | None:
    """The latest Task `preauthorization` of the order."""
    target = reference(case.order)
    tasks = (t for t in case.facts.of("Task") if is_task(t, "preauthorization"))
    return next((t for t in tasks if any_refers((*t.get("basedOn", ()), t.get("focus", {})), target)), None)


def preauthorization_status(task: Resource | None) -> str:
    """investigating, needs-information, ..., approved, ... ; empty where it does not say."""
    return code_of((task or {}).get("businessStatus"), "preauthorization-status") or ""


def is_granted(case: Case) -> bool:
    """Whether the authorization lets a time be held."""
    return preauthorization_status(preauthorization(case)) in GRANTED


def authorized_days(case: Case) -> tuple[date | None, date | None]:
    """First and last day of the authorization, None where it names none."""
    period: dict[str, str] = next((o.get("valuePeriod", {}) for o in outputs(case, "period")), {})
    return day(period.get("start"), case.site.time_zone), last_day(period.get("end"), case.site.time_zone)


def hold_answer(case: Case, visit: Visit) -> str | None:
    """reserved, not-needed or refused for the visit's current hold number; an answer to another number is none."""
    for output in outputs(case, "hold-answer"):
        if refers(output.get("valueReference"), f"Appointment/{visit.id}"):
            hold = extended(output, "hold") or extended(output["valueReference"], "hold")
            if visit.hold.number and hold.get("number") == visit.hold.number:
                return str(hold.get("answer"))
    return None


def outputs(case: Case, type_: str) -> Iterable[dict[str, Any]]:
    """Outputs of the preauthorization Task of one type."""
    task = preauthorization(case) or {}
    return [o for o in task.get("output", ()) if code_of(o.get("type"), "preauthorization-output") == type_]


def fingerprint(case: Case) -> str:
    """Stands for what the authorization grants: changes with its status, number, period or units, nothing else."""
    granted = [outputs(case, type_) for type_ in ("number", "period", "units", "units-left")]
    status = preauthorization_status(preauthorization(case)) or None
    text = json.dumps((status, granted), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def eligibility(case: Case) -> Resource | None:
    """The latest CoverageEligibilityResponse for the order."""
    target = reference(case.order)
    answers = case.facts.of("CoverageEligibilityResponse")
    return next((a for a in answers if refers(extension_value(a, "order"), target)), None)
