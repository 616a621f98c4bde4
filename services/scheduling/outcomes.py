"""Writes down what a plan means: Appointments with readiness, the series, the Task, questions and timers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.scheduling.appointments import appointment, bare, cancelled, series, task, task_id
from services.scheduling.elements import concept, evidence_of
from services.scheduling.facts import Case, Visit
from services.scheduling.holds import Frame, is_exhausted, is_refused, judged_on, opens_on
from services.scheduling.plans import Plan
from services.scheduling.questions import Ask, asked, code, stored
from services.scheduling.rivals import rival
from services.scheduling.rules import Look, Requirement, readiness
from services.scheduling.workdays import morning, next_morning, prepare_by
from shared.core import Event, Resource, reference

BLOCKING = frozenset({"no-capacity-in-window", "hold-unanswered"})
"""Questions without whose answer a visit gets no time; those about booked visits block nothing."""

DONE = frozenset({"booked", "fulfilled", "noshow"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case leads to."""

    saves: tuple[Resource, ...] = ()
    wakes: Mapping[str, datetime | None] = field(default_factory=dict)
    refusals: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit with its requirements; once it has begun it is only kept."""

    visit: Visit
    requirements: tuple[Requirement, ...]
    begun: bool

    @property
    def focus(self) -> str:
        return f"Appointment/{self.visit.id}"

    def unmet(self, deadline: str) -> tuple[Requirement, ...]:
        return () if self.begun else tuple(r for r in self.requirements if r.unmet and r.deadline == deadline)


def outcome(plan: Plan, event: Event, frame: Frame) -> Outcome:
    """What a live order's plan leads to."""
    case = plan.case
    seen = tuple(_seen(case, v, frame) for v in (*case.visits, *case.unordered))
    asks = tuple(_asks(plan, seen, event, frame))
    kept = frozenset(s.focus for s in seen if s.begun)
    visits = tuple(_appointment(case, s) for s in seen)
    activities = [a["id"] for a in visits if a["status"] != "cancelled"]
    found = [r.finding for s in seen for r in s.requirements]
    return Outcome(
        saves=(
            *visits,
            series(case, "completed" if case.order["status"] == "completed" else "active", activities),
            _task(plan, seen, asks, frame),
            *asked(case, asks, event, kept),
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
    begun = [v for v in case.unordered if _has_begun(v, event.at)]
    ended = [cancelled(v.stored) for v in case.unordered if v not in begun and v.stored is not None]
    plan = series(case, "revoked", [v.id for v in begun])
    told = {**bare(known), **_ended(case)}
    wakes = {key: None for v in case.unordered for key in _keys(v)} | {f"retry/{case.order['id']}": None}
    kept = frozenset(f"Appointment/{v.id}" for v in begun)
    questions = asked(case, (), event, kept)
    return Outcome((*ended, plan, told, *questions), wakes, frozenset({f"order-{case.order['status']}"}))


def _ended(case: Case) -> dict[str, object]:
    reason = f"order-{case.order['status']}"
    return {
        "status": "cancelled",
        "businessStatus": concept("chair-status", "cancelled"),
        "statusReason": concept("chair-reason", reason, reason),
    }


def _has_begun(visit: Visit, at: datetime) -> bool:
    return visit.status in ("fulfilled", "noshow") or (
        visit.status == "booked" and visit.place is not None and visit.place.start <= at
    )


def _seen(case: Case, visit: Visit, frame: Frame) -> Seen:
    look = Look(case, visit, judged_on(case, visit, frame), frame.at, frame.practice)
    return Seen(visit, readiness(look), _has_begun(visit, frame.at))


def _appointment(case: Case, seen: Seen) -> Resource:
    visit = seen.visit
    if seen.begun and visit.stored is not None:
        return bare(visit.stored)
    if visit in case.unordered and visit.status != "booked" and visit.stored is not None:
        return cancelled(visit.stored)
    return appointment(case, visit, seen.requirements)


# The Task


def _task(plan: Plan, seen: Iterable[Seen], asks: Iterable[Ask], frame: Frame) -> Resource:
    case, seen = plan.case, tuple(seen)
    blocking = sorted({a.code for a in asks if a.code in BLOCKING or a.code == case.problem})
    stage = _stage(case, bool(blocking), frame)
    waits = sorted({r.finding.reason or "" for s in seen if s.visit.status not in DONE for r in s.unmet("book")})
    reasons = {"question": blocking, "waiting": waits, "proposed": waits}.get(stage, [])
    complete = stage != "booked" or all(v.status in DONE for v in case.visits)
    return task(case, stage, reasons, frame.practice, complete=complete)


def _stage(case: Case, blocked: bool, frame: Frame) -> str:
    """proposed, question, holding, booked or waiting; visits too far ahead to be timed yet hinder nothing."""
    near = [v for v in case.visits if opens_on(case, v, frame) is None]
    if case.order["status"] == "draft":
        return "proposed"
    if case.order["status"] == "completed":
        return "booked" if case.visits else "cancelled"
    if blocked:
        return "question"
    if any(v.status == "pending" for v in near):
        return "holding"
    return "booked" if near and all(v.status in DONE for v in near) else "waiting"


# Questions


def _asks(plan: Plan, seen: Iterable[Seen], event: Event, frame: Frame) -> Iterator[Ask]:
    case = plan.case
    if case.problem is not None and case.order["status"] == "active":
        yield Ask(case.problem, reference(case.order))
    yield from (Ask("no-capacity-in-window", f"Appointment/{id_}") for id_ in plan.placeless)
    if _is_doubled(case):
        yield Ask("drug-ordered-twice", reference(case.order))
    for one in seen:
        if is_refused(case, one.visit):
            yield Ask("hold-refused", one.focus, f"hold {one.visit.hold.number}")
        if is_exhausted(case, one.visit, frame):
            yield Ask("hold-unanswered", one.focus, f"hold {one.visit.hold.number}")
        if one.visit.status == "booked":
            yield from _asks_of_booked(case, one, event, frame)


def _is_doubled(case: Case) -> bool:
    return case.order["status"] == "active" and rival(case) is not None


def _asks_of_booked(case: Case, seen: Seen, event: Event, frame: Frame) -> Iterator[Ask]:
    yield from (Ask("requirement-lost", seen.focus, r.name) for r in seen.unmet("book"))
    if seen.unmet("prepare"):
        if frame.at >= _prepare_by(case, seen.visit, frame):
            yield Ask("drug-not-on-hand", seen.focus)
        if _refused_by_pharmacy(case, seen, event):
            yield Ask("pharmacy-refused", seen.focus)


def _refused_by_pharmacy(case: Case, seen: Seen, event: Event) -> bool:
    """Whether the pharmacy has just refused the visit, or has before and the question still stands."""
    now = event.kind == "answer" and event.reason == "pharmacy-refused" and event.focus == seen.focus
    asked_before = (t for t in stored(case) if code(t) == "pharmacy-refused" and t["status"] != "cancelled")
    return now or any(t["focus"]["reference"] == seen.focus for t in asked_before)


# Timers


def _prepare_by(case: Case, visit: Visit, frame: Frame) -> datetime:
    assert visit.place is not None
    return prepare_by(case.site, visit.place.start, frame.number("prepare_before_business_days", case.site))


def _keys(visit: Visit) -> tuple[str, str]:
    return f"hold-expiry/{visit.id}", f"prepare/{visit.id}"


def _wakes(plan: Plan, seen: Iterable[Seen], frame: Frame) -> dict[str, datetime | None]:
    case = plan.case
    wakes: dict[str, datetime | None] = {f"retry/{case.order['id']}": _look_again(plan, frame)}
    for one in seen:
        expiry, prepare = _keys(one.visit)
        held = one.visit.status == "pending" and one.visit not in case.unordered
        wakes[expiry] = one.visit.hold.expires if held else None
        open_ = one.visit.status == "booked" and one.unmet("prepare")
        due = _prepare_by(case, one.visit, frame) if open_ else None
        wakes[prepare] = due if due is not None and due > frame.at else None
    return wakes


def _look_again(plan: Plan, frame: Frame) -> datetime | None:
    """The next morning while a visit finds no place, else the morning on which the next far visit may be timed."""
    site = plan.case.site
    hour = frame.number("look_again_at_hour", site)
    if plan.placeless or _is_doubled(plan.case):
        return next_morning(site, frame.at, hour)
    opening = [on for v in plan.case.visits if (on := opens_on(plan.case, v, frame)) is not None]
    return morning(site, min(opening), hour) if opening else None
