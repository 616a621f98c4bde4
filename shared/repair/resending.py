"""Which sent messages are sent once more, because a service that was to hear them has not got them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared import store
from shared.core import Service
from shared.messages import Catalogue, hearers
from shared.ports import Database, Row
from shared.repair.pacing import PAGE, Pace


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of an outbox a repair is about.

    since, until  when the broker took them.
    partitions    none: every one.
    lane          only this lane.
    every         also what every hearer has already.
    """

    since: datetime
    until: datetime
    partitions: frozenset[int] = frozenset()
    lane: str | None = None
    every: bool = False


@dataclass(frozen=True, slots=True)
class Resent:
    """How many messages will be sent again, and how many of them each hearer lacked."""

    messages: int
    lacking: Mapping[str, int]
    is_relayed: bool


async def resend(
    producer: Service, database: Database, inboxes: Mapping[str, Database], catalogue: Catalogue, wanted: Wanted,
    patience: float,
) -> Resent:  # fmt: skip
    """Marks as unsent what one of the services of `inboxes` was to hear and has not got; the relay does the rest.

    Page by page, oldest first; ended in between, the same again goes on where it was.
    """
    pace, after, count = Pace(database, patience), "", 0
    lacking: Counter[str] = Counter()
    while True:
        async with database.reading() as tx:
            rows = await store.taken_by_broker(tx, wanted.since, wanted.until, after, PAGE)
        if not rows:
            return Resent(count, lacking, pace.is_relayed)
        after = rows[-1][0]
        chosen = [r for r in rows if _is_wanted(r, wanted)]
        missed = await _missed(chosen, producer, inboxes, catalogue, wanted.every)
        lacking.update(name for names in missed.values() for name in names)
        async with database.writing() as tx:
            count += await store.send_again(tx, sorted(missed))
        await pace.kept()


def _is_wanted(row: Row, wanted: Wanted) -> bool:
    _, lane, partition, _ = row
    return (not wanted.partitions or partition in wanted.partitions) and wanted.lane in (None, lane)


async def _missed(
    rows: Sequence[Row], producer: Service, inboxes: Mapping[str, Database], catalogue: Catalogue, every: bool
) -> dict[str, list[str]]:
    """Message id -> the services that were to hear it and have not got it; all that were to where `every`."""
    heard_by = {row[0]: hearers(json.loads(row[3]), producer.name, catalogue) & set(inboxes) for row in rows}
    missed: dict[str, list[str]] = {}
    for name, database in sorted(inboxes.items()):
        ids = [id_ for id_, names in heard_by.items() if name in names]
        known: Collection[str] = () if every else await _known(database, ids)
        for id_ in (i for i in ids if i not in known):
            missed.setdefault(id_, []).append(name)
    return missed


async def _known(database: Database, ids: Sequence[str]) -> Collection[str]:
    async with database.reading() as tx:
        return await store.known(tx, ids)
