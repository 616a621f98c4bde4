"""Takes out of a resource what whoever it is sent to has no use for: what is ours alone, references leading nowhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from services.auth.words import target
from shared.core import CANONICAL, Resource
from shared.fhir.profiles import carepod

_STEP = re.compile(r"\.(\w+)(?:\[(\d+)\])?")


def trimmed(resource: Resource, inside: Collection[str]) -> dict[str, Any]:
    """A resource without extensions and codings of our own, whose literal references all lead to one of `inside`.

    inside  `Type/id` of what travels along; what the resource contains is inside as well.

    Another reference loses its literal, and an element that R4 does not allow without what it lost is left out; where
    that is the resource itself, it stays illegal.
    """
    contained = {f"#{c['id']}" for c in resource.get("contained", ()) if "id" in c}
    kept: dict[str, Any] = _resolving(_without_ours(resource), {*inside, *contained, "#"})
    return kept if kept == resource else _legal(kept)


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
            gone = literal is not None and literal not in inside
            kept = {k: _resolving(v, inside) for k, v in value.items() if not (gone and k in ("reference", "type"))}
            if literal is not None and not gone:
                kept["reference"] = literal
            return _pruned(kept)
        case list() | tuple():
            return [_resolving(v, inside) for v in value]
        case _:
            return value


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
