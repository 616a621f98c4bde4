"""Gathers the facts one event is decided on, from authorization's own store."""

from __future__ import annotations

from services.auth.facts import Facts
from services.auth.reading import gather_lane
from shared.core import Event
from shared.ports import Reader


async def gather_facts(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
    """Everything this service knows of the patient whose lane is held."""
    return Facts(await gather_lane(reader, event.lane))
