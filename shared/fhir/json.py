"""The gate every body passes before anything reads it: bytes in, one JSON object with exact decimals out.

Law of this file: refuse by size first, then depth (never recursing), then encoding, and only then decode; what is
refused is said with every issue and never with a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, islice
from typing import Any, Never

import orjson

from shared.fhir.outcomes import Issue

LIMIT = 5 * 1024 * 1024
"""Bytes of a body; a Binary may be given more by its route."""

DEPTH = 64
"""Objects and arrays inside each other."""

DIGITS = 18
"""Digits of an integer: what FHIR asks decimals to keep, and what fits 64 bits."""

LITERAL = 100
"""Characters of a number with a fraction or an exponent."""

EXPONENT = 400
"""A decimal exponent of this size or more is refused."""

ISSUES = 1000
"""Issues listed for one body."""

_BOM = b"\xef\xbb\xbf"
_BRACKETS = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"{[}]"))
_ESCAPED = re.compile(rb"\\(?:[bf]|u00[01]|u[dD][89a-fA-F])")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_NAME = re.compile(r"_?([A-Za-z][A-Za-z0-9]{0,63})")


class GateError(Exception):
    """A body that is not let in: `issues` say why, `status` is the HTTP status (413 for size, 400 otherwise)."""

    def __init__(self, issues: Sequence[Issue], status: int = 400) -> None:
        super().__init__(f"refused with {len(issues)} issues")
        self.issues = tuple(issues)
        self.status = status


class _Refused(ValueError):
    """Raised inside the decoder at the first forbidden thing; the careful reading then lists them all."""


def decode(body: bytes, *, limit: int = LIMIT) -> dict[str, Any]:
    """The one JSON object of a body, decimals as `Decimal`.

    Raises GateError for: more than `limit` bytes, not strict UTF-8 or a byte order mark, deeper than 64, not JSON,
    a name twice in one object, NaN and Infinity, integers over 18 digits, exponents of 400 and more, NUL and other C0
    controls or lone surrogates in strings, anything but an object.
    """
    text = _text(body, limit)
    try:
        decoded = _DECODER.decode(text)
    except _Refused:
        raise GateError(list(islice(_issues(text), ISSUES))) from None
    except json.JSONDecodeError as error:
        raise _refusal("structure", f"not JSON: line {error.lineno}, column {error.colno}") from None
    if not isinstance(decoded, dict):
        raise _refusal("structure", "a resource is a JSON object")
    if _ESCAPED.search(body) and (issues := list(islice(_issues(text), ISSUES))):
        raise GateError(issues)
    return decoded


def encode(resource: Mapping[str, Any]) -> bytes:
    """The JSON of a resource; decimals keep value and precision, `1.10` stays `1.10`."""
    return orjson.dumps(resource, default=_exact)


def _text(body: bytes, limit: int) -> str:
    """The decoded text of a body whose size, encoding and depth are right."""
    if len(body) > limit:
        raise _refusal("too-long", f"larger than {limit} bytes", 413)
    if body.startswith(_BOM):
        raise _refusal("structure", "starts with a byte order mark; plain UTF-8 is expected")
    if body.count(b"{") + body.count(b"[") > DEPTH and depth(body) > DEPTH:
        raise _refusal("structure", f"nested deeper than {DEPTH}")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal("structure", f"not UTF-8 at byte {error.start}") from None


def depth(body: bytes) -> int:
    """The deepest nesting of brackets outside strings: every step is one pass in C, whatever the body."""
    outside = b"".join(body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    steps = outside.translate(_BRACKETS, _NOT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _refusal(code: str, diagnostics: str, status: int = 400) -> GateError:
    return GateError((Issue(code, "", diagnostics),), status)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused
    return found


def _integer(literal: str) -> int:
    if _oversized_integer(literal):
        raise _Refused
    return int(literal)


def _decimal(literal: str) -> Decimal:
    if _oversized_decimal(literal):
        raise _Refused
    return Decimal(literal)


def _constant(_literal: str) -> Never:
    raise _Refused


def _oversized_integer(literal: str) -> bool:
    return len(literal.lstrip("-")) > DIGITS


def _oversized_decimal(literal: str) -> bool:
    digits = literal.lower().partition("e")[2].lstrip("+-").lstrip("0")
    return len(literal) > LITERAL or len(digits) > 3 or (digits != "" and int(digits) >= EXPONENT)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)


# The careful reading, only for bodies that look wrong: names and numbers as they were written, then one walk.
class _Pairs(list[tuple[str, Any]]):
    """An object with the names as they were written, twice where they were written twice."""


class _Integer(str):
    """An integer as it was written."""


class _Decimal(str):
    """A number with a fraction or an exponent as it was written."""


class _Constant(str):
    """NaN or an infinity."""


_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_Integer, parse_float=_Decimal, parse_constant=_Constant
)


def _issues(text: str) -> Iterator[Issue]:
    """Every forbidden thing of a body that is JSON, with its path."""
    try:
        tree = _CAREFUL.decode(text)
    except json.JSONDecodeError as error:
        yield Issue("structure", "", f"not JSON: line {error.lineno}, column {error.colno}")
        return
    waiting: list[tuple[str, Any]] = [(_root(tree), tree)]
    while waiting:
        path, node = waiting.pop()
        yield from _wrong(path, node)
        waiting.extend(reversed(list(_children(path, node))))


def _root(tree: Any) -> str:
    """The resource type a path begins with."""
    pairs = tree if isinstance(tree, _Pairs) else ()
    return next((value for name, value in pairs if name == "resourceType" and _safe(value)), "")


def _children(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, _Pairs):
        yield from ((_joined(path, name), value) for name, value in node)
    elif isinstance(node, list):
        yield from ((f"{path}[{at}]", value) for at, value in enumerate(node))


def _wrong(path: str, node: Any) -> Iterator[Issue]:
    """What is wrong with one node itself."""
    if isinstance(node, _Pairs):
        yield from _wrong_names(path, node)
    elif isinstance(node, _Constant):
        yield Issue("value", path, "NaN and infinities are not JSON numbers")
    elif isinstance(node, _Integer):
        if _oversized_integer(node):
            yield Issue("value", path, f"an integer of more than {DIGITS} digits")
    elif isinstance(node, _Decimal):
        if _oversized_decimal(node):
            yield Issue(
                "value", path, f"a number of more than {LITERAL} characters or an exponent of {EXPONENT} or more"
            )
    elif isinstance(node, str) and _FORBIDDEN.search(node):
        yield Issue("value", path, "a control character or half a surrogate pair in a string")


def _wrong_names(path: str, pairs: _Pairs) -> Iterator[Issue]:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            yield Issue("structure", _joined(path, name), "the same name twice in one object")
        if _FORBIDDEN.search(name):
            yield Issue("value", path, "a control character or half a surrogate pair in the name of an element")
        seen.add(name)


def _safe(name: Any) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _joined(path: str, name: str) -> str:
    """The path of a child; a name that cannot be one of FHIR's is left out, for it may be anything."""
    known = _NAME.fullmatch(name)
    return path if known is None else f"{path}.{known[1]}".lstrip(".")


def _exact(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(_literal(value))
    raise TypeError(f"{type(value).__name__} has no place in a resource")


def _literal(value: Decimal) -> str:
    """Plain digits where they say the precision, else the exponent form: both are legal JSON."""
    exponent = value.as_tuple().exponent
    return format(value, "f") if isinstance(exponent, int) and -LITERAL // 2 < exponent <= 0 else str(value)
