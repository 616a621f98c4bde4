"""Builds the parts every visit's Appointment and Task have, and reads visits back from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shared.core import Resource
from shared.visits.case import AnyCase, AnyVisit, Calendar, Dose, Hold, Timed
from shared.visits.elements import CODES, concept, extended, extension, identified, identifier, instant, named, to
from shared.visits.practice import Practice
from shared.visits.requirements import Requirement

CANCELLATION = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"

TASK_STATUS: Mapping[str, str] = {
    "proposed": "in-progress",
    "waiting": "in-progress",
    "holding": "in-progress",
    "booked": "completed",
    "question": "on-hold",
    "cancelled": "cancelled",
}
"""Stage of an order's visits -> status of the Task that tells it."""


SHARED_REASONS = "chair-reason"
"""Code system of the reasons every visit may wait for."""

DONE = frozenset({"booked", "fulfilled", "noshow"})
"""Statuses of a visit that needs no time any more."""


# Reading


def stored_dose(appointment: Resource) -> Dose:
    """The dose an Appointment was made for, as it says itself."""
    number, period = extended(appointment, "dose"), appointment["requestedPeriod"][0]
    on, last = (date.fromisoformat(period[end]) for end in ("start", "end"))
    return Dose(number["number"], number["of"], on, last)


def hold_of(appointment: Resource) -> Hold:
    hold = extended(appointment, "hold")
    return Hold(hold.get("number", 0), instant(hold.get("expires")), hold.get("unanswered", 0), hold.get("refused"))


def participant(appointment: Resource, kind: str) -> dict[str, Any] | None:
    """Who takes part under one of our own identifiers."""
    return next((p for p in appointment["participant"] if identified(p.get("actor"), kind)), None)


def has_begun(visit: AnyVisit, at: datetime) -> bool:
    return visit.status in ("fulfilled", "noshow") or (
        visit.status == "booked" and visit.place is not None and visit.place.start <= at
    )


# Writing


def extensions(visit: AnyVisit, requirements: Iterable[Requirement]) -> list[dict[str, Any]]:
    """Dose, hold and readiness of a visit."""
    hold = visit.hold
    written = extension(
        "hold",
        number__valuePositiveInt=hold.number,
        expires__valueInstant=hold.expires.isoformat() if hold.expires else None,
        unanswered__valuePositiveInt=hold.unanswered or None,
        refused__valueString=hold.refused,
    )
    dose = extension("dose", number__valuePositiveInt=visit.dose.number, of__valuePositiveInt=visit.dose.of)
    return [dose, *([written] if hold.number else []), *map(_readiness, requirements)]


def _readiness(requirement: Requirement) -> dict[str, Any]:
    found = requirement.finding
    return extension(
        "visit-readiness",
        requirement__valueCode=requirement.name,
        status__valueCode=found.status,
        deadline__valueCode=requirement.deadline,
        evidence__valueReference=to(found.evidence) if found.evidence else None,
        holder__valueString=found.holder,
        reason__valueString=found.reason,
    )


def timed(site: Calendar, place: Timed | None) -> dict[str, Any]:
    """Start, end and minutes of a place in local time; nothing where there is none."""
    if place is None:
        return {}
    begins, ends = (at.astimezone(site.time_zone).isoformat() for at in (place.start, place.end))
    return {"start": begins, "end": ends, "minutesDuration": int((place.end - place.start).total_seconds()) // 60}


def period(dose: Dose) -> list[dict[str, str]]:
    """The days a dose may be given on, as Appointment.requestedPeriod."""
    return [{"start": dose.on.isoformat(), "end": dose.last.isoformat()}]


def cancelled(appointment: Resource, why: str = "the order no longer asks for this visit") -> Resource:
    """The Appointment called off by the practice."""
    reason = {"coding": [{"system": CANCELLATION, "code": "prov"}], "text": why}
    return {**bare(appointment), "status": "cancelled", "cancelationReason": reason}


def stage(case: AnyCase, near: Sequence[AnyVisit], *, blocked: bool) -> str:
    """proposed, question, holding, booked or waiting; `near` are the visits not too far ahead to be timed."""
    if case.order["status"] == "draft":
        return "proposed"
    if case.order["status"] == "completed":
        return "booked" if case.visits else "cancelled"
    if blocked:
        return "question"
    if any(v.status == "pending" for v in near):
        return "holding"
    return "booked" if near and all(v.status in DONE for v in near) else "waiting"


def task(
    case: AnyCase, kind: str, id_: str, owner: str, stage: str, reasons: Sequence[str], practice: Practice,
    *, complete: bool = True, own: frozenset[str] = frozenset(),
) -> Resource:  # fmt: skip
    """The Task of an order's visits at a stage; `reasons` are what it waits for, `own` codes of the kind alone."""
    status = TASK_STATUS[stage] if complete else "in-progress"
    coding = [{"system": CODES + (f"{kind}-reason" if r in own else SHARED_REASONS), "code": r} for r in reasons]
    why = {"coding": coding, "text": ", ".join(reasons)}
    drafts = ", ".join(f"{a.policy} ({a.by}, {a.on})" for a in practice.adopted())
    return {
        "resourceType": "Task",
        "id": id_,
        "identifier": [identifier(kind, case.order["id"])],
        "basedOn": [to(case.order)],
        "status": status,
        **({"statusReason": why} if reasons else {}),
        "businessStatus": concept(f"{kind}-status", stage),
        "intent": "order",
        "code": concept("task-code", kind),
        "focus": to(case.order),
        "for": case.order["subject"],
        "owner": named("PractitionerRole", "role", owner),
        **({"note": [{"text": f"decided by draft figures adopted by the practice: {drafts}"}]} if drafts else {}),
    }


def ended(task: Resource, kind: str, reason: str) -> Resource:
    """The Task of an order that has ended."""
    told = concept(SHARED_REASONS, reason, reason)
    return {
        **bare(task), "status": "cancelled", "businessStatus": concept(f"{kind}-status", "cancelled"),
        "statusReason": told,
    }  # fmt: skip


def bare(resource: Resource) -> dict[str, Any]:
    """A stored resource as its owner saves it: without meta."""
    return {k: v for k, v in resource.items() if k != "meta"}
