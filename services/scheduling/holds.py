"""Moves each visit on by what has been answered: booked, given back, or kept; and says which visits want a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.scheduling.cases import differs
from services.scheduling.facts import Case, Hold, Visit
from services.scheduling.policy import Practice
from services.scheduling.rules import last_day, obstacles, readiness
from shared.settings import InfusionSite
from shared.visits import holds
from shared.visits.authorization import coverage_of, payer_from
from shared.visits.holds import answered, is_refused
from shared.visits.records import days_of
from shared.visits.requirements import Look
from shared.visits.rivals import last_given
from shared.visits.workdays import business_days_from


@dataclass(frozen=True, slots=True)
class Frame:
    """What one decision looks through: the instant, the practice, and whether more than the clock moved."""

    at: datetime
    practice: Practice
    stirred: bool

    def today(self, site: InfusionSite) -> date:
        return self.at.astimezone(site.time_zone).date()

    def first_day(self, site: InfusionSite) -> date:
        """The first day that may still be given away."""
        today = self.today(site)
        return business_days_from(site, today, self.practice.number("book_before_business_days", today))

    def number(self, figure: str, site: InfusionSite) -> int:
        return self.practice.number(figure, self.today(site))


# What has been answered


def settled(case: Case, frame: Frame) -> Case:
    """The case with every held visit booked, given back or kept, by the answers there are."""
    return replace(case, visits=tuple(_settled(case, v, frame) for v in case.visits))


def _settled(case: Case, visit: Visit, frame: Frame) -> Visit:
    if _is_stale(case, visit):
        return replace(visit, status="proposed", place=None, hold=Hold(visit.hold.number))
    return answered(case, visit, frame.at, lambda v: not _unmet(case, v, frame))


def _is_stale(case: Case, visit: Visit) -> bool:
    """Whether the order has since moved the days, the site or the drug of a visit that is not booked."""
    return not case.problem and visit.status in ("proposed", "pending") and differs(case, visit)


def _unmet(case: Case, visit: Visit, frame: Frame) -> bool:
    look = Look(case, visit, judged_on(case, visit, frame), frame.at, frame.practice)
    return any(r.unmet and r.deadline == "book" for r in readiness(look))


# Which visits want a time, and when


def day_of(case: Case, visit: Visit) -> date | None:
    """The local day of a visit that has a time."""
    return None if visit.place is None else visit.place.start.astimezone(case.site.time_zone).date()


def judged_on(case: Case, visit: Visit, frame: Frame) -> date:
    """The day a visit's requirements are judged for: its own, or the first it could have."""
    if (on := day_of(case, visit)) is not None:
        return on
    if visit not in case.visits:
        return max(visit.dose.on, frame.today(case.site))
    return max(window(case, visit, frame)[0], opening(case, frame))


def opening(case: Case, frame: Frame) -> date:
    """The first day on which any dose of the order may be given.

    It may still be given away, lies within the authorization and the coverage, and keeps the least gap to the doses of
    the same drug that another order has given.
    """
    covered = days_of((coverage_of(case) or {}).get("period", {}), case.site.time_zone)[0]
    given = last_given(case)
    after_it = given + least_gap(case) if given else None
    days = (frame.first_day(case.site), payer_from(case), covered, after_it)
    return max(d for d in days if d is not None)


def before(case: Case, visit: Visit) -> Visit | None:
    """The visit of the dose before, None for the first."""
    return next((v for v in reversed(case.visits) if v.dose.number < visit.dose.number), None)


def window(case: Case, visit: Visit, frame: Frame) -> tuple[date, date]:
    """First and last day for a visit, by the times the visits before it have."""
    if (previous := before(case, visit)) is None:
        return window_after(case, visit, frame, None, None)
    return window_after(case, visit, frame, day_of(case, case.visits[0]), day_of(case, previous))


def window_after(
    case: Case, visit: Visit, frame: Frame, first: date | None, previous: date | None
) -> tuple[date, date]:
    """First and last day for a visit when the first and the previous dose are given on these days.

    A late first dose moves the whole series, so that its intervals stay as ordered; two doses are never nearer than the
    catalogue's least gap; before the first dose nothing is late yet, so its window opens with the first day there is.
    """
    dose = visit.dose
    begin = dose.on
    if first is not None:
        begin += max(first - case.visits[0].dose.on, timedelta())
    if previous is not None:
        begin = max(begin, previous + least_gap(case))
    if dose.number == 1:
        begin = max(begin, opening(case, frame))
    return begin, begin + (dose.last - dose.on)


def least_gap(case: Case) -> timedelta:
    return timedelta(days=case.drug.min_gap_days if case.drug else 0)


def opens_on(case: Case, visit: Visit, frame: Frame) -> date | None:
    """The day on which a visit that lies too far ahead comes near enough to be timed, None when it is near enough."""
    ahead = frame.number("book_ahead_days", case.site)
    begin = window(case, visit, frame)[0]
    far = begin > frame.today(case.site) + timedelta(days=ahead)
    return begin - timedelta(days=ahead) if far and visit.status == "proposed" else None


def wanted(case: Case, visit: Visit, frame: Frame) -> tuple[date, date] | None:
    """First and last day to look for a time, None when the visit wants none now."""
    previous = before(case, visit)
    if visit.status != "proposed" or (previous is not None and previous.place is None):
        return None
    if not _may_ask(case, visit, frame) or opens_on(case, visit, frame) is not None:
        return None
    begin, last = window(case, visit, frame)
    look = Look(case, visit, max(begin, opening(case, frame)), frame.at, frame.practice)
    if obstacles(look):
        return None
    ends = [last, last_day(look), _day_before_next(case, visit)]
    return look.on, min(e for e in ends if e is not None)


def _may_ask(case: Case, visit: Visit, frame: Frame) -> bool:
    """A refusal waits until the authorization changes; after too many unanswered holds, something must happen first."""
    if case.problem or is_refused(case, visit):
        return False
    return frame.stirred or not is_exhausted(case, visit, frame)


def _day_before_next(case: Case, visit: Visit) -> date | None:
    """The last day that keeps the least gap to the next booked dose."""
    later = (v for v in case.visits if v.dose.number > visit.dose.number)
    days = [on for v in later if v.status == "booked" and (on := day_of(case, v))]
    return min(days) - least_gap(case) if days else None


def too_near(case: Case, visit: Visit) -> bool:
    """Whether a held visit now lies nearer to the dose before it than the least gap."""
    previous = before(case, visit)
    on, given = day_of(case, visit), day_of(case, previous) if previous else None
    return visit.status == "pending" and on is not None and given is not None and on < given + least_gap(case)


def is_exhausted(case: Case, visit: Visit, frame: Frame) -> bool:
    """Whether as many holds went unanswered as the policy allows."""
    return holds.is_exhausted(visit, frame.number("unanswered_holds_before_question", case.site))


def next_hold(case: Case, visit: Visit, frame: Frame) -> Hold:
    """The next attempt: one number higher, with its own expiry."""
    minutes = frame.number("hold_expires_after_minutes", case.site)
    return holds.next_hold(visit, frame.at, minutes, frame.number("unanswered_holds_before_question", case.site))


def spans(case: Case, frame: Frame) -> tuple[tuple[date, date], ...]:
    """Every span of days in which a visit could get its time now: what must be known of the capacity.

    From the first visit that wants a time on, each window is stretched by what the doses before it may slip; windows
    only grow with the days of the doses before them, so the time found later lies inside.
    """
    found: list[tuple[date, date]] = []
    early: _Given = (None, None)
    late: _Given = (None, None)
    for visit in case.visits:
        span = _stretched(case, visit, frame, early, late) if found else wanted(case, visit, frame)
        days = [d for d in (day_of(case, visit), *(span or ())) if d is not None]
        if not days:
            break
        found += [span] if span else []
        early, late = (early[0] or min(days), min(days)), (late[0] or max(days), max(days))
    return tuple(found)


_Given = tuple[date | None, date | None]


def _stretched(case: Case, visit: Visit, frame: Frame, early: _Given, late: _Given) -> tuple[date, date] | None:
    if visit.status not in ("proposed", "pending"):
        return None
    begin, last = window_after(case, visit, frame, *early)[0], window_after(case, visit, frame, *late)[1]
    far = frame.today(case.site) + timedelta(days=frame.number("book_ahead_days", case.site))
    return None if begin > far else (begin, last)
