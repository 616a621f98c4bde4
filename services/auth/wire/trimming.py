"""Takes out of a resource what whoever it is sent to has no use for: what is ours alone, references leading nowhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from services.auth.words import references, target
from shared.core import CANONICAL, Resource
from shared.fhir.profiles import carepod

CARRIED = ("Medication", "Organization", "Practitioner", "PractitionerRole", "Questionnaire")
"""What a resource may have inside it, and by which name one that stays here may be called: no patient, nobody's kin,
no insurance."""

_STEP = re.compile(r"\.(\w+)(?:\[(\d+)\])?")


def trimmed(resource: Resource, inside: Collection[str]) -> dict[str, Any]:
    """A resource without extensions and codings of our own, whose literal references all lead to one of `inside`.

    inside  `Type/id` of what travels along; what the resource contains is inside as well.

    Of another reference at most the name is left, and an element that R4 does not allow without what it lost is left
    out; where that is the resource itself, it stays illegal.
    """
    contained = [c for c in resource.get("contained", ()) if c["resourceType"] in CARRIED]
    fragments = {f"#{c['id']}" for c in contained if "id" in c}
    whole = {**resource, "contained": contained} if "contained" in resource else resource
    kept: dict[str, Any] = _resolving(_without_ours(whole), {*inside, *fragments, "#"})
    return kept if kept == resource else _led_to(_legal(kept))


def _without_ours(value: Any) -> Any:
    match value:
        case Mapping():
            return _pruned({k: _without_ours(v) for k, v in value.items()})
        case list() | tuple():
            return [{} if _is_ours(v) else _without_ours(v) for v in value]
        case _:
            return value


def _is_ours(value: Any) -> bool:
    """Whether this is an extension or a coding of our own; an identifier may well be."""
    if not isinstance(value, Mapping):
        return False
    coded = "code" in value and str(value.get("system", "")).startswith(CANONICAL)
    return coded or str(value.get("url", "")).startswith(CANONICAL)


def _resolving(value: Any, inside: Collection[str]) -> Any:
    match value:
        case Mapping():
            literal = target(value)
            if literal is not None and literal not in inside:
                return _named(value, literal)
            kept = {k: _resolving(v, inside) for k, v in value.items()}
            if literal is not None:
                kept["reference"] = literal
            return _pruned(kept)
        case list() | tuple():
            return [_resolving(v, inside) for v in value]
        case _:
            return value


def _named(cut: Mapping[str, Any], literal: str) -> dict[str, Any]:
    """Who or what a reference led to, by name alone: an identifier would lead there still."""
    kind = literal.rpartition("/")[0].rpartition("/")[2]
    return {"display": cut["display"]} if kind in CARRIED and "display" in cut else {}


def _led_to(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without what it contains and nothing in it leads to any more (dom-3)."""
    while contained := resource.get("contained"):
        named = {*references(resource), str(resource.get("questionnaire"))}
        left = [c for c in contained if f"#{c.get('id')}" in named or "#" in references(c)]
        if len(left) == len(contained):
            break
        resource = _pruned({**resource, "contained": left})
    return resource


def _pruned(element: dict[str, Any]) -> dict[str, Any]:
    """An element without what is empty; an extension that has lost its value is none."""
    kept = {k: _left(k, v) if isinstance(v, list) else v for k, v in element.items()}
    return {k: v for k, v in kept.items() if v not in ({}, [])}


def _left(name: str, values: list[Any]) -> list[Any]:
    """The repetitions that are left; beside primitive values each keeps its place."""
    if name.startswith("_"):
        found = [v or None for v in values]
        return found if any(found) else []
    urls = ("extension", "modifierExtension")
    return [v for v in values if v not in ({}, []) and not (name in urls and set(v) == {"url"})]


def _legal(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without the elements that lack something mandatory, innermost first."""
    while paths := [p for i in carepod().check(resource) if i.code == "required" and len(p := _path(i.expression)) > 1]:
        smaller = _without(resource, max(paths, key=len)[:-1])
        if smaller == resource:
            break
        resource = smaller
    return resource


def _path(expression: str) -> list[str | int]:
    """The keys and positions of a FHIRPath expression, the last one that of the element that is missing."""
    steps = ((name, int(at)) if at else (name,) for name, at in _STEP.findall(expression))
    return [part for step in steps for part in step]


def _without(value: Any, path: list[str | int]) -> Any:
    """A copy without the element at a path, and without what is empty then."""
    first, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(first, int):
        return [_without(v, rest) if n == first and rest else v for n, v in enumerate(value) if n != first or rest]
    if isinstance(value, Mapping) and isinstance(first, str):
        key = next((k for k in value if k == first or re.fullmatch(f"{first}[A-Z][A-Za-z]*", k)), "")
        return _pruned({k: _without(v, rest) if k == key and rest else v for k, v in value.items() if k != key or rest})
    return value
