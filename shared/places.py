"""Where something is wrong, in FHIR's own words alone: the name of an unknown element may be a patient's."""

from __future__ import annotations

import re
from functools import cache

from shared.fhir.definitions import r4

_PART = re.compile(r"([A-Za-z]\w*)(\[\d+\])*")


def public(expression: str) -> str:
    """A FHIRPath expression up to the first name that is no resource type or element of R4."""
    parts = expression.split(".")
    unknown = (n for n, part in enumerate(parts) if not _is_known(part))
    return ".".join(parts[: next(unknown, len(parts))])


def is_type(name: str) -> bool:
    """Whether a name is a resource type of R4."""
    return name in r4().resource_types


def _is_known(part: str) -> bool:
    found = _PART.fullmatch(part)
    return found is not None and found[1] in _names()


@cache
def _names() -> frozenset[str]:
    """Every resource type, and every element of one and of the data types used there."""
    found: set[str] = set()
    waiting = set(r4().resource_types)
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        elements = [e for children in r4().structure(name).children.values() for e in children]
        found.update((name, *(e.name for e in elements)))
        fresh = {t.code for e in elements for t in e.types if t.code.isalnum()} - seen
        seen |= fresh
        waiting |= fresh
    return frozenset(found)
