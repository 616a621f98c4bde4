"""Seconds from a complete referral's acceptance to its payer's answer to the request, on real engines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.engines import Engines
from benchmarks.harness import Deployment
from benchmarks.load import percentile, steady
from benchmarks.phases import deployed

TAKEN = "select lane, min(at) from decision where kind = 'command' group by lane"
ANSWERED = "select lane, answered_at from delivery where channel = 'preauthorization' and state = 'answered'"


@dataclass(frozen=True, slots=True)
class Pushes:
    """Complete referrals a second for so many seconds, and how long the last may take."""

    per_second: float = 1.0
    seconds: float = 100.0
    patience: float = 30.0


QUICK = Pushes(seconds=10.0)


async def submission(engines: Engines, pushes: Pushes) -> dict[str, Any]:
    """Each service a process of its own; between intake's instant of taking and the payer's answer by auth's clock.

    p99 is None where the payer did not answer every request in time: it has no value then.
    """
    async with deployed(engines) as (deployment, pool, _):
        tally = await steady(pool.send, pushes.per_second, pushes.seconds)
        taken = await _instants(deployment, "intake", TAKEN)
        answered = await _waited(deployment, tally.accepted, pushes.patience)
    took = [_seconds(taken[lane], at) for lane, at in answered.items()]
    return {
        "offered_per_second": pushes.per_second,
        "accepted": tally.accepted,
        "answered": len(answered),
        "p50_seconds": percentile(took, 0.5),
        "p99_seconds": percentile(took, 0.99) if len(answered) == tally.accepted else None,
    }


async def _waited(deployment: Deployment, count: int, patience: float) -> dict[str, str]:
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        answered = await _instants(deployment, "auth", ANSWERED)
        if len(answered) >= count or loop.time() >= until:
            return answered
        await asyncio.sleep(0.2)


async def _instants(deployment: Deployment, service: str, sql: str) -> dict[str, str]:
    return {str(lane): str(at) for lane, at in await deployment.rows(service, sql)}


def _seconds(begun: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
