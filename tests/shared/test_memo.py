"""What is worked out once of a value nobody changes."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from shared.memo import LARGEST, MOST, of_each


class Record(dict[str, Any]):
    """A resource of which it can be seen whether it is still there."""


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("x" * (LARGEST - 10), True),
        ("x" * (LARGEST + 1), False),
        ([{"data": "x" * (LARGEST // 2)}, {"data": ["x" * (LARGEST // 2)]}, "xxx"], False),
        ([0] * (LARGEST + 1), False),
    ],
)
def test_no_large_value_is_kept_alive_for_its_answer(content: Any, kept: bool) -> None:
    @of_each
    def kind(record: Record) -> int:
        return len(record)

    record = Record(content=content)
    seen = weakref.ref(record)
    assert kind(record) == 1
    del record
    gc.collect()
    assert (seen() is not None) == kept


def test_the_same_object_is_asked_about_once_and_an_equal_one_anew() -> None:
    asked: list[dict[str, int]] = []

    @of_each
    def total(values: dict[str, int]) -> int:
        asked.append(values)
        return sum(values.values())

    one, equal = {"a": 1}, {"a": 1}
    assert [total(one), total(one), total(equal)] == [1, 1, 1]
    assert [id(v) for v in asked] == [id(one), id(equal)]


def test_an_answer_depends_on_what_else_is_asked() -> None:
    @of_each
    def times(values: list[int], by: int) -> int:
        return values[0] * by

    values = [2]
    assert (times(values, 3), times(values, 5), times(values, 3)) == (6, 10, 6)


def test_a_failure_is_not_remembered() -> None:
    fails = [True, False]

    @of_each
    def read(values: list[int]) -> int:
        if fails.pop(0):
            raise LookupError
        return values[0]

    values = [7]
    try:
        read(values)
    except LookupError:
        assert read(values) == 7
    assert fails == []


def test_no_more_than_a_bounded_number_of_answers_is_kept_and_an_object_that_has_gone_is_never_taken_for_another() -> (
    None
):
    asked = 0

    @of_each
    def first(values: list[int]) -> int:
        nonlocal asked
        asked += 1
        return values[0]

    for number in range(MOST + 10):
        assert first([number]) == number
    oldest = [0]
    assert first(oldest) == 0
    assert asked == MOST + 11
