"""Fixed values are met exactly, patterns at least, and neither by a JSON value that only looks the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fhir.patterns import containing, same, told

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1),
        (1, True),
        (0, False),
        (Decimal("1.0"), Decimal("1.00")),
        (1, Decimal("1.0")),
        (1, "1"),
        (None, "a"),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([1, 2], [2, 1]),
        ([1], 1),
        ({}, []),
    ],
)
def test_what_only_looks_the_same_is_not(value: Any, expected: Any) -> None:
    assert not same(value, expected)
    assert not same(expected, value)


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": [{"b": 1, "c": 2}, {"d": 3}]}, {"a": [{"d": 3}, {"b": 1}]}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}, False),
        ({"a": Decimal("1.00")}, {"a": Decimal("1.0")}, False),
        ({"a": 1}, {"a": Decimal("1")}, True),
        ([], {"a": 1}, False),
        ({"a": {"b": 1}}, {"a": [{"b": 1}]}, False),
        (True, 1, False),
        ("a", "a", True),
    ],
)
def test_a_pattern_is_contained(value: Any, pattern: Any, expected: bool) -> None:
    assert containing(pattern)(value) is expected


@given(JSON.filter(lambda value: value is not None))
def test_every_value_is_the_same_as_itself_and_contains_itself(value: Any) -> None:
    assert same(value, value)
    assert containing(value)(value)


@given(JSON, JSON.filter(lambda value: value is not None))
def test_what_is_the_same_contains_it(value: Any, expected: Any) -> None:
    assert containing(expected)(value) or not same(value, expected)


def test_what_is_expected_is_told_in_one_short_line() -> None:
    assert (
        told({"coding": [{"system": "s", "code": "c"}], "text": "a"}) == "coding.system 's', coding.code 'c', text 'a'"
    )
    assert len(told(["long" * 100])) < 210
