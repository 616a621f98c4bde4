"""What a full database and too many requests do: the rate over much that is stored, what is refused in an overload."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg

from benchmarks.harness import SERVICES, Deployment
from benchmarks.load import Answer, Pool, Tally, burst
from benchmarks.phases import Extent

FIRST = 5_000
"""Referrals stored when the rate is taken for the first time."""
AT_ONCE = 256
"""Requests under way at once in an overload: several times what is answered in a second."""
_CHUNK = 1_000

# Every row of the one referral that is there, under ids and lanes of its own; what it says in full is left out, for
# what grows with what is stored are the indexes.
_COPIES = (
    "insert into resource (id, type, lane, owner, epoch, version, updated, body) select left(r.id, 3) || "
    "md5(r.id || n)::uuid, r.type, 'patient/in-' || md5(r.lane || n)::uuid, r.owner, r.epoch, r.version, r.updated, "
    "'{}' from resource r, generate_series($1::int, $2::int) n where r.lane = $3",
    "insert into history (id, epoch, version, at, body) select left(h.id, 3) || md5(h.id || n)::uuid, h.epoch, "
    "h.version, h.at, '{}' from history h join resource r on r.id = h.id, generate_series($1::int, $2::int) n "
    "where r.lane = $3",
    "insert into search (type, parameter, value, id) select s.type, s.parameter, left(s.value, 400) || n, "
    "left(s.id, 3) || md5(s.id || n)::uuid from search s join resource r on r.id = s.id, "
    "generate_series($1::int, $2::int) n where r.lane = $3",
    "insert into identity (client, system, value, id) select i.client, i.system, i.value || '-' || n, "
    "left(i.id, 3) || md5(i.id || n)::uuid from identity i join resource r on r.id = i.id, "
    "generate_series($1::int, $2::int) n where r.lane = $3",
    "insert into lane (key, seq) select 'patient/in-' || md5($3 || n)::uuid, 1 from "
    "generate_series($1::int, $2::int) n",
)


async def stored(deployment: Deployment, lane: str, first: int, last: int) -> None:
    """Stores copies number `first` to `last` of the referral in this lane, in the service that takes referrals."""
    connection = await asyncpg.connect(
        str(deployment.settings.database_url), server_settings={"search_path": "intake", "synchronous_commit": "off"}
    )
    try:
        for at in range(first, last + 1, _CHUNK):
            for statement in _COPIES:
                await connection.execute(statement, at, min(last, at + _CHUNK - 1), lane, timeout=600)
        await connection.execute("analyze", timeout=600)
    finally:
        await connection.close()


async def growing(deployment: Deployment, pool: Pool, extent: Extent, lane: str) -> dict[str, Any]:
    """Accepted referrals a second over few and over many stored ones, by the service that takes them alone.

    Each is the better of two bursts: what else the machine does makes a rate lower, never higher.
    """
    await _settled(deployment)
    few, many, begun = min(FIRST, extent.stored // 10), extent.stored, time.monotonic()
    await stored(deployment, lane, 1, few)
    before = await _rate(deployment, pool, extent, 300_000)
    await stored(deployment, lane, few + 1, many)
    filling = time.monotonic() - begun
    after = await _rate(deployment, pool, extent, 400_000)
    return {
        "few": few,
        "many": many,
        "accepted_per_second_over_few": before,
        "accepted_per_second_over_many": after,
        "share": after / before if before else float("nan"),
        "filled_in_seconds": filling,
    }


async def _rate(deployment: Deployment, pool: Pool, extent: Extent, first: int) -> float:
    """Accepted referrals a second, numbered from `first`."""
    numbers, best = iter(range(first, 10**6)), 0.0

    async def send(_: int) -> Answer:
        return await pool.send(next(numbers))

    for _ in range(2):
        best = max(best, (await burst(send, extent.half_rate)).per_second)
        await _settled(deployment)
    return best


async def _settled(deployment: Deployment, seconds: float = 60.0) -> None:
    """Waits until the services have done what was given to them, bounded."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        unsent = [await deployment.rows(s, "select count(*) from outbox where sent_at is null") for s in SERVICES]
        unread = [await deployment.rows(s, "select count(*) from inbox where status = 'new'") for s in SERVICES]
        if not any(int(rows[0][0]) for rows in (*unsent, *unread)):
            return
        await asyncio.sleep(0.5)


async def overloaded(deployment: Deployment, pool: Pool, extent: Extent) -> dict[str, Any]:
    """Many times what can be taken: what is answered, and the most memory a service needs meanwhile."""
    most = dict.fromkeys(SERVICES, 0.0)

    async def watching() -> None:
        while True:
            for name in SERVICES:
                most[name] = max(most[name], await asyncio.to_thread(deployment.memory, name))
            await asyncio.sleep(0.5)

    watch = asyncio.create_task(watching())
    try:
        tally = await burst(pool.send, extent.half_rate, at_once=AT_ONCE)
    finally:
        watch.cancel()
    return {"at_once": AT_ONCE, **_refusals(tally), "most_memory_mib": most, "largest_mib": max(most.values())}


def _refusals(tally: Tally) -> dict[str, Any]:
    busy = [a for a in tally.answers if a.status == 503]
    return {
        "accepted_per_second": tally.per_second,
        "refused": tally.refused,
        "p99_ms": tally.latency(0.99),
        "told_when_to_come_again": all(a.retry_after is not None for a in busy),
    }
