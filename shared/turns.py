"""Whose turn it is in the inbox: each producer's messages of a lane in order, each after what it rests on.

The order is the producer's own, not the broker's: a queue gives back what a dead consumer held behind what it gave back
before, so a message can overtake an earlier one of its patient. Each therefore names the one before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.clock import minted, stamp
from shared.store import Unfinished

KEPT = timedelta(days=25)
"""What is older than this may have left the inbox with what is kept 30 days: nobody waits for it."""

_Awaited = tuple[str, int, str]
"""Producer, a sequence not below the message's, and its id."""


class Turns:
    """The unfinished messages of some lanes, given out one at a time.

    While one waits for what it rests on or for its next attempt, only the same lane's messages of the same producer
    wait behind.
    """

    def __init__(self, service: str, rows: Sequence[Unfinished], now: datetime) -> None:
        self._service, self._now = service, now
        self._queues: dict[tuple[str, str], list[Unfinished]] = {}
        for row in rows:
            self._queues.setdefault((row.lane, row.producer), []).append(row)
        self._rests_on = {row.id: tuple(self._awaited(row)) for row in rows}
        self._arrived: set[str] = set()
        self._covered: dict[tuple[str, str], int] = {}

    def wanted(self) -> frozenset[str]:
        """Every message one of these rests on: `arrived` should be told which have."""
        return frozenset(id_ for rests_on in self._rests_on.values() for _, _, id_ in rests_on)

    def arrived(self, ids: Iterable[str]) -> None:
        """Says that nothing needs to wait for these messages."""
        self._arrived.update(ids)

    def covered(self, backfilled: Mapping[tuple[str, str], int]) -> None:
        """Says up to which sequence a backfill stands for all a producer has said in a lane: nobody waits for that."""
        for place, seq in backfilled.items():
            self._covered[place] = max(seq, self._covered.get(place, 0))

    def standing(self, backfills: Collection[Unfinished]) -> Collection[Unfinished]:
        """Those that rest on nothing but what has come and on one another; each then covers what was before it."""
        while True:
            covered: dict[tuple[str, str], int] = {}
            for row in backfills:
                covered[row.lane, row.producer] = max(row.seq, covered.get((row.lane, row.producer), 0))
            standing = [
                row for row in backfills
                if all(covered.get((row.lane, producer), 0) >= seq for producer, seq, _ in self._lacking(row))
            ]  # fmt: skip
            if len(standing) == len(backfills):
                self.covered(covered)
                return standing
            backfills = standing

    def next(self) -> Unfinished | None:
        """The first taken message whose turn it is."""
        ready = [row for row in self._heads() if self._ready(row)]
        return min(ready, key=lambda row: (row.received_at, row.seq), default=None)

    def done(self, row: Unfinished) -> None:
        """Takes a message out: decided or parked, so those behind it go on."""
        self._queues[(row.lane, row.producer)].remove(row)
        self._arrived.add(row.id)

    def stuck(self) -> tuple[Unfinished, ...]:
        """Messages in front that wait for what has not come and that nobody has an eye on until later."""
        now = stamp(self._now)
        waiting = [row for row in self._heads() if not self._ready(row)]
        return tuple(row for row in waiting if row.status == "new" or row.next_at <= now)

    def missing(self, row: Unfinished) -> frozenset[tuple[str, str]]:
        """(producer, message id) of what a stuck message waits for; a large one for its own rest."""
        if not row.whole:
            return frozenset({(row.producer, row.id)})
        return frozenset((producer, id_) for producer, _, id_ in self._lacking(row))

    def _heads(self) -> list[Unfinished]:
        return [rows[0] for rows in self._queues.values() if rows]

    def _ready(self, row: Unfinished) -> bool:
        if row.status == "retry" and row.next_at > stamp(self._now):
            return False
        return row.whole and not self._lacking(row)

    def _lacking(self, row: Unfinished) -> list[_Awaited]:
        awaited = self._rests_on[row.id]
        return [a for a in awaited if a[2] not in self._arrived and self._covered.get((row.lane, a[0]), 0) < a[1]]

    def _awaited(self, row: Unfinished) -> Iterable[_Awaited]:
        named = [(producer, cause.seq, cause.heard.get(self._service)) for producer, cause in row.causes.items()]
        # A backfill that is later than a message is later than the one before it, too.
        for producer, seq, id_ in (*named, (row.producer, row.seq, row.previous(self._service))):
            if id_ and producer != self._service and is_young(id_, self._now):
                yield producer, seq, id_


def is_young(message_id: str, now: datetime) -> bool:
    """Whether a message is young enough that the inbox must still have it."""
    made = minted(message_id)
    return made is not None and made > now - KEPT
