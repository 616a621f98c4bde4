"""Counts months on the calendar, and says which days a FHIR date may mean."""

from __future__ import annotations

from calendar import monthrange
from datetime import date


def months_later(on: date, months: int) -> date:
    """The same day so many months later, the month's last where it has no such day."""
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1]))


def day_range(text: str) -> tuple[date, date]:
    """First and last day of a FHIR date: of a year, of a month, or the day itself. Raises ValueError."""
    year, month, on = (*(int(p) for p in text.split("-")), 0, 0)[:3]
    last = on or monthrange(year, month or 12)[1]
    return date(year, month or 1, on or 1), date(year, month or 12, last)
