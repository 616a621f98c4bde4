"""Gives every visit that wants one the first place there is, of our nurses or an agency's, and says which got none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from services.nursing import planner
from services.nursing.agency import Asking, Round, Sought, agency_round, tasks_about
from services.nursing.appointments import day_of, seats_of, task_id
from services.nursing.facts import AgencyPlace, Case, Visit
from services.nursing.planner import Place
from services.nursing.rules import Look, wish_of
from services.nursing.windows import (
    Frame,
    Span,
    earliest,
    freed,
    look_at,
    next_hold,
    start_of_day,
    too_near,
    wanted,
)
from shared.core import Event, Seat
from shared.visits.appointments import hold_of
from shared.visits.lanes import lane, needed

ALL_OF_A_DAY = 50
"""More places than a region's nurses have gaps in a few days: among them the first that begins early enough."""


Places = tuple[Place | AgencyPlace, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A case with the places found.

    `searched` are the windows looked through, `placeless` the visits that got none and why, `rounds` what agencies are
    asked, by visit.
    """

    case: Case
    searched: tuple[Span, ...] = ()
    placeless: Mapping[str, str] = field(default_factory=dict)
    rounds: Mapping[str, Round] = field(default_factory=dict)
    taken: frozenset[Seat] = frozenset()

    def new_days(self) -> Iterator[date]:
        """Local days on which a place of a nurse of ours was found that no stored Appointment has yet."""
        for visit in self.case.visits:
            on = day_of(self.case, visit)
            if visit.status == "pending" and isinstance(visit.place, Place) and on and not _is_stored(visit):
                yield on


def _is_stored(visit: Visit) -> bool:
    """Whether this very hold is what is stored: a new one has a new number."""
    before = visit.stored
    return before is not None and before["status"] == "pending" and hold_of(before).number == visit.hold.number


def planned(case: Case, frame: Frame, event: Event, taken: frozenset[Seat], elsewhere: Places) -> Plan:
    """Plans one case on what is taken, away from the patient's places in other cases."""
    plan = Plan(case, taken=taken)
    for index in range(len(case.visits)):
        plan = _next(plan, index, frame, event, elsewhere)
    return replace(plan, rounds={**_kept_rounds(plan, frame, event), **plan.rounds})


def _next(plan: Plan, index: int, frame: Frame, event: Event, elsewhere: Places) -> Plan:
    visit = plan.case.visits[index]
    if too_near(plan.case, visit):
        visit = freed(visit)
        plan = replace(plan, case=_with(plan.case, visit))
    if (spans := wanted(plan.case, visit, frame)) is None:
        return plan
    plan = replace(plan, searched=(*plan.searched, *spans))
    look = look_at(plan.case, visit, frame, spans[0][0] if spans else None)
    place = _ours(plan, visit, spans, look, frame, elsewhere)
    if place is not None:
        seats = planner.seats(plan.case.site, place)
        return replace(_held(plan, visit, place, frame), taken=plan.taken.union(seats))
    return _by_agency(plan, visit, spans, look, frame, event)


def _held(plan: Plan, visit: Visit, place: Place | AgencyPlace, frame: Frame) -> Plan:
    held = replace(visit, status="pending", place=place, hold=next_hold(plan.case, visit, frame))
    return replace(plan, case=_with(plan.case, held))


def _with(case: Case, visit: Visit) -> Case:
    """The case with this visit in the place of its errand."""
    return replace(case, visits=tuple(visit if v.ids == visit.ids else v for v in case.visits))


# A nurse of ours


def _ours(
    plan: Plan, visit: Visit, spans: tuple[Span, ...], look: Look, frame: Frame, elsewhere: Places
) -> Place | None:
    """The first place in the best span that begins neither too early nor too late."""
    case = plan.case
    own = seats_of(visit.stored, frame.practice.site) if visit.stored is not None else ()
    others = (*elsewhere, *places(v for v in (*case.visits, *case.unordered) if v.ids != visit.ids))
    wish = replace(
        wish_of(look), elsewhere=tuple((p.start, p.end) for p in others), nurse=_who_came_before(case, visit)
    )
    roads, soonest = frame.practice.roads(frame.today(case.site)), earliest(case, visit, look)
    until = visit.errand.until if visit.errand else None
    for begin, last in spans:
        inside = replace(wish, not_before=max(soonest, start_of_day(case, begin)), last_day=last)
        found = planner.places(case.site, inside, plan.taken.difference(own), roads, most=ALL_OF_A_DAY if until else 1)
        timely = (p for p in found if until is None or p.start <= until)
        if (place := next(timely, None)) is not None:
            return place
    return None


def _who_came_before(case: Case, visit: Visit) -> str | None:
    """The nurse of the order's visit before this one: a patient sees as few faces as may be."""
    before = [v.place for v in case.visits if v.dose.on <= visit.dose.on and v.ids != visit.ids]
    return next((p.nurse for p in reversed(before) if isinstance(p, Place)), None)


def places(visits: Iterable[Visit]) -> Places:
    """The places of visits that take one; not of one that is about to be replaced."""
    return tuple(v.place for v in visits if v.place is not None and v.status in ("pending", "booked"))


# An agency's nurse


def _by_agency(plan: Plan, visit: Visit, spans: tuple[Span, ...], look: Look, frame: Frame, event: Event) -> Plan:
    """The time an agency has taken the visit on for; else it is asked, and the visit waits or nobody is left."""
    case = plan.case
    roads = frame.practice.roads(frame.today(case.site))
    why = planner.reason(case.site, wish_of(look), roads) if spans else "no-day-left"
    days = _days_to_ask(case, visit, spans, earliest(case, visit, look))
    if days is None:
        return replace(plan, placeless={**plan.placeless, visit.id: why})
    found = agency_round(_sought(case, visit, days, look), case.facts.resources, _asking(case, frame, event))
    plan = replace(plan, rounds={**plan.rounds, visit.id: found})
    if found.agreed is not None:
        minutes = int((found.agreed.end - found.agreed.start).total_seconds()) // 60
        return _held(plan, visit, AgencyPlace(found.agreed.agency, found.agreed.start, minutes), frame)
    return replace(plan, placeless={**plan.placeless, visit.id: "agency-asked" if found.waiting else why})


def _days_to_ask(case: Case, visit: Visit, spans: tuple[Span, ...], soonest: datetime) -> Span | None:
    """The days an agency was asked for before, while some of them lie ahead; else whole days from the earliest time."""
    if not spans:
        return None
    last = max(b for _, b in spans)
    local = soonest.astimezone(case.site.time_zone)
    first = max(min(a for a, _ in spans), local.date() + timedelta(days=1 if local.time() > local.min.time() else 0))
    for task in reversed(tasks_about(visit.id, case.facts.resources)):
        period = task["restriction"]["period"]
        begin, end = date.fromisoformat(period["start"]), date.fromisoformat(period["end"])
        if end == last and first <= last and begin <= first <= end:
            return begin, end
    return (first, last) if first <= last else None


def _sought(case: Case, visit: Visit, days: Span, look: Look) -> Sought:
    wish = wish_of(look)
    return Sought(
        order=case.order,
        appointment=visit.id,
        parent=f"Task/{task_id(case.order)}",
        days=days,
        kinds=visit.kinds,
        competencies=wish.competencies,
        minutes=wish.minutes,
        state=planner.state_of(case.site, case.home),
    )


def _asking(case: Case, frame: Frame, event: Event) -> Asking:
    return Asking(case.site, timedelta(hours=frame.number("agency_answers_within_hours", case.site)), event)


def _kept_rounds(plan: Plan, frame: Frame, event: Event) -> dict[str, Round]:
    """What becomes of the Tasks about visits that look for no place now: kept where the agency goes, else withdrawn."""
    case = plan.case
    beside = (b for v in case.visits for b in (v.old, v.unwanted) if b is not None)
    rounds = {}
    for visit in (*case.visits, *beside, *case.unordered):
        tasks = tasks_about(visit.id, case.facts.resources)
        if tasks and visit.id not in plan.rounds:
            rounds[visit.id] = withdrawn_or_kept(case, visit, frame, event)
    return rounds


def withdrawn_or_kept(case: Case, visit: Visit, frame: Frame, event: Event) -> Round:
    """The Tasks about a visit that is booked or held, or asks for no time any more."""
    tasks = tasks_about(visit.id, case.facts.resources)
    period = tasks[-1]["restriction"]["period"]
    days = date.fromisoformat(period["start"]), date.fromisoformat(period["end"])
    goes = isinstance(visit.place, AgencyPlace) and case.order["status"] not in ("revoked", "entered-in-error")
    look = look_at(case, visit, frame, days[0])
    return agency_round(
        _sought(case, visit, days, look), case.facts.resources, _asking(case, frame, event), wanted=goes
    )


# Lanes


def lanes(plans: Iterable[Plan], held: frozenset[str]) -> tuple[str, ...]:
    """The days of the region a decision must still lock."""
    plans = tuple(plans)
    found = frozenset(lane(p.case.site.id, on) for p in plans for on in p.new_days())
    searched = frozenset(
        lane(p.case.site.id, begin + timedelta(days=n))
        for p in plans
        for begin, last in p.searched
        for n in range((last - begin).days + 1)
    )
    return needed(found, searched, held)
