"""What has not reached whom, and why: read from one service's own store, without a value of a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared import store
from shared.clock import instant, stamp
from shared.core import Service
from shared.messages import Catalogue, hearers
from shared.ports import Database, Row, Transaction
from shared.turns import Turns


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One thing that is not where it should be.

    what   unsent (message of ours), delivery (to a partner), unheard (message of another service to us), refused (at
           the door).
    to     who has not got it; reason: the message's or channel's name; why: its state and what stood in the way.
    """

    service: str
    what: str
    id: str
    to: str
    reason: str
    why: str
    attempts: int
    since: datetime


async def undelivered(
    service: Service, database: Database, catalogue: Catalogue, before: datetime, now: datetime
) -> list[Undelivered]:
    """Everything of this service that has been under way since before an instant, the oldest first."""
    async with database.reading() as tx:
        found = [
            *_unsent(service, catalogue, await tx.fetch(_UNSENT, stamp(before))),
            *_deliveries(service, await tx.fetch(_DELIVERIES, stamp(before))),
            *await _unheard(tx, service, before, now),
            *_refused(service, await tx.fetch(_REFUSED, stamp(before))),
        ]
    return sorted(found, key=lambda u: (u.since, u.id))


_UNSENT = "select id, keys, reason, problem, created_at from outbox where sent_at is null and created_at <= $1"
_DELIVERIES = (
    "select id, channel, resource, state, problem, attempt, created_at from delivery "
    "where state <> 'answered' and created_at <= $1"
)
_UNHEARD = (
    "select id, producer, lane, reason, status, problem, attempt, received_at from inbox "
    "where status in ('new', 'waiting', 'retry', 'parked') and received_at <= $1"
)
_REFUSED = "select id, client, place, issues, at from quarantine where at <= $1"


def _unsent(service: Service, catalogue: Catalogue, rows: Sequence[Row]) -> Iterator[Undelivered]:
    for id_, keys, reason, problem, since in rows:
        to = ", ".join(sorted(hearers(json.loads(keys), service.name, catalogue))) or "nobody"
        yield Undelivered(service.name, "unsent", id_, to, reason, problem or "not sent yet", 0, instant(since))


def _deliveries(service: Service, rows: Sequence[Row]) -> Iterator[Undelivered]:
    for id_, channel, resource, state, problem, attempt, since in rows:
        why = f"{state}: {problem}" if problem else state
        yield Undelivered(service.name, "delivery", id_, channel, resource, why, attempt, instant(since))


def _refused(service: Service, rows: Sequence[Row]) -> Iterator[Undelivered]:
    for id_, client, place, issues, since in rows:
        count = len(json.loads(issues).get("issue", ()))
        named = f"{place} of {client}"
        yield Undelivered(service.name, "refused", id_, service.name, named, f"{count} issues", 1, instant(since))


async def _unheard(tx: Transaction, service: Service, before: datetime, now: datetime) -> list[Undelivered]:
    rows = await tx.fetch(_UNHEARD, stamp(before))
    missing = await _missing(tx, service, sorted({row[2] for row in rows if row[4] == "waiting"}), now)
    found = []
    for id_, producer, _, reason, status, problem, attempt, since in rows:
        rest = ", ".join(f"{p} {m}" for p, m in missing.get(id_, ())) if status == "waiting" else problem
        why = f"waits for {rest}" if rest and status == "waiting" else f"{status}: {rest}" if rest else status
        named = f"{reason} of {producer}"
        found.append(Undelivered(service.name, "unheard", id_, service.name, named, why, attempt, instant(since)))
    return found


async def _missing(
    tx: Transaction, service: Service, lanes: Sequence[str], now: datetime
) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Message id -> (producer, id) of what it waits for."""
    rows = await store.unfinished(tx, lanes)
    turns = Turns(service.name, rows, now)
    turns.arrived(await store.arrived(tx, turns.wanted()))
    turns.covered(await store.backfilled(tx, lanes))
    return {row.id: sorted(turns.missing(row)) for row in rows}
