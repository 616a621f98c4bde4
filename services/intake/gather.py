"""Reads what intake holds of one patient, and whatever else is stored under the ids an event names."""

from __future__ import annotations

from services.intake.facts import Facts
from shared.core import Event, reference
from shared.ports import Reader


async def gather_facts(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
    """The patient's lane, and the records of other lanes that carry an id of the event: they show a wrong patient."""
    held = {reference(r): r for r in await reader.of_lane(event.lane)}
    named = [r for r in event.resources if event.kind == "command" and reference(r) not in held]
    elsewhere = [await reader.read(r["id"]) for r in named]
    return Facts(event.lane.removeprefix("patient/"), held | {reference(r): r for r in elsewhere if r is not None})
