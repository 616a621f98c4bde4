"""Reads the entries of a transaction Bundle, and names every fault of structure that base R4 leaves open.

Law of this file: `faults` takes any JSON object, also one that base R4 refuses, so that all issues are said at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.core import Resource
from shared.fhir.outcomes import Issue

RECEIVED = (
    "AllergyIntolerance", "Binary", "ClaimResponse", "Communication", "Condition", "Consent", "Coverage", "Device",
    "DeviceUseStatement", "DocumentReference", "Encounter", "Immunization", "Location", "Medication",
    "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation", "Organization", "Patient",
    "Practitioner", "PractitionerRole", "RelatedPerson", "ServiceRequest", "SupplyDelivery", "Task",
)  # fmt: skip
"""Every kind intake takes from outside."""

OURS = re.compile(r"[A-Z][A-Za-z]+/(in|au|sc|nu)-[0-9a-f-]{36}")
TAKEN = re.compile(r"in-[0-9a-f-]{36}")
CONDITIONAL = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?(?P<query>identifier=(?P<system>[^|&]+)\|(?P<value>[^|&]+))")
_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its resource, and how its request names it: by our id, by a business identifier, or not at all."""

    index: int
    full_url: str | None
    resource: Resource
    ours: str | None = None
    named: tuple[str, str] | None = None

    @property
    def type(self) -> str:
        return str(self.resource["resourceType"])


def read(bundle: Resource) -> tuple[Entry, ...]:
    """The entries of a Bundle without faults."""
    return tuple(_read(n, entry) for n, entry in enumerate(bundle.get("entry", ())))


def _read(index: int, entry: Mapping[str, Any]) -> Entry:
    request = entry.get("request", {})
    resource, url = entry["resource"], request.get("url", "")
    asked = f"{resource['resourceType']}?{request['ifNoneExist']}" if request.get("ifNoneExist") else url
    tail = url.rpartition("/")[2]
    ours = tail if request.get("method") == "PUT" and TAKEN.fullmatch(tail) else None
    return Entry(index, entry.get("fullUrl"), resource, ours, conditional(asked))


def unquote(text: str) -> str:
    """A part of an address with its percent-encoded octets decoded."""
    return _OCTET.sub(lambda octet: bytes([int(octet[1], 16)]), text.encode()).decode("utf-8", "replace")


def conditional(text: str) -> tuple[str, str] | None:
    """(system, value) of `Type?identifier=system|value`."""
    found = CONDITIONAL.fullmatch(unquote(text))
    return (found["system"], found["value"]) if found else None


def names(entry: Mapping[str, Any]) -> Iterator[str]:
    """The references that mean this entry: its fullUrl and, for a RESTful one, its `Type/id`."""
    full_url = entry.get("fullUrl")
    if isinstance(full_url, str):
        yield full_url
        tail = "/".join(full_url.split("/")[-2:])
        if full_url.startswith(("http://", "https://")) and _RELATIVE.fullmatch(tail):
            yield tail


def references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(FHIRPath, reference) of every literal reference inside."""
    match value:
        case {"reference": str(text)}:
            yield f"{path}.reference", text
        case dict():
            for key, inner in value.items():
                if inner.__class__ is not str:
                    yield from references(inner, f"{path}.{key}")
        case list():
            for n, inner in enumerate(value):
                if inner.__class__ is not str:
                    yield from references(inner, f"{path}[{n}]")


def faults(bundle: Any) -> tuple[Issue, ...]:
    """Every structural issue of a transaction, with the FHIRPath of its place."""
    listed = bundle.get("entry") if isinstance(bundle, dict) else None
    if not isinstance(listed, list) or not listed:
        return (Issue("required", "Bundle.entry", "A transaction with at least one entry would be right"),)
    entries = [(n, e) for n, e in enumerate(listed) if isinstance(e, dict) and isinstance(e.get("resource"), dict)]
    issues = [issue for n, e in entries for issue in _request_faults(n, e)]
    return (*issues, *_unresolved(entries))


def _request_faults(index: int, entry: Mapping[str, Any]) -> Iterator[Issue]:
    where, kind = f"Bundle.entry[{index}]", entry["resource"].get("resourceType")
    request = entry.get("request")
    request = request if isinstance(request, dict) else {}
    if kind not in RECEIVED:
        yield Issue("not-supported", f"{where}.resource", "A resource type of a referral would be right")
    if request.get("method") not in ("POST", "PUT"):
        yield Issue("not-supported", f"{where}.request.method", "POST or PUT would be right")
    elif not _addressed(request, str(kind)):
        text = "The type (POST), `Type/our-id` or `Type?identifier=system|value` (PUT) would be right"
        yield Issue("value", f"{where}.request.url", text)
    condition = request.get("ifNoneExist")
    if condition is not None and conditional(f"{kind}?{condition}") is None:
        yield Issue("not-supported", f"{where}.request.ifNoneExist", "`identifier=system|value` would be right")


def _addressed(request: Mapping[str, Any], kind: str) -> bool:
    url = str(request.get("url", ""))
    if request["method"] == "POST":
        return url == kind
    address, _, tail = url.rpartition("/")
    named = CONDITIONAL.fullmatch(unquote(url))
    return (address == kind and TAKEN.fullmatch(tail) is not None) or (named is not None and named["type"] == kind)


def _unresolved(entries: list[tuple[int, dict[str, Any]]]) -> Iterator[Issue]:
    """References that mean nothing, and the entries without fullUrl that they may have meant."""
    known = {name for _, e in entries for name in names(e)}
    found = [r for n, e in entries for r in references(e["resource"], f"Bundle.entry[{n}].resource")]
    lost = [(path, text) for path, text in found if text not in known and not _stands(text)]
    for path, _ in lost:
        yield Issue("not-found", path, "A reference to a fullUrl of this Bundle or to a known record would be right")
    for n, entry in entries:
        if not isinstance(entry.get("fullUrl"), str) and lost:
            text = "A fullUrl would be right: references of this Bundle point to no entry"
            yield Issue("required", f"Bundle.entry[{n}].fullUrl", text)


def _stands(text: str) -> bool:
    """Whether a reference means something outside this Bundle: contained, ours, conditional or absolute."""
    return (
        text.startswith(("#", "http://", "https://"))
        or OURS.fullmatch(text.partition("/_history/")[0]) is not None
        or conditional(text) is not None
    )
