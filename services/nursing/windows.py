"""Moves each home visit on by what has been answered, delivered or lost, and says which ones want a time, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.nursing.agency import tasks_about
from services.nursing.appointments import day_of, kinds_of, proposal
from services.nursing.facts import Case, Hold, Visit
from services.nursing.policy import Practice
from services.nursing.rules import Look, is_delivered, not_before, obstacles, promised, readiness
from shared.home import HomeNursing
from shared.visits import holds, requirements
from shared.visits.authorization import coverage_of, payer_from
from shared.visits.holds import answered, given_back, is_refused
from shared.visits.records import days_of
from shared.visits.workdays import morning

Span = tuple[date, date]
"""First and last day."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What one decision looks through: the instant, the practice, and whether more than the clock moved."""

    at: datetime
    practice: Practice
    stirred: bool

    def today(self, site: HomeNursing) -> date:
        return self.at.astimezone(site.time_zone).date()

    def number(self, figure: str, site: HomeNursing) -> int:
        return self.practice.number(figure, self.today(site))


def look_at(case: Case, visit: Visit, frame: Frame, on: date | None = None) -> Look:
    """A visit looked at for its own day, the one given, or the first it could have."""
    return Look(case, visit, on or judged_on(case, visit, frame), frame.at, frame.practice)


def judged_on(case: Case, visit: Visit, frame: Frame) -> date:
    if (on := day_of(case, visit)) is not None:
        return on
    return max(window(case, visit)[0], opening(case, frame))


def opening(case: Case, frame: Frame) -> date:
    """The first day on which any visit of the order may take place: within the authorization and the coverage."""
    covered = days_of((coverage_of(case) or {}).get("period", {}), case.site.time_zone)[0]
    days = (frame.today(case.site), payer_from(case), covered)
    return max(d for d in days if d is not None)


# What has been answered, delivered or lost


def settled(case: Case, frame: Frame) -> Case:
    """The case with every held visit booked, given back or kept, and those that cannot stay on their way elsewhere."""
    for index in range(len(case.visits)):
        visit = _settled(case, case.visits[index], frame)
        case = replace(case, visits=(*case.visits[:index], visit, *case.visits[index + 1 :]))
    return case


def _settled(case: Case, visit: Visit, frame: Frame) -> Visit:
    if case.problem:
        return visit
    if visit.status in ("proposed", "pending") and _is_stale(case, visit, frame):
        visit = replace(visit, status="proposed", place=None, hold=Hold(visit.hold.number))
    visit = answered(case, visit, frame.at, lambda v: not _unmet(case, v, frame))
    if visit.status == "booked" and _was_made(case, visit):
        return replace(visit, status="fulfilled")
    if visit.status == "booked" and visit.old is None and must_move(case, visit, frame):
        errand = visit.errand
        assert errand is not None
        return proposal(case.order, errand, visit.ids, old=visit)
    if visit.old is not None and visit.status != "booked" and not must_move(case, visit.old, frame):
        return replace(visit.old, unwanted=visit)
    return visit


def _was_made(case: Case, visit: Visit) -> bool:
    """Whether an agency has said that its nurse made the visit."""
    return any(t["status"] == "completed" for t in tasks_about(visit.id, case.facts.resources))


def _is_stale(case: Case, visit: Visit, frame: Frame) -> bool:
    """Whether a visit that is not booked was made for other days, other work or a nurse who may not go any more."""
    stored, errand = visit.stored, visit.errand
    if stored is None or errand is None:
        return False
    if kinds_of(stored) != errand.kinds or stored["requestedPeriod"] != [_period(visit)]:
        return True
    return visit.place is not None and not (_suits(visit) and _has_somebody(case, visit, frame))


def _has_somebody(case: Case, visit: Visit, frame: Frame) -> bool:
    """Whether the nurse, or the agency, may still go."""
    needs = readiness(look_at(case, visit, frame))
    return not any(r.unmet for r in needs if r.name == "nurse-competent")


def _period(visit: Visit) -> dict[str, str]:
    return {"start": visit.dose.on.isoformat(), "end": visit.dose.last.isoformat()}


def _suits(visit: Visit) -> bool:
    """Whether a visit is long enough for what is now asked for."""
    assert visit.place is not None
    return visit.errand is None or (visit.place.end - visit.place.start) >= timedelta(minutes=visit.errand.minutes)


def _unmet(case: Case, visit: Visit, frame: Frame) -> bool:
    return any(r.unmet and r.deadline == "book" for r in readiness(look_at(case, visit, frame)))


def must_move(case: Case, visit: Visit, frame: Frame) -> str | None:
    """Why a booked visit needs another time; None where it may stay, has begun, or its order is not active."""
    if visit.place is None or visit.place.start <= frame.at or case.order["status"] != "active":
        return None
    look = look_at(case, visit, frame)
    if (promise := promised(look)) is not None and promise > visit.place.start and not is_delivered(look):
        return "delivery-late"
    first, last = window(case, visit)
    on = day_of(case, visit)
    if on is not None and not first <= on <= last:
        return "order-changed"
    if not _suits(visit):
        return "order-changed"
    needs = readiness(look)
    if any(r.unmet for r in needs if r.name == "nurse-competent"):
        return "nurse-lost"
    late = frame.at >= given_up_at(case, visit, frame)
    return next((r.finding.reason for r in needs if r.unmet), None) if late else None


def given_up_at(case: Case, visit: Visit, frame: Frame) -> datetime:
    """When a booked visit with an unmet requirement gives its time up."""
    assert visit.place is not None
    return visit.place.start - timedelta(minutes=frame.number("start_check_before_minutes", case.site))


# Which visits want a time, and when


def window(case: Case, visit: Visit) -> Span:
    """First and last day for a visit: a late dose moves those after it, and two doses keep the least gap."""
    errand = visit.errand
    begin, slack = visit.dose.on, visit.dose.last - visit.dose.on
    if errand is None or errand.treatment < 2:
        return begin, visit.dose.last
    doses = [v for v in case.visits if v.errand and 0 < v.errand.treatment < errand.treatment]
    if doses and (first := day_of(case, doses[0])) is not None:
        begin += max(first - doses[0].dose.on, timedelta())
    if doses and (previous := day_of(case, doses[-1])) is not None and case.drug is not None:
        begin = max(begin, previous + timedelta(days=case.drug.min_gap_days))
    return begin, begin + slack


def hull(visit: Visit) -> Span:
    """Every day on which a visit could ever be looked for, whatever becomes of those before it."""
    slack = visit.dose.last - visit.dose.on if visit.errand and visit.errand.treatment > 1 else timedelta()
    return visit.dose.on, visit.dose.last + slack


def opens_on(case: Case, visit: Visit, frame: Frame) -> date | None:
    """The day on which a visit that lies too far ahead comes near enough to be timed, None when it is near enough."""
    ahead = timedelta(days=frame.number("book_ahead_days", case.site))
    begin = window(case, visit)[0]
    return begin - ahead if begin > frame.today(case.site) + ahead and visit.status == "proposed" else None


def wanted(case: Case, visit: Visit, frame: Frame) -> tuple[Span, ...] | None:
    """Spans of days to look for a time, the best first; None when a visit wants none now, () when no day is left."""
    if visit.status != "proposed" or not _may_ask(case, visit, frame) or _waits_for_another(case, visit):
        return None
    if opens_on(case, visit, frame) is not None:
        return None
    begin, last = window(case, visit)
    begin = max(begin, opening(case, frame))
    look = look_at(case, visit, frame, begin)
    needs = readiness(look)
    if obstacles(look, needs):
        return None
    ends = [last, requirements.last_day(look, needs), _day_before_next(case, visit), hull(visit)[1]]
    last = min(e for e in ends if e is not None)
    first = max(begin, earliest(case, visit, look).astimezone(case.site.time_zone).date())
    best = visit.errand.best if visit.errand else first
    spans = [(first, last)] if not first < best <= last else [(best, last), (first, best - timedelta(days=1))]
    return tuple((a, b) for a, b in spans if a <= b)


def earliest(case: Case, visit: Visit, look: Look) -> datetime:
    """The earliest instant for a visit: after what is delivered for it, and after the home has been assessed."""
    seen = (v.place.end for v in case.visits if v.place and "assessment" in v.kinds and "assessment" not in visit.kinds)
    since = visit.errand.since if visit.errand else None
    return max(not_before(look), min(seen, default=look.at), since or look.at)


def _waits_for_another(case: Case, visit: Visit) -> bool:
    """Whether the assessment, or the dose before, must have its time first."""
    if "assessment" in visit.kinds:
        return False
    assessed = any(v.place is not None or v.status == "fulfilled" for v in case.visits if "assessment" in v.kinds)
    treatment = visit.errand.treatment if visit.errand else 0
    before = [v for v in case.visits if v.errand and 0 < v.errand.treatment < treatment]
    return not assessed or bool(before and before[-1].place is None)


def _day_before_next(case: Case, visit: Visit) -> date | None:
    """The last day that keeps the least gap to the next booked dose."""
    treatment = visit.errand.treatment if visit.errand else 0
    if not treatment or case.drug is None:
        return None
    later = (v for v in case.visits if v.errand and v.errand.treatment > treatment and v.status == "booked")
    days = [on for v in later if (on := day_of(case, v))]
    return min(days) - timedelta(days=case.drug.min_gap_days) if days else None


def too_near(case: Case, visit: Visit) -> bool:
    """Whether a held visit lies outside its window now that those before it have other times."""
    on = day_of(case, visit)
    first, last = window(case, visit)
    return visit.status == "pending" and on is not None and not first <= on <= last


def _may_ask(case: Case, visit: Visit, frame: Frame) -> bool:
    """A refusal waits until the authorization changes; after too many unanswered holds, something must happen first."""
    if case.problem or is_refused(case, visit):
        return False
    return frame.stirred or not is_exhausted(case, visit, frame)


def is_exhausted(case: Case, visit: Visit, frame: Frame) -> bool:
    """Whether as many holds went unanswered as the policy allows."""
    return holds.is_exhausted(visit, frame.number("unanswered_holds_before_question", case.site))


def next_hold(case: Case, visit: Visit, frame: Frame) -> Hold:
    """The next attempt: one number higher, with its own expiry."""
    minutes = frame.number("hold_expires_after_minutes", case.site)
    return holds.next_hold(visit, frame.at, minutes, frame.number("unanswered_holds_before_question", case.site))


def freed(visit: Visit) -> Visit:
    """A held visit without its time; the number it was held under is used up."""
    return given_back(visit, replace(visit.hold, expires=None))


def spans(case: Case, frame: Frame) -> tuple[Span, ...]:
    """Every span of days in which a visit could get its time now: what must be known of the nurses' time."""
    far = frame.today(case.site) + timedelta(days=frame.number("book_ahead_days", case.site))
    open_ = (v for v in case.visits if v.status in ("proposed", "pending"))
    found = (hull(v) for v in open_)
    return tuple((max(a, frame.today(case.site)), b) for a, b in found if a <= far and b >= frame.today(case.site))


def start_of_day(case: Case, on: date) -> datetime:
    return morning(case.site, on, 0)
