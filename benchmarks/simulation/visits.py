"""What must be so of every visit that holds or is booked: when, where, and with nothing lacking past its deadline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.core import Resource
from shared.home import HomeNurse
from shared.settings import InfusionSite, Nurse, Site
from shared.visits.elements import identified
from shared.visits.workdays import prepare_by

CELL = 300
"""Seconds for which a seat is taken at a time."""
SHARES = 12
"""Shares a nurse has (docs/journey.md)."""
PREPARED = 2
"""Business days before its start by which what a visit in a chair lacks has been asked about."""
GIVEN_UP = timedelta(minutes=120)
"""Before its start a visit at home that lacks something gives its time up."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visit is that holds capacity; `seats` are those of its nurse, cell by cell."""

    start: datetime
    end: datetime
    site: str
    chair: str
    nurse: str
    seats: frozenset[tuple[int, int]]

    @property
    def home(self) -> bool:
        return not self.chair


def place_of(appointment: Resource) -> Place:
    """Where a visit is, as its Appointment says."""
    start = datetime.fromisoformat(appointment["start"])
    nurse = _who(appointment, "nurse") or _who(appointment, "home-nurse") or {}
    seats: dict[str, Any] = next((e for e in nurse.get("extension", ()) if e["url"].endswith("/nurse-seats")), {})
    return Place(
        start,
        datetime.fromisoformat(appointment["end"]),
        _named(appointment, "site"),
        _named(appointment, "chair"),
        _named(appointment, "nurse") or _named(appointment, "home-nurse"),
        frozenset(_seats(start, seats.get("valueString", ""))),
    )


def _who(appointment: Resource, kind: str) -> dict[str, Any] | None:
    return next((p for p in appointment["participant"] if "actor" in p and identified(p["actor"], kind)), None)


def _named(appointment: Resource, kind: str) -> str:
    found = _who(appointment, kind)
    return (identified(found["actor"], kind) or "") if found else ""


def _seats(start: datetime, text: str) -> Iterator[tuple[int, int]]:
    """(cell, seat) of `<cells>:<seat>,<seat> ...`."""
    cell = int(start.timestamp()) // CELL
    for run in text.split():
        count, _, row = run.partition(":")
        for _ in range(int(count)):
            yield from ((cell, int(seat)) for seat in row.split(","))
            cell += 1


def clashes(place: Place, others: list[Place]) -> Iterator[str]:
    """What a visit takes that another has: its chair, its nurse's way, seats of its nurse."""
    beside = [p for p in others if p.start < place.end and place.start < p.end]
    if place.chair and any(p.chair == place.chair for p in beside):
        yield "two patients in one chair at once"
    same = [p for p in beside if place.nurse and p.nurse == place.nurse and p.home == place.home]
    if place.home and same:
        yield "a nurse in two homes at once"
    taken = {seat for p in same for seat in p.seats}
    if taken & place.seats or any(seat >= SHARES for _, seat in place.seats):
        yield "more patients for a nurse than the ratio allows"


def illegal(site: Site, appointment: Resource) -> Iterator[str]:
    """What is wrong with a visit's time: by its zone, its site's hours, its nurse's shift, also where clocks change."""
    place = place_of(appointment)
    zone, opened, nurses = _hours(site, place)
    start, end = place.start.astimezone(zone), place.end.astimezone(zone)
    if (start.utcoffset(), end.utcoffset()) != (place.start.utcoffset(), place.end.utcoffset()):
        yield "a visit's time has an offset its place does not have on that day"
    if place.end - place.start != timedelta(minutes=appointment["minutesDuration"]):
        yield "a visit's minutes are not those between its start and its end"
    if opened is not None and not _is_open(opened, start, end):
        yield "a visit outside the hours of its site"
    nurse = next((n for n in nurses if n.id == place.nurse), None)
    if nurse is not None and not _on_shift(nurse, start, end):
        yield "a visit outside the shift of its nurse"


def _hours(site: Site, place: Place) -> tuple[ZoneInfo, InfusionSite | None, Sequence[Nurse | HomeNurse]]:
    if place.chair:
        found = site.site(place.site)
        assert found is not None
        return found.time_zone, found, found.nurses
    assert site.home is not None
    return site.home.time_zone, None, site.home.nurses


def _is_open(site: InfusionSite, start: datetime, end: datetime) -> bool:
    hours = site.hours.get(start.weekday())
    return (
        hours is not None and start.date() not in site.closed_on and hours[0] <= start.time() <= end.time() <= hours[1]
    )


def _on_shift(nurse: Nurse | HomeNurse, start: datetime, end: datetime) -> bool:
    return start.weekday() in nurse.days and nurse.begins <= start.time() <= end.time() <= nurse.ends


def is_on_changing_day(site: Site, appointment: Resource) -> bool:
    """Whether clocks change on the day of a visit, in the zone of its place."""
    place = place_of(appointment)
    zone = _hours(site, place)[0]
    day = place.start.astimezone(zone).replace(hour=0, minute=0, tzinfo=None)
    return day.replace(tzinfo=zone).utcoffset() != (day + timedelta(days=1)).replace(tzinfo=zone).utcoffset()


# Deadlines


def lacking(appointment: Resource) -> Mapping[str, str]:
    """Requirement -> deadline of all that is unmet."""
    found = {}
    for one in appointment.get("extension", ()):
        if one["url"].endswith("/visit-readiness"):
            parts = {p["url"]: p.get("valueCode", "") for p in one["extension"]}
            if parts["status"] == "unmet":
                found[parts["requirement"]] = parts["deadline"]
    return found


def deadline(site: Site, place: Place) -> datetime:
    """Until when a booked visit may lack something without anything being done about it."""
    if place.home:
        return place.start - GIVEN_UP
    found = site.site(place.site)
    assert found is not None
    return prepare_by(found, place.start, PREPARED)


def overdue(site: Site, appointment: Resource, tasks: list[Resource], now: datetime) -> Iterator[str]:
    """What a booked visit lacks past its deadline, with nobody asked: a person may keep it, silence may not."""
    lacks = lacking(appointment) if appointment["status"] == "booked" else {}
    if not lacks or now <= deadline(site, place := place_of(appointment)):
        return
    asked = any(t.get("focus", {}).get("reference") == f"Appointment/{appointment['id']}" for t in tasks)
    if place.home or not asked:
        where = "at home" if place.home else "in a chair"
        yield f"a visit {where} stands past its deadline with {', '.join(sorted(lacks))} unmet"
