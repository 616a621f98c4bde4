"""How dates are read: local days, imprecise ones, and the edges of the calendar."""

from __future__ import annotations

from datetime import date

import pytest

from services.scheduling.elements import day, last_day
from tests.services.scheduling.patient import CHICAGO


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-15", date(2026, 11, 15), date(2026, 11, 15)),
        ("2026-02", date(2026, 2, 1), date(2026, 2, 28)),
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-11-15T04:00:00Z", date(2026, 11, 14), date(2026, 11, 14)),
        ("2016-12-31T23:59:60Z", date(2016, 12, 31), date(2016, 12, 31)),
        ("9999-12-31T23:59:59-06:00", date(9999, 12, 31), date(9999, 12, 31)),
        ("0001-01-01T00:00:00Z", date(1, 1, 1), date(1, 1, 1)),
    ],
)
def test_a_date_is_read_as_its_first_or_last_local_day(text: str, first: date, last: date) -> None:
    assert (day(text, CHICAGO), last_day(text, CHICAGO)) == (first, last)


def test_no_text_is_no_day() -> None:
    assert (day(None, CHICAGO), last_day(None, CHICAGO)) == (None, None)
