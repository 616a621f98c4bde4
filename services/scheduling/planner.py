"""Finds the earliest start a visit can have: a free chair, a nurse on shift within her ratio, inside opening hours.

Law of this file: pure, and no vocabulary but chairs, nurses and five-minute cells.

A nurse is divided into `Staffing.whole` shares; a visit of some acuity takes its share of her in every cell. Visits of
one acuity therefore meet exactly the ratio of that acuity, and mixed ones never add up to more than one nurse. Because
each share is a seat of its own, a unique key on (resource, cell, seat) guards chair, ratio and starts without counting:
even two plans made on the same stale picture cannot both be stored. The seats of a visit may change from cell to cell,
so no share is lost to fragmentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_

from shared.core import Seat
from shared.settings import InfusionSite, Nurse
from shared.visits.cells import CELL, Occupied, bits, cell_of, cells, instant_of, room, span


@dataclass(frozen=True, slots=True)
class Staffing:
    """What a nurse can carry: shares she has, share a visit takes by acuity, minutes between two of her starts."""

    whole: int
    shares: Mapping[int, int]
    minutes_between_starts: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for: so many minutes, of this acuity, from an instant to a last local day, outside `elsewhere`."""

    minutes: int
    acuity: int
    not_before: datetime
    last_day: date
    elsewhere: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A chair, a nurse and a start (UTC) with the nurse's seats in every cell."""

    chair: int
    nurse: str
    start: datetime
    minutes: int
    seats: tuple[tuple[int, ...], ...]

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class _Day:
    """One open day: its first cell, its length in cells, and what is taken."""

    site: InfusionSite
    on: date
    begin: int
    length: int
    occupied: Occupied

    def busy(self, resource: str, seats_allowed: int = 0) -> int:
        """Bits of the cells in which more seats than allowed are taken."""
        taken = self.occupied.get(resource, {})
        if len(taken) < self.length:
            found = ((cell - self.begin, seats) for cell, seats in taken.items())
            return sum(1 << c for c, seats in found if 0 <= c < self.length and seats.bit_count() > seats_allowed)
        cells = ((c, taken.get(self.begin + c, 0)) for c in range(self.length))
        return sum(1 << c for c, seats in cells if seats.bit_count() > seats_allowed)


def chair_resource(site: str, chair: int) -> str:
    return f"chair/{site}/{chair}"


def nurse_resource(site: str, nurse: str) -> str:
    return f"nurse/{site}/{nurse}"


def start_resource(site: str, nurse: str) -> str:
    return f"nurse-start/{site}/{nurse}"


def resources(site: InfusionSite) -> tuple[str, ...]:
    """Every capacity resource of a site."""
    chairs = tuple(chair_resource(site.id, n) for n in range(1, site.chairs + 1))
    nurses = (r for n in site.nurses for r in (nurse_resource(site.id, n.id), start_resource(site.id, n.id)))
    return (*chairs, *nurses)


def seats(site: str, place: Place, minutes_between_starts: int) -> tuple[Seat, ...]:
    """Every seat a place takes: its chair, its share of the nurse, and the nurse's time for a start."""
    first = cell_of(place.start)
    chair = (Seat(chair_resource(site, place.chair), first + c) for c in range(cells(place.minutes)))
    nurse = (Seat(nurse_resource(site, place.nurse), first + c, s) for c, row in enumerate(place.seats) for s in row)
    start = (Seat(start_resource(site, place.nurse), first + c) for c in range(cells(minutes_between_starts)))
    return (*chair, *nurse, *start)


def hours(site: InfusionSite, on: date) -> tuple[int, int] | None:
    """First cell and cell after the last of an open day, None on a closed one; local time, so safe across DST."""
    open_ = site.hours.get(on.weekday())
    return None if open_ is None or on in site.closed_on else span(site.time_zone, on, *open_)


def earliest(site: InfusionSite, wish: Wish, staffing: Staffing, taken: Occupied) -> Place | None:
    """The earliest place for a wish; of equal starts the lowest chair and the nurse with the least work that day."""
    for on in _days(wish.not_before.astimezone(site.time_zone).date(), wish.last_day):
        if (opened := hours(site, on)) is not None:
            day = _Day(site, on, opened[0], opened[1] - opened[0], taken)
            if (place := _on_day(day, wish, staffing)) is not None:
                return place
    return None


def _on_day(day: _Day, wish: Wish, staffing: Staffing) -> Place | None:
    needed = cells(wish.minutes)
    chairs = {n: room(day.busy(chair_resource(day.site.id, n)), day.length, needed) for n in _chairs(day)}
    nurses = {n.id: _starts(day, n, needed, wish.acuity, staffing) for n in day.site.nurses}
    free = _any(chairs.values()) & _any(nurses.values()) & _own_time(day, wish, needed)
    if not free:
        return None
    first = (free & -free).bit_length() - 1
    chair = next(n for n, starts in chairs.items() if starts >> first & 1)
    nurse = min((n for n, starts in nurses.items() if starts >> first & 1), key=lambda n: _work(day, n))
    rows = _rows(day, nurse, day.begin + first, needed, staffing.shares[wish.acuity])
    return Place(chair, nurse, instant_of(day.begin + first), wish.minutes, rows)


def _own_time(day: _Day, wish: Wish, needed: int) -> int:
    """Bits of the starts that are late enough and do not collide with the patient's other visits."""
    not_before = -(-int(wish.not_before.timestamp()) // CELL)
    busy = (1 << min(max(not_before - day.begin, 0), day.length)) - 1
    for begins, ends in wish.elsewhere:
        busy |= bits(cell_of(begins) - day.begin, -(-int(ends.timestamp()) // CELL) - day.begin, day.length)
    return room(busy, day.length, needed)


def _starts(day: _Day, nurse: Nurse, needed: int, acuity: int, staffing: Staffing) -> int:
    """Bits of the starts one nurse can take."""
    if day.on.weekday() not in nurse.days:
        return 0
    begins, ends = span(day.site.time_zone, day.on, nurse.begins, nurse.ends)
    on_shift = bits(begins - day.begin, ends - day.begin, day.length)
    busy = day.busy(nurse_resource(day.site.id, nurse.id), staffing.whole - staffing.shares[acuity])
    gap = cells(staffing.minutes_between_starts)
    apart = room(day.busy(start_resource(day.site.id, nurse.id)), day.length + gap, gap) if gap else -1
    return room(busy | ~on_shift, day.length, needed) & apart


def _rows(day: _Day, nurse: str, first: int, needed: int, share: int) -> tuple[tuple[int, ...], ...]:
    """The lowest free seats of a nurse in every cell."""
    taken = day.occupied.get(nurse_resource(day.site.id, nurse), {})
    return tuple(tuple(_lowest_free(taken.get(first + c, 0), share)) for c in range(needed))


def _lowest_free(taken: int, count: int) -> Iterator[int]:
    seat = 0
    while count:
        if not taken >> seat & 1:
            yield seat
            count -= 1
        seat += 1


def _any(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _chairs(day: _Day) -> range:
    return range(1, day.site.chairs + 1)


def _work(day: _Day, nurse: str) -> int:
    taken = day.occupied.get(nurse_resource(day.site.id, nurse), {})
    cells = range(day.begin, day.begin + day.length)
    if len(taken) < day.length:
        return sum(seats.bit_count() for cell, seats in taken.items() if cell in cells)
    return sum(taken.get(cell, 0).bit_count() for cell in cells)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
