"""Reads the facts of one decision: everything of the patient's lane, and the nurses' time where some is looked for."""

from __future__ import annotations

from dataclasses import replace

from services.nursing.coordinator import wanted_spans
from services.nursing.facts import Facts
from services.nursing.planner import resources
from services.nursing.policy import Practice
from shared.core import Event, Gather, Seat
from shared.ports import Reader
from shared.visits.cells import cell_of


def gatherer(practice: Practice) -> Gather:
    """The gather function of one practice."""

    async def gather(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
        facts = Facts(tuple(await reader.of_lane(event.lane)), held=lanes)
        taken: set[Seat] = set()
        for region, begins, ends in wanted_spans(event, facts, practice):
            taken.update(await reader.taken(resources(region), cell_of(begins), cell_of(ends)))
        return replace(facts, taken=frozenset(taken))

    return gather
