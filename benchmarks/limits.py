"""What the engines allow on this machine: raw two-insert transactions and confirmed publishes a second."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import aio_pika
import asyncpg

BODY = "x" * 2000
"""About a message of ours."""
WRITERS, IN_FLIGHT = 8, 200


async def transactions_per_second(database_url: str, seconds: float) -> float:
    """Transactions of two inserts each (a row, its outbox row), committed to disk, on eight connections."""
    pool = await asyncpg.create_pool(database_url, min_size=WRITERS, max_size=WRITERS)
    async with pool:
        for table in ("limit_row", "limit_outbox"):
            await pool.execute(f"create table {table} (id uuid primary key, body text not null)")
        ends = time.monotonic() + seconds

        async def written() -> int:
            count = 0
            async with pool.acquire() as connection:
                while time.monotonic() < ends:
                    async with connection.transaction():
                        for table in ("limit_row", "limit_outbox"):
                            await connection.execute(f"insert into {table} values ($1, $2)", uuid4(), BODY)
                    count += 1
            return count

        counts = await asyncio.gather(*(written() for _ in range(WRITERS)))
        await pool.execute("drop table limit_row, limit_outbox")
    return sum(counts) / seconds


async def publishes_per_second(amqp_url: str, seconds: float) -> float:
    """Persistent mandatory publishes to one quorum queue, each confirmed, 200 in flight."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        queue = await channel.declare_queue("limit", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(BODY.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        ends = time.monotonic() + seconds

        async def published() -> int:
            count = 0
            while time.monotonic() < ends:
                await channel.default_exchange.publish(message, queue.name, mandatory=True, timeout=10)
                count += 1
            return count

        counts = await asyncio.gather(*(published() for _ in range(IN_FLIGHT)))
        await queue.delete(if_unused=False, if_empty=False)
    return sum(counts) / seconds
