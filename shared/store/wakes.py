"""Wakes: named timers of a lane."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.clock import stamp
from shared.ports import Transaction


async def set_wakes(tx: Transaction, wakes: Mapping[tuple[str, str], datetime | None]) -> None:
    """Sets, replaces and (None) clears timers named by (lane, key)."""
    cleared = sorted(named for named, due in wakes.items() if due is None)
    for lane in sorted({lane for lane, _ in cleared}):
        keys = [key for of, key in cleared if of == lane]
        await tx.execute("delete from wake where lane = $1 and key = any($2)", lane, keys)
    rows = sorted((lane, key, stamp(due)) for (lane, key), due in wakes.items() if due is not None)
    if rows:
        conflict = "on conflict (lane, key) do update set due_at = excluded.due_at"
        await tx.insert("wake", ("lane", "key", "due_at"), rows, conflict)


async def due_wakes(tx: Transaction, now: datetime, most: int = 200) -> list[tuple[str, str, str]]:
    """(lane, key, due_at) of timers that are due."""
    rows = await tx.fetch(
        "select lane, key, due_at from wake where due_at <= $1 order by due_at limit $2", stamp(now), most
    )
    return [(r[0], r[1], r[2]) for r in rows]


async def drop_wake(tx: Transaction, lane: str, key: str, due_at: str) -> bool:
    """Takes one due timer away; False when it was taken or moved meanwhile."""
    sql = "delete from wake where lane = $1 and key = $2 and due_at = $3"
    return await tx.execute(sql, lane, key, due_at) == 1


async def put_off_wake(tx: Transaction, lane: str, key: str, due_at: str, until: datetime) -> None:
    """Moves one timer, unless it was taken or moved meanwhile."""
    sql = "update wake set due_at = $4 where lane = $1 and key = $2 and due_at = $3"
    await tx.execute(sql, lane, key, due_at, stamp(until))
