"""What the watch says of visits: two in one place, at a time that is none, lacking something past a deadline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.simulation.visits import clashes, deadline, illegal, is_on_changing_day, overdue, place_of
from shared.core import CANONICAL, IDENTIFIERS, Resource
from shared.settings import ROOT, load_site

SITE = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://partners", base_url="http://carepod")


def visit(start: str, end: str, minutes: int, *, chair: int = 1, seats: str = "", unmet: str = "") -> Resource:
    """A visit in a chair of riverside with rn-alvarez, or (no chair) at home with rn-castellano."""

    def actor(kind: str, value: str, **more: Any) -> dict[str, Any]:
        return {"actor": {"identifier": {"system": f"{IDENTIFIERS}{kind}", "value": value}}, **more}

    seated = {"extension": [{"url": f"{CANONICAL}StructureDefinition/nurse-seats", "valueString": seats}]}
    in_chair = [
        actor("site", "riverside"),
        actor("chair", f"riverside/{chair}"),
        actor("nurse", "rn-alvarez", **seated),
    ]
    lacks = [("requirement", unmet), ("status", "unmet"), ("deadline", "prepare")]
    readiness = [{"url": url, "valueCode": code} for url, code in lacks]
    return {
        "resourceType": "Appointment",
        "id": "sc-1",
        "status": "booked",
        "start": start,
        "end": end,
        "minutesDuration": minutes,
        "participant": in_chair if chair else [actor("home-nurse", "rn-castellano")],
        "extension": [{"url": "x/visit-readiness", "extension": readiness}] if unmet else [],
    }


def in_chair(start: str, end: str, chair: int, seats: str) -> Resource:
    return visit(f"2026-12-01T{start}:00-06:00", f"2026-12-01T{end}:00-06:00", 10, chair=chair, seats=seats)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (in_chair("09:10", "09:20", 1, "2:0"), []),
        (in_chair("09:05", "09:15", 2, "2:3"), []),
        (in_chair("09:05", "09:15", 1, "2:3"), ["two patients in one chair at once"]),
        (in_chair("09:05", "09:15", 2, "1:9 1:0"), []),
        (in_chair("09:05", "09:15", 2, "1:0,1 1:9"), ["more patients for a nurse than the ratio allows"]),
        (in_chair("09:05", "09:15", 2, "2:12"), ["more patients for a nurse than the ratio allows"]),
    ],
)
def test_a_chair_and_each_seat_of_a_nurse_hold_one_patient_at_a_time(other: Resource, told: list[str]) -> None:
    there = place_of(in_chair("09:00", "09:10", 1, "2:0"))
    assert list(clashes(place_of(other), [there])) == told


def test_a_nurse_is_in_one_home_at_a_time() -> None:
    one = visit("2026-12-01T09:00:00-06:00", "2026-12-01T10:00:00-06:00", 60, chair=0)
    assert list(clashes(place_of(one), [place_of(one)])) == ["a nurse in two homes at once"]


SUNDAY = "2027-03-14"
"""The day on which America/Chicago goes from -06:00 to -05:00, at two in the morning."""


@pytest.mark.parametrize(
    ("start", "end", "minutes", "chair", "told"),
    [
        (f"{SUNDAY}T07:00:00-05:00", f"{SUNDAY}T08:00:00-05:00", 60, 0, []),
        (f"{SUNDAY}T07:00:00-06:00", f"{SUNDAY}T08:00:00-06:00", 60, 0, ["offset"]),
        (f"{SUNDAY}T06:30:00-05:00", f"{SUNDAY}T07:30:00-05:00", 60, 0, ["shift"]),
        (f"{SUNDAY}T09:00:00-05:00", f"{SUNDAY}T10:00:00-05:00", 60, 1, ["hours", "shift"]),
        ("2027-03-15T09:00:00-05:00", "2027-03-15T10:00:00-05:00", 50, 1, ["minutes"]),
        ("2026-11-26T09:00:00-06:00", "2026-11-26T10:00:00-06:00", 60, 1, ["hours"]),
    ],
)
def test_a_visit_is_at_a_time_its_place_has(start: str, end: str, minutes: int, chair: int, told: list[str]) -> None:
    found = list(illegal(SITE, visit(start, end, minutes, chair=chair)))
    assert len(found) == len(told)
    assert all(word in text for word, text in zip(told, found, strict=True))


def test_only_the_day_on_which_clocks_change_is_a_changing_day() -> None:
    days = ("2026-11-01", "2027-03-13", SUNDAY, "2027-03-15")
    visits = [visit(f"{day}T12:00:00-05:00", f"{day}T13:00:00-05:00", 60, chair=0) for day in days]
    assert [is_on_changing_day(SITE, v) for v in visits] == [True, False, True, False]


def test_a_visit_in_a_chair_is_asked_about_two_business_days_before_and_one_at_home_is_given_up() -> None:
    chair = visit("2026-12-01T09:00:00-06:00", "2026-12-01T10:00:00-06:00", 60, unmet="drug-on-hand")
    by = deadline(SITE, place_of(chair))
    assert by == datetime(2026, 11, 27, 15, tzinfo=UTC)
    late = datetime(2026, 11, 27, 15, 1, tzinfo=UTC)
    asked = [{"resourceType": "Task", "focus": {"reference": "Appointment/sc-1"}}]
    assert list(overdue(SITE, chair, [], by)) == []
    assert list(overdue(SITE, chair, [], late)) == [
        "a visit in a chair stands past its deadline with drug-on-hand unmet"
    ]
    assert list(overdue(SITE, chair, asked, late)) == []
    home = visit("2026-12-01T09:00:00-06:00", "2026-12-01T10:00:00-06:00", 60, chair=0, unmet="drug-delivered")
    assert list(overdue(SITE, home, asked, datetime(2026, 12, 1, 13, tzinfo=UTC))) == []
    assert len(list(overdue(SITE, home, asked, datetime(2026, 12, 1, 13, 1, tzinfo=UTC)))) == 1
