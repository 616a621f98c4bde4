"""Gives every visit that wants one the earliest place there is, dose after dose, and says which got none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from services.scheduling import planner
from services.scheduling.appointments import seats_of
from services.scheduling.facts import Case, Visit
from services.scheduling.holds import Frame, next_hold, too_near, wanted
from services.scheduling.planner import Place, Wish
from shared.core import Seat
from shared.settings import InfusionSite
from shared.visits.appointments import hold_of
from shared.visits.cells import occupied
from shared.visits.holds import given_back
from shared.visits.lanes import lane, needed
from shared.visits.workdays import morning


@dataclass(frozen=True, slots=True)
class Plan:
    """A case with the places found: `searched` are the windows looked through, `placeless` the visits that got none."""

    case: Case
    searched: tuple[tuple[date, date], ...] = ()
    placeless: tuple[str, ...] = ()
    taken: frozenset[Seat] = frozenset()

    def new_days(self) -> Iterator[date]:
        """Local days on which a place was found that no stored Appointment has yet."""
        for visit in self.case.visits:
            if visit.place is not None and visit.status == "pending" and not _is_stored(visit):
                yield visit.place.start.astimezone(self.case.site.time_zone).date()


def _is_stored(visit: Visit) -> bool:
    """Whether this very hold is what is stored: a new one has a new number."""
    before = visit.stored
    return before is not None and before["status"] == "pending" and hold_of(before).number == visit.hold.number


def planned(case: Case, frame: Frame, taken: frozenset[Seat], elsewhere: tuple[Place, ...]) -> Plan:
    """Plans one case on what is taken, away from the patient's places in other cases."""
    plan = Plan(case, taken=taken)
    for number in range(len(case.visits)):
        plan = _next(plan, number, frame, elsewhere)
    return plan


def _next(plan: Plan, index: int, frame: Frame, elsewhere: tuple[Place, ...]) -> Plan:
    visit = plan.case.visits[index]
    if too_near(plan.case, visit):
        visit = given_back(visit, replace(visit.hold, expires=None))
        plan = replace(plan, case=_with(plan.case, visit))
    if (days := wanted(plan.case, visit, frame)) is None:
        return plan
    plan = replace(plan, searched=(*plan.searched, days))
    place = _found(plan, visit, days, frame, elsewhere)
    if place is None:
        return replace(plan, placeless=(*plan.placeless, visit.id))
    held = replace(visit, status="pending", place=place, hold=next_hold(plan.case, visit, frame))
    gap = frame.number("minutes_between_starts", plan.case.site)
    new = planner.seats(plan.case.site.id, place, gap)
    return replace(plan, case=_with(plan.case, held), taken=plan.taken.union(new))


def _found(
    plan: Plan, visit: Visit, days: tuple[date, date], frame: Frame, elsewhere: tuple[Place, ...]
) -> Place | None:
    case = plan.case
    assert case.drug is not None
    own = seats_of(visit.stored, frame.practice) if visit.stored is not None else ()
    others = (*elsewhere, *places(v for v in (*case.visits, *case.unordered) if v.id != visit.id))
    wish = Wish(
        minutes=case.drug.minutes(visit.dose.number).total,
        acuity=case.drug.acuity,
        not_before=morning(case.site, days[0], 0),
        last_day=days[1],
        elsewhere=tuple((p.start, p.end) for p in others),
    )
    staffing = frame.practice.staffing(frame.today(case.site))
    return planner.earliest(case.site, wish, staffing, occupied(plan.taken.difference(own)))


def places(visits: Iterable[Visit]) -> tuple[Place, ...]:
    """The places of visits that take one."""
    return tuple(v.place for v in visits if v.place is not None and v.status in ("pending", "booked"))


def _with(case: Case, visit: Visit) -> Case:
    """The case with this visit in the place of its dose."""
    return replace(case, visits=tuple(visit if v.id == visit.id else v for v in case.visits))


def lanes(plans: Iterable[Plan], held: frozenset[str]) -> tuple[str, ...]:
    """The site-days a decision must still lock."""
    plans = tuple(plans)
    found = frozenset(lane(p.case.site.id, on) for p in plans for on in p.new_days())
    searched = frozenset(
        lane(p.case.site.id, on) for p in plans for begin, last in p.searched for on in _days(p.case.site, begin, last)
    )
    return needed(found, searched, held)


def _days(site: InfusionSite, begin: date, last: date) -> Iterator[date]:
    days = (begin + timedelta(days=n) for n in range((last - begin).days + 1))
    return (on for on in days if planner.hours(site, on) is not None)
