"""The engines a run is given: real, durable, and for each module its own."""

from __future__ import annotations

import asyncpg
import httpx
import pytest
import redis
from aio_pika import connect

from benchmarks.engines import Engines, EnginesError, probes


async def test_postgresql_is_empty_and_keeps_fsync(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    settings = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
    await connection.close()
    assert tables == 0
    assert settings == ["on", "on"]


async def test_rabbitmq_takes_quorum_queues_in_a_vhost_of_its_own(amqp_url: str, engines: Engines) -> None:
    connection = await connect(amqp_url)
    channel = await connection.channel()
    await channel.declare_queue("intake.p0", durable=True, arguments={"x-queue-type": "quorum"})
    await connection.close()
    vhost = amqp_url.rpartition("/")[2]
    async with httpx.AsyncClient(base_url=engines.management_url) as management:
        ours, default = [(await management.get(f"/api/queues/{name}")).json() for name in (vhost, "%2F")]
    assert [(queue["name"], queue["type"]) for queue in ours] == [("intake.p0", "quorum")]
    assert "intake.p0" not in [queue["name"] for queue in default]


def test_redis_is_empty_and_not_database_zero(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        assert client.connection_pool.connection_kwargs["db"] > 0


@pytest.mark.slow
async def test_a_killed_postgresql_comes_back_with_what_was_committed(database_url: str, engines: Engines) -> None:
    engine = engines["postgresql"]
    if not engine.killing:
        with pytest.raises(EnginesError, match="CAREPOD_DATABASE_URL"):
            engine.kill()
        return
    before = await asyncpg.connect(database_url)
    await before.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    engine.kill()
    assert not probes.answers("postgresql", engine.host, engine.port)
    engine.start()
    after = await asyncpg.connect(database_url)
    assert await after.fetchval("SELECT answer FROM kept") == 42
    await after.close()
