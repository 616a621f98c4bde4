"""Quiet hours: at, before and after both ends, over midnight, and on the days the clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.notices.hours import allowed_from
from services.intake.service import POLICIES
from shared.policy import load_figures

CHICAGO = ZoneInfo("America/Chicago")
FIGURES = load_figures("intake", POLICIES, ["intake/notice-hours"])


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO).astimezone(UTC)


@pytest.mark.parametrize(
    "at, opens",
    [
        ("2026-11-21T07:59:59", "2026-11-21T08:00:00"),
        ("2026-11-21T08:00:00", "2026-11-21T08:00:00"),
        ("2026-11-21T20:59:59", "2026-11-21T20:59:59"),
        ("2026-11-21T21:00:00", "2026-11-22T08:00:00"),
        ("2026-11-21T23:59:59", "2026-11-22T08:00:00"),
        ("2026-11-22T00:00:00", "2026-11-22T08:00:00"),
        ("2026-10-31T22:00:00", "2026-11-01T08:00:00"),
        ("2027-03-13T22:00:00", "2027-03-14T08:00:00"),
    ],
)
def test_a_notice_waits_for_the_practices_hours(at: str, opens: str) -> None:
    assert allowed_from(local(at), CHICAGO, FIGURES) == local(opens)


def test_without_adopted_hours_there_are_none() -> None:
    at = local("2026-11-21T03:00:00")
    assert allowed_from(at, CHICAGO, load_figures("intake", POLICIES, [])) == at


@given(st.integers(0, 2 * 366 * 24 * 3600))
def test_what_is_allowed_is_never_earlier_lies_in_the_hours_and_stays(seconds: int) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)
    opens = allowed_from(at, CHICAGO, FIGURES)
    assert opens >= at
    assert 8 <= opens.astimezone(CHICAGO).hour < 21
    assert allowed_from(opens, CHICAGO, FIGURES) == opens
