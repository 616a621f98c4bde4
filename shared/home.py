"""Who visits patients at home: the practice's nurses, the outside agencies, the places known; checked at start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

DAYS = {name: n for n, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}

Row = TypeVar("Row", "HomeNurse", "Agency")

COMPETENCIES = frozenset(
    {
        "assessment", "blood-draw", "chemo", "cvad", "first-dose", "iv-start", "ivig", "picc-dressing", "port-access",
        "pump", "subcutaneous", "teaching",
    }
)  # fmt: skip
"""What a home nurse may be competent in: the codes of `contracts/` CodeSystem nurse-competency."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere visits begin or happen: a ZIP code, the state it lies in, degrees of its middle."""

    postal_code: str
    state: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Licence:
    """A registered nurse's licence of one state; `multistate` also lets her practice in the other compact states."""

    state: str
    multistate: bool = False


@dataclass(frozen=True, slots=True)
class HomeNurse:
    """A nurse who visits homes: where she starts from and returns to, how far she goes, when she works (local time)."""

    id: str
    licences: tuple[Licence, ...]
    competencies: frozenset[str]
    base: Place
    range_miles: float
    days: frozenset[int]
    begins: time
    ends: time


@dataclass(frozen=True, slots=True)
class Agency:
    """An outside nursing agency: the partner that reaches it, the client it answers as, where and what it can do."""

    id: str
    name: str
    partner: str
    client: str
    states: frozenset[str]
    competencies: frozenset[str]


@dataclass(frozen=True, slots=True)
class HomeNursing:
    """Home visits of the practice; `agencies` in the order in which they are asked."""

    id: str
    name: str
    time_zone: ZoneInfo
    nurses: tuple[HomeNurse, ...]
    agencies: tuple[Agency, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    closed_on: frozenset[date] = frozenset()

    def place(self, postal_code: str) -> Place | None:
        """The place of a ZIP or ZIP+4 code; None where the practice does not know it."""
        return self.places.get(postal_code.strip()[:5])

    def agency(self, agency_id: str) -> Agency | None:
        """The agency of this id."""
        return next((a for a in self.agencies if a.id == agency_id), None)


def home_nursing(document: Mapping[str, Any], partners: Iterable[str], clients: Iterable[str]) -> HomeNursing:
    """Home nursing of a site file.

    `partners` and `clients` are those the file names elsewhere. Raises ValueError: where, and what would be right.
    """
    _known(document, {"id", "name", "time_zone", "nurses", "agencies", "places", "closed_on"}, "home_nursing")
    places = {code: _place(code, row) for code, row in document["places"].items()}
    known = (frozenset(partners), frozenset(clients))
    return HomeNursing(
        id=document["id"],
        name=document["name"],
        time_zone=ZoneInfo(document["time_zone"]),
        nurses=_each_once("nurses", [_nurse(n, row, places) for n, row in enumerate(document["nurses"])]),
        agencies=_each_once("agencies", [_agency(n, row, known) for n, row in enumerate(document.get("agencies", ()))]),
        places=places,
        closed_on=frozenset(document.get("closed_on", ())),
    )


def hours(text: str, where: str) -> tuple[time, time]:
    """`08:00-17:00` as two local times. Raises ValueError."""
    begins, ends = (time.fromisoformat(t.strip()) for t in text.split("-"))
    if begins >= ends:
        raise ValueError(f"{where} {text}: the first time must be before the second")
    return begins, ends


def weekdays(names: Sequence[str], where: str) -> frozenset[int]:
    """`[mon, tue]` as numbers, Monday 0. Raises ValueError."""
    if not names or not set(names) <= set(DAYS):
        raise ValueError(f"{where}: some of {', '.join(DAYS)} would be right")
    return frozenset(DAYS[name] for name in names)


def _place(code: object, row: Mapping[str, Any]) -> Place:
    where = f"home_nursing.places.{code}"
    if not isinstance(code, str) or len(code) != 5 or not code.isdecimal():
        raise ValueError(f"{where}: a ZIP code of five digits in quotes would be right")
    place = Place(code, _state(row["state"], where), float(row["latitude"]), float(row["longitude"]))
    if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):
        raise ValueError(f"{where}: degrees, latitude -90 to 90 and longitude -180 to 180, would be right")
    return place


def _nurse(number: int, row: Mapping[str, Any], places: Mapping[str, Place]) -> HomeNurse:
    where = f"home_nursing.nurses[{number}]"
    _known(row, {"id", "licences", "competencies", "base", "range_miles", "days", "shift"}, where)
    begins, ends = hours(row["shift"], f"{where}.shift")
    if row["base"] not in places:
        raise ValueError(f"{where}.base: a ZIP code of home_nursing.places would be right")
    if not row["licences"]:
        raise ValueError(f"{where}.licences: at least one, like {{state: NE, multistate: true}}, would be right")
    if not 0 < float(row["range_miles"]) <= 300:
        raise ValueError(f"{where}.range_miles: a number of miles up to 300 would be right")
    return HomeNurse(
        id=row["id"],
        licences=tuple(_licence(licence, f"{where}.licences") for licence in row["licences"]),
        competencies=_competencies(row["competencies"], where),
        base=places[row["base"]],
        range_miles=float(row["range_miles"]),
        days=weekdays(row["days"], f"{where}.days"),
        begins=begins,
        ends=ends,
    )


def _licence(row: Mapping[str, Any], where: str) -> Licence:
    _known(row, {"state", "multistate"}, where)
    return Licence(_state(row["state"], where), bool(row.get("multistate", False)))


def _agency(number: int, row: Mapping[str, Any], known: tuple[frozenset[str], frozenset[str]]) -> Agency:
    where = f"home_nursing.agencies[{number}]"
    _known(row, {"id", "name", "partner", "client", "states", "competencies"}, where)
    if row["partner"] not in known[0]:
        raise ValueError(f"{where}.partner: one of the partners of this file would be right")
    if row["client"] not in known[1]:
        raise ValueError(f"{where}.client: one of the referrers of this file would be right: it answers as that client")
    return Agency(
        id=row["id"],
        name=row["name"],
        partner=row["partner"],
        client=row["client"],
        states=frozenset(_state(s, f"{where}.states") for s in row["states"]),
        competencies=_competencies(row["competencies"], where),
    )


def _competencies(names: Sequence[str], where: str) -> frozenset[str]:
    if unknown := sorted(set(names) - COMPETENCIES):
        known = ", ".join(sorted(COMPETENCIES))
        raise ValueError(f"{where}.competencies: {', '.join(unknown)}: some of {known} would be right")
    return frozenset(names)


def _state(text: object, where: str) -> str:
    """A state as USPS writes it; in quotes where YAML would read a truth value."""
    if not isinstance(text, str) or len(text) != 2 or not text.isupper():
        raise ValueError(f"{where}: a state of two capital letters, in quotes, would be right")
    return text


def _known(row: Mapping[str, Any], keys: set[str], where: str) -> None:
    if unknown := sorted(set(row) - keys):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; {', '.join(sorted(keys))} would be right")
    if missing := sorted(keys - set(row) - {"agencies", "closed_on", "multistate"}):
        raise ValueError(f"{where}: {', '.join(missing)} is missing")


def _each_once(name: str, rows: Sequence[Row]) -> tuple[Row, ...]:
    if len({row.id for row in rows}) != len(rows):
        raise ValueError(f"home_nursing.{name}: each id once would be right")
    return tuple(rows)
