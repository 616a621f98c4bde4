"""Reads from the order which doses are asked for and on which days; decides nothing clinical."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.catalogue import Drug
from shared.core import Resource
from shared.dates import months_later
from shared.visits.case import Dose
from shared.visits.elements import day, last_day

MOST_DOSES = 60
"""More doses in one order than this are taken for a mistyped count."""

READ = frozenset(
    {
        "boundsPeriod",
        "count",
        "duration",
        "durationMax",
        "durationUnit",
        "extension",
        "frequency",
        "id",
        "period",
        "periodUnit",
    }
)
"""What is read of Timing.repeat; anything else there (days of the week, ranges) may mean other days."""


class Unreadable(Exception):
    """The order does not say its doses in a way that can be read; `code` says what is missing."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def doses(order: Resource, request: Resource, drug: Drug, zone: ZoneInfo) -> tuple[Dose, ...]:
    """Every dose of an order, in order of its day. Raises Unreadable."""
    late = timedelta(days=drug.window_days)
    try:
        days = ordered_days(start_of(order, zone), request.get("dosageInstruction", ()), zone)
        return tuple(Dose(n, len(days), on, on + late) for n, on in enumerate(days, start=1))
    except (ValueError, OverflowError):  # beyond the calendar
        raise Unreadable("doses-not-readable") from None


def start_of(order: Resource, zone: ZoneInfo) -> date | None:
    """The day the order asks the first dose for."""
    return day(order.get("occurrencePeriod", {}).get("start") or order.get("occurrenceDateTime"), zone)


def ordered_days(start: date | None, instructions: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> tuple[date, ...]:
    """The days of `Timing.event` or `Timing.repeat` (count, period, periodUnit), instruction after instruction.

    When the order's start lies after the first day named, the whole series keeps its intervals from that start.
    Raises Unreadable.
    """
    days: list[date] = []
    following = start
    for instruction in sorted(instructions, key=lambda i: i.get("sequence", 0)):
        found, following = _days(_timing(instruction), following, zone)
        days += found
    if not days:
        raise Unreadable("doses-not-stated")
    if len(days) > MOST_DOSES or len(set(days)) < len(days):
        raise Unreadable("doses-not-readable")
    days.sort()
    later = max(start - days[0], timedelta()) if start else timedelta()
    return tuple(d + later for d in days)


def _timing(instruction: Mapping[str, Any]) -> Mapping[str, Any]:
    """The timing of an instruction that asks for its doses without a condition, in words that are known."""
    timing: Mapping[str, Any] = instruction.get("timing") or {}
    unknown = timing.get("repeat", {}).keys() - READ
    if unknown or instruction.get("asNeededBoolean") or "asNeededCodeableConcept" in instruction:
        raise Unreadable("doses-not-readable")
    return timing


def _days(timing: Mapping[str, Any], start: date | None, zone: ZoneInfo) -> tuple[list[date], date | None]:
    """The days of one instruction, and the day the next one would begin."""
    events = [d for text in timing.get("event", ()) if (d := day(text, zone))]
    repeat = timing.get("repeat", {})
    if events and "count" not in repeat:
        return sorted(events), None
    if events or not repeat:
        raise Unreadable("doses-not-readable" if events else "doses-not-stated")
    begins = day(repeat.get("boundsPeriod", {}).get("start"), zone) or start
    if begins is None:
        raise Unreadable("start-not-stated")
    every = _interval(repeat)
    if not 0 < (count := int(repeat.get("count", 0))) <= MOST_DOSES:
        raise Unreadable("doses-not-stated" if count == 0 else "doses-not-readable")
    days = [every(begins, n) for n in range(count)]
    ends = last_day(repeat.get("boundsPeriod", {}).get("end"), zone)
    if ends is not None and days[-1] > ends:
        raise Unreadable("doses-not-readable")
    return days, every(begins, count)


_Every = Callable[[date, int], date]

_UNITS: Mapping[str, Callable[[int], _Every]] = {
    "d": lambda period: lambda begins, n: begins + timedelta(days=period * n),
    "wk": lambda period: lambda begins, n: begins + timedelta(weeks=period * n),
    "mo": lambda period: lambda begins, n: months_later(begins, period * n),
    "a": lambda period: lambda begins, n: months_later(begins, 12 * period * n),
}


def _interval(repeat: Mapping[str, Any]) -> _Every:
    """How far the n-th dose lies from the first; a single dose needs no interval."""
    if repeat.get("count") == 1:
        return _UNITS["d"](1)
    period, unit = repeat.get("period", 0), _UNITS.get(repeat.get("periodUnit", ""))
    if unit is None or period <= 0 or period != int(period) or repeat.get("frequency", 1) != 1:
        raise Unreadable("doses-not-readable")
    return unit(int(period))
