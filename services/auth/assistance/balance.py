"""Keeps the balance of a copay card or grant: what each dose takes of the maximum, and what is left for the next.

Law of this file: 0 <= used + expected <= maximum in every programme year; a dose whose share is unknown takes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.auth.assistance.programmes import CALENDAR_YEAR, Limits

Span = tuple[date, date]
"""First and last day, both included."""
NONE = Decimal(0)
OUTSIDE, UNKNOWN, REACHED = "outside-enrolment", "share-unknown", "maximum-reached"


@dataclass(frozen=True, slots=True)
class Dose:
    """One visit: `Appointment/id`, its date, whether it took place, the patient's share, and what bars help with it."""

    visit: str
    on: date
    given: bool
    share: Decimal | None = None
    barred: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What the programme pays of one dose, what is left after it (None: no maximum), and why it pays less than all."""

    dose: Dose
    paid: Decimal
    left: Decimal | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """The programme year of a day: its maximum, what given doses used, what is left; and every dose known."""

    span: Span | None
    maximum: Decimal | None
    used: Decimal
    left: Decimal | None
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Purse:
    """One programme year being spent."""

    left: Decimal | None
    used: Decimal = NONE


def balanced(limits: Limits, enrolled: Sequence[Span], doses: Iterable[Dose], on: date) -> Balance:
    """The balance on a day, doses in the order of their dates."""
    purses: dict[Span, _Purse] = {}
    begun: set[date] = set()
    rows = []
    for dose in sorted(doses, key=lambda d: (d.on, d.visit)):
        within = enrolment_on(enrolled, dose.on)
        if within is None:
            rows.append(Row(dose, NONE, None, dose.barred or OUTSIDE))
            continue
        purse = purses.setdefault(year_of(limits, within, dose.on), _Purse(limits.maximum))
        rows.append(_spent(limits, purse, _own(limits, within, dose, begun), dose))
    current = enrolment_on(enrolled, on)
    span = year_of(limits, current, on) if current else None
    purse = purses.get(span, _Purse(limits.maximum)) if span else _Purse(limits.maximum)
    left = None if limits.maximum is None else limits.maximum - purse.used
    return Balance(span, limits.maximum, purse.used, left, tuple(rows))


def enrolment_on(enrolled: Sequence[Span], on: date) -> Span | None:
    """The enrolment in force on a day, the latest begun."""
    return max((s for s in enrolled if s[0] <= on <= s[1]), default=None)


def year_of(limits: Limits, within: Span, on: date) -> Span:
    """The programme year a day lies in: the calendar's, or the enrolment itself."""
    return (date(on.year, 1, 1), date(on.year, 12, 31)) if limits.per == CALENDAR_YEAR else within


def _own(limits: Limits, within: Span, dose: Dose, begun: set[date]) -> Decimal:
    """The patient's own part, that of the first dose once in an enrolment, whatever year it goes on into."""
    if within[0] in begun:
        return limits.next_pays
    if not dose.barred and dose.share is not None:
        begun.add(within[0])
    return limits.first_pays


def _spent(limits: Limits, purse: _Purse, own: Decimal, dose: Dose) -> Row:
    """One dose: what is above the patient's own part, at most the dose's maximum, at most what is left."""
    if dose.barred or dose.share is None:
        return Row(dose, NONE, purse.left, dose.barred or UNKNOWN)
    wanted = max(dose.share - own, NONE)
    wanted = wanted if limits.dose_maximum is None else min(wanted, limits.dose_maximum)
    paid = wanted if purse.left is None else min(wanted, purse.left)
    if purse.left is not None:
        purse.left -= paid
    if dose.given:
        purse.used += paid
    return Row(dose, paid, purse.left, REACHED if paid < wanted else "")
