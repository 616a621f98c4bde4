"""What a body will cost is seen before it is decoded: its bytes, its depth, its parts, and what of it is documents.

Law of this file: nothing here recurses, and nothing grows with a body but by its own bytes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from itertools import accumulate

from shared.fhir.outcomes import Issue

LIMIT = 5 * 1024 * 1024
"""Bytes of a body; a Binary may be given more by its route."""

PLAIN = 10
"""Bytes a body may have for each of its parts, documents not counted."""

PARTS = LIMIT // PLAIN
"""Commas, colons and opening brackets outside strings; resources of the standard have one for every 15 to 30 bytes."""

DEPTH = 64
"""Objects and arrays inside each other."""

_WINDOW = 1024 * 1024
"""Bytes of a body that are looked at at a time."""

_BOM = b"\xef\xbb\xbf"
_DOCUMENT = re.compile(rb':\s{0,8}"([A-Za-z0-9+/=]{65536,})"')
_BRACKETS = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"{[}]"))


class GateError(Exception):
    """A body that is not let in: `issues` say why, `status` is the HTTP status (413 for size, 400 otherwise)."""

    def __init__(self, issues: Sequence[Issue], status: int = 400) -> None:
        super().__init__(f"refused with {len(issues)} issues")
        self.issues = tuple(issues)
        self.status = status


def text_of(body: bytes, limit: int, parts: int | None) -> tuple[str, dict[str, str]]:
    """The decoded text of a body whose size, shape and encoding are right, and the documents that stood in it."""
    if len(body) > limit:
        raise refusal("too-long", f"larger than {limit} bytes", 413)
    if body.startswith(_BOM):
        raise refusal("structure", "starts with a byte order mark; plain UTF-8 is expected")
    documents: dict[str, str] = {}
    if parts is not None and len(body) > parts * PLAIN:
        body, documents = without_documents(body)
        if len(body) > parts * PLAIN:
            raise refusal("too-long", f"larger than {parts * PLAIN} bytes beside documents in unbroken base64", 413)
    _check_shape(body, parts)
    try:
        return body.decode("utf-8"), documents
    except UnicodeDecodeError as error:
        raise refusal("structure", f"not UTF-8 at byte {error.start}") from None


def without_documents(body: bytes) -> tuple[bytes, dict[str, str]]:
    """A body with a mark nobody can guess in the place of each document, and the documents by their marks.

    A document is all ASCII, so it costs its length; in one text with a wide character each byte would cost four.
    """
    documents: dict[str, str] = {}
    kept: list[bytes | memoryview] = []
    seen, at, mark = memoryview(body), 0, secrets.token_hex(16)
    for found in _DOCUMENT.finditer(body):
        start, end = found.span(1)
        name = f"{mark}{len(documents)}"
        documents[name] = str(seen[start:end], "ascii")
        kept += [seen[at:start], name.encode()]
        at = end
    return b"".join([*kept, seen[at:]]), documents


def abridged(body: bytes) -> bytes:
    """What a large body said beside its documents, for a person to see; at most `LIMIT` bytes of it."""

    def told(found: re.Match[bytes]) -> bytes:
        start, end = found.span(1)
        return b':"(a document, %d characters)"' % (end - start)

    return _DOCUMENT.sub(told, body)[:LIMIT]


def _check_shape(body: bytes, parts: int | None) -> None:
    """Raises where a body is too deep or has too many parts; most show by counting that they cannot."""
    opening = body.count(b"{") + body.count(b"[")
    if opening <= DEPTH and (parts is None or opening + body.count(b",") + body.count(b":") <= parts):
        return
    level = seen = 0
    for outside in outside_strings(body):
        level, deepest = _levels(outside, level)
        if deepest > DEPTH:
            raise refusal("structure", f"nested deeper than {DEPTH}")
        seen += sum(outside.count(part) for part in (b"{", b"[", b",", b":"))
        if parts is not None and seen > parts:
            raise refusal("too-costly", f"more than {parts} commas, colons and opening brackets", 413)


def depth(body: bytes) -> int:
    """The deepest nesting of brackets outside strings: every step is one pass in C, whatever the body."""
    level = deepest = 0
    for outside in outside_strings(body):
        level, here = _levels(outside, level)
        deepest = max(deepest, here)
    return deepest


def _levels(outside: bytes, level: int) -> tuple[int, int]:
    """The level of nesting after a window that began at `level`, and its deepest."""
    steps = outside.translate(_BRACKETS, _NOT_BRACKETS)
    deepest = max(accumulate(memoryview(steps).cast("b"), initial=level))
    return level + 2 * steps.count(b"\x01") - len(steps), deepest


def outside_strings(body: bytes) -> Iterator[bytes]:
    """What of a body stands outside strings, window by window, so that a look costs no more than a window."""
    left, inside = b"", 0
    for at in range(0, len(body), _WINDOW):
        window = left + body[at : at + _WINDOW]
        # A backslash and what it escapes may stand in two windows.
        left = window[-1:] if (len(window) - len(window.rstrip(b"\\"))) % 2 else b""
        window = window[: len(window) - len(left)]
        plain = window.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in window else window
        pieces = plain.split(b'"')
        yield b"".join(pieces[inside::2])
        inside = (inside + len(pieces) - 1) % 2


def refusal(code: str, diagnostics: str, status: int = 400) -> GateError:
    """A refusal with one issue, of the body as a whole."""
    return GateError((Issue(code, "", diagnostics),), status)
