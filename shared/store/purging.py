"""What leaves a store by age; ids begin with the time they were made, so the oldest are found by them."""

from __future__ import annotations

from datetime import datetime

from shared.clock import first_uuid7, stamp
from shared.ports import Transaction


async def purge_sent(tx: Transaction, before: datetime, most: int) -> int:
    """Removes messages the broker took before this instant; how many."""
    return await tx.execute(
        "delete from outbox where id in (select id from outbox where id < $1 and sent_at < $2 order by id limit $3)",
        first_uuid7(before),
        stamp(before),
        most,
    )


async def purge_taken(tx: Transaction, before: datetime, most: int) -> int:
    """Removes messages that came before this instant and are done with; how many."""
    return await tx.execute(
        "delete from inbox where id in (select id from inbox where id < $1 and received_at < $2 "
        "and status in ('done', 'superseded') order by id limit $3)",
        first_uuid7(before),
        stamp(before),
        most,
    )


async def empty(tx: Transaction, before: datetime, most: int) -> int:
    """Empties the bodies of what was refused before this instant; how many."""
    return await tx.execute(
        "update quarantine set body = '' where id in "
        "(select id from quarantine where at < $1 and body <> '' order by id limit $2)",
        stamp(before),
        most,
    )
