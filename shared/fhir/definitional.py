"""The invariants of definitions, and of other resources that only stand at the edge here, that are checked by hand.

The rest of theirs is run as FHIRPath; these compare with what stands elsewhere, where that takes long or forever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shared.fhir.elements import Broken, Value, has, inside, number, objects
from shared.fhir.problems import Scope

_RESTFUL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


def _paths(value: Value) -> list[str]:
    """The paths of the elements of a snapshot or differential; "" where there is none."""
    found = (element.get("path") for _, element in objects(value, "element"))
    return [path if isinstance(path, str) else "" for path in found]


def snapshot(value: Value, scope: Scope) -> bool:
    """sdf-8: the first element is the type itself, and all others stand below it."""
    of, paths = scope.within, _paths(value)
    head = (*_paths(inside(of, "snapshot")), "")[0]
    first = of.get("kind") == "logical" or (paths[:1] == [of.get("type")] and paths != [""])
    return not (first and all(path.startswith(f"{head}.") for path in paths[1:]))


def differential(value: Value, scope: Scope) -> bool:
    """sdf-8a: the first element begins with the type, and all others stand below its first part."""
    of, paths = scope.within, _paths(value)
    type_, head = of.get("type"), (*_paths(inside(of, "differential")), "")[0].partition(".")[0]
    first = of.get("kind") == "logical" or (isinstance(type_, str) and paths[:1] != [] and paths[0].startswith(type_))
    return not (first and all(path.startswith(f"{head}.") for path in paths[1:]))


def ungrouped(value: Value, _: Scope) -> bool:
    """ig-1: a resource of a guide belongs to a group that the guide has."""
    groups = {group.get("id") for _, group in objects(value, "grouping") if isinstance(group.get("id"), str)}
    named = (resource.get("groupingId") for _, resource in objects(value, "resource"))
    return any(isinstance(name, str) and name not in groups for name in named)


def unversioned(value: Value, _: Scope) -> bool:
    """ig-2: a resource of a guide is for versions of FHIR that the guide is for."""
    known = set(_texts(value.get("fhirVersion")))
    resources = objects(inside(value, "definition"), "resource")
    return any(version not in known for _, resource in resources for version in _texts(resource.get("fhirVersion")))


def _texts(value: object) -> Iterator[str]:
    return (item for item in value if isinstance(item, str)) if isinstance(value, list) else iter(())


def on_behalf_of_nobody(value: Value, scope: Scope) -> bool:
    """ctm-1: only a practitioner acts on behalf of an organization, as far as the member is known."""
    text = inside(value, "member").get("reference")
    if not has(value, "onBehalfOf") or not isinstance(text, str):
        return False
    found, restful = scope.resolve(text), _RESTFUL.search(text)
    kind = found[0].get("resourceType") if found else restful[1] if restful else "Practitioner"
    return kind != "Practitioner"


def improbable(value: Value, _: Scope) -> bool:
    """ras-2: a probability is 100 at most."""
    probability = number(value.get("probabilityDecimal"))
    return probability is not None and probability > 100


def crowded(value: Value, _: Scope) -> bool:
    """que-12: more than one condition needs a behavior. (The expression says two; HL7 has corrected it.)"""
    return len(list(objects(value, "enableWhen"))) > 1 and not has(value, "enableBehavior")


DEFINITIONAL: Mapping[str, Broken] = {
    "ctm-1": on_behalf_of_nobody,
    "ig-1": ungrouped,
    "ig-2": unversioned,
    "que-7": lambda v, _: v.get("operator") == "exists" and not has(v, "answerBoolean"),
    "que-12": crowded,
    "ras-2": improbable,
    "sdf-8": snapshot,
    "sdf-8a": differential,
}
