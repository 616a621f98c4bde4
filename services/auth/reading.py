"""Reads a lane of authorization's own store together with the parties its resources refer to."""

from __future__ import annotations

from collections.abc import Iterable

from services.auth.words import references
from shared.core import Resource, reference
from shared.memo import of_each
from shared.ports import Reader

PARTIES = ("Medication", "Organization", "Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Coverage")
"""Kinds that may live in another patient's lane, where they were first received."""

DEPTH = 3
"""PractitionerRole -> Organization -> the Organization it is part of."""


async def gather_lane(reader: Reader, lane: str) -> dict[str, Resource]:
    """`Type/id` -> resource: everything of a lane, and the parties it refers to however far away they were received."""
    known = {reference(r): r for r in await reader.of_lane(lane)}
    for _ in range(DEPTH):
        found = await _read(reader, _unknown(known))
        if not found:
            break
        known |= found
    return known


def _unknown(known: dict[str, Resource]) -> list[str]:
    cited = dict.fromkeys(r for resource in known.values() for r in _cited(resource))
    return [r for r in cited if r not in known and r.partition("/")[0] in PARTIES]


@of_each
def _cited(resource: Resource) -> tuple[str, ...]:
    return tuple(dict.fromkeys(references(resource)))


async def _read(reader: Reader, wanted: Iterable[str]) -> dict[str, Resource]:
    read = await reader.several(literal.rpartition("/")[2] for literal in wanted)
    return {reference(r): r for r in read.values()}
