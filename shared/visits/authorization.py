"""Reads what the payer's side has said of an order: benefit, authorization, and the answers to held times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from shared.core import Resource, reference
from shared.memo import of_each
from shared.visits.case import AnyCase, AnyVisit
from shared.visits.elements import any_refers, code_of, extended, extension_value, is_task, refers
from shared.visits.records import contains, days_of, first_coverage

GRANTED = frozenset({"approved", "partly-approved", "not-required"})
"""Preauthorization statuses on which a time may be held."""

ANSWERED = frozenset({"reserved", "not-needed"})
"""Answers to a hold that let it be booked."""


def preauthorization(case: AnyCase) -> Resource | None:
    """The latest Task `preauthorization` of the order."""
    target = reference(case.order)
    tasks = (t for t in case.facts.of("Task") if is_task(t, "preauthorization"))
    return next((t for t in tasks if any_refers((*t.get("basedOn", ()), t.get("focus", {})), target)), None)


def preauthorization_status(task: Resource | None) -> str:
    """investigating, needs-information, ..., approved, ... ; empty where it does not say."""
    return code_of((task or {}).get("businessStatus"), "preauthorization-status") or ""


def is_granted(case: AnyCase) -> bool:
    """Whether the authorization lets a time be held."""
    return preauthorization_status(preauthorization(case)) in GRANTED


def authorized_periods(case: AnyCase) -> list[tuple[date | None, date | None]]:
    """First and last day of each period authorized, renewals last; one without days where none is named."""
    found = [days_of(o.get("valuePeriod", {}), case.site.time_zone) for o in outputs(case, "period")]
    return found or [(None, None)]


def authorized_until(case: AnyCase, on: date) -> date | None:
    """The last day of the periods that follow one another from the one of this day on; None where it has no end."""
    last: date | None = None
    for first, end in authorized_periods(case):
        follows = last is not None and first is not None and first - timedelta(days=1) <= last
        if contains((first, end), on) or follows:
            if end is None:
                return None
            last = end if last is None else max(last, end)
    return last


def is_authorized_day(case: AnyCase, on: date) -> bool:
    """Whether an authorized period covers a day."""
    return any(contains(days, on) for days in authorized_periods(case))


def allowed_days(case: AnyCase) -> tuple[date | None, date | None] | None:
    """First and last day of what may go ahead before the payer's decision; None where nothing may."""
    period: dict[str, str] | None = next((o.get("valuePeriod", {}) for o in outputs(case, "allowed-until")), None)
    return None if period is None else days_of(period, case.site.time_zone)


def payer_from(case: AnyCase) -> date | None:
    """The first day on which the payer lets a visit take place: before its decision, or by it."""
    return (allowed_days(case) or authorized_periods(case)[0])[0]


def payer_until(case: AnyCase, on: date) -> date | None:
    """The last day on which the payer lets a visit take place that could be on this one."""
    allowed = allowed_days(case)
    return allowed[1] if allowed else authorized_until(case, on)


def hold_answer(case: AnyCase, visit: AnyVisit) -> str | None:
    """reserved, not-needed or refused for the visit's current hold number; an answer to another number is none."""
    for output in outputs(case, "hold-answer"):
        if refers(output.get("valueReference"), f"Appointment/{visit.id}"):
            hold = extended(output, "hold") or extended(output["valueReference"], "hold")
            if visit.hold.number and hold.get("number") == visit.hold.number:
                return str(hold.get("answer"))
    return None


def outputs(case: AnyCase, type_: str) -> Iterable[dict[str, Any]]:
    """Outputs of the preauthorization Task of one type."""
    task = preauthorization(case)
    return _outputs(task).get(type_, ()) if task is not None else ()


@of_each
def _outputs(task: Resource) -> dict[str | None, tuple[dict[str, Any], ...]]:
    found: dict[str | None, tuple[dict[str, Any], ...]] = {}
    for output in task.get("output", ()):
        type_ = code_of(output.get("type"), "preauthorization-output")
        found[type_] = (*found.get(type_, ()), output)
    return found


def fingerprint(case: AnyCase) -> str:
    """Stands for what may be given: changes with status, number, period, units and allowance, with nothing else."""
    granted = [outputs(case, type_) for type_ in ("number", "period", "units", "units-left", "allowed-until")]
    status = preauthorization_status(preauthorization(case)) or None
    text = json.dumps((status, granted), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def eligibility(case: AnyCase) -> Resource | None:
    """The latest CoverageEligibilityResponse for the order."""
    target = reference(case.order)
    answers = case.facts.of("CoverageEligibilityResponse")
    return next((a for a in answers if refers(extension_value(a, "order"), target)), None)


def coverage_of(case: AnyCase) -> Resource | None:
    """Of the order's Coverages the one its payer answered about (which pays first is auth's word), else the first."""
    named = [i["reference"] for i in case.order.get("insurance", ()) if i.get("reference")]
    about = [i.get("coverage") for i in (eligibility(case) or {}).get("insurance", ())]
    asked = next((n for n in named if any(refers(a, n) for a in about)), None)
    return case.facts.find(asked) if asked else first_coverage(case)
