"""Deliveries to outside partners: prepared -> sending (leased, fenced) -> answered, in doubt or parked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import instant, minted, stamp
from shared.ports import Row, Transaction
from shared.store.inbox import storable


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery to an outside partner, as claimed by a worker.

    state   the one it was found in; since: when it was prepared, by the time of its lane.
    """

    id: str
    channel: str
    resource: str
    occurrence: str
    lane: str
    state: str
    attempt: int
    fence: int
    since: datetime
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delivery a decision starts; `in-doubt` where the partner may have it already.

    at    when, by the time of its lane: what is older of a resource goes first.
    due   when by the clock, which may have been set back since the lane's last decision.
    """

    id: str
    channel: str
    resource: str
    occurrence: str
    lane: str
    at: datetime
    due: datetime
    state: str = "prepared"


async def prepare(tx: Transaction, deliveries: Sequence[Prepared]) -> None:
    """Prepares deliveries; one already known stays as it is, and an earlier one that waits is tried again at once."""
    columns = ("id", "channel", "resource", "occurrence", "lane", "state", "next_at", "created_at")
    rows = [(d.id, d.channel, d.resource, d.occurrence, d.lane, d.state, stamp(d.due), stamp(d.at)) for d in deliveries]
    if rows:
        await tx.insert("delivery", columns, rows, "on conflict (id) do nothing")
    for d in deliveries:
        await tx.execute(
            "update delivery set next_at = $3 "
            "where resource = $1 and channel = $2 and state = 'prepared' and next_at > $3",
            d.resource,
            d.channel,
            stamp(d.due),
        )


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
        "select id, channel, resource, occurrence, lane, state, attempt, fence, created_at, problem "
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
    id_, channel, resource, occurrence, lane, state, attempt, fence, since, problem = row
    if state == "sending":
        state, problem = "in-doubt", ""
    return Delivery(id_, channel, resource, occurrence, lane, state, attempt + 1, fence + 1, instant(since), problem)


async def renew(tx: Transaction, deliveries: Sequence[Delivery], until: datetime) -> set[str]:
    """Leases deliveries for longer; the ids of those whose fence has not moved on and that are not settled."""
    ids, fenced = [d.id for d in deliveries], [f"{d.id} {d.fence}" for d in deliveries]
    ours = "id = any($1) and id || ' ' || fence = any($2) and state = 'sending'"
    await tx.execute(f"update delivery set lease_until = $3 where {ours}", ids, fenced, stamp(until))  # noqa: S608
    return {r[0] for r in await tx.fetch(f"select id from delivery where {ours}", ids, fenced)}  # noqa: S608


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


async def settle(tx: Transaction, resource: str, at: datetime) -> list[tuple[str, str]]:
    """A notification settles what was sent for a resource and is not answered yet; (id, lane) of what was parked."""
    parked = await tx.fetch("select id, lane from delivery where resource = $1 and state = 'parked'", resource)
    await tx.execute(
        "update delivery set state = 'answered', answered_at = $2, problem = '' "
        "where resource = $1 and attempt > 0 and state in ('sending', 'in-doubt', 'parked')",
        resource,
        stamp(at),
    )
    return [(r[0], r[1]) for r in parked]


async def defer(tx: Transaction, delivery: Delivery, state: str, next_at: datetime, problem: str) -> bool:
    """Puts a delivery back, `prepared`, `in-doubt` or `parked`; False where its fence has moved on."""
    changed = await tx.execute(
        "update delivery set state = $3, next_at = $4, problem = $5, lease_until = '' "
        "where id = $1 and fence = $2 and state = 'sending'",
        delivery.id,
        delivery.fence,
        state,
        stamp(next_at),
        storable(problem),
    )
    return changed == 1


async def hurry(tx: Transaction, now: datetime, lease: timedelta) -> None:
    """Makes everything due now that waits for its next attempt, and lets no lease run for longer than a new one."""
    await tx.execute(
        "update delivery set next_at = $1 where state in ('prepared', 'in-doubt') and next_at > $1", stamp(now)
    )
    await tx.execute(
        "update delivery set lease_until = $1 where state = 'sending' and lease_until > $1", stamp(now + lease)
    )
    await tx.execute("update inbox set next_at = $1 where status in ('waiting', 'retry') and next_at > $1", stamp(now))


async def last_decided(tx: Transaction) -> datetime | None:
    """When the latest decision was made, by the clock of whoever made it; None before the first."""
    rows = await tx.fetch("select max(id) from decision")
    return minted(rows[0][0]) if rows and rows[0][0] else None


async def replay_delivery(tx: Transaction, delivery_id: str, now: datetime) -> int:
    """A parked delivery is in doubt again, its attempts counted anew: the partner may have it; how many there were."""
    return await tx.execute(
        "update delivery set state = 'in-doubt', attempt = 0, next_at = $2, lease_until = '' "
        "where id = $1 and state = 'parked'",
        delivery_id,
        stamp(now),
    )


async def doubt_all(tx: Transaction, now: datetime) -> int:
    """Puts everything under way in doubt, due now: this database may not know what was sent of it; how many."""
    return await tx.execute(
        "update delivery set state = 'in-doubt', problem = '', next_at = $1, lease_until = '' "
        "where state in ('prepared', 'sending', 'in-doubt')",
        stamp(now),
    )
