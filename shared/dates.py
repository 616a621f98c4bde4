"""Counts months on the calendar."""

from __future__ import annotations

from calendar import monthrange
from datetime import date


def months_later(on: date, months: int) -> date:
    """The same day so many months later, the month's last where it has no such day."""
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1]))
