"""Deliveries to outside partners: prepared -> sending (leased, fenced) -> answered, in doubt or parked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import stamp
from shared.ports import Row, Transaction
from shared.store.inbox import storable


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery to an outside partner, as claimed by a worker; `state` is the one it was found in."""

    id: str
    channel: str
    resource: str
    occurrence: str
    lane: str
    state: str
    attempt: int
    fence: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delivery a decision starts."""

    id: str
    channel: str
    resource: str
    occurrence: str
    lane: str
    at: datetime


async def prepare(tx: Transaction, deliveries: Sequence[Prepared]) -> None:
    """Prepares deliveries; one already known stays as it is."""
    columns = ("id", "channel", "resource", "occurrence", "lane", "state", "next_at", "created_at")
    rows = [
        (d.id, d.channel, d.resource, d.occurrence, d.lane, "prepared", stamp(d.at), stamp(d.at)) for d in deliveries
    ]
    if rows:
        await tx.insert("delivery", columns, rows, "on conflict (id) do nothing")


# Due: its time has come, no lease runs, and nothing older of the same resource is under way.
_DUE = """
from delivery d where d.channel = $2 and d.state in ('prepared', 'in-doubt', 'sending')
and d.next_at <= $1 and d.lease_until <= $1 and not exists (
    select 1 from delivery e where e.resource = d.resource and e.channel = d.channel and e.created_at < d.created_at
    and e.state in ('prepared', 'in-doubt', 'sending'))
"""


async def are_due(tx: Transaction, channel: str, now: datetime) -> bool:
    """Whether `claim` would find something: asked first, for a look takes no write."""
    return bool(await tx.fetch("select 1 " + _DUE + "limit 1", stamp(now), channel))


async def claim(tx: Transaction, channel: str, now: datetime, lease: timedelta, most: int) -> list[Delivery]:
    """Leases due deliveries of a channel: `prepared` and `in-doubt` ones, and `sending` ones whose lease ran out.

    The state returned is the one found, `in-doubt` for a lease that ran out; each is now `sending`, one fence higher.
    """
    rows = await tx.fetch(
        "select id, channel, resource, occurrence, lane, state, attempt, fence, problem "
        + _DUE
        + "order by d.next_at, d.id limit $3 for update skip locked",
        stamp(now),
        channel,
        most,
    )
    if rows:
        await tx.execute(
            "update delivery set state = 'sending', fence = fence + 1, attempt = attempt + 1, lease_until = $2 "
            "where id = any($1)",
            [r[0] for r in rows],
            stamp(now + lease),
        )
    return [_claimed(r) for r in rows]


def _claimed(row: Row) -> Delivery:
    id_, channel, resource, occurrence, lane, state, attempt, fence, problem = row
    if state == "sending":
        state, problem = "in-doubt", ""
    return Delivery(id_, channel, resource, occurrence, lane, state, attempt + 1, fence + 1, problem)


async def void_leases(tx: Transaction) -> None:
    """Ends every lease: for the only process of a database, at its start, whoever held them is gone."""
    await tx.execute("update delivery set lease_until = '' where state = 'sending'")


async def answered(tx: Transaction, delivery: Delivery, at: datetime) -> bool:
    """Settles a delivery; False when its fence has moved on: somebody else has it, or it is settled already."""
    changed = await tx.execute(
        "update delivery set state = 'answered', answered_at = $3, problem = '' "
        "where id = $1 and fence = $2 and state = 'sending'",
        delivery.id,
        delivery.fence,
        stamp(at),
    )
    return changed == 1


async def settle(tx: Transaction, resource: str, at: datetime) -> None:
    """A notification settles what was sent for a resource and is not answered yet."""
    await tx.execute(
        "update delivery set state = 'answered', answered_at = $2, problem = '' "
        "where resource = $1 and attempt > 0 and state in ('sending', 'in-doubt', 'parked')",
        resource,
        stamp(at),
    )


async def defer(tx: Transaction, delivery: Delivery, state: str, next_at: datetime, problem: str) -> None:
    """Puts a delivery back, `prepared`, `in-doubt` or `parked`, unless its fence has moved on."""
    await tx.execute(
        "update delivery set state = $3, next_at = $4, problem = $5, lease_until = '' "
        "where id = $1 and fence = $2 and state = 'sending'",
        delivery.id,
        delivery.fence,
        state,
        stamp(next_at),
        storable(problem),
    )
