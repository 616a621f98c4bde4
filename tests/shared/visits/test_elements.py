"""How dates are read: local days, imprecise ones, and the edges of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from shared.visits.elements import day, last_day, moment
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


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-15T04:00:00Z", datetime(2026, 11, 15, 4, tzinfo=UTC)),
        ("2026-11-15T04:00:00.5-06:00", datetime(2026, 11, 15, 10, 0, 0, 500000, UTC)),
        ("2026-11-15", datetime(2026, 11, 15, 6, tzinfo=UTC)),
        ("2026-07", datetime(2026, 7, 1, 5, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("9999-12-31T23:59:59-06:00", None),
        ("9999-12-31", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_an_instant_is_where_a_date_or_time_begins(text: str | None, at: datetime | None) -> None:
    assert moment(text, CHICAGO) == at
