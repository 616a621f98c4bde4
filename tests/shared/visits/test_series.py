"""The days an order asks for, read from its dosage instructions."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.catalogue import drug
from shared.dates import months_later
from shared.visits.series import MOST_DOSES, Unreadable, doses, ordered_days
from tests.services.scheduling.patient import CHICAGO, order, request

START = date(2026, 12, 1)


def days(*timings: dict[str, Any], start: date | None = START) -> list[str]:
    instructions = [{"sequence": n, "timing": t} for n, t in enumerate(timings, start=1)]
    return [d.isoformat() for d in ordered_days(start, instructions, CHICAGO)]


def test_a_repeat_counts_its_period_from_the_start() -> None:
    assert days({"repeat": {"count": 3, "period": 2, "periodUnit": "wk"}}) == ["2026-12-01", "2026-12-15", "2026-12-29"]
    assert days({"repeat": {"count": 2, "period": 7, "periodUnit": "d"}}) == ["2026-12-01", "2026-12-08"]
    assert days({"repeat": {"count": 2, "period": 1, "periodUnit": "a"}}) == ["2026-12-01", "2027-12-01"]


def test_months_are_calendar_months() -> None:
    end = date(2026, 12, 31)
    assert days({"repeat": {"count": 3, "period": 1, "periodUnit": "mo"}}, start=end) == [
        "2026-12-31",
        "2027-01-31",
        "2027-02-28",
    ]
    assert months_later(date(2028, 2, 29), 12) == date(2029, 2, 28)


def test_a_single_dose_needs_no_interval() -> None:
    assert days({"repeat": {"count": 1}}) == ["2026-12-01"]


def test_event_dates_are_taken_as_ordered_in_the_sites_own_days() -> None:
    assert days({"event": ["2026-12-15", "2026-12-02T04:00:00Z"]}) == ["2026-12-01", "2026-12-15"]


def test_a_later_start_moves_event_dates_with_their_intervals() -> None:
    assert days({"event": ["2026-11-24", "2026-12-08"]}) == ["2026-12-01", "2026-12-15"]


def test_instructions_follow_one_another() -> None:
    induction = {"event": ["2026-12-01", "2026-12-15", "2027-01-12"]}
    every_8_weeks = {"repeat": {"count": 2, "period": 8, "periodUnit": "wk", "boundsPeriod": {"start": "2027-03-09"}}}
    assert days(induction, every_8_weeks)[3:] == ["2027-03-09", "2027-05-04"]
    weekly = {"repeat": {"count": 2, "period": 1, "periodUnit": "wk"}}
    assert days(weekly, weekly) == ["2026-12-01", "2026-12-08", "2026-12-15", "2026-12-22"]


@pytest.mark.parametrize(
    ("timing", "code"),
    [
        ({}, "doses-not-stated"),
        ({"repeat": {"period": 1, "periodUnit": "wk"}}, "doses-not-stated"),
        ({"repeat": {"count": 2}}, "doses-not-readable"),
        ({"repeat": {"count": 2, "period": 1, "periodUnit": "h"}}, "doses-not-readable"),
        ({"repeat": {"count": 2, "period": 1, "periodUnit": "wk", "frequency": 2}}, "doses-not-readable"),
        ({"repeat": {"count": 2, "period": 0, "periodUnit": "wk"}}, "doses-not-readable"),
        ({"repeat": {"count": MOST_DOSES + 1, "period": 1, "periodUnit": "wk"}}, "doses-not-readable"),
        ({"event": ["2026-12-01", "2026-12-01"]}, "doses-not-readable"),
        ({"event": ["2026-12-01"], "repeat": {"count": 2, "period": 1, "periodUnit": "wk"}}, "doses-not-readable"),
        ({"repeat": {"count": 4, "period": 1, "periodUnit": "wk", "dayOfWeek": ["tue", "fri"]}}, "doses-not-readable"),
        ({"repeat": {"count": 4, "countMax": 6, "period": 1, "periodUnit": "wk"}}, "doses-not-readable"),
        ({"repeat": {"count": 2, "period": 1, "periodMax": 2, "periodUnit": "wk"}}, "doses-not-readable"),
        (
            {"repeat": {"count": 3, "period": 1, "periodUnit": "wk", "boundsPeriod": {"end": "2026-12-14"}}},
            "doses-not-readable",
        ),
    ],
)
def test_what_is_not_said_plainly_is_not_guessed(timing: dict[str, Any], code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        days(timing)
    assert refused.value.code == code


def test_a_repeat_may_end_with_its_last_dose() -> None:
    weekly = {"count": 3, "period": 1, "periodUnit": "wk", "boundsPeriod": {"end": "2026-12-15"}}
    assert days({"repeat": weekly})[-1] == "2026-12-15"


@pytest.mark.parametrize("condition", [{"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "if low"}}])
def test_a_dose_as_needed_is_not_scheduled_by_itself(condition: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="doses-not-readable"):
        ordered_days(START, [{"timing": {"repeat": {"count": 1}}} | condition], CHICAGO)


def test_an_instruction_that_says_no_days_leaves_no_dose_out_in_silence() -> None:
    with pytest.raises(Unreadable, match="doses-not-stated"):
        days({"repeat": {"count": 1}}, {})


@pytest.mark.parametrize(
    "timing",
    [
        {"event": ["9999-12-31"]},
        {"repeat": {"count": 2, "period": 10**12, "periodUnit": "wk"}},
        {"repeat": {"count": 2, "period": 9000, "periodUnit": "a"}},
    ],
)
def test_days_beyond_the_calendar_are_asked_about(timing: dict[str, Any]) -> None:
    iron = drug("iron-sucrose")
    assert iron is not None
    with pytest.raises(Unreadable, match="doses-not-readable"):
        doses(order(), request(timing), iron, CHICAGO)


def test_a_repeat_without_any_start_is_not_guessed() -> None:
    with pytest.raises(Unreadable, match="start-not-stated"):
        days({"repeat": {"count": 1}}, start=None)


def test_as_many_doses_as_an_order_may_have_are_read() -> None:
    assert len(days({"repeat": {"count": MOST_DOSES, "period": 1, "periodUnit": "d"}})) == MOST_DOSES


def test_each_dose_may_come_as_late_as_the_catalogue_allows() -> None:
    iron = drug("iron-sucrose")
    assert iron is not None
    found = doses(order(), request(), iron, CHICAGO)
    assert [(d.number, d.of, (d.last - d.on).days) for d in found] == [(1, 2, 3), (2, 2, 3)]
