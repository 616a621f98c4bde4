"""What a resource is found by: the values of R4 search parameters, as each service's index keeps them.

Law of this file: a value is text, the same for the same content, and compared as its parameter's type says: tokens and
references whole, strings by their beginning, dates by the first and the last moment they can mean.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.core import Resource

Values = Callable[[Resource], Sequence[str]]

NULLIFIED = "http://terminology.hl7.org/CodeSystem/v3-ActStatus|nullified"
"""The tag of a record its sender deleted: kept for audit alone, and found by no search."""

TARGETS: Mapping[str, tuple[str, ...]] = {
    "authorizing-prescription": ("MedicationRequest",),
    "based-on": ("ServiceRequest", "MedicationRequest"),
    "beneficiary": ("Patient",),
    "encounter": ("Encounter",),
    "focus": (),
    "link": ("Patient", "RelatedPerson"),
    "order": ("ServiceRequest",),
    "owner": ("Organization", "Practitioner", "PractitionerRole"),
    "part-of": ("Task",),
    "patient": ("Patient",),
    "prescription": ("MedicationRequest",),
    "request": ("Claim", "CoverageEligibilityRequest"),
    "requester": ("Organization", "Practitioner", "PractitionerRole"),
    "subject": ("Patient",),
}
"""Reference parameters and the types they lead to; `focus` leads to any."""
DATES = frozenset(("_lastUpdated", "authored", "authored-on", "authoredon", "birthdate", "date"))
STRINGS = frozenset(("family", "given", "name"))

_DAY = 10
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)  # fmt: skip
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
_FIRST, _LAST = "0001-01-01", "9999-12-31"


def type_of(parameter: str) -> str:
    """The R4 search parameter type of a parameter: reference, date, string or token."""
    if parameter in TARGETS:
        return "reference"
    return "date" if parameter in DATES else "string" if parameter in STRINGS else "token"


def refers(parameter: str, kind: str) -> bool:
    """Whether a reference parameter may lead to this type."""
    targets = TARGETS.get(parameter, ())
    return kind in targets or (parameter in TARGETS and not targets)


# Values of a resource


def plain(element: str) -> Values:
    """A code or another primitive as it stands."""
    return lambda resource: [str(resource[element])] if element in resource else []


def identifiers(resource: Resource) -> Sequence[str]:
    """`value` and `system|value` of each identifier."""
    return [v for i in _listed(resource.get("identifier")) if "value" in i for v in _token(i, "value")]


def codes(element: str) -> Values:
    """`code` and `system|code` of each coding of a CodeableConcept, or of each of several."""

    def values(resource: Resource) -> Sequence[str]:
        codings = (c for concept in _listed(resource.get(element)) for c in concept.get("coding", ()))
        return [v for c in codings if "code" in c for v in _token(c, "code")]

    return values


def references(*elements: str) -> Values:
    """`Type/id` and `id` of each literal reference; `value` and `system|value` of a logical one."""

    def values(resource: Resource) -> Sequence[str]:
        return [v for e in elements for r in _listed(resource.get(e)) for v in referred(r)]

    return values


def participants(resource: Resource) -> Sequence[str]:
    """The patients among the participants of an Appointment."""
    actors = (p.get("actor", {}) for p in resource.get("participant", ()))
    return [v for a in actors if str(a.get("reference", "")).startswith("Patient/") for v in referred(a)]


def referred(reference: Mapping[str, Any]) -> Sequence[str]:
    """What one Reference is found by."""
    literal = str(reference.get("reference", "")).partition("/_history/")[0]
    if literal.startswith("#"):
        return []
    if "/" in literal:
        target = "/".join(literal.split("/")[-2:])
        return [target, target.partition("/")[2]]
    logical = reference.get("identifier", {})
    return _token(logical, "value") if "value" in logical else []


def names(resource: Resource) -> Sequence[str]:
    """Each part of each name, and each name as written out, without case and accents."""
    parts = (
        part
        for name in _listed(resource.get("name"))
        for part in ((name,) if isinstance(name, str) else _parts(name))
        if isinstance(part, str)
    )
    return [normal(part) for part in parts]


def dates(*elements: str) -> Values:
    """First and last moment of each date, dateTime, instant or Period: in days as written, and in UTC where timed."""
    return lambda resource: [v for e in elements for v in _spans(resource.get(e))]


def tags(resource: Resource) -> Sequence[str]:
    """`code` and `system|code` of each tag."""
    listed = resource.get("meta", {}).get("tag", ())
    return [v for t in listed if "code" in t for v in _token(t, "code")]


def normal(text: str) -> str:
    """A text as strings are compared: without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()


# Dates


def span(text: str) -> tuple[str, str] | None:
    """The first and the last moment a FHIR date or dateTime can mean: days, or stamps in UTC; None where it is none."""
    if _DATE.fullmatch(text):
        return _days(text)
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day, minute, seconds, fraction, zone = found.groups()
    width = timedelta(minutes=1) if seconds is None else timedelta(microseconds=10 ** max(0, 6 - len(fraction or "")))
    written = f"{day}T{minute}:{seconds or '00'}.{(fraction or '')[:6]:0<6}{zone or 'Z'}"
    try:
        first = datetime.fromisoformat(written).astimezone(UTC)
        return _stamp(first), _stamp(first + width - timedelta(microseconds=1))
    except (ValueError, OverflowError):
        return None


def _days(text: str) -> tuple[str, str] | None:
    year, month, day = int(text[:4]), int(text[5:7] or 0), int(text[8:10] or 0)
    if not year > 0 or not 0 <= month <= 12 or (len(text) > 4 and not month):
        return None
    last = monthrange(year, month or 12)[1]
    if len(text) == _DAY and not 0 < day <= last:
        return None
    return f"{year:04}-{month or 1:02}-{day or 1:02}", f"{year:04}-{month or 12:02}-{day or last:02}"


def _spans(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _period(value)
    elif isinstance(value, str) and (found := span(value)):
        yield "/".join(found)
        if len(value) > _DAY:
            yield f"{value[:_DAY]}/{value[:_DAY]}"


def _period(period: Mapping[str, Any]) -> Iterator[str]:
    start, end = str(period.get("start", "")), str(period.get("end", ""))
    first, last = span(start[:_DAY]), span(end[:_DAY])
    if first or last:
        yield f"{first[0] if first else _FIRST}/{last[1] if last else _LAST}"
    if len(start) > _DAY and len(end) > _DAY and (begun := span(start)) and (ended := span(end)):
        yield f"{begun[0]}/{ended[1]}"


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _token(value: Mapping[str, Any], element: str) -> list[str]:
    return [str(value[element]), f"{value.get('system', '')}|{value[element]}"]


def _parts(name: Mapping[str, Any]) -> Iterator[Any]:
    yield name.get("text")
    yield name.get("family")
    yield from name.get("given", ())


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
