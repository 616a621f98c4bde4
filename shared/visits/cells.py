"""Counts time in cells of five minutes and reads from seats what is taken in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from shared.core import Seat

CELL = 300
"""Seconds of one cell."""

Occupied = Mapping[str, Mapping[int, int]]
"""Capacity resource -> cell -> taken seats as bits."""


def cell_of(at: datetime) -> int:
    """The cell an instant lies in."""
    return int(at.timestamp()) // CELL


def cells(minutes: int) -> int:
    """How many cells so many minutes take."""
    return -(-minutes * 60 // CELL)


def instant_of(cell: int) -> datetime:
    """When a cell begins, in UTC."""
    return datetime.fromtimestamp(cell * CELL, UTC)


def occupied(taken: Iterable[Seat]) -> Occupied:
    """Seats indexed by resource and cell."""
    found: dict[str, dict[int, int]] = {}
    for seat in taken:
        row = found.setdefault(seat.resource, {})
        row[seat.cell] = row.get(seat.cell, 0) | 1 << seat.seat
    return found


def room(busy: int, length: int, needed: int) -> int:
    """Bits of the starts from which `needed` cells in a row are free, within `length` cells."""
    run, have = ~busy & ((1 << length) - 1), 1
    while have < needed:
        step = min(have, needed - have)
        run &= run >> step
        have += step
    return run


def bits(begins: int, ends: int, length: int) -> int:
    """Bits from `begins` to before `ends`, cut to `length`."""
    begins, ends = max(begins, 0), min(max(ends, 0), length)
    return (1 << ends) - (1 << begins) if begins < ends else 0


def span(zone: ZoneInfo, on: date, begins: time, ends: time) -> tuple[int, int]:
    """Local times of a day as first whole cell and cell after the last whole one; safe across DST."""
    first, last = (int(datetime.combine(on, t, zone).timestamp()) for t in (begins, ends))
    return -(-first // CELL), last // CELL
