"""Each primitive type takes what R4 says and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fhir.definitions import r4
from shared.fhir.primitives import PRIMITIVES
from shared.fhir.problems import Scope

DATES = ["2026", "2026-11", "2026-11-21", "2024-02-29", "2000-02-29", "0001-01-01", "2026-04-30", "2026-12-31"]
NO_DATES = [
    "2026-02-30",
    "2023-02-29",
    "1900-02-29",
    "2026-04-31",
    "2026-13",
    "2026-00",
    "2026-11-00",
    "2026-11-32",
    "0000",
]
SHAPES = [
    "",
    " ",
    "26",
    "20261121",
    "2026-1-1",
    "2026-11-21 ",
    " 2026",
    "2026/11/21",
    "11-21-2026",
    "２０２６",
    "2026\n",
]
INSTANTS = ["2026-11-21T23:59:60Z", "2026-11-21T00:00:00.123456789+14:00", "2026-11-21T00:00:00-13:59"]
NO_ZONE = [
    "2026-11-21T10:00:00",
    "2026-11-21T10:00",
    "2026-11-21T10:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T10:60:00Z",
]
NO_INSTANTS = [
    "2026-11-21T10:00:61Z",
    "2026-11-21T10:00:00+14:01",
    "2026-11-21t10:00:00z",
    "2026-02-30T10:00:00Z",
    "2026-11T10:00:00Z",
]
UUID = "urn:uuid:0b6c5f2e-26a5-4b0f-8f1c-1f2a3b4c5d6e"
MOST = 2**31 - 1

LEGAL: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -1, MOST, -MOST - 1],
    "unsignedInt": [0, MOST],
    "positiveInt": [1, MOST],
    "decimal": [0, 5, Decimal("1.10"), Decimal("-0.5"), Decimal("1E-9")],
    "string": ["a", " a ", "a\nb", "é😀"],
    "markdown": ["# a"],
    "code": ["a", "a b", "é"],
    "id": ["a", "A-1.b", "x" * 64],
    "uri": ["a", "urn:oid:1", "http://a/b?c#d"],
    "url": ["http://a"],
    "canonical": ["http://a|1"],
    "oid": ["urn:oid:1.2", "urn:oid:2.0.840"],
    "uuid": [UUID],
    "base64Binary": ["AAAA", "AA==", "AAA=", "AA\nAA", " AAAA "],
    "date": DATES,
    "dateTime": DATES + INSTANTS,
    "instant": INSTANTS,
    "time": ["00:00:00", "23:59:60", "10:00:00.5"],
}
ILLEGAL: dict[str, list[Any]] = {
    "boolean": ["true", 0, 1, None],
    "integer": [MOST + 1, -MOST - 2, Decimal("1.0"), "1", True],
    "unsignedInt": [-1, MOST + 1, "0", False],
    "positiveInt": [0, -1, MOST + 1, True],
    "decimal": ["1.0", True, 1.5, None],
    "string": ["", 1, None, ["a"]],
    "markdown": ["", 1],
    "code": ["", " a", "a ", "a  b", 1],
    "id": ["", "x" * 65, "a/b", "../a", "a b", "a_b", "é", "a\n", 1],
    "uri": ["", "a b", " a", "a\n", 1],
    "url": ["http://a b"],
    "canonical": ["http://a |1"],
    "oid": ["1.2", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1"],
    "uuid": [UUID.upper(), UUID[:-1], UUID.removeprefix("urn:uuid:"), "urn:uuid:" + "0" * 36],
    "base64Binary": ["", " ", "AAA", "A===", "====", "AA=A", "AA-_", 1],
    "date": [*NO_DATES, *SHAPES, *INSTANTS, 2026],
    "dateTime": [*NO_DATES, *SHAPES, *NO_ZONE, *NO_INSTANTS, 2026],
    "instant": [*DATES, *NO_ZONE, *NO_INSTANTS, 1],
    "time": ["24:00:00", "10:00", "10:00:61", "1:00:00", "10:00:00Z", 1],
}


def wrong(type_: str, value: Any) -> bool:
    return PRIMITIVES[type_](value, {}, Scope({})) is not None


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, values in LEGAL.items() for v in values])
def test_legal_values_are_taken(type_: str, value: Any) -> None:
    assert not wrong(type_, value)


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, values in ILLEGAL.items() for v in values])
def test_illegal_values_are_refused(type_: str, value: Any) -> None:
    assert wrong(type_, value)


def test_every_primitive_type_of_fhir_has_a_check() -> None:
    names = ("boolean", "instant", "xhtml", *LEGAL)
    assert all(r4().kind(name) == "primitive" for name in names)
    assert {n for n in PRIMITIVES if "/" not in n} == {*names}


@given(
    st.sampled_from(sorted(PRIMITIVES)),
    st.text() | st.text("0123456789-T:Z+. ", max_size=30) | st.integers() | st.floats(),
)
def test_no_value_brings_out_an_exception(type_: str, value: Any) -> None:
    assert wrong(type_, value) in (True, False)


@given(st.sampled_from(["date", "dateTime", "instant", "base64Binary", "id"]), st.text("Jane", min_size=4, max_size=9))
def test_a_refusal_does_not_repeat_the_value(type_: str, value: str) -> None:
    problems = PRIMITIVES[type_](f"{value}~Roe", {}, Scope({}))
    assert problems is not None
    assert "Roe" not in problems[0].diagnostics
