"""The rate limit: in Redis for everybody, in the process while Redis is away, and never in the way of referrals."""

from __future__ import annotations

import asyncio
import logging

import pytest
from fakeredis import FakeServer
from fakeredis.aioredis import FakeRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisDown

from shared.web.limits import PATIENCE, REST, SILENCE, Limiter


class Monotonic:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def monotonic():
    return Monotonic()


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
async def redis(server):
    async with FakeRedis(server=server) as redis:
        yield redis


class Frozen:
    """A Redis that takes a command and never answers."""

    def __init__(self):
        self.asked = 0

    def pipeline(self, transaction=True):
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    def set(self, *_, **__):
        self.asked += 1

    incrby = pttl = lambda *_: None

    async def execute(self):
        await asyncio.Event().wait()


async def verdicts(limiter, client, times):
    return [await limiter.retry_after(client) for _ in range(times)]


async def test_the_limit_is_reached_but_not_passed(redis):
    limiter = Limiter(redis, requests=3, seconds=60)
    assert await verdicts(limiter, "mercy-ehr", 5) == [None, None, None, 60, 60]


async def test_requests_that_come_in_one_body_are_each_counted(redis):
    limiter = Limiter(redis, requests=5, seconds=60)
    assert [await limiter.retry_after("mercy-ehr", n) for n in (4, 3, 1)] == [None, None, 60]
    assert await limiter.retry_after("lab", 50) is None


async def test_requests_that_come_in_one_body_are_each_counted_here_too(server, redis, monotonic):
    server.connected = False
    limiter = Limiter(redis, requests=5, seconds=60, monotonic=monotonic)
    assert [await limiter.retry_after("mercy-ehr", n) for n in (4, 3, 1)] == [None, None, 60]


async def test_each_client_has_its_own_limit(redis):
    limiter = Limiter(redis, requests=1, seconds=60)
    assert await verdicts(limiter, "mercy-ehr", 2) == [None, 60]
    assert await verdicts(limiter, "lab", 2) == [None, 60]


async def test_all_processes_count_together(server):
    async with FakeRedis(server=server) as one, FakeRedis(server=server) as two:
        limiters = [Limiter(redis, requests=10, seconds=60) for redis in (one, two)]
        answers = await asyncio.gather(*(limiters[n % 2].retry_after("mercy-ehr") for n in range(50)))
    assert answers.count(None) == 10


async def test_a_new_window_begins_when_the_last_ends(redis):
    limiter = Limiter(redis, requests=1, seconds=60)
    assert await verdicts(limiter, "mercy-ehr", 2) == [None, 60]
    (key,) = await redis.keys()
    await redis.pexpire(key, 1500)
    assert await limiter.retry_after("mercy-ehr") == 2
    await redis.delete(key)
    assert await limiter.retry_after("mercy-ehr") is None


async def test_requests_within_a_window_do_not_prolong_it(redis):
    limiter = Limiter(redis, requests=5, seconds=60)
    await limiter.retry_after("mercy-ehr")
    (key,) = await redis.keys()
    await redis.expire(key, 20)
    await verdicts(limiter, "mercy-ehr", 10)
    assert await redis.ttl(key) <= 20


async def test_a_window_that_lost_its_end_gets_one_again(redis):
    limiter = Limiter(redis, requests=5, seconds=60)
    await limiter.retry_after("mercy-ehr")
    (key,) = await redis.keys()
    await redis.persist(key)
    await limiter.retry_after("mercy-ehr")
    assert 0 < await redis.ttl(key) <= 60


async def test_the_name_of_a_client_is_not_written_to_redis(redis):
    await Limiter(redis).retry_after("mercy-ehr")
    assert all(b"mercy" not in key for key in await redis.keys())


async def test_without_redis_the_process_counts_by_itself(server, redis, monotonic):
    server.connected = False
    limiter = Limiter(redis, requests=2, seconds=60, monotonic=monotonic)
    assert await verdicts(limiter, "mercy-ehr", 4) == [None, None, 60, 60]
    assert await limiter.retry_after("lab") is None
    monotonic.seconds += 59.5
    assert await limiter.retry_after("mercy-ehr") == 1
    monotonic.seconds += 0.5
    assert await verdicts(limiter, "mercy-ehr", 3) == [None, None, 60]


async def test_a_redis_that_refuses_the_connection_stops_nobody(monotonic):
    redis = Redis(host="127.0.0.1", port=1)
    limiter = Limiter(redis, requests=2, seconds=60, monotonic=monotonic)
    assert await verdicts(limiter, "mercy-ehr", 3) == [None, None, 60]
    await redis.aclose()


async def test_a_frozen_redis_is_waited_for_once_and_then_left_alone(monotonic):
    frozen = Frozen()
    limiter = Limiter(frozen, requests=100, seconds=60, monotonic=monotonic)
    assert PATIENCE <= 0.5
    assert await verdicts(limiter, "mercy-ehr", 50) == [None] * 50
    assert frozen.asked == 1
    monotonic.seconds += REST
    await limiter.retry_after("mercy-ehr")
    assert frozen.asked == 2


async def test_when_redis_is_back_it_counts_again(server, redis, monotonic):
    limiter = Limiter(redis, requests=1, seconds=60, monotonic=monotonic)
    server.connected = False
    assert await verdicts(limiter, "mercy-ehr", 2) == [None, 60]
    server.connected = True
    assert await limiter.retry_after("mercy-ehr") == 60
    assert await redis.keys() == []
    monotonic.seconds += REST
    assert await limiter.retry_after("mercy-ehr") is None
    assert len(await redis.keys()) == 1


async def test_trouble_is_logged_once_a_minute_and_names_nobody(server, redis, monotonic, caplog):
    server.connected = False
    limiter = Limiter(redis, requests=1, seconds=1, monotonic=monotonic)
    with caplog.at_level(logging.DEBUG, logger="shared.web.limits"):
        for _ in range(30):
            await limiter.retry_after("mercy-ehr")
            monotonic.seconds += SILENCE / 30
        assert len(caplog.records) == 1
        await limiter.retry_after("mercy-ehr")
        assert len(caplog.records) == 2
    assert "mercy" not in caplog.text


async def test_a_fault_that_is_not_of_redis_is_not_hidden(monotonic):
    class Wrong(Frozen):
        async def execute(self):
            raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        await Limiter(Wrong(), monotonic=monotonic).retry_after("mercy-ehr")


async def test_the_memory_of_the_process_is_bounded(server, redis, monotonic, monkeypatch):
    monkeypatch.setattr("shared.web.limits._MOST_CLIENTS", 3)
    server.connected = False
    limiter = Limiter(redis, requests=1, seconds=60, monotonic=monotonic)
    for n in range(10):
        await limiter.retry_after(f"client-{n}")
    assert list(limiter._windows) == ["client-7", "client-8", "client-9"]


async def test_an_error_of_redis_itself_counts_as_away(redis, monotonic, monkeypatch):
    limiter = Limiter(redis, requests=1, seconds=60, monotonic=monotonic)

    async def broken(*_):
        raise RedisDown("gone in the middle")

    monkeypatch.setattr(limiter, "_counted", broken)
    assert await verdicts(limiter, "mercy-ehr", 2) == [None, 60]
