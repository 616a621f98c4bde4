"""Gathers the facts one event is decided on, from authorization's own store."""

from __future__ import annotations

from services.auth.facts import Facts
from services.auth.reading import gather_lane
from services.auth.subscribing.watching import LANE, TOPIC
from services.auth.words import STATUS
from shared.core import ROUSED, Event, reference
from shared.ports import Reader


async def gather_facts(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
    """Everything this service knows of the patient, or the payer, whose lane is held.

    A payer's lane knows who is waiting for a decision; a patient's, where it was roused, what payers told in vain.
    """
    known = await gather_lane(reader, event.lane)
    beside = []
    if event.lane.startswith(LANE):
        beside = await reader.search("Task", "business-status", f"{STATUS}|pended")
    elif event.reason == ROUSED:
        beside = await reader.search("Subscription", "criteria", TOPIC)
    return Facts(known | {reference(r): r for r in beside})
