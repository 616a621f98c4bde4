"""Which days a FHIR date may mean."""

from __future__ import annotations

from datetime import date

import pytest

from shared.dates import day_range


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-02", date(2026, 2, 1), date(2026, 2, 28)),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
        ("2026-11-22", date(2026, 11, 22), date(2026, 11, 22)),
    ],
)
def test_a_date_means_the_days_it_leaves_open(text: str, first: date, last: date) -> None:
    assert day_range(text) == (first, last)


@pytest.mark.parametrize("text", ["", "x", "2026-13", "2026-02-30", "0000"])
def test_what_is_no_date_means_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        day_range(text)
