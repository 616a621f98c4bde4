"""Decides, from everything known of one patient, which home visits are proposed, held, booked, moved or called off.

The whole state is decided anew at every event; what comes out as it is stored is left out, so the same event twice, or
a decision's own output, ends in `nothing-to-visit`.

Rounds end: each `Needs` adds at least one day of the windows searched, and these are finitely many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from services.nursing.agency import Asking, is_agency_visit
from services.nursing.agency import settled as agency_settled
from services.nursing.cases import ENDED, cases
from services.nursing.facts import Facts
from services.nursing.outcomes import called_off, outcome
from services.nursing.plans import Plan, lanes, places, planned
from services.nursing.policy import Practice
from services.nursing.questions import QUESTIONS
from services.nursing.windows import Frame, settled, spans
from shared.core import Decision, Event, Needs, Resource
from shared.home import HomeNursing
from shared.visits.decisions import (
    Reasons,
    decision,
    was_asked,
    was_booked,
    was_cancelled,
    was_expired,
    was_held,
    was_proposed,
    was_readied,
)
from shared.visits.elements import EXTENSIONS, is_task
from shared.visits.workdays import morning, next_morning


def coordinate(event: Event, facts: Facts, practice: Practice) -> Decision | Needs:
    """Decides every home order of the patient; asks for the days of new places until they are held."""
    frame = Frame(event.at, practice, event.kind != "wake")
    plans = _plans(heard(facts, event, practice), event, frame)
    if missing := lanes(plans, facts.held):
        return Needs(missing)
    over = ((p, p.case.order["status"] in ENDED) for p in plans)
    outcomes = [called_off(p.case, event, frame) if is_over else outcome(p, event, frame) for p, is_over in over]
    refused = any(r.refusals for p in plans for r in p.rounds.values())
    nothing = "agency-answer-refused" if refused and event.kind == "command" else "nothing-to-visit"
    return decision(facts, outcomes, REASONS, event.at, nothing)


def wanted_spans(event: Event, facts: Facts, practice: Practice) -> Iterator[tuple[HomeNursing, datetime, datetime]]:
    """(region, from, to) of the nurses' time a decision on this event will look at."""
    frame = Frame(event.at, practice, event.kind != "wake")
    for case in cases(heard(facts, event, practice), practice, event.at):
        if case.order["status"] not in ENDED:
            for begin, last in spans(settled(case, frame), frame):
                yield case.site, morning(case.site, begin, 0), next_morning(case.site, morning(case.site, last, 12), 0)


def heard(facts: Facts, event: Event, practice: Practice) -> Facts:
    """The facts with what this event says of our own Tasks: a person's answer, an agency's, or its silence."""
    region = practice.site.home
    if region is None:
        return facts
    within = timedelta(hours=practice.number("agency_answers_within_hours", event.at.date()))
    asking = Asking(region, within, event)

    def told(resource: Resource) -> Resource:
        if is_agency_visit(resource):
            return agency_settled(resource, asking)
        return QUESTIONS.answered(resource, event) if QUESTIONS.has(resource) else resource

    return replace(facts, resources=tuple(map(told, facts.resources)))


def _plans(facts: Facts, event: Event, frame: Frame) -> tuple[Plan, ...]:
    """Every case with its new places; what one case takes, the next one finds taken, and no two at the same time."""
    found = cases(facts, frame.practice, event.at)
    ready = [settled(c, frame) if c.order["status"] not in ENDED else c for c in found]
    plans: list[Plan] = []
    taken = facts.taken
    for n, case in enumerate(ready):
        others = (*(p.case for p in plans), *ready[n + 1 :])
        elsewhere = places(v for other in others for v in (*other.visits, *other.unordered))
        plan = planned(case, frame, event, taken, elsewhere) if case.order["status"] not in ENDED else Plan(case)
        plans.append(plan)
        taken = taken | plan.taken
    return tuple(plans)


# The name of a decision


def _took_its_place(before: Resource | None, after: Resource, at: datetime) -> bool:
    """A held visit that replaces a booked one is booked."""
    replaces = any(e["url"] == EXTENSIONS + "visit-replaces" for e in after.get("extension", ()))
    return was_booked(before, after, at) and replaces


def _was_offered(before: Resource | None, after: Resource, at: datetime) -> bool:
    """An agency is asked, or what it is asked or has answered changed."""
    return is_task(after, "agency-visit")


_VISIT = "Appointment#home-visit"
_asked, _proposed = was_asked("nursing-question"), was_proposed("home-nursing")
_cancelled = was_cancelled("home-nursing")

REASONS: Reasons = {
    "visit-moved": (_took_its_place, f"{_VISIT}: a visit is booked at another time, and its old one goes."),
    "visit-cancelled": (_cancelled, f"{_VISIT} or Task#home-nursing: a visit, or the whole order, is called off."),
    "visit-booked": (was_booked, f"{_VISIT}: a held visit is reserved for, or needs no reservation, and is booked."),
    "visit-held": (was_held, f"{_VISIT}: a nurse's time is held until an expiry, and auth is asked for the number."),
    "hold-expired": (was_expired, f"{_VISIT}: a hold ended without a booking, and its time is free."),
    "nursing-asked": (_asked, "Task#nursing-question: a person is asked what nursing cannot decide."),
    "agency-asked": (_was_offered, "Task#agency-visit: an agency is asked for a visit, or its answer is taken."),
    "visit-proposed": (_proposed, f"Task#home-nursing or {_VISIT}: visits are proposed, or go back to that."),
    "visit-readied": (was_readied, "any: readiness, dates or the state of an order changed."),
}
"""Every name of a decision that saves something, the weightiest first: what gives it, and its declaration."""
