"""Makes one decision of what every case of a patient leads to, and names it by the weightiest change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from shared.core import Decision, Resource, reference
from shared.visits.appointments import bare, hold_of
from shared.visits.case import Facts, Outcome
from shared.visits.elements import is_task

Gives = Callable[[Resource | None, Resource, datetime], bool]
"""Whether a change (before, after, at) gives a decision its name."""

Reasons = Mapping[str, tuple[Gives, str]]
"""Every name of a decision that saves something, the weightiest first: what gives it, and its declaration."""


def decision(facts: Facts, outcomes: Iterable[Outcome], reasons: Reasons, at: datetime, nothing: str) -> Decision:
    """What the outcomes change, under the first reason a change gives; `nothing` where none does."""
    outcomes = tuple(outcomes)
    changes = [(facts.find(reference(r)), r) for o in outcomes for r in o.saves]
    changed = [(before, after) for before, after in changes if before is None or bare(before) != bare(after)]
    reason, focus = _named(changed, reasons, at) or (nothing, None)
    return Decision(
        reason=reason,
        saves=tuple(after for _, after in changed),
        wakes={key: due for o in outcomes for key, due in o.wakes.items()},
        refusals=tuple(sorted({code for o in outcomes for code in o.refusals})),
        evidence=tuple(sorted({e for o in outcomes for e in o.evidence})),
        focus=focus,
    )


def _named(
    changes: Iterable[tuple[Resource | None, Resource]], reasons: Reasons, at: datetime
) -> tuple[str, str] | None:
    changes = tuple(changes)
    for reason, (gives, _) in reasons.items():
        for before, after in changes:
            if gives(before, after, at):
                return reason, reference(after)
    return None


def was_cancelled(task: str) -> Gives:
    """A visit, or the Task of this code, is called off."""

    def gives(before: Resource | None, after: Resource, at: datetime) -> bool:
        whole = is_task(after, task) and after["status"] == "cancelled"
        return (whole or _is_visit(after, "cancelled")) and _was(before) != "cancelled"

    return gives


def was_booked(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_visit(after, "booked") and _was(before) != "booked"


def was_moved(before: Resource | None, after: Resource, at: datetime) -> bool:
    return was_held(before, after, at) and _was(before) == "pending" and not _is_over(before, at)


def was_held(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_visit(after, "pending") and (before is None or hold_of(before).number != hold_of(after).number)


def was_expired(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_visit(after, "proposed") and _was(before) == "pending" and _is_over(before, at)


def was_asked(question: str) -> Gives:
    """A question of this code is new."""
    return lambda before, after, at: is_task(after, question) and before is None


def was_proposed(task: str) -> Gives:
    """A visit, or the Task of this code, is new, goes back to being proposed, or is proposed for other days."""

    def gives(before: Resource | None, after: Resource, at: datetime) -> bool:
        if before is None:
            return is_task(after, task) or _is_visit(after, "proposed")
        moved = _was(before) == "pending" or before.get("requestedPeriod") != after.get("requestedPeriod")
        return _is_visit(after, "proposed") and moved

    return gives


def was_readied(before: Resource | None, after: Resource, at: datetime) -> bool:
    """Anything else that changed."""
    return True


def _is_visit(resource: Resource, status: str) -> bool:
    return (resource["resourceType"], resource["status"]) == ("Appointment", status)


def _was(before: Resource | None) -> str | None:
    return str(before["status"]) if before is not None else None


def _is_over(before: Resource | None, at: datetime) -> bool:
    expires = hold_of(before).expires if before is not None else None
    return expires is not None and expires <= at
