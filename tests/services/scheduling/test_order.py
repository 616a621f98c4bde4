"""Whatever order the messages of several producers come in, scheduling ends in the same state."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core import Resource
from tests.services.scheduling.patient import (
    MINUTE,
    NOW,
    World,
    authorization,
    benefit,
    coded,
    consent,
    coverage,
    lab,
    order,
    request,
    verification,
)

Message = tuple[Resource, ...]

INTAKE: tuple[Message, ...] = (
    (order(status="draft"), request(), coverage(), consent("inactive")),
    (order(occurrencePeriod={"start": "2026-12-03"}), verification(status="requested")),
    (lab("in-hb", "718-7", "2026-11-15"), lab("in-fer", "2276-4", "2026-11-15", "preliminary")),
    (verification(), consent()),
    (lab("in-fer", "2276-4", "2026-11-15"), order(), request({"event": ["2026-12-01", "2026-12-09"]})),
)
AUTH: tuple[Message, ...] = (
    (benefit(inforce=False), authorization("investigating")),
    (benefit(), authorization("pended")),
    (authorization("approved", period=("2026-11-01", "2027-05-01")),),
)
ENDS: tuple[tuple[Message, ...], ...] = (
    (),
    ((order(status="on-hold"),),),
    ((order(status="revoked"),),),
    ((order(code=coded("drug", "iron-sucrose")),),),
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data=st.data(), end=st.sampled_from(ENDS))
def test_messages_of_two_producers_end_the_same_in_any_order(
    data: st.DataObject, end: tuple[tuple[Message, ...], ...]
) -> None:
    intake, auth = (*INTAKE, *end), AUTH
    turns = data.draw(st.permutations([0] * len(intake) + [1] * len(auth)))
    queues = [list(intake), list(auth)]
    mixed = asyncio.run(_ended([queues[turn].pop(0) for turn in turns]))
    assert mixed == asyncio.run(_ended([*intake, *auth]))


async def _ended(messages: Sequence[Any]) -> dict[str, Any]:
    """What is said once holds of the way there have expired; hold numbers only count the attempts."""
    world = World()
    for message in messages:
        await world.hears(*message)
    await world.hears(at=NOW + 15 * MINUTE)
    assert (await world.hears(at=NOW + 16 * MINUTE)).saves == ()
    live = [a for a in world.appointments() if a["status"] != "cancelled"]
    told = [(a["status"], a.get("start"), a["participant"], a["serviceType"]) for a in live]
    ready = [e for a in live for e in a["extension"] if e["url"].endswith("readiness")]
    evidence = [[p for p in e["extension"] if p["url"] != "evidence"] for e in ready]
    said = {"stage": world.stage(), "asked": world.questions(), "wakes": sorted(world.wakes)}
    return said | {"told": told, "ready": evidence, "seats": set(world.seats)}
