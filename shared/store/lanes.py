"""Lanes: the rows every transaction locks first; each carries its outbox sequence, its time and its causes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import instant, stamp
from shared.messages import Causes, causes_json, causes_of
from shared.ports import Transaction

_LOCKED = "select key, seq, at, causes, previous from lane where key = any($1) order by key for update"
_TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class Lane:
    """One locked lane: what its next message carries, and the latest instant given in it."""

    key: str
    seq: int
    at: datetime | None
    causes: Causes
    previous: dict[str, str]

    def tick(self, at: datetime) -> datetime:
        """An instant later than every other given in this lane: `at`, or just after the latest."""
        self.at = at if self.at is None or at > self.at else self.at + _TICK
        return self.at


async def locked(tx: Transaction, keys: Iterable[str]) -> dict[str, Lane]:
    """Locks these lanes in sorted order, making those that are new."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await tx.fetch(_LOCKED, wanted) if len(wanted) == 1 else []
    if not rows:
        await tx.insert("lane", ("key",), [(k,) for k in wanted], "on conflict (key) do nothing")
        rows = await tx.fetch(_LOCKED, wanted)
    return {r[0]: Lane(r[0], r[1], instant(r[2]) if r[2] else None, causes_of(r[3]), json.loads(r[4])) for r in rows}


async def lanes_saved(tx: Transaction, lanes: Iterable[Lane]) -> None:
    """Writes locked lanes back."""
    rows = [
        (lane.key, lane.seq, stamp(lane.at) if lane.at else "", causes_json(lane.causes), json.dumps(lane.previous))
        for lane in lanes
    ]
    if rows:
        await tx.insert(
            "lane",
            ("key", "seq", "at", "causes", "previous"),
            rows,
            "on conflict (key) do update set seq = excluded.seq, at = excluded.at, causes = excluded.causes, "
            "previous = excluded.previous",
        )
