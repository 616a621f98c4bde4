"""Decides, from everything known of one patient, which visits are proposed, held, booked, given back or called off.

The whole state is decided anew at every event; what comes out as it is stored is left out, so the same event twice, or
a decision's own output, ends in `nothing-to-schedule`.

Rounds end: each `Needs` adds at least one site-day of the windows searched, and these are finitely many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from services.scheduling.cases import ENDED, cases
from services.scheduling.facts import Facts
from services.scheduling.holds import Frame, settled, spans
from services.scheduling.outcomes import called_off, outcome
from services.scheduling.plans import Plan, lanes, places, planned
from services.scheduling.policy import Practice
from services.scheduling.questions import QUESTIONS
from shared.core import Decision, Event, Needs
from shared.settings import InfusionSite
from shared.visits.decisions import (
    Reasons,
    decision,
    was_asked,
    was_booked,
    was_cancelled,
    was_expired,
    was_held,
    was_moved,
    was_proposed,
    was_readied,
)
from shared.visits.workdays import morning, next_morning


def coordinate(event: Event, facts: Facts, practice: Practice) -> Decision | Needs:
    """Decides every order of the patient; asks for the site-days of new places until they are held."""
    frame = _frame(event, practice)
    plans = _plans(_heard(facts, event), frame)
    if missing := lanes(plans, facts.held):
        return Needs(missing)
    ended = ((p, p.case.order["status"] in ENDED) for p in plans)
    outcomes = [called_off(p.case, event) if is_over else outcome(p, event, frame) for p, is_over in ended]
    return decision(facts, outcomes, REASONS, event.at, "nothing-to-schedule")


def wanted_spans(event: Event, facts: Facts, practice: Practice) -> Iterator[tuple[InfusionSite, datetime, datetime]]:
    """(site, from, to) of the capacity a decision on this event will look at."""
    frame = _frame(event, practice)
    for case in cases(facts, practice.site):
        if case.order["status"] not in ENDED:
            for begin, last in spans(settled(case, frame), frame):
                yield case.site, morning(case.site, begin, 0), next_morning(case.site, morning(case.site, last, 12), 0)


def _heard(facts: Facts, event: Event) -> Facts:
    """The facts with a person's answer that this event brings to one of our questions."""
    if event.kind != "command":
        return facts
    told = (QUESTIONS.answered(r, event) if QUESTIONS.has(r) else r for r in facts.resources)
    return replace(facts, resources=tuple(told))


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


_VISIT = "Appointment#chair"
_asked, _proposed = was_asked("scheduling-question"), was_proposed("chair")

REASONS: Reasons = {
    "visit-cancelled": (was_cancelled("chair"), f"{_VISIT} or Task#chair: a visit, or the whole order, is called off."),
    "visit-booked": (was_booked, f"{_VISIT}: a held visit is reserved for, and booked."),
    "visit-moved": (was_moved, f"{_VISIT}: a visit that was held is held at another time."),
    "visit-held": (was_held, f"{_VISIT}: chair and nurse are held until an expiry, and auth is asked for the number."),
    "hold-expired": (was_expired, f"{_VISIT}: a hold ended without a booking, and its time is free."),
    "scheduling-asked": (_asked, "Task#scheduling-question: a person is asked what scheduling cannot decide."),
    "visit-proposed": (_proposed, f"Task#chair or {_VISIT}: an order's visits are proposed, or go back to that."),
    "visit-readied": (was_readied, "any: readiness, dates or the state of an order changed."),
}
"""Every name of a decision that saves something, the weightiest first: what gives it, and its declaration."""
