"""The database and Redis die, refuse, lock and forget; clients and our own work are cut off in the middle."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import httpx
import redis.asyncio as redis

from benchmarks.chaos.history import Told
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.strike import Fault
from benchmarks.harness import EHR
from benchmarks.truth import Wrong
from shared.cli.push import SCOPES
from shared.clock import system_clock
from shared.settings import Partner
from shared.smart.client import TokenSource

OURS = "application_name like 'carepod-%' and datname = current_database()"
CUT_OFF = f"select pg_terminate_backend(pid) from pg_stat_activity where {OURS}"
LEFT_OPEN = f"select count(*) from pg_stat_activity where state like 'idle in transaction%' and {OURS}"


@asynccontextmanager
async def database_killed(stage: Stage) -> AsyncIterator[None]:
    """Backends are ended in the middle of what they do; then the whole server dies and comes back."""
    task = asyncio.create_task(_cut_off(stage, 1.0))
    yield
    task.cancel()
    await asyncio.wait([task])
    await stage.kill("postgresql")
    await asyncio.sleep(1.0)
    await stage.revive("postgresql")


async def _cut_off(stage: Stage, every: float) -> None:
    while True:
        with suppress(asyncpg.PostgresError, OSError):
            await stage.sql(CUT_OFF)
        await asyncio.sleep(every)


@asynccontextmanager
async def database_refuses(stage: Stage) -> AsyncIterator[None]:
    """No connection is left, then statements time out, then the lanes are locked by somebody else."""
    taken = await _all_connections(stage)
    for _ in range(3):  # who is cut off comes back at once: these places are taken too
        with suppress(asyncpg.PostgresError):
            await taken[0].execute(CUT_OFF)
        taken += await _all_connections(stage)
    stage.notes.append(f"{len(taken)} connections taken away")
    await asyncio.sleep(4.0)
    await asyncio.gather(*(c.close() for c in taken))
    await stage.sql("alter role current_user set statement_timeout = '15ms'")
    await stage.sql(CUT_OFF)
    yield
    await stage.sql("alter role current_user reset statement_timeout")
    await stage.sql(CUT_OFF)
    locker = await asyncpg.connect(stage.database_url, server_settings={"statement_timeout": "0"})
    async with locker.transaction():
        await locker.execute("lock table auth.lane, scheduling.lane in exclusive mode")
        await asyncio.sleep(3.0)
    await locker.close()

    async def none_left() -> bool:
        return not (await stage.sql(LEFT_OPEN))[0][0]

    if not await stage.until(none_left, 10.0, "no transaction left open"):
        stage.wrong.append(Wrong("stuck", "transactions are left open"))


async def _all_connections(stage: Stage) -> list[asyncpg.Connection]:
    taken: list[asyncpg.Connection] = []
    while True:
        try:
            taken.append(await asyncpg.connect(stage.database_url))
        except asyncpg.TooManyConnectionsError:
            return taken


@asynccontextmanager
async def clients_leave(stage: Stage) -> AsyncIterator[None]:
    """Clients that close in the middle of a request, or before its answer; one in two sends it again afterwards."""
    left: list[int] = []
    task = asyncio.create_task(_leaving(stage, left))
    yield
    task.cancel()
    await asyncio.wait([task])
    for number in left[::2]:
        stage.load.refer(number=number)
    stage.notes.append(f"{len(left)} clients left before their answer, {len(left[::2])} of them came again")


async def _leaving(stage: Stage, left: list[int]) -> None:
    loop, url = asyncio.get_running_loop(), stage.deployment.base_url
    base = urlsplit(url)
    async with httpx.AsyncClient(trust_env=False) as http:
        partner = Partner(EHR, url, f"{url}/token", EHR, SCOPES)
        token = await TokenSource(http, stage.deployment.key(EHR), system_clock).token(partner)
    while True:
        number = stage.load.reserved()
        began, request = loop.time(), _request(base.netloc, token, stage.load.body(number))
        _, writer = await asyncio.open_connection(base.hostname, base.port)
        writer.write(request if number % 2 else request[: len(request) // 2])
        await writer.drain()
        await asyncio.sleep(0.002 * (number % 7))
        writer.transport.abort()
        stage.load.history.told.append(Told(number, began, loop.time(), 0))
        left.append(number)
        await asyncio.sleep(0.5)


def _request(host: str, token: str, body: bytes) -> bytes:
    """A push as it goes over the wire."""
    lines = (
        "POST /fhir HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}",
        "Content-Type: application/fhir+json", f"Content-Length: {len(body)}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def redis_gone(stage: Stage) -> AsyncIterator[None]:
    """Flushed, frozen, then dead."""
    async with redis.Redis.from_url(stage.engines.redis_url) as cache:
        await cache.flushall()
    stage.signal_engine("redis", signal.SIGSTOP)
    await asyncio.sleep(5.0)
    stage.signal_engine("redis", signal.SIGCONT)
    await stage.kill("redis")
    yield
    await stage.revive("redis")


FAULTS = (
    Fault("27", "database backends ended every second, then the server kill -9", database_killed, 5.0, 1.0),
    Fault("28", "no connections, statement timeouts, locks in the database", database_refuses, 4.0),
    Fault("30", "clients leave in the middle of a request", clients_leave, 15.0),
    Fault("32", "Redis flushed, frozen, dead", redis_gone, 5.0),
)
