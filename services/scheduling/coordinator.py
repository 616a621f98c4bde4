"""Decides, from everything known of one patient, which visits are proposed, held, booked, given back or called off.

The whole state is decided anew at every event; what comes out as it is stored is left out, so the same event twice, or
a decision's own output, ends in `nothing-to-schedule`.

Rounds end: each `Needs` adds at least one site-day of the windows searched, and these are finitely many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from services.scheduling.appointments import bare, hold_of
from services.scheduling.cases import ENDED, cases
from services.scheduling.elements import is_task
from services.scheduling.facts import Facts
from services.scheduling.holds import Frame, settled, spans
from services.scheduling.outcomes import called_off, outcome
from services.scheduling.plans import Plan, lanes, places, planned
from services.scheduling.policy import Practice
from services.scheduling.questions import is_question
from services.scheduling.workdays import morning, next_morning
from shared.core import Decision, Event, Needs, Resource, reference
from shared.settings import InfusionSite


def coordinate(event: Event, facts: Facts, practice: Practice) -> Decision | Needs:
    """Decides every order of the patient; asks for the site-days of new places until they are held."""
    frame = _frame(event, practice)
    plans = _plans(facts, frame)
    if missing := lanes(plans, facts.held):
        return Needs(missing)
    ended = ((p, p.case.order["status"] in ENDED) for p in plans)
    outcomes = [called_off(p.case, event) if is_over else outcome(p, event, frame) for p, is_over in ended]
    changes = [(facts.find(reference(r)), r) for o in outcomes for r in o.saves]
    changed = [(before, after) for before, after in changes if before is None or bare(before) != bare(after)]
    reason, focus = _reason(changed, event.at)
    return Decision(
        reason=reason,
        saves=tuple(after for _, after in changed),
        wakes={key: due for o in outcomes for key, due in o.wakes.items()},
        refusals=tuple(sorted({code for o in outcomes for code in o.refusals})),
        evidence=tuple(sorted({e for o in outcomes for e in o.evidence})),
        focus=focus,
    )


def wanted_spans(event: Event, facts: Facts, practice: Practice) -> Iterator[tuple[InfusionSite, datetime, datetime]]:
    """(site, from, to) of the capacity a decision on this event will look at."""
    frame = _frame(event, practice)
    for case in cases(facts, practice.site):
        if case.order["status"] not in ENDED:
            for begin, last in spans(settled(case, frame), frame):
                yield case.site, morning(case.site, begin, 0), next_morning(case.site, morning(case.site, last, 12), 0)


def _frame(event: Event, practice: Practice) -> Frame:
    return Frame(event.at, practice, event.kind != "wake")


def _plans(facts: Facts, frame: Frame) -> tuple[Plan, ...]:
    """Every case with its new places; what one case takes, the next one finds taken, and no two at the same time."""
    ready = [settled(c, frame) if c.order["status"] not in ENDED else c for c in cases(facts, frame.practice.site)]
    plans: list[Plan] = []
    taken = facts.taken
    for n, case in enumerate(ready):
        others = (*(p.case for p in plans), *ready[n + 1 :])
        elsewhere = places(v for other in others for v in (*other.visits, *other.unordered))
        plan = planned(case, frame, taken, elsewhere)
        plans.append(plan)
        taken = plan.taken
    return tuple(plans)


# The name of a decision

_Change = tuple[Resource | None, Resource]


def _reason(changes: Iterable[_Change], at: datetime) -> tuple[str, str | None]:
    """The first reason of `REASONS` that a change gives, and the resource that gives it."""
    changes = tuple(changes)
    for reason, (gives, _) in REASONS.items():
        for before, after in changes:
            if gives(before, after, at):
                return reason, reference(after)
    return "nothing-to-schedule", None


def _is_cancelled(before: Resource | None, after: Resource, at: datetime) -> bool:
    chair = is_task(after, "chair") and after["status"] == "cancelled"
    return (chair or _is_visit(after, "cancelled")) and _was(before) != "cancelled"


def _is_booked(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_visit(after, "booked") and _was(before) != "booked"


def _is_moved(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_held(before, after, at) and _was(before) == "pending" and not _is_over(before, at)


def _is_held(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_visit(after, "pending") and (before is None or hold_of(before).number != hold_of(after).number)


def _is_expired(before: Resource | None, after: Resource, at: datetime) -> bool:
    return _is_visit(after, "proposed") and _was(before) == "pending" and _is_over(before, at)


def _is_asked(before: Resource | None, after: Resource, at: datetime) -> bool:
    return is_question(after) and before is None


def _is_proposed(before: Resource | None, after: Resource, at: datetime) -> bool:
    if before is None:
        return is_task(after, "chair") or _is_visit(after, "proposed")
    moved = _was(before) == "pending" or before.get("requestedPeriod") != after.get("requestedPeriod")
    return _is_visit(after, "proposed") and moved


def _is_visit(resource: Resource, status: str) -> bool:
    return (resource["resourceType"], resource["status"]) == ("Appointment", status)


def _was(before: Resource | None) -> str | None:
    return str(before["status"]) if before is not None else None


def _is_over(before: Resource | None, at: datetime) -> bool:
    expires = hold_of(before).expires if before is not None else None
    return expires is not None and expires <= at


_VISIT = "Appointment#chair"

REASONS: Mapping[str, tuple[Callable[[Resource | None, Resource, datetime], bool], str]] = {
    "visit-cancelled": (_is_cancelled, f"{_VISIT} or Task#chair: a visit, or the whole order, is called off."),
    "visit-booked": (_is_booked, f"{_VISIT}: a held visit is reserved for, and booked."),
    "visit-moved": (_is_moved, f"{_VISIT}: a visit that was held is held at another time."),
    "visit-held": (_is_held, f"{_VISIT}: chair and nurse are held until an expiry, and auth is asked for the number."),
    "hold-expired": (_is_expired, f"{_VISIT}: a hold ended without a booking, and its time is free."),
    "scheduling-asked": (_is_asked, "Task#scheduling-question: a person is asked what scheduling cannot decide."),
    "visit-proposed": (_is_proposed, f"Task#chair or {_VISIT}: an order's visits are proposed, or go back to that."),
    "visit-readied": (lambda before, after, at: True, "any: readiness, dates or the state of an order changed."),
}
"""Every name of a decision that saves something, the weightiest first: what gives it, and its declaration."""
