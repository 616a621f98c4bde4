"""Reads the facts of one decision: everything of the patient's lane, and the capacity where a time is looked for."""

from __future__ import annotations

from dataclasses import replace

from services.scheduling.coordinator import wanted_spans
from services.scheduling.facts import Facts
from services.scheduling.planner import resources
from services.scheduling.policy import Practice
from shared.core import Event, Gather, Seat
from shared.ports import Reader
from shared.visits.cells import cell_of


def gatherer(practice: Practice) -> Gather:
    """The gather function of one practice."""

    async def gather(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
        facts = Facts(tuple(await reader.of_lane(event.lane)), held=lanes)
        taken: set[Seat] = set()
        for site, begins, ends in wanted_spans(event, facts, practice):
            taken.update(await reader.taken(resources(site), cell_of(begins), cell_of(ends)))
        return replace(facts, taken=frozenset(taken))

    return gather
