"""Finds a home nurse and a start: licensed and competent, within range and hours, with time for the road between homes.

Law of this file: pure, and no vocabulary but nurses, places, seats and five-minute cells.

A visit takes three kinds of seats: the nurse's cells, so two visits can never overlap; one turn of her day, so there
are never more than so many; and a stop, whose seat is the ZIP code, so that from seats alone it is known where she
stands before and after. Time on the road takes no seat: it depends on what comes before and after, and is measured anew
at every look, under the lane of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from math import asin, ceil, cos, radians, sin, sqrt

from shared.core import Seat
from shared.home import HomeNurse, HomeNursing
from shared.home import Place as Point
from shared.visits.cells import CELL, cell_of, cells, instant_of, span

EARTH_MILES = 3958.8
"""Mean radius of the earth."""


@dataclass(frozen=True, slots=True)
class Roads:
    """The figures of the road, and the states whose multistate licences count in each other."""

    detour_factor: float
    miles_per_hour: float
    least_minutes_per_leg: int
    most_minutes_per_leg: int
    most_visits_per_day: int
    compact: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Home:
    """Where a patient lives, as his address says; empty where it does not."""

    state: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for: so many minutes at a home, by someone competent, from an instant to a last local day.

    `elsewhere` are the patient's other visits; `nurse` is who came before: the first among those of one day.
    """

    minutes: int
    home: Home
    competencies: frozenset[str]
    not_before: datetime
    last_day: date
    elsewhere: tuple[tuple[datetime, datetime], ...] = ()
    nurse: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A nurse, a start (UTC), her minutes on the road before and after, her turn of the day, and the ZIP code."""

    nurse: str
    start: datetime
    minutes: int
    travel: int
    onward: int
    turn: int
    postal_code: str

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class _Stop:
    """Cells a nurse is somewhere: from, to before, and where (None: not known)."""

    begin: int
    end: int
    at: Point | None


@dataclass(frozen=True, slots=True)
class _Book:
    """What is taken of one nurse: her cells, her stops by first cell, her turns by midnight cell."""

    cells: set[int]
    stops: dict[int, int]
    turns: dict[int, set[int]]


@dataclass(frozen=True, slots=True)
class _Look:
    """Everything one search rests on."""

    region: HomeNursing
    wish: Wish
    at: Point
    roads: Roads
    books: Mapping[str, _Book]

    def leg(self, one: Point | None, other: Point | None) -> int:
        return travel_minutes(one, other, self.roads)


def nurse_resource(region: str, nurse: str) -> str:
    return f"home-nurse/{region}/{nurse}"


def stop_resource(region: str, nurse: str) -> str:
    return f"home-stop/{region}/{nurse}"


def turn_resource(region: str, nurse: str) -> str:
    return f"home-visits/{region}/{nurse}"


def resources(region: HomeNursing) -> tuple[str, ...]:
    """Every capacity resource of a region."""
    kinds = (nurse_resource, stop_resource, turn_resource)
    return tuple(kind(region.id, nurse.id) for nurse in region.nurses for kind in kinds)


def seats(region: HomeNursing, place: Place) -> tuple[Seat, ...]:
    """Every seat a place takes: the nurse's cells, her stop, her turn of the day."""
    first, key = cell_of(place.start), (region.id, place.nurse)
    visit = (Seat(nurse_resource(*key), first + c) for c in range(cells(place.minutes)))
    midnight = _midnight(region, place.start.astimezone(region.time_zone).date())
    stop = Seat(stop_resource(*key), first, int(place.postal_code))
    return (*visit, stop, Seat(turn_resource(*key), midnight, place.turn))


def miles(one: Point, other: Point) -> float:
    """The great circle between two places."""
    north, south = radians(one.latitude), radians(other.latitude)
    across = sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_MILES * asin(sqrt(sin((south - north) / 2) ** 2 + cos(north) * cos(south) * across))


def travel_minutes(one: Point | None, other: Point | None, roads: Roads) -> int:
    """Minutes on the road, rounded up; from or to where nobody knows, the longest leg."""
    if one is None or other is None:
        return roads.most_minutes_per_leg
    minutes = miles(one, other) * roads.detour_factor / roads.miles_per_hour * 60
    return max(ceil(minutes), roads.least_minutes_per_leg)


# Who could go

_Unfit = Callable[[HomeNursing, HomeNurse, Wish, Roads], bool]


def _not_licensed(region: HomeNursing, nurse: HomeNurse, wish: Wish, roads: Roads) -> bool:
    """A registered nurse needs a licence of the patient's state, or a multistate one where both states are compact."""
    state = state_of(region, wish.home)
    own = any(licence.state == state for licence in nurse.licences)
    across = any(licence.multistate and licence.state in roads.compact for licence in nurse.licences)
    return not (own or (across and state in roads.compact))


def _not_competent(region: HomeNursing, nurse: HomeNurse, wish: Wish, roads: Roads) -> bool:
    """She must be competent in everything the visit needs."""
    return not wish.competencies <= nurse.competencies


def _out_of_range(region: HomeNursing, nurse: HomeNurse, wish: Wish, roads: Roads) -> bool:
    """The home must lie within her miles by road, and within one leg of where she starts."""
    at = region.place(wish.home.postal_code)
    if at is None:
        return True
    too_far = miles(nurse.base, at) * roads.detour_factor > nurse.range_miles
    return too_far or travel_minutes(nurse.base, at, roads) > roads.most_minutes_per_leg


_REFUSALS: Mapping[str, _Unfit] = {
    "nurse-not-licensed": _not_licensed,
    "nurse-not-competent": _not_competent,
    "home-out-of-range": _out_of_range,
}


def state_of(region: HomeNursing, home: Home) -> str:
    """The state of a home: as its address says, else the one its ZIP code lies in."""
    place = region.place(home.postal_code)
    return home.state or (place.state if place is not None else "")


def refusal(region: HomeNursing, nurse: HomeNurse, wish: Wish, roads: Roads) -> str | None:
    """Why a nurse can never make this visit: the first of licence, competence, range that fails."""
    return next((code for code, unfit in _REFUSALS.items() if unfit(region, nurse, wish, roads)), None)


def fitting(region: HomeNursing, wish: Wish, roads: Roads) -> tuple[HomeNurse, ...]:
    """The nurses who could make this visit if they had the time."""
    return tuple(nurse for nurse in region.nurses if refusal(region, nurse, wish, roads) is None)


def reason(region: HomeNursing, wish: Wish, roads: Roads) -> str:
    """Why nobody can: what is wrong with the address, else how far the best of them came, else that none has time."""
    if not wish.home.postal_code.strip():
        return "home-address-missing"
    if region.place(wish.home.postal_code) is None:
        return "home-not-on-map"
    found = {refusal(region, nurse, wish, roads) for nurse in region.nurses}
    if None in found:
        return "no-nurse-in-window"
    return next((code for code in reversed(tuple(_REFUSALS)) if code in found), "nurse-not-licensed")


def fits(region: HomeNursing, place: Place, wish: Wish, roads: Roads) -> bool:
    """Whether the nurse of a place may still make this visit, where the patient lives now."""
    nurse = next((n for n in region.nurses if n.id == place.nurse), None)
    moved = region.place(place.postal_code) != region.place(wish.home.postal_code)
    return nurse is not None and not moved and refusal(region, nurse, wish, roads) is None


# When


def earliest(region: HomeNursing, wish: Wish, taken: Iterable[Seat], roads: Roads) -> Place | None:
    """The best place of the earliest day that has one."""
    return next(iter(places(region, wish, taken, roads, most=1)), None)


def places(region: HomeNursing, wish: Wish, taken: Iterable[Seat], roads: Roads, most: int = 3) -> tuple[Place, ...]:
    """The best places, an earlier day before a later one.

    Within a day: who came before, then least added to the road, then the earliest start, then the nurse's id.
    """
    at, nurses = region.place(wish.home.postal_code), fitting(region, wish, roads)
    if at is None or not nurses:
        return ()
    look = _Look(region, wish, at, roads, _books(region, nurses, taken))
    found: list[Place] = []
    for on in _days(region, wish):
        ranked = sorted((rank, place) for nurse in nurses for rank, place in _on_day(look, nurse, on))
        found += [place for _, place in ranked]
        if len(found) >= most:
            break
    return tuple(found[:most])


def _on_day(look: _Look, nurse: HomeNurse, on: date) -> Iterator[tuple[tuple[bool, int, int, str], Place]]:
    """The earliest place in each gap of a nurse's day, with its rank."""
    book, midnight = look.books[nurse.id], _midnight(look.region, on)
    turn = next((t for t in range(look.roads.most_visits_per_day) if t not in book.turns.get(midnight, ())), None)
    if on.weekday() not in nurse.days or turn is None:
        return
    for before, after in pairwise(_stops(look, nurse, book, on)):
        first = _first_cell(look, before, after)
        if first is not None:
            legs = (look.leg(before.at, look.at), look.leg(look.at, after.at))
            start = instant_of(first)
            place = Place(nurse.id, start, look.wish.minutes, *legs, turn, look.at.postal_code)
            added = sum(legs) - look.leg(before.at, after.at)
            yield (nurse.id != look.wish.nurse, added, first, nurse.id), place


def _stops(look: _Look, nurse: HomeNurse, book: _Book, on: date) -> Sequence[_Stop]:
    """Where a nurse stands that day: at her base before her shift, at each visit, and at her base after it."""
    begins, ends = span(look.region.time_zone, on, nurse.begins, nurse.ends)
    visits = (_visit(look.region, book, cell) for cell in sorted(_starts(book, begins, ends)))
    return (_Stop(begins, begins, nurse.base), *visits, _Stop(ends, ends, nurse.base))


def _starts(book: _Book, begins: int, ends: int) -> Iterator[int]:
    """First cells of what takes a nurse between two cells; also of what nobody said the place of."""
    for cell in range(begins, ends):
        if cell in book.cells and (cell in book.stops or cell - 1 not in book.cells or cell == begins):
            yield cell


def _visit(region: HomeNursing, book: _Book, begin: int) -> _Stop:
    end = begin + 1
    while end in book.cells and end not in book.stops:
        end += 1
    code = book.stops.get(begin)
    return _Stop(begin, end, region.place(f"{code:05}") if code is not None else None)


def _first_cell(look: _Look, before: _Stop, after: _Stop) -> int | None:
    """The first cell in which the visit can begin between two stops; None where it has no room."""
    there, onward = look.leg(before.at, look.at), look.leg(look.at, after.at)
    if max(there, onward) > look.roads.most_minutes_per_leg:
        return None
    needed, last = cells(look.wish.minutes), after.begin - cells(onward)
    first = max(before.end + cells(there), -(-ceil(look.wish.not_before.timestamp()) // CELL))
    first = _past(look.wish.elsewhere, first, needed)
    return first if first + needed <= last else None


def _past(elsewhere: Iterable[tuple[datetime, datetime]], first: int, needed: int) -> int:
    """The first cell from which the patient is free for so many cells."""
    for begins, ends in sorted(elsewhere):
        if cell_of(begins) < first + needed and first * CELL < ends.timestamp():
            first = -(-ceil(ends.timestamp()) // CELL)
    return first


def _books(region: HomeNursing, nurses: Iterable[HomeNurse], taken: Iterable[Seat]) -> Mapping[str, _Book]:
    """What is taken, by nurse."""
    books = {nurse.id: _Book(set(), {}, {}) for nurse in nurses}
    keep: dict[str, Callable[[int, int], object]] = {}
    for nurse, book in books.items():
        keep[nurse_resource(region.id, nurse)] = partial(_add, book.cells)
        keep[stop_resource(region.id, nurse)] = book.stops.__setitem__
        keep[turn_resource(region.id, nurse)] = partial(_add_turn, book.turns)
    for seat in taken:
        if (kept := keep.get(seat.resource)) is not None:
            kept(seat.cell, seat.seat)
    return books


def _add(cells_of_nurse: set[int], cell: int, _seat: int) -> None:
    cells_of_nurse.add(cell)


def _add_turn(turns: dict[int, set[int]], midnight: int, turn: int) -> None:
    turns.setdefault(midnight, set()).add(turn)


def _days(region: HomeNursing, wish: Wish) -> Iterator[date]:
    """The local days of the window on which the practice visits."""
    first = wish.not_before.astimezone(region.time_zone).date()
    days = (first + timedelta(days=n) for n in range((wish.last_day - first).days + 1))
    return (on for on in days if on not in region.closed_on)


def _midnight(region: HomeNursing, on: date) -> int:
    return cell_of(datetime.combine(on, time(), region.time_zone))
