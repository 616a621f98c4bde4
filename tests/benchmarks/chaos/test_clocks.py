"""Clocks are set as libfaketime reads them, and visits are judged by the clock on the practice's wall."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.chaos.faults.clocks import CHANGES, ZONE, Clocks, outside_hours


def visit(start: str, end: str) -> dict[str, str]:
    return {"id": "sc-1", "start": start, "end": end}


@pytest.mark.parametrize(
    ("start", "end", "wrong"),
    [
        ("2027-03-13T06:30:00Z", "2027-03-13T15:00:00Z", 0),  # the day before: half past midnight to nine, in winter
        ("2027-03-14T06:30:00Z", "2027-03-14T14:00:00Z", 0),  # the hour is missing: half past midnight to nine
        ("2027-03-14T13:00:00Z", "2027-03-14T14:01:00Z", 1),
        ("2027-03-15T05:30:00Z", "2027-03-15T14:00:00Z", 0),  # the day after, in summer
        ("2027-03-15T05:29:00Z", "2027-03-15T06:30:00Z", 1),
        ("2027-11-07T05:30:00Z", "2027-11-07T15:00:00Z", 0),  # the hour comes twice
        ("2027-11-07T14:30:00Z", "2027-11-08T06:40:00Z", 1),
    ],
)
def test_a_visit_is_inside_the_hours_of_its_practice_on_days_of_23_24_and_25_hours(
    start: str, end: str, wrong: int
) -> None:
    assert len(list(outside_hours([visit(start, end)]))) == wrong


@pytest.mark.parametrize("change", CHANGES)
def test_the_clock_changes_at_the_instant_that_is_struck(change: datetime) -> None:
    second = timedelta(seconds=1)
    assert (change - second).astimezone(ZONE).utcoffset() != change.astimezone(ZONE).utcoffset()


def test_a_clock_is_set_ahead_and_behind_and_tells_by_how_much(tmp_path: Path) -> None:
    clocks = Clocks(tmp_path, "/lib/faketime.so")
    clocks.set("auth", 600)
    clocks.set("nursing", -1.5)
    assert (clocks.ahead("auth"), clocks.ahead("nursing")) == (600.0, -1.5)
    file = Path(clocks.environment("auth")["FAKETIME_TIMESTAMP_FILE"])
    assert file.read_text() == "+600.000\n"
