"""The outbox: messages committed with their decision, unsent until the broker has taken them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from shared.clock import first_uuid7, stamp
from shared.ports import Incoming, Row, Transaction
from shared.store.inbox import storable


async def unsent(tx: Transaction, partitions: Sequence[int], but: Sequence[str], most: int) -> list[Row]:
    """(lane, id, reason, keys, headers, body) of the oldest unsent messages, each lane's in order from its first.

    `but` are lanes left out. An instant is never given twice in a lane, so a lane's part of the window begins with its
    first unsent message.
    """
    return await tx.fetch(
        "select lane, id, reason, keys, headers, body from outbox where sent_at is null and partition = any($1) "
        "and not (lane = any($2)) order by created_at, lane, seq limit $3",
        list(partitions),
        list(but),
        most,
    )


async def sent(tx: Transaction, ids: Sequence[str], at: datetime) -> None:
    """Marks messages the broker has taken."""
    if ids:
        await tx.execute("update outbox set sent_at = $2, problem = '' where id = any($1)", list(ids), stamp(at))


async def unsendable(tx: Transaction, ids: Sequence[str], problem: str) -> None:
    """Says why messages are still here."""
    if ids:
        await tx.execute("update outbox set problem = $2 where id = any($1)", list(ids), storable(problem))


async def said(tx: Transaction, message_id: str) -> Incoming | None:
    """One message of the outbox, sent or not, whole: what a consumer fetches that has missed it."""
    rows = await tx.fetch("select reason, headers, body from outbox where id = $1", message_id)
    if not rows:
        return None
    return Incoming(message_id, rows[0][0], json.loads(rows[0][1]), rows[0][2].encode())


async def count_unsent(tx: Transaction) -> int:
    """How many messages the broker has not taken yet."""
    return int((await tx.fetch("select count(*) from outbox where sent_at is null"))[0][0])


async def taken_by_broker(tx: Transaction, since: datetime, until: datetime, after: str, most: int) -> list[Row]:
    """(id, lane, partition, keys) of messages the broker took in this time, in order of their ids, from after one.

    Ids begin with the time, so a page is found by them; a message is never sent before it was made.
    """
    return await tx.fetch(
        "select id, lane, partition, keys from outbox "
        "where id > $1 and id < $2 and sent_at >= $3 and sent_at <= $4 order by id limit $5",
        after,
        first_uuid7(until),
        stamp(since),
        stamp(until),
        most,
    )


async def send_again(tx: Transaction, ids: Sequence[str]) -> int:
    """Takes the mark off that the broker has taken these messages; the number of those that had it."""
    if not ids:
        return 0
    return await tx.execute("update outbox set sent_at = null where id = any($1) and sent_at is not null", list(ids))


async def outbox_has(tx: Transaction, ids: Sequence[str]) -> set[str]:
    """Which of these messages the outbox holds."""
    return {r[0] for r in await tx.fetch("select id from outbox where id = any($1)", list(ids))}
