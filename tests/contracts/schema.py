"""The part of JSON Schema (draft 7) that the catalogue is written in, read strictly: an unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

TYPES = {"object": dict, "array": list, "string": str, "integer": int}
SAYS_NOTHING = {"description", "title", "contentMediaType", "format"}


def faults(schema: Schema, value: Any, whole: Schema, path: str = "$") -> list[str]:
    """Where a value does not fit; `whole` is the document that references point into."""
    found: list[str] = []
    for keyword, wanted in schema.items():
        if keyword == "items":
            found += _items(schema, value, whole, path)
        elif keyword in KEYWORDS:
            found += KEYWORDS[keyword](wanted, value, whole, path)
        elif keyword not in SAYS_NOTHING | {"additionalItems"}:
            raise KeyError(keyword)
    return found


def resolved(reference: str, whole: Schema) -> Any:
    """What `#/a/b` points at. Raises KeyError."""
    found: Any = whole
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def _items(schema: Schema, value: Any, whole: Schema, path: str) -> list[str]:
    if not isinstance(value, list):
        return []
    items = schema["items"]
    each = (
        [*items, *[schema.get("additionalItems", {})] * len(value)] if isinstance(items, list) else [items] * len(value)
    )
    return [f for n, (s, v) in enumerate(zip(each, value, strict=False)) for f in faults(s, v, whole, f"{path}[{n}]")]


def _properties(wanted: Schema, value: Any, whole: Schema, path: str) -> Iterator[str]:
    for name, schema in wanted.items() if isinstance(value, dict) else ():
        if name in value:
            yield from faults(schema, value[name], whole, f"{path}.{name}")


def _contains(wanted: Schema, value: Any, whole: Schema, path: str) -> Iterator[str]:
    if isinstance(value, list) and all(faults(wanted, v, whole, path) for v in value):
        yield f"{path}: contains"


def _any_of(wanted: list[Schema], value: Any, whole: Schema, path: str) -> Iterator[str]:
    if all(faults(s, value, whole, path) for s in wanted):
        yield f"{path}: anyOf"


KEYWORDS: Mapping[str, Any] = {
    "$ref": lambda w, v, whole, p: faults(resolved(w, whole), v, whole, p),
    "allOf": lambda w, v, whole, p: [f for s in w for f in faults(s, v, whole, p)],
    "anyOf": _any_of,
    "const": lambda w, v, whole, p: [] if v == w else [f"{p}: const"],
    "contains": _contains,
    "minItems": lambda w, v, whole, p: [] if len(v) >= w else [f"{p}: minItems"],
    "minimum": lambda w, v, whole, p: [] if v >= w else [f"{p}: minimum"],
    "pattern": lambda w, v, whole, p: [] if re.search(w, v) else [f"{p}: pattern"],
    "properties": _properties,
    "required": lambda w, v, whole, p: [f"{p}: {name}" for name in w if name not in v],
    "type": lambda w, v, whole, p: [] if isinstance(v, TYPES[w]) else [f"{p}: {w}"],
}
