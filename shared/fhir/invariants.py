"""The invariants of FHIR R4 that are checked by hand-written code, by their key.

Each answers whether it is broken: False, True, or the paths where. It gets an object of any content, well-formed or
not, and never raises. Constraints without an entry here are not checked; keys FHIR uses twice carry their path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson

from shared.fhir.instants import later
from shared.fhir.problems import Scope

Value = Mapping[str, Any]
Broken = Callable[[Value, Scope], bool | list[str]]

_WITH_REQUEST = ("batch", "transaction", "history")
_WITH_RESPONSE = ("batch-response", "transaction-response", "history")
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_MEALS = ("C", "CM", "CD", "CV")


def has(value: Value, *names: str) -> bool:
    """Whether one of the elements is there, with a value or with a primitive extension."""
    return any(name in value or "_" + name in value for name in names)


def has_choice(value: Value, name: str) -> bool:
    """Whether a choice element is there in any of its types."""
    return any(key.startswith((name, "_" + name)) for key in value)


def both(value: Value, one: str, other: str) -> bool:
    """Whether two elements that exclude each other are both there."""
    return has(value, one) and has(value, other)


def without(value: Value, one: str, other: str) -> bool:
    """Whether an element is there without the other it needs."""
    return has(value, one) and not has(value, other)


def objects(value: Value, name: str) -> Iterator[tuple[int, Value]]:
    """(position, object) of a repeating element."""
    items = value.get(name)
    return (
        ((at, item) for at, item in enumerate(items) if isinstance(item, dict)) if isinstance(items, list) else iter(())
    )


def inside(value: Value, name: str) -> Value:
    """An element that is one object; empty when it is not."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def coded(concept: Value, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept has one of the codes of a system."""
    return any(c.get("system") == system and c.get("code") in codes for _, c in objects(concept, "coding"))


def number(value: Any) -> Decimal | None:
    """A JSON number, or None."""
    return Decimal(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else None


def negative(value: Value, name: str) -> bool:
    """Whether an element is a number below zero."""
    found = number(value.get(name))
    return found is not None and found < 0


def extension(value: Value, _: Scope) -> bool:
    """ext-1: extensions or a value, not both and not neither."""
    return ("extension" in value) == has_choice(value, "value")


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


def _codings(concept: Value) -> Iterator[bytes]:
    """Codings in a form that can be compared."""
    return (orjson.dumps(c, option=orjson.OPT_SORT_KEYS, default=str) for _, c in objects(concept, "coding"))


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


BROKEN: Mapping[str, Broken] = {
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
    "con-1": lambda v, _: not has(v, "summary", "assessment"),
    "con-2": lambda v, _: not has(v, "code", "detail"),
    "con-4": abated,
    "con-5": condition_in_error,
    "cpl-3": lambda v, _: both(v, "detail", "reference"),
    "cpt-2": lambda v, _: without(v, "value", "system"),
    "dom-2": nested_contained,
    "dom-3": unreferenced,
    "dom-4": contained_with("versionId", "lastUpdated"),
    "dom-5": contained_with("security"),
    "drt-1": lambda v, _: has(v, "code") and not (v.get("system") == "http://unitsofmeasure.org" and has(v, "value")),
    "exp-1": lambda v, _: not has(v, "expression", "reference"),
    "ext-1": extension,
    "imm-1": lambda v, _: not has(v, "documentType", "reference"),
    "lst-1": lambda v, _: both(v, "emptyReason", "entry"),
    "mad-1": lambda v, _: not (has(v, "dose") or has_choice(v, "rate")),
    "mdd-1": lambda v, _: later(v.get("whenPrepared"), v.get("whenHandedOver")),
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
    "prr-1": lambda v, _: without(v, "orderDetail", "code"),
    "qrs-1": lambda v, _: both(v, "answer", "item"),
    "qty-3": lambda v, _: without(v, "code", "system"),
    "rat-1": ratio,
    "rng-2": low_high,
    "sev-1": lambda v, _: both(v, "name", "query"),
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
}
