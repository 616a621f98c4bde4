"""Makes of a therapy at home the errands a nurse goes for: assessment, teaching, doses, dressings, laboratory draws.

What is meant for the same day is one visit: its first kind leads, in the order of `LEADING`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.nursing.facts import Errand, Start
from services.nursing.policy import Practice
from shared.catalogue import Drug
from shared.catalogue.home import HomeCourse, home_course
from shared.core import Resource
from shared.home import HomeNursing
from shared.visits.elements import last_day
from shared.visits.series import MOST_DOSES, Unreadable, doses

LEADING = ("infusion", "assessment", "teach", "dressing", "lab-draw")
"""Kinds of visit: of several in one visit the earliest here leads."""


@dataclass(frozen=True, slots=True)
class Course:
    """All that says which visits an order asks for. `starts`: of care, then of each resumption after an admission."""

    order: Resource
    request: Resource
    drug: Drug
    site: HomeNursing
    starts: tuple[Start, ...]
    first_dose: bool
    practice: Practice
    today: date

    def number(self, figure: str) -> timedelta:
        return timedelta(days=self.practice.number(figure, self.today))


@dataclass(frozen=True, slots=True)
class _Wish:
    """One kind of visit before what falls on the same day is put together."""

    kind: str
    number: int
    of: int
    best: date
    on: date
    last: date
    since: datetime | None = None
    until: datetime | None = None


def errands(course: Course) -> tuple[Errand, ...]:
    """Every visit of a course, in the order of its days. Raises Unreadable."""
    home = home_course(course.drug)
    if home is None:
        raise Unreadable("therapy-not-at-home")
    wishes = [*_once(course, home), *_regular(course, home), *_doses(course, home)]
    days = sorted({w.best for w in wishes})
    return tuple(_together([w for w in wishes if w.best == on], course, home) for on in days)


def _once(course: Course, home: HomeCourse) -> Iterator[_Wish]:
    """Assessments at the start and at each return home; teaching from the start on, a day apart."""
    for n, start in enumerate(course.starts, 1):
        yield _Wish("assessment", n, len(course.starts), start.on, start.on, start.last, start.since, start.until)
    start, late = course.starts[0], course.number("teach_window_days")
    for n in range(home.visits.get("teach", 0)):
        best, last = start.on + timedelta(days=n), start.last + timedelta(days=n)
        yield _Wish("teach", n + 1, home.visits["teach"], best, best, last + late)


def _regular(course: Course, home: HomeCourse) -> Iterator[_Wish]:
    """What comes again and again until the ordered end, never later than its interval."""
    if not home.every_days:
        return
    begin, end = course.starts[0].on, _end(course)
    early = course.number("regular_visit_early_days")
    for kind, every in home.every_days.items():
        days = [begin + timedelta(days=n) for n in range(every, (end - begin).days + 1, every)]
        if len(days) > MOST_DOSES:
            raise Unreadable("doses-not-readable")
        yield from (_Wish(kind, n, len(days), on, on - early, on) for n, on in enumerate(days, 1))


def _doses(course: Course, home: HomeCourse) -> Iterator[_Wish]:
    """The ordered doses where the nurse gives them; else the first one, where it is given at home."""
    if home.administered_by == "nurse":
        for dose in doses(course.order, course.request, course.drug, course.site.time_zone):
            yield _Wish("infusion", dose.number, dose.of, dose.on, dose.on, dose.last)
    elif course.first_dose:
        start = course.starts[0]
        yield _Wish("infusion", 1, 1, start.on, start.on, start.last, start.since, start.until)


def _end(course: Course) -> date:
    """The last day the order asks the drug for."""
    repeats = (i.get("timing", {}).get("repeat", {}) for i in course.request.get("dosageInstruction", ()))
    periods = [*(r.get("boundsPeriod", {}) for r in repeats), course.order.get("occurrencePeriod", {})]
    ends = (last_day(p.get("end"), course.site.time_zone) for p in periods)
    end = max((e for e in ends if e is not None), default=None)
    if end is None:
        raise Unreadable("end-not-stated")
    return end


def _together(wishes: Sequence[_Wish], course: Course, home: HomeCourse) -> Errand:
    """One visit of all that is meant for one day."""
    found = sorted(wishes, key=lambda w: LEADING.index(w.kind))
    lead, kinds = found[0], tuple(dict.fromkeys(w.kind for w in found))
    treatment = lead.number if lead.kind == "infusion" else 0
    sinces, untils = [w.since for w in found if w.since], [w.until for w in found if w.until]
    first_teaching = any((w.kind, w.number) == ("teach", 1) for w in found)
    return Errand(
        number=lead.number,
        of=lead.of,
        on=max(w.on for w in found),
        last=min(w.last for w in found),
        kinds=kinds,
        minutes=_minutes(kinds, treatment, course, home),
        best=lead.best,
        since=max(sinces, default=None),
        until=min(untils, default=None),
        treatment=treatment,
        delivers=first_teaching or bool({"infusion", "dressing"} & set(kinds)),
    )


def _minutes(kinds: Sequence[str], treatment: int, course: Course, home: HomeCourse) -> int:
    """The longest of what is done, and what the others add; after a first dose the nurse stays as long as asked."""
    more = course.practice.figures.value("minutes_when_combined", course.today)
    alone = {kind: home.minutes(kind, course.drug, max(treatment, 1)) for kind in kinds}
    longest = max(kinds, key=lambda kind: alone[kind])
    stay = 0
    if course.first_dose and treatment == 1:
        least = course.practice.number("first_dose_stay_minutes", course.today)
        stay = max(least - course.drug.minutes(1).observation, 0)
    return int(alone[longest] + sum(more[kind] for kind in kinds if kind != longest) + stay)
