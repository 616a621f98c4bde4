"""Business days of a site: deadlines across weekends, closed days and changes of the clock."""

from __future__ import annotations

from datetime import date

import pytest

from shared.visits.workdays import business_days_from, next_morning, prepare_by
from tests.services.scheduling.patient import RIVERSIDE, chicago


@pytest.mark.parametrize(
    ("on", "days", "found"),
    [
        ("2026-11-23", 2, "2026-11-25"),
        ("2026-11-23", 3, "2026-11-27"),  # Thanksgiving is closed
        ("2026-11-27", 1, "2026-11-30"),
        ("2026-12-01", -2, "2026-11-27"),
        ("2026-11-30", -2, "2026-11-25"),
        ("2026-12-05", -2, "2026-12-03"),
        ("2026-12-05", 0, "2026-12-05"),
    ],
)
def test_weekends_and_closed_days_do_not_count(on: str, days: int, found: str) -> None:
    assert business_days_from(RIVERSIDE, date.fromisoformat(on), days) == date.fromisoformat(found)


def test_a_visit_is_prepared_at_its_own_clock_time_across_the_change_of_the_clock() -> None:
    spring = chicago(date(2027, 3, 15), 9)
    assert prepare_by(RIVERSIDE, spring, 2) == chicago(date(2027, 3, 11), 9)
    autumn = chicago(date(2026, 11, 2), 9)
    assert prepare_by(RIVERSIDE, autumn, 1) == chicago(date(2026, 10, 30), 9)


@pytest.mark.parametrize(("day", "hour", "next_day"), [(date(2026, 11, 1), 23, 2), (date(2026, 11, 1), 0, 2)])
def test_the_next_morning_is_a_local_one(day: date, hour: int, next_day: int) -> None:
    assert next_morning(RIVERSIDE, chicago(day, hour), 6) == chicago(date(2026, 11, next_day), 6)
