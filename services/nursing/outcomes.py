"""Writes down what a plan means: Appointments with readiness, the Tasks, questions and timers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from services.nursing.agency import tasks_about
from services.nursing.appointments import KIND, appointment, task, task_id
from services.nursing.facts import Case, Visit
from services.nursing.plans import Plan, withdrawn_or_kept
from services.nursing.questions import QUESTIONS
from services.nursing.rules import DELIVERED, obstacles, readiness
from services.nursing.start import MISSED
from services.nursing.windows import Frame, given_up_at, is_exhausted, look_at, opens_on
from shared.core import Event, Resource, reference
from shared.visits.appointments import DONE, bare, cancelled, ended, has_begun, stage
from shared.visits.case import Outcome
from shared.visits.elements import evidence_of
from shared.visits.holds import is_refused
from shared.visits.questions import Ask
from shared.visits.requirements import Requirement, Seen
from shared.visits.rivals import is_doubled
from shared.visits.workdays import morning, next_morning

BLOCKING = frozenset({MISSED, "no-nurse-and-no-agency", "hold-unanswered"})
"""Questions without whose answer a visit gets no time; those about booked visits block nothing."""

MOVED = "the visit was moved to another time"


def outcome(plan: Plan, event: Event, frame: Frame) -> Outcome:
    """What a live order's plan leads to."""
    case = plan.case
    seen = tuple(_seen(case, v, frame) for v in (*case.visits, *_stay(case, frame), *case.unordered))
    asks = tuple(_asks(plan, seen, event, frame))
    kept = frozenset(s.focus for s in seen if s.begun)
    found = [r.finding for s in seen for r in s.requirements]
    late = (refusal for r in plan.rounds.values() for refusal in r.refusals)
    return Outcome(
        saves=(
            *(_appointment(case, s) for s in seen),
            *_given_up(case, frame),
            _task(plan, seen, asks, frame),
            *(t for r in plan.rounds.values() for t in map(bare, r.tasks)),
            *QUESTIONS.asked(case, asks, event, kept),
        ),
        wakes=_wakes(plan, seen, frame),
        refusals=frozenset((*(f.reason for f in found if f.status == "unmet" and f.reason), *late)),
        evidence=frozenset(evidence_of(f.evidence) for f in found if f.evidence),
    )


def called_off(case: Case, event: Event, frame: Frame) -> Outcome:
    """What an order that has ended leads to: nothing still to come stays, what has begun does."""
    known = case.facts.find(f"Task/{task_id(case.order)}")
    if known is None:
        return Outcome()
    begun = [v for v in case.unordered if has_begun(v, event.at)]
    over = [v for v in case.unordered if v not in begun and v.stored is not None]
    rounds = [withdrawn_or_kept(case, v, frame, event) for v in over if _is_asked(case, v)]
    wakes = {key: None for v in case.unordered for key in _keys(v)} | {f"retry/{case.order['id']}": None}
    wakes |= {key: due for r in rounds for key, due in r.wakes.items() if due is None}
    questions = QUESTIONS.asked(case, (), event, frozenset(f"Appointment/{v.id}" for v in begun))
    reason = f"order-{case.order['status']}"
    visits = (cancelled(v.stored) for v in over if v.stored is not None)
    tasks = (bare(t) for r in rounds for t in r.tasks)
    return Outcome((*visits, ended(known, KIND, reason), *tasks, *questions), wakes, frozenset({reason}))


def _is_asked(case: Case, visit: Visit) -> bool:
    """Whether an agency has been asked about a visit."""
    return bool(tasks_about(visit.id, case.facts.resources))


def _seen(case: Case, visit: Visit, frame: Frame) -> Seen[Visit]:
    return Seen(visit, readiness(look_at(case, visit, frame)), has_begun(visit, frame.at))


def _stay(case: Case, frame: Frame) -> Iterator[Visit]:
    """Booked visits that stay until what takes their place is booked too, or their deadline comes."""
    for visit in case.visits:
        if visit.old is not None and not _is_over(case, visit, frame):
            yield visit.old


def _is_over(case: Case, visit: Visit, frame: Frame) -> bool:
    """Whether a visit's old time goes now: the new one is booked, or the old one's deadline has come."""
    assert visit.old is not None
    return visit.status == "booked" or frame.at >= given_up_at(case, visit.old, frame)


def _given_up(case: Case, frame: Frame) -> Iterator[Resource]:
    """Old times of visits that have new ones, and new ones that are wanted no more."""
    for visit in case.visits:
        if visit.old is not None and visit.old.stored is not None and _is_over(case, visit, frame):
            yield cancelled(visit.old.stored, MOVED)
        if visit.unwanted is not None and visit.unwanted.stored is not None:
            yield cancelled(visit.unwanted.stored, "the booked time can be kept")


def _appointment(case: Case, seen: Seen[Visit]) -> Resource:
    visit = seen.visit
    if seen.begun and visit.stored is not None:
        return {**bare(visit.stored), "status": visit.status}
    if visit in case.unordered and visit.status != "booked" and visit.stored is not None:
        return cancelled(visit.stored)
    return appointment(case, visit, seen.requirements)


# The Task


def _task(plan: Plan, seen: Iterable[Seen[Visit]], asks: Iterable[Ask], frame: Frame) -> Resource:
    case, seen = plan.case, tuple(seen)
    blocking = sorted({a.code for a in asks if a.code in BLOCKING or a.code == case.problem})
    near = [v for v in case.visits if opens_on(case, v, frame) is None]
    at = stage(case, near, blocked=bool(blocking))
    lacks = (r for s in seen if s.visit.status not in DONE for r in _obstacles(case, s, frame))
    waits = sorted({*(r.finding.reason or "" for r in lacks), *plan.placeless.values()})
    reasons = {"question": sorted({*blocking, *plan.placeless.values()}), "waiting": waits, "proposed": waits}
    complete = at != "booked" or all(v.status in DONE for v in case.visits)
    return task(case, at, reasons.get(at, []), frame.practice, complete=complete)


def _obstacles(case: Case, seen: Seen[Visit], frame: Frame) -> tuple[Requirement, ...]:
    return () if seen.begun else obstacles(look_at(case, seen.visit, frame), seen.requirements)


# Questions


def _asks(plan: Plan, seen: Iterable[Seen[Visit]], event: Event, frame: Frame) -> Iterator[Ask]:
    case = plan.case
    if case.problem is not None and case.order["status"] == "active":
        yield Ask(case.problem, reference(case.order))
    yield from _asks_of_placeless(plan)
    if is_doubled(case):
        yield Ask("drug-ordered-twice", reference(case.order))
    for one in seen:
        if is_refused(case, one.visit):
            yield Ask("hold-refused", one.focus, f"hold {one.visit.hold.number}")
        if is_exhausted(case, one.visit, frame):
            yield Ask("hold-unanswered", one.focus, f"hold {one.visit.hold.number}")
        if one.visit.status == "booked":
            yield from _asks_of_booked(case, one, event, frame)


def _asks_of_placeless(plan: Plan) -> Iterator[Ask]:
    """The start of care is asked about by its day, so that a day approved and missed again is asked about again."""
    for visit in plan.case.visits:
        why = plan.placeless.get(visit.id)
        if why is None or why == "agency-asked":
            continue
        if "assessment" in visit.kinds:
            yield Ask(MISSED, reference(plan.case.order), visit.dose.last.isoformat())
        else:
            yield Ask("no-nurse-and-no-agency", f"Appointment/{visit.id}")


def _asks_of_booked(case: Case, seen: Seen[Visit], event: Event, frame: Frame) -> Iterator[Ask]:
    yield from (Ask("requirement-lost", seen.focus, r.name) for r in seen.unmet("book"))
    late = [r for r in seen.unmet("start") if r.name in DELIVERED]
    if late and frame.at >= _prepare_by(case, seen.visit, frame):
        yield Ask("not-delivered", seen.focus)
    if late and QUESTIONS.refused_by_pharmacy(case, seen.focus, event):
        yield Ask("pharmacy-refused", seen.focus)


# Timers


def _prepare_by(case: Case, visit: Visit, frame: Frame) -> datetime:
    assert visit.place is not None
    return visit.place.start - timedelta(hours=frame.number("prepare_before_hours", case.site))


def _keys(visit: Visit) -> tuple[str, str]:
    return f"hold-expiry/{visit.id}", f"check/{visit.id}"


def _wakes(plan: Plan, seen: Iterable[Seen[Visit]], frame: Frame) -> dict[str, datetime | None]:
    case = plan.case
    wakes: dict[str, datetime | None] = {f"retry/{case.order['id']}": _look_again(plan, frame)}
    for one in seen:
        expiry, check = _keys(one.visit)
        held = one.visit.status == "pending" and one.visit not in case.unordered
        wakes[expiry] = one.visit.hold.expires if held else None
        wakes[check] = min((at for at in _checks(case, one, frame) if at > frame.at), default=None)
    shown = {s.visit.id for s in seen}
    gone = (v for visit in case.visits for v in (visit.old, visit.unwanted) if v is not None and v.id not in shown)
    wakes |= {key: None for v in gone for key in _keys(v)}
    return wakes | {key: due for r in plan.rounds.values() for key, due in r.wakes.items()}


def _checks(case: Case, seen: Seen[Visit], frame: Frame) -> Iterator[datetime]:
    """When a booked visit that lacks something is asked about, and when it gives its time up."""
    if seen.visit.status == "booked" and seen.unmet("book", "start"):
        yield _prepare_by(case, seen.visit, frame)
        yield given_up_at(case, seen.visit, frame)


def _look_again(plan: Plan, frame: Frame) -> datetime | None:
    """The next morning while a visit finds no place, else the morning on which the next far visit may be timed."""
    case = plan.case
    hour = frame.number("look_again_at_hour", case.site)
    if plan.placeless or is_doubled(case):
        return next_morning(case.site, frame.at, hour)
    opening = [on for v in case.visits if (on := opens_on(case, v, frame)) is not None]
    return morning(case.site, min(opening), hour) if opening else None
