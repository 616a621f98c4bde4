"""Whether a JSON value is a legal FHIR primitive: one check per type, the table at the foot."""

from __future__ import annotations

import re
import string
from calendar import monthrange
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from shared.fhir.narrative import unsafe
from shared.fhir.problems import Check, Problems, Scope, one

_YEAR = r"(?!0000)(\d{4})"
_DAY = r"(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_INTEGER = 2**31 - 1
_LONGEST = 1024 * 1024
"""Characters of a string, https://hl7.org/fhir/R4/datatypes.html#string."""
_SHORT = 1000
"""Characters of what is remembered."""

EMPTY = one("structure", "is empty; leave it out instead", "ele-1")


def _text(pattern: str, expected: str, remembered: int = 0) -> Check:
    """A string that matches as a whole; so many short ones that did are remembered, where few are many."""
    fullmatch = re.compile(pattern, re.ASCII).fullmatch
    matched = lru_cache(remembered)(lambda text: fullmatch(text) is not None) if remembered else fullmatch

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not str:
            return one("structure", f"must be a JSON string: {expected}")
        if len(value) > _SHORT:
            return _long(value)
        return None if matched(value) else one("value", f"must be {expected}")

    def _long(value: str) -> Problems:
        # A repeated group costs memory for each of its turns, and what is remembered stays.
        if len(value) > _LONGEST:
            return one("too-long", f"at most {_LONGEST} characters")
        return None if fullmatch(value) else one("value", f"must be {expected}")

    return check


def _calendar(pattern: str, expected: str) -> Check:
    """A string that matches as a whole and whose day exists."""
    matched = re.compile(pattern, re.ASCII).fullmatch

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not str:
            return one("structure", f"must be a JSON string: {expected}")
        found = matched(value)
        if found is None:
            return one("value", f"must be {expected}")
        year, month, day = found.groups()
        if day is None or day < "29" or int(day) <= monthrange(int(year), int(month))[1]:
            return None
        return one("value", "must be a day that exists in that month")

    return check


def _whole(lowest: int) -> Check:
    """A JSON integer of 32 bits, not below `lowest`."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not int:
            return one("structure", "must be a JSON number without fraction")
        return None if lowest <= value <= _INTEGER else one("value", f"must be between {lowest} and {_INTEGER}")

    return check


def _boolean(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    return None if value.__class__ is bool else one("structure", "must be true or false")


def _decimal(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    if value.__class__ is Decimal or value.__class__ is int:
        return None
    return one("structure", "must be a JSON number, decoded exactly")


def _string(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    if value.__class__ is not str:
        return one("structure", "must be a JSON string")
    if 0 < len(value) <= _LONGEST:
        return None
    return one("too-long", f"at most {_LONGEST} characters") if value else EMPTY


def _base64(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    if value.__class__ is not str:
        return one("structure", "must be a JSON string of base64")
    dense = value if _BASE64.fullmatch(value) else value.translate(_BLANKS)
    if dense and len(dense) % 4 == 0 and _BASE64.fullmatch(dense):
        return None
    return one("value", "must be base64 with its padding")


def _xhtml(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    if value.__class__ is not str:
        return one("structure", "must be a JSON string of XHTML")
    reason = unsafe(value)
    return one("value", reason, "txt-1") if reason else None


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BLANKS = dict.fromkeys(map(ord, string.whitespace))
_OID = r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+"
_UUID = r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_URI = _text(
    rf"(?!urn:(?:uuid|oid):)\S+|{_UUID}|{_OID}|urn:oid:[0-2]",
    "a URI without white space; a urn of a UUID in lower case",
    1024,
)

PRIMITIVES: Mapping[str, Check] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _URI,
    "code": _text(r"\S+(?:\s\S+)*", "a code without white space around it", 1024),
    "date": _calendar(f"{_YEAR}(?:-{_DAY})?)?", "a date: YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": _calendar(
        f"{_YEAR}(?:-{_DAY}(?:T{_CLOCK}{_ZONE})?)?)?",
        "a dateTime: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone",
    ),
    "decimal": _decimal,
    "http://hl7.org/fhirpath/System.String": _string,
    "id": _text(r"[A-Za-z0-9\-.]{1,64}", "an id: 1 to 64 letters, digits, '-' or '.'"),
    "instant": _calendar(f"{_YEAR}-{_DAY}T{_CLOCK}{_ZONE})", "an instant: YYYY-MM-DDThh:mm:ss with a time zone"),
    "integer": _whole(-(2**31)),
    "markdown": _string,
    "oid": _text(_OID, "an OID: urn:oid:1.2.3"),
    "positiveInt": _whole(1),
    "string": _string,
    "time": _text(_CLOCK, "a time: hh:mm:ss"),
    "unsignedInt": _whole(0),
    "uri": _URI,
    "url": _URI,
    "uuid": _text(_UUID, "a UUID in lower case: urn:uuid:xxxxxxxx-..."),
    "xhtml": _xhtml,
}


def coded(codes: frozenset[str]) -> Check:
    """A code of a required binding; the format needs no look, for every listed code has it."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not str:
            return one("structure", "must be a JSON string: a code")
        return None if value in codes else one("code-invalid", "must be a code of the required value set")

    return check
