"""Counts business days of a place: Monday to Friday, without the days it is closed on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from shared.visits.case import Calendar


def is_business_day(site: Calendar, on: date) -> bool:
    """Whether a day is Monday to Friday and not one the site is closed on."""
    return on.weekday() < 5 and on not in site.closed_on


def business_days_from(site: Calendar, on: date, days: int) -> date:
    """The day so many business days after `on` (before it where `days` is negative)."""
    step = timedelta(days=1 if days > 0 else -1)
    for _ in range(abs(days)):
        on += step
        while not is_business_day(site, on):
            on += step
    return on


def prepare_by(site: Calendar, start: datetime, days: int) -> datetime:
    """When a visit must be prepared: its own local clock time, so many business days earlier; in UTC."""
    local = start.astimezone(site.time_zone)
    on = business_days_from(site, local.date(), -days)
    return datetime.combine(on, local.time(), site.time_zone).astimezone(UTC)


def next_morning(site: Calendar, at: datetime, hour: int) -> datetime:
    """The next local day of an instant at this hour, in UTC."""
    return morning(site, at.astimezone(site.time_zone).date() + timedelta(days=1), hour)


def morning(site: Calendar, on: date, hour: int) -> datetime:
    """This hour of a local day, in UTC."""
    return datetime.combine(on, time(hour), site.time_zone).astimezone(UTC)
