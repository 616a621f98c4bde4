"""The gate lets in one JSON object with exact decimals, and answers everything else with GateError."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fhir.json import DEPTH, GateError, decode, depth, encode


def refusal(body: bytes, **options: int) -> GateError:
    with pytest.raises(GateError) as caught:
        decode(body, **options)
    return caught.value


def said(body: bytes) -> list[tuple[str, str]]:
    return [(issue.code, issue.expression) for issue in refusal(body).issues]


@pytest.mark.parametrize(
    "text", ["1.10", "0.0000001", "-0.00", "100.000", "3.14159265358979323846", "5", "1.0E+5", "1E-60"]
)
def test_a_number_comes_back_as_it_was_written(text: str) -> None:
    assert encode(decode(b'{"value":%s}' % text.encode())) == b'{"value":%s}' % text.encode()


@pytest.mark.parametrize("text", ["1e5", "1.0e-5", "12E2"])
def test_an_exponent_keeps_value_and_precision_and_is_legal_json(text: str) -> None:
    [value] = json.loads(encode(decode(b'{"value":%s}' % text.encode())), parse_float=Decimal).values()
    assert Decimal(value).as_tuple() == Decimal(text).as_tuple()


def test_encoding_refuses_what_has_no_place_in_a_resource() -> None:
    with pytest.raises(TypeError):
        encode({"value": Decimal("NaN")})
    with pytest.raises(TypeError):
        encode({"value": object()})


def test_a_body_of_the_limit_is_let_in_and_one_byte_more_is_too_long() -> None:
    assert decode(b'{"a":1}', limit=7) == {"a": 1}
    error = refusal(b'{"a":1}', limit=6)
    assert (error.status, error.issues[0].code) == (413, "too-long")


@pytest.mark.parametrize(("levels", "let_in"), [(DEPTH - 1, True), (DEPTH, True), (DEPTH + 1, False)])
def test_nesting_is_let_in_to_the_limit(levels: int, let_in: bool) -> None:
    body = b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    if let_in:
        assert decode(body)
    else:
        assert said(body) == [("structure", "")]


def test_a_hundred_thousand_brackets_are_refused_without_recursion() -> None:
    assert said(b"[" * 100_000) == [("structure", "")]
    assert said(b'{"a":' * 100_000) == [("structure", "")]


def test_brackets_inside_strings_do_not_nest() -> None:
    assert decode(b'{"a":"' + b'\\"[{' * 100 + b'\\\\"}') == {"a": '"[{' * 100 + "\\"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"   ", b"{", b'{"a":1', b"{'a':1}", b'{"a":1}x', b"\xef\xbb\xbf{}", b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"[]", b'"a"', b"null", b'{"a":"\x01"}', b'{"a":01}', b'{"a":.5}', b'{"a":+1}', b"\xff\xfe{\x00}\x00",
    ],
)  # fmt: skip
def test_what_is_not_one_json_object_in_utf8_is_refused(body: bytes) -> None:
    error = refusal(body)
    assert (error.status, error.issues[0].code) == (400, "structure")


def test_every_forbidden_thing_is_named_with_its_place() -> None:
    body = (
        b'{"resourceType":"Patient","id":"a","id":"b","name":[{"family":"\\u0000"},{"_given":["\\ud800"]}],'
        b'"x":NaN,"y":-Infinity,"multipleBirthInteger":1234567890123456789,"z":1e400}'
    )
    assert said(body) == [
        ("structure", "Patient.id"),
        ("value", "Patient.name[0].family"),
        ("value", "Patient.name[1].given[0]"),
        ("value", "Patient.x"),
        ("value", "Patient.y"),
        ("value", "Patient.multipleBirthInteger"),
        ("value", "Patient.z"),
    ]


@pytest.mark.parametrize(
    ("literal", "let_in"),
    [
        ("999999999999999999", True), ("-999999999999999999", True), ("1000000000000000000", False),
        ("1e399", True), ("1e400", False), ("1e-399", True), ("1e-400", False), ("1e99999999999999999999", False),
        ("0." + "1" * 98, True), ("0." + "1" * 99, False), ("9" * 5000, False), ("1e0000000000399", True),
    ],
)  # fmt: skip
def test_numbers_are_let_in_to_their_limits(literal: str, let_in: bool) -> None:
    body = b'{"a":%s}' % literal.encode()
    if let_in:
        assert decode(body)["a"] == Decimal(literal)
    else:
        assert said(body) == [("value", "a")]


@pytest.mark.parametrize("escape", ["\\u0000", "\\b", "\\f", "\\u001f", "\\ud800", "\\udc00", "\\ud83dx"])
def test_controls_and_half_surrogates_are_refused_in_values_and_names(escape: str) -> None:
    assert said(b'{"a":["ok","%s"]}' % escape.encode()) == [("value", "a[1]")]
    assert said(b'{"%s":1}' % escape.encode()) == [("value", "")]


@pytest.mark.parametrize("text", ["\\n\\r\\t", "\\ud83d\\ude00", "\\\\b \\\\u0000", "\\u00e9", "é😀"])
def test_ordinary_escapes_are_let_in(text: str) -> None:
    body = f'{{"a":"{text}"}}'.encode()
    assert decode(body) == json.loads(body)


def test_a_name_that_may_be_a_value_is_not_repeated() -> None:
    error = refusal(b'{"Jane Roe 1970-01-01":1,"Jane Roe 1970-01-01":2}')
    assert "Jane" not in str(error) + str(error.issues)


def test_at_most_a_thousand_issues_are_listed() -> None:
    assert len(refusal(b'{"a":[' + b'"\\u0001",' * 2000 + b"1]}").issues) == 1000


texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18) + 1, 10**18 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def answer(body: bytes) -> dict[str, Any] | GateError:
    try:
        return decode(body)
    except GateError as error:
        return error


@given(st.dictionaries(texts, values, max_size=4))
def test_every_legal_object_passes_and_comes_back(value: dict[str, Any]) -> None:
    body = json.dumps(value, ensure_ascii=True).encode()
    assert decode(body) == value
    assert decode(encode(value)) == value


@given(st.binary(max_size=300) | st.text('{}[]":,\\u0dDeE+-.19abnNtr ', max_size=200).map(str.encode))
def test_no_body_brings_out_anything_but_a_gate_error(body: bytes) -> None:
    found = answer(body)
    assert isinstance(found, dict) or (found.issues and found.status == 400)


@given(values, st.data())
def test_a_cut_or_changed_body_never_raises_anything_else(value: Any, data: st.DataObject) -> None:
    body = bytearray(json.dumps({"a": value}).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    found = answer(bytes(body[: data.draw(st.integers(at, len(body)))]))
    assert isinstance(found, dict) or (found.issues and found.status == 400)


@given(values)
def test_depth_is_that_of_the_decoded_value(value: Any) -> None:
    def nested(item: Any) -> int:
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        return 0 if inner is None else 1 + max(map(nested, inner), default=0)

    assert depth(json.dumps(value).encode()) == nested(value)
