"""Writes down what a plan means: Appointments with readiness, the series, the Task, questions and timers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.scheduling.appointments import KIND, appointment, series, task, task_id
from services.scheduling.facts import Case, Visit
from services.scheduling.holds import Frame, is_exhausted, judged_on, opens_on
from services.scheduling.plans import Plan
from services.scheduling.questions import QUESTIONS
from services.scheduling.rems import rems_asks
from services.scheduling.rules import readiness
from shared.core import Event, Resource, reference
from shared.visits.appointments import DONE, bare, cancelled, ended, has_begun, stage
from shared.visits.case import Outcome
from shared.visits.elements import evidence_of
from shared.visits.holds import is_refused
from shared.visits.questions import Ask
from shared.visits.requirements import Look, Seen
from shared.visits.rivals import is_doubled
from shared.visits.workdays import morning, next_morning, prepare_by

BLOCKING = frozenset({"no-capacity-in-window", "hold-unanswered"})
"""Questions without whose answer a visit gets no time; those about booked visits block nothing."""


def outcome(plan: Plan, event: Event, frame: Frame) -> Outcome:
    """What a live order's plan leads to."""
    case = plan.case
    seen = tuple(_seen(case, v, frame) for v in (*case.visits, *case.unordered))
    asks = tuple(dict.fromkeys(_asks(plan, seen, event, frame)))
    kept = frozenset(s.focus for s in seen if s.begun)
    visits = tuple(_appointment(case, s) for s in seen)
    activities = [a["id"] for a in visits if a["status"] != "cancelled"]
    found = [r.finding for s in seen for r in s.requirements]
    return Outcome(
        saves=(
            *visits,
            series(case, "completed" if case.order["status"] == "completed" else "active", activities),
            _task(plan, seen, asks, frame),
            *QUESTIONS.asked(case, asks, event, kept),
        ),
        wakes=_wakes(plan, seen, frame),
        refusals=frozenset(f.reason for f in found if f.status == "unmet" and f.reason),
        evidence=frozenset(evidence_of(f.evidence) for f in found if f.evidence),
    )


def called_off(case: Case, event: Event) -> Outcome:
    """What an order that has ended leads to: nothing still to come stays, what has begun does."""
    known = case.facts.find(f"Task/{task_id(case.order)}")
    if known is None:
        return Outcome()
    begun = [v for v in case.unordered if has_begun(v, event.at)]
    over = [cancelled(v.stored) for v in case.unordered if v not in begun and v.stored is not None]
    plan = series(case, "revoked", [v.id for v in begun])
    told = ended(known, KIND, f"order-{case.order['status']}")
    wakes = {key: None for v in case.unordered for key in _keys(v)} | {f"retry/{case.order['id']}": None}
    kept = frozenset(f"Appointment/{v.id}" for v in begun)
    questions = QUESTIONS.asked(case, (), event, kept)
    return Outcome((*over, plan, told, *questions), wakes, frozenset({f"order-{case.order['status']}"}))


def _seen(case: Case, visit: Visit, frame: Frame) -> Seen[Visit]:
    look = Look(case, visit, judged_on(case, visit, frame), frame.at, frame.practice)
    return Seen(visit, readiness(look), has_begun(visit, frame.at))


def _appointment(case: Case, seen: Seen[Visit]) -> Resource:
    visit = seen.visit
    if seen.begun and visit.stored is not None:
        return bare(visit.stored)
    if visit in case.unordered and visit.status != "booked" and visit.stored is not None:
        return cancelled(visit.stored)
    return appointment(case, visit, seen.requirements)


# The Task


def _task(plan: Plan, seen: Iterable[Seen[Visit]], asks: Iterable[Ask], frame: Frame) -> Resource:
    case, seen = plan.case, tuple(seen)
    blocking = sorted({a.code for a in asks if a.code in BLOCKING or a.code == case.problem})
    near = [v for v in case.visits if opens_on(case, v, frame) is None]
    at = stage(case, near, blocked=bool(blocking))
    waits = sorted({r.finding.reason or "" for s in seen if s.visit.status not in DONE for r in s.unmet("book")})
    reasons = {"question": blocking, "waiting": waits, "proposed": waits}.get(at, [])
    complete = at != "booked" or all(v.status in DONE for v in case.visits)
    return task(case, at, reasons, frame.practice, complete=complete)


# Questions


def _asks(plan: Plan, seen: Iterable[Seen[Visit]], event: Event, frame: Frame) -> Iterator[Ask]:
    case = plan.case
    if case.problem is not None and case.order["status"] == "active":
        yield Ask(case.problem, reference(case.order))
    yield from (Ask("no-capacity-in-window", f"Appointment/{id_}") for id_ in plan.placeless)
    if is_doubled(case):
        yield Ask("drug-ordered-twice", reference(case.order))
    for one in seen:
        if is_refused(case, one.visit):
            yield Ask("hold-refused", one.focus, f"hold {one.visit.hold.number}")
        if is_exhausted(case, one.visit, frame):
            yield Ask("hold-unanswered", one.focus, f"hold {one.visit.hold.number}")
        booked = one.visit.status == "booked"
        if case.order["status"] == "active":
            yield from rems_asks(case, one, near=booked and frame.at >= _prepare_by(case, one.visit, frame))
        if booked:
            yield from _asks_of_booked(case, one, event, frame)


def _asks_of_booked(case: Case, seen: Seen[Visit], event: Event, frame: Frame) -> Iterator[Ask]:
    yield from (Ask("requirement-lost", seen.focus, r.name) for r in seen.unmet("book"))
    if seen.unmet("prepare"):
        if frame.at >= _prepare_by(case, seen.visit, frame):
            yield Ask("drug-not-on-hand", seen.focus)
        if QUESTIONS.refused_by_pharmacy(case, seen.focus, event):
            yield Ask("pharmacy-refused", seen.focus)


# Timers


def _prepare_by(case: Case, visit: Visit, frame: Frame) -> datetime:
    assert visit.place is not None
    return prepare_by(case.site, visit.place.start, frame.number("prepare_before_business_days", case.site))


def _keys(visit: Visit) -> tuple[str, str]:
    return f"hold-expiry/{visit.id}", f"prepare/{visit.id}"


def _wakes(plan: Plan, seen: Iterable[Seen[Visit]], frame: Frame) -> dict[str, datetime | None]:
    case = plan.case
    wakes: dict[str, datetime | None] = {f"retry/{case.order['id']}": _look_again(plan, frame)}
    for one in seen:
        expiry, prepare = _keys(one.visit)
        held = one.visit.status == "pending" and one.visit not in case.unordered
        wakes[expiry] = one.visit.hold.expires if held else None
        open_ = one.visit.status == "booked" and one.unmet("prepare", "start")
        due = _prepare_by(case, one.visit, frame) if open_ else None
        wakes[prepare] = due if due is not None and due > frame.at else None
    return wakes


def _look_again(plan: Plan, frame: Frame) -> datetime | None:
    """The next morning while a visit finds no place, else the morning on which the next far visit may be timed."""
    site = plan.case.site
    hour = frame.number("look_again_at_hour", site)
    if plan.placeless or is_doubled(plan.case):
        return next_morning(site, frame.at, hour)
    opening = [on for v in plan.case.visits if (on := opens_on(plan.case, v, frame)) is not None]
    return morning(site, min(opening), hour) if opening else None
