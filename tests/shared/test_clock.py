from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from shared.clock import instant, minted, stamp, uuid7

AT = datetime(2026, 3, 2, 14, 0, 0, 123456, tzinfo=UTC)


def test_an_instant_is_written_in_utc_and_comes_back() -> None:
    assert stamp(AT.astimezone(timezone(timedelta(hours=-5)))) == "2026-03-02T14:00:00.123456Z"
    assert instant(stamp(AT)) == AT


def test_stamps_sort_as_their_instants_do() -> None:
    ats = [AT, AT + timedelta(microseconds=1), AT.replace(microsecond=0), AT + timedelta(days=400)]
    assert sorted(map(stamp, ats)) == [stamp(at) for at in sorted(ats)]


def test_a_uuid7_says_when_it_was_made_and_sorts_by_it() -> None:
    first, second = uuid7(AT), uuid7(AT + timedelta(milliseconds=1))
    assert UUID(first).version == 7
    assert first < second
    assert minted(first) == AT.replace(microsecond=123000)


@pytest.mark.parametrize("text", ["", "not one", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"])
def test_other_ids_say_nothing_of_their_time(text: str) -> None:
    assert minted(text) is None
