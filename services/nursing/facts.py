"""What nursing decides from: the resources of one patient and the nurses' time around the visits that need some."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.nursing.planner import Home, Place
from shared.core import Resource
from shared.home import HomeNursing
from shared.visits import case
from shared.visits.case import Dose, Facts, Hold

__all__ = ["AgencyPlace", "Case", "Errand", "Facts", "Hold", "Start", "Visit"]


@dataclass(frozen=True, slots=True)
class AgencyPlace:
    """A time an outside agency has taken a visit on for."""

    agency: str
    start: datetime
    minutes: int

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Start:
    """When care begins at home: the first day, the last one, and where instants count, no sooner and no later."""

    on: date
    last: date
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Errand(Dose):
    """What a nurse goes for: visit `number` of `of` of its leading kind, tolerated from `on` to `last`.

    kinds      the leading kind first; what falls on the same day is done in the same visit.
    best       the day it is meant for.
    since      no sooner start than this, where an instant counts.
    until      no later start than this, where an instant counts.
    treatment  the number of the ordered dose given, 0 for none.
    delivers   whether drug or supplies are brought for this very visit.
    """

    kinds: tuple[str, ...]
    minutes: int
    best: date
    since: datetime | None = None
    until: datetime | None = None
    treatment: int = 0
    delivers: bool = False


@dataclass(frozen=True, slots=True)
class Visit(case.Visit[Place | AgencyPlace]):
    """One errand as an Appointment.

    old       the booked one it takes the place of once it is booked itself.
    unwanted  the one that was to take its own place and need not any more.
    ids       every Appointment made for the errand, the first one first.
    """

    errand: Errand | None = None
    old: Visit | None = None
    unwanted: Visit | None = None
    ids: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.errand.kinds if self.errand else ()


NOWHERE = Home("", "")


@dataclass(frozen=True, slots=True)
class Case(case.Case[HomeNursing, Visit]):
    """One order for the home: where the patient lives, when care begins, whether the first dose is given at home."""

    home: Home = NOWHERE
    patient: Resource | None = None
    start: Start | None = None
    first_dose: bool = False
