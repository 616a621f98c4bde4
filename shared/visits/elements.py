"""Reads and writes the few FHIR elements visits are decided by: codings, references, extensions, dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, tzinfo
from typing import Any

from shared.core import CANONICAL, IDENTIFIERS, Resource, reference, versioned
from shared.dates import day_range

CODES = CANONICAL + "CodeSystem/"
EXTENSIONS = CANONICAL + "StructureDefinition/"


def concept(system: str, code: str, text: str | None = None) -> dict[str, Any]:
    """A CodeableConcept of one of our own code systems."""
    coding = {"coding": [{"system": CODES + system, "code": code}]}
    return {**coding, "text": text} if text else coding


def code_of(element: Mapping[str, Any] | None, system: str) -> str | None:
    """The code an element has in one of our own code systems."""
    if element:
        ours = CODES + system
        for coding in element.get("coding", ()):
            if coding.get("system") == ours:
                code: str | None = coding.get("code")
                return code
    return None


def is_task(resource: Resource, code: str) -> bool:
    """Whether this is a Task of this code."""
    return resource["resourceType"] == "Task" and code_of(resource.get("code"), "task-code") == code


def refers(element: Mapping[str, Any] | None, target: str) -> bool:
    """Whether a Reference names `Type/id`, in any version."""
    return str((element or {}).get("reference", "")).partition("/_history/")[0] == target


def any_refers(elements: Iterable[Mapping[str, Any]], target: str) -> bool:
    """Whether one of these References names `Type/id`."""
    return any(refers(e, target) for e in elements)


def to(resource: Resource) -> dict[str, str]:
    """A Reference to a resource."""
    return {"reference": reference(resource)}


def named(type_: str, kind: str, value: str) -> dict[str, Any]:
    """A Reference by one of our own identifiers."""
    return {"type": type_, "identifier": identifier(kind, value)}


def identifier(kind: str, value: str) -> dict[str, str]:
    """An Identifier of ours."""
    return {"system": IDENTIFIERS + kind, "value": value}


def identified(element: Mapping[str, Any] | None, kind: str) -> str | None:
    """The value of a Reference's identifier of this kind."""
    found = (element or {}).get("identifier", {})
    return found.get("value") if found.get("system") == IDENTIFIERS + kind else None


def extension(name: str, **parts: Any) -> dict[str, Any]:
    """One of our extensions with parts: `number__valuePositiveInt=1`; a part that is None is left out."""
    written = ((*key.partition("__")[::2], value) for key, value in parts.items() if value is not None)
    return {"url": EXTENSIONS + name, "extension": [{"url": part, kind: value} for part, kind, value in written]}


def extended(element: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The parts of one of our extensions on an element; empty where it has none."""
    for found in element.get("extension", ()):
        if found.get("url") == EXTENSIONS + name:
            return {part["url"]: _value(part) for part in found.get("extension", ())}
    return {}


def extension_value(element: Mapping[str, Any], name: str) -> Any:
    """The value of one of our simple extensions, or None."""
    return next((_value(e) for e in element.get("extension", ()) if e.get("url") == EXTENSIONS + name), None)


def _value(part: Mapping[str, Any]) -> Any:
    return next((v for k, v in part.items() if k.startswith("value")), None)


def day(text: str | None, zone: tzinfo) -> date | None:
    """The local day of a FHIR date or dateTime; an imprecise one counts as its first day."""
    if not text:
        return None
    written = date.fromisoformat((text + "-01-01")[:10])
    if "T" not in text:
        return written
    try:
        return datetime.fromisoformat(text).astimezone(zone).date()
    except (ValueError, OverflowError):  # a leap second, or the first or last hours of the calendar: the day as written
        return written


def last_day(text: str | None, zone: tzinfo) -> date | None:
    """The same for the end of a Period, which FHIR includes: an imprecise one counts as its last day."""
    return day_range(text)[1] if text and "T" not in text else day(text, zone)


def moment(text: str | None, zone: tzinfo) -> datetime | None:
    """The instant a FHIR date or dateTime begins at, in UTC: one without a time, at the start of its first local day.

    A leap second counts as the one before it; the first and the last year of the calendar stand for no time at all.
    """
    on = day(text, zone)
    if text is None or on is None or on.year in (MINYEAR, MAXYEAR):
        return None
    if "T" in text:
        return datetime.fromisoformat(text.replace(":60", ":59")).astimezone(UTC)
    return datetime.combine(on, time(), zone).astimezone(UTC)


def instant(text: str | None) -> datetime | None:
    """A FHIR instant we wrote ourselves, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def evidence_of(resource: Resource) -> str:
    """The versioned reference of a stored resource, the plain one where it has no version."""
    return versioned(resource) if resource.get("meta", {}).get("versionId") else reference(resource)
