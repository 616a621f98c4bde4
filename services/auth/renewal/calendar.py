"""Says when the next period of an authorization is worked: early enough that the next two doses are never uncovered.

Law of this file: dates follow from the doses, the end of what is granted and the figures; never from the day it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from services.auth.case import UNBOUNDED, Case
from services.auth.decision.charges import INFUSION, visit_kind
from services.auth.policy import days_of
from services.auth.renewal.doses import timed
from services.auth.words import DOSE, day, days_after, local_day, part
from shared.core import Resource

NEXT = 2
"""So many of the next doses are never to be uncovered."""

FIGURES = ("payer_turnaround", "renewal_margin", "response_lead")
GONE = ("cancelled", "entered-in-error", "noshow")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The next period: its first day, the doses it is asked for, and the days on which something is to be done.

    uncovered   number and day of each dose after the end of what is granted.
    at_risk     from this day on one of the next two doses is uncovered.
    asks_on     what shows the response is asked for.
    starts_on   the request is due.
    turnaround  days the payer usually takes.
    """

    begins: date
    doses: tuple[int, ...]
    uncovered: tuple[tuple[int, date], ...]
    at_risk: date
    asks_on: date
    starts_on: date
    turnaround: int


def calendar(case: Case, ends: date) -> Calendar | None:
    """The period after `ends`; None where no dose is left for it, or no figures for renewals are adopted."""
    days = dose_days(case)
    left = tuple((n, on) for n, on in enumerate(days, 1) if on > ends)
    figures = [case.policy.renewal(f, case.payer, case.on) for f in FIGURES]
    if not left or any(f is None for f in figures):
        return None
    turnaround, margin, lead = (int(f or 0) for f in figures)
    at_risk = sorted(days)[max(0, sorted(days).index(min(on for _, on in left)) - NEXT)]
    starts_on = at_risk - timedelta(days=turnaround + margin)
    earliest = case.policy.renewal("renewal_earliest", case.payer, case.on)
    if earliest is not None:
        starts_on = max(starts_on, ends - timedelta(days=earliest))
    begins, doses = _period(case, ends, left)
    return Calendar(begins, doses, left, at_risk, starts_on - timedelta(days=lead), starts_on, turnaround)


def _period(case: Case, ends: date, left: tuple[tuple[int, date], ...]) -> tuple[date, tuple[int, ...]]:
    """First day and doses: from the day after what is granted, or from the first dose that lies beyond its length."""
    length = (days_of(case.criteria, "renewal") if case.criteria else None) or UNBOUNDED
    begins = ends + timedelta(days=1)
    if min(on for _, on in left) > days_after(begins, length - 1):
        begins = min(on for _, on in left)
    last = days_after(begins, length - 1)
    return begins, tuple(n for n, on in left if on <= last)


def dose_days(case: Case) -> tuple[date, ...]:
    """The day of each dose, by its visit where there is one; none where the order does not say its doses."""
    planned, whole = case.planned, case.whole_regimen
    if not isinstance(whole, str) and len(whole.amounts) != len(planned):
        return ()
    return timed(planned, _visits(case))


def _visits(case: Case) -> dict[int, date]:
    found: dict[int, date] = {}
    for visit in case.facts.visits(case.order):
        number, on = part(visit, DOSE, "number"), _day(case, visit)
        if visit["status"] not in GONE and visit_kind(visit) in (None, INFUSION) and isinstance(number, int) and on:
            found[number] = on
    return found


def _day(case: Case, visit: Resource) -> date | None:
    """The day of a visit's time, or the first day it is proposed for."""
    if "start" in visit:
        return local_day(visit["start"], case.zone)
    return next((day(p.get("start")) for p in visit.get("requestedPeriod", ())), None)
