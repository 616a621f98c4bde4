"""The invariants of FHIR R4 that are checked by hand-written code, by their key.

Each answers whether it is broken: False, True, or the paths where. It gets an object of any content, well-formed or
not, and never raises. What has no entry here is run as FHIRPath; keys FHIR uses twice carry their path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.fhir.definitional import DEFINITIONAL
from shared.fhir.elements import Broken as Broken
from shared.fhir.elements import Unknown as Unknown
from shared.fhir.elements import (
    Value,
    both,
    coded,
    has,
    has_choice,
    inside,
    negative,
    number,
    objects,
    without,
    written,
)
from shared.fhir.instants import later
from shared.fhir.problems import Scope

_WITH_REQUEST = ("batch", "transaction", "history")
_WITH_RESPONSE = ("batch-response", "transaction-response", "history")
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_MEALS = ("C", "CM", "CD", "CV")
_UCUM = "http://unitsofmeasure.org"
_CURRENCIES = "urn:iso:std:iso:4217"


def extension(value: Value, _: Scope) -> bool:
    """ext-1: extensions or a value, not both and not neither."""
    nested = "extension" in value
    for key in value:
        if key.startswith(("value", "_value")):
            return nested
    return not nested


def period(value: Value, _: Scope) -> bool:
    """per-1: the start is not after the end."""
    return later(value.get("start"), value.get("end"))


def low_high(value: Value, _: Scope) -> bool:
    """rng-2: in the same unit, low is not above high."""
    low, high = inside(value, "low"), inside(value, "high")
    least, most = number(low.get("value")), number(high.get("value"))
    same = all(low.get(name) == high.get(name) for name in ("system", "code", "unit"))
    return same and least is not None and most is not None and least > most


def ratio(value: Value, _: Scope) -> bool:
    """rat-1: numerator and denominator, or neither and an extension."""
    numerator, denominator = has(value, "numerator"), has(value, "denominator")
    return numerator != denominator or not (numerator or has(value, "extension"))


def repeated_component(value: Value, _: Scope) -> list[str]:
    """obs-7: with a value, no component has a code of the observation itself."""
    if "component" not in value or not has_choice(value, "value"):
        return []
    own = set(_codings(inside(value, "code")))
    components = objects(value, "component")
    return [f".component[{at}].code" for at, c in components if not own.isdisjoint(_codings(inside(c, "code")))]


def _codings(concept: Value) -> Iterator[Any]:
    """Codings in a form that can be compared."""
    return (written(c) for _, c in objects(concept, "coding"))


def unreferenced(value: Value, _: Scope) -> list[str]:
    """dom-3: every contained resource is referred to, or refers to its container."""
    if "contained" not in value:
        return []
    named = set(_fragments(value))
    return [
        f".contained[{at}]"
        for at, resource in objects(value, "contained")
        if f"#{resource.get('id')}" not in named and "#" not in set(_fragments(resource))
    ]


def _fragments(value: Any) -> Iterator[str]:
    """Every string inside that begins with `#`."""
    if isinstance(value, str):
        yield from (value,) if value.startswith("#") else ()
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _fragments(item)


def contained_with(*names: str) -> Broken:
    """A rule: no contained resource has one of these in its meta."""

    def broken(value: Value, _: Scope) -> list[str]:
        found = ((at, has(inside(resource, "meta"), *names)) for at, resource in objects(value, "contained"))
        return [f".contained[{at}].meta" for at, wrong in found if wrong]

    return broken


def nested_contained(value: Value, _: Scope) -> list[str]:
    """dom-2: a contained resource contains none itself."""
    return [f".contained[{at}]" for at, resource in objects(value, "contained") if "contained" in resource]


def entries_having(name: str, *types: str) -> Broken:
    """A rule: entries have the element in Bundles of these types, and in no others."""

    def broken(value: Value, _: Scope) -> list[str]:
        expected = value.get("type") in types
        return [f".entry[{at}].{name}" for at, entry in objects(value, "entry") if (name in entry) != expected]

    return broken


def repeated_full_url(value: Value, _: Scope) -> list[str]:
    """bdl-7: a fullUrl stands once, or with different versions."""
    seen: set[tuple[Any, ...]] = set()
    found: list[str] = []
    for at, entry in objects(value, "entry"):
        key = (entry.get("fullUrl"), inside(inside(entry, "resource"), "meta").get("versionId"))
        if isinstance(key[0], str) and value.get("type") != "history" and isinstance(key[1], str | None):
            found.extend([f".entry[{at}].fullUrl"] if key in seen else [])
            seen.add(key)
    return found


def first_entry(kind: str, type_: str) -> Broken:
    """A rule: a Bundle of this kind begins with a resource of this type."""

    def broken(value: Value, _: Scope) -> bool:
        at, first = next(objects(value, "entry"), (-1, {}))
        return value.get("type") == kind and (at != 0 or inside(first, "resource").get("resourceType") != type_)

    return broken


def searched(value: Value, _: Scope) -> list[str]:
    """bdl-2: only a searchset says how its entries were found."""
    found = (at for at, entry in objects(value, "entry") if "search" in entry and value.get("type") != "searchset")
    return [f".entry[{at}].search" for at in found]


def unidentified_document(value: Value, _: Scope) -> bool:
    """bdl-9: a document has an identifier with system and value."""
    identifier = inside(value, "identifier")
    return value.get("type") == "document" and not (has(identifier, "system") and has(identifier, "value"))


def allergy_status(value: Value, in_error: bool) -> bool:
    """ait-1, ait-2: a clinical status unless, and only unless, entered in error."""
    return coded(inside(value, "verificationStatus"), _ALLERGY, "entered-in-error") == in_error and (
        has(value, "clinicalStatus") == in_error
    )


def abated(value: Value, _: Scope) -> bool:
    """con-4: abated conditions are inactive, resolved or in remission."""
    over = coded(inside(value, "clinicalStatus"), _CONDITION_CLINICAL, "resolved", "remission", "inactive")
    return has_choice(value, "abatement") and not over


def condition_in_error(value: Value, _: Scope) -> bool:
    """con-5: no clinical status when entered in error."""
    return coded(inside(value, "verificationStatus"), _CONDITION, "entered-in-error") and has(value, "clinicalStatus")


def unscheduled(value: Value, _: Scope) -> bool:
    """app-3: only proposed, cancelled or waitlisted appointments lack start or end."""
    placed = has(value, "start") and has(value, "end")
    return not placed and value.get("status") not in ("proposed", "cancelled", "waitlist")


def parameter(value: Value, _: Scope) -> bool:
    """Parameters.parameter inv-1: a value, a resource or parts; exactly one of them."""
    return has_choice(value, "value") + has(value, "resource") + has(value, "part") != 1


def offset(value: Value, _: Scope) -> bool:
    """tim-9: an offset goes with an event that is not the meal itself."""
    when = value.get("when")
    return has(value, "offset") and not (isinstance(when, list) and any(w not in _MEALS for w in when))


def otherwise_measured(value: Value, system: str) -> bool:
    """age-1, cnt-3, dis-1, mqty-1: a value has a code, and the system is the one of its kind."""
    return without(value, "value", "code") or (has(value, "system") and value.get("system") != system)


def age(value: Value, _: Scope) -> bool:
    """age-1: an age is a UCUM quantity above zero."""
    years = number(value.get("value"))
    return otherwise_measured(value, _UCUM) or (years is not None and years <= 0)


def count(value: Value, _: Scope) -> bool:
    """cnt-3: a count is a whole number of the UCUM unit 1."""
    fraction = "." in str(value.get("value", ""))
    return otherwise_measured(value, _UCUM) or fraction or (has(value, "code") and value.get("code") != "1")


def trigger(value: Value, _: Scope) -> bool:
    """trd-3: a named event has a name, a periodic one a timing, one about data the data."""
    kind = value.get("type")
    if kind == "named-event":
        return not has(value, "name")
    if kind == "periodic":
        return not has_choice(value, "timing")
    return isinstance(kind, str) and kind.startswith("data-") and not has(value, "data")


def patientless(code: str) -> Broken:
    """A rule: a consent of this scope is a patient's. (FHIR's own expression calls the code system `something`.)"""
    return lambda v, _: not has(v, "patient") and coded(inside(v, "scope"), "something", code)


def misnumbered(value: Value, _: Scope) -> bool:
    """An NPI: ten digits, the first 1 or 2, the last a Luhn check digit of 80840 before the number (45 CFR 162.406)."""
    if not has(value, "value"):
        return False
    text = value.get("value")
    if not isinstance(text, str) or re.fullmatch(r"[12][0-9]{9}", text) is None:
        return True
    doubled = (int(digit) * (2 - at % 2) for at, digit in enumerate(text))
    return (24 + sum(n // 10 + n % 10 for n in doubled)) % 10 != 0


BROKEN: Mapping[str, Broken] = {
    **DEFINITIONAL,
    "age-1": age,
    "ait-1": lambda v, _: allergy_status(v, False),
    "ait-2": lambda v, _: allergy_status(v, True),
    "app-1": lambda v, _: not (has(v, "type") or has(v, "actor")),
    "app-2": lambda v, _: has(v, "start") != has(v, "end"),
    "app-3": unscheduled,
    "app-4": lambda v, _: has(v, "cancelationReason") and v.get("status") not in ("noshow", "cancelled"),
    "apr-1": lambda v, _: not (has(v, "participantType") or has(v, "actor")),
    "att-1": lambda v, _: without(v, "data", "contentType"),
    "bdl-1": lambda v, _: has(v, "total") and v.get("type") not in ("searchset", "history"),
    "bdl-2": searched,
    "bdl-3": entries_having("request", *_WITH_REQUEST),
    "bdl-4": entries_having("response", *_WITH_RESPONSE),
    "bdl-5": lambda v, _: not has(v, "resource", "request", "response"),
    "bdl-7": repeated_full_url,
    "bdl-8": lambda v, _: "/_history/" in str(v.get("fullUrl", "")),
    "bdl-9": unidentified_document,
    "bdl-10": lambda v, _: v.get("type") == "document" and "timestamp" not in v,
    "bdl-11": first_entry("document", "Composition"),
    "bdl-12": first_entry("message", "MessageHeader"),
    "ces-1": lambda v, _: has(v, "category") == has(v, "productOrService"),
    "cmp-1": lambda v, _: not has(v, "text", "entry", "section"),
    "cmp-2": lambda v, _: both(v, "emptyReason", "entry"),
    "cnt-3": count,
    "con-1": lambda v, _: not has(v, "summary", "assessment"),
    "con-2": lambda v, _: not has(v, "code", "detail"),
    "con-4": abated,
    "con-5": condition_in_error,
    "cpl-3": lambda v, _: both(v, "detail", "reference"),
    "cpt-2": lambda v, _: without(v, "value", "system"),
    "dis-1": lambda v, _: otherwise_measured(v, _UCUM),
    "dom-2": nested_contained,
    "dom-3": unreferenced,
    "dom-4": contained_with("versionId", "lastUpdated"),
    "dom-5": contained_with("security"),
    "drq-1": lambda v, _: has(v, "path") == has(v, "searchParam"),
    "drq-2": lambda v, _: has(v, "path") == has(v, "searchParam"),
    "drt-1": lambda v, _: has(v, "code") and not (v.get("system") == _UCUM and has(v, "value")),
    "exp-1": lambda v, _: not has(v, "expression", "reference"),
    "ext-1": extension,
    "imm-1": lambda v, _: not has(v, "documentType", "reference"),
    "lst-1": lambda v, _: both(v, "emptyReason", "entry"),
    "mad-1": lambda v, _: not (has(v, "dose") or has_choice(v, "rate")),
    "mdd-1": lambda v, _: later(v.get("whenPrepared"), v.get("whenHandedOver")),
    "mqty-1": lambda v, _: otherwise_measured(v, _CURRENCIES),
    "obs-3": lambda v, _: not has(v, "low", "high", "text"),
    "obs-6": lambda v, _: has(v, "dataAbsentReason") and has_choice(v, "value"),
    "obs-7": repeated_component,
    "org-1": lambda v, _: not has(v, "identifier", "name"),
    "org-2": lambda v, _: v.get("use") == "home",
    "org-3": lambda v, _: v.get("use") == "home",
    "Parameters.parameter inv-1": parameter,
    "pat-1": lambda v, _: not has(v, "name", "telecom", "address", "organization"),
    "per-1": period,
    "ppc-1": lambda v, _: not has(v, "policy", "policyRule"),
    "ppc-2": patientless("patient-privacy"),
    "ppc-3": patientless("research"),
    "ppc-4": patientless("adr"),
    "ppc-5": patientless("treatment"),
    "prr-1": lambda v, _: without(v, "orderDetail", "code"),
    "qrs-1": lambda v, _: both(v, "answer", "item"),
    "qty-3": lambda v, _: without(v, "code", "system"),
    "rat-1": ratio,
    "rng-2": low_high,
    "sev-1": lambda v, _: both(v, "name", "query"),
    "sqty-1": lambda v, _: has(v, "comparator"),
    "Task inv-1": lambda v, _: later(v.get("authoredOn"), v.get("lastModified")),
    "tim-1": lambda v, _: without(v, "duration", "durationUnit"),
    "tim-2": lambda v, _: without(v, "period", "periodUnit"),
    "tim-4": lambda v, _: negative(v, "duration"),
    "tim-5": lambda v, _: negative(v, "period"),
    "tim-6": lambda v, _: without(v, "periodMax", "period"),
    "tim-7": lambda v, _: without(v, "durationMax", "duration"),
    "tim-8": lambda v, _: without(v, "countMax", "count"),
    "tim-9": offset,
    "tim-10": lambda v, _: both(v, "timeOfDay", "when"),
    "trd-1": lambda v, _: has(v, "data") and has_choice(v, "timing"),
    "trd-2": lambda v, _: without(v, "condition", "data"),
    "trd-3": trigger,
}

EXPRESSED: Mapping[str, Broken] = {
    "value.exists() implies (value.matches('^[12][0-9]{9}$') and (24 + value.toChars().select(toInteger() * "
    "(2 - $index mod 2)).select($this mod 10 + $this div 10).aggregate($this + $total, 0)) mod 10 = 0)": misnumbered,
}
"""Constraints of ours that closures do not reach, by their very expression: a changed one is run as FHIRPath again."""
