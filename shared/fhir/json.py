"""The gate every body passes before anything reads it: bytes in, one JSON object with exact decimals out.

Law of this file: refuse by size first, then depth and parts (`bodies`), then encoding, and only then decode; what is
refused is said with every issue and never with a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, Never

import orjson

from shared.fhir.bodies import DEPTH, LIMIT, PARTS, GateError, depth, outside_strings, refusal, text_of
from shared.fhir.outcomes import Issue

__all__ = ["DEPTH", "LIMIT", "PARTS", "GateError", "decode", "depth", "encode"]

DIGITS = 18
"""Digits of an integer: what FHIR asks decimals to keep, and what fits 64 bits."""

LITERAL = 100
"""Characters of a number with a fraction or an exponent."""

EXPONENT = 400
"""A decimal exponent of this size or more is refused."""

ISSUES = 1000
"""Issues listed for one body."""

_ESCAPED = re.compile(rb"\\(?:[bf]|u00[01]|u[dD][89a-fA-F])")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_NAME = re.compile(r"_?([A-Za-z][A-Za-z0-9]{0,63})")
_EXPONENT = re.compile(rb"[0-9][eE]")
_LONG = re.compile(rb"[0-9]{19}")


class _Refused(ValueError):
    """Raised inside the decoder at the first forbidden thing; the careful reading then lists them all."""


def decode(body: bytes, *, limit: int = LIMIT, parts: int | None = PARTS, listed: int = ISSUES) -> dict[str, Any]:
    """The one JSON object of a body, decimals as `Decimal`.

    parts  how many are let in, and ten times as many bytes beside documents: runs of 64 KiB and more of unbroken
           base64. None: the body is of our own processes, and only `limit` counts.
    listed how many issues are looked for; 0 where nobody is told them.

    Raises GateError for: more than `limit` bytes or `parts`, not strict UTF-8 or a byte order mark, deeper than 64, not
    JSON, a name twice in one object, NaN and Infinity, integers over 18 digits, exponents of 400 and more, NUL and
    other C0 controls or lone surrogates in strings, anything but an object.
    """
    text, documents = text_of(body, limit, parts)
    if not documents and (plain := _plain(body, text)) is not None:
        return plain
    try:
        decoded = _decoder(documents).decode(text)
    except _Refused:
        raise GateError(list(islice(_issues(text), listed))) from None
    except json.JSONDecodeError as error:
        raise refusal("structure", f"not JSON: line {error.lineno}, column {error.colno}") from None
    if not isinstance(decoded, dict):
        raise refusal("structure", "a resource is a JSON object")
    if _ESCAPED.search(body) and (issues := list(islice(_found(decoded), max(listed, 1)))):
        raise GateError(issues)
    return decoded


def decode_own(text: str | bytes) -> dict[str, Any]:
    """The object of a text that `encode` has written, decimals as `Decimal`; nothing is checked."""
    body = text.encode() if isinstance(text, str) else text
    decoded: dict[str, Any] = _OWN.decode(body.decode()) if _has_decimals(body) else orjson.loads(body)
    return decoded


def _plain(body: bytes, text: str) -> dict[str, Any] | None:
    """What a body says that is written exactly as we write; None of any other, which is read with care.

    Written again it must be the same bytes: so no name stood twice in an object, and no number was changed.
    """
    if not body.startswith(b"{") or (b"\\" in body and _ESCAPED.search(body)):
        return None
    if any(_LONG.search(outside) for outside in outside_strings(body)):
        return None
    try:
        decoded: dict[str, Any] = _EXACT.decode(text) if _has_decimals(body) else orjson.loads(body)
        return decoded if encode(decoded) == body else None
    except (ValueError, TypeError, ArithmeticError):
        return None


def _has_decimals(body: bytes) -> bool:
    """Whether a number has a fraction or an exponent."""
    return any(b"." in outside or _EXPONENT.search(outside) for outside in outside_strings(body))


def encode(resource: Mapping[str, Any]) -> bytes:
    """The JSON of a resource; decimals keep value and precision, `1.10` stays `1.10`."""
    return orjson.dumps(resource, default=_exact)


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
_OWN, _EXACT = json.JSONDecoder(parse_float=Decimal), json.JSONDecoder(parse_float=_decimal)


def _decoder(documents: Mapping[str, str]) -> json.JSONDecoder:
    """The decoder of a text, which puts documents back in the place of their marks."""
    if not documents:
        return _DECODER

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return _object([(name, documents.get(item, item) if item.__class__ is str else item) for name, item in pairs])

    return json.JSONDecoder(object_pairs_hook=whole, parse_int=_integer, parse_float=_decimal, parse_constant=_constant)


_INNOCENT = frozenset((int, float, Decimal, bool, type(None)))
"""Types of what the decoder let in."""


# The careful reading, only for bodies that look wrong: names and numbers as they were written, then one walk.
class _Pairs(list[tuple[str, Any]]):
    """An object with the names as they were written, twice where they were written twice."""

    __slots__ = ()


class _Integer(str):
    """An integer as it was written."""

    __slots__ = ()


class _Decimal(str):
    """A number with a fraction or an exponent as it was written."""

    __slots__ = ()


class _Constant(str):
    """NaN or an infinity."""

    __slots__ = ()


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
    yield from _found(tree)


def _found(tree: Any) -> Iterator[Issue]:
    """Every forbidden thing of what was decoded; only where one is, and on the way there, a place gets its words."""
    root = _root(tree)
    yield from _wrong(root, tree)
    waiting = [(root, _steps(tree))]
    while waiting:
        path, steps = waiting[-1]
        for step, node in steps:
            if node.__class__ in _INNOCENT or (node.__class__ is str and not _FORBIDDEN.search(node)):
                continue
            place = _joined(path, step) if step.__class__ is str else f"{path}[{step}]"
            yield from _wrong(place, node)
            if isinstance(node, list | dict):
                waiting.append((place, _steps(node)))
                break
        else:
            waiting.pop()


def _pairs(node: Any) -> Iterable[tuple[str, Any]]:
    """The members of an object."""
    return node.items() if isinstance(node, dict) else node if isinstance(node, _Pairs) else ()


def _root(tree: Any) -> str:
    """The resource type a path begins with."""
    return next((value for name, value in _pairs(tree) if name == "resourceType" and _safe(value)), "")


def _steps(node: Any) -> Iterator[tuple[Any, Any]]:
    """(name or number, value) of what is inside."""
    return (
        iter(_pairs(node))
        if isinstance(node, _Pairs | dict)
        else enumerate(node)
        if node.__class__ is list
        else iter(())
    )


def _wrong(path: str, node: Any) -> Iterator[Issue]:
    """What is wrong with one node itself."""
    if isinstance(node, _Pairs | dict):
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


def _wrong_names(path: str, node: _Pairs | dict[str, Any]) -> Iterator[Issue]:
    seen: set[str] = set()
    for name, _ in _pairs(node):
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
