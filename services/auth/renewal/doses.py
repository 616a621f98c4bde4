"""On which days the doses of an order fall: as it says them, and as its visits have them by now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from services.auth.words import day, days_after
from shared.core import Resource
from shared.visits.series import Unreadable, ordered_days


def planned_days(order: Resource, medication: Resource | None, zone: ZoneInfo) -> tuple[date, ...]:
    """The day of each dose as ordered, first to last; none where the order does not say how many there are, or when."""
    start = day((order.get("occurrencePeriod") or {}).get("start"))
    try:
        return ordered_days(start, (medication or {}).get("dosageInstruction") or (), zone)
    except (Unreadable, ValueError, OverflowError):
        return ()


def within(planned: tuple[date, ...], doses: int, days: int) -> tuple[int, ...]:
    """Numbers of the doses that fall into the first `days` days; all of them where the days are not known."""
    if len(planned) != doses:
        return tuple(range(1, doses + 1))
    return tuple(n for n, on in enumerate(planned, 1) if (on - planned[0]).days < days)


def timed(planned: tuple[date, ...], visits: Mapping[int, date]) -> tuple[date, ...]:
    """The day of each dose: its visit's where there is one, else as ordered, late by as much as the dose before it."""
    days: list[date] = []
    late = 0
    for number, on in enumerate(planned, 1):
        found = visits.get(number)
        late = max(0, (found - on).days) if found else late
        days.append(found or days_after(on, late))
    return tuple(days)
