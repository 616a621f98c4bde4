"""Queues and rights are lost, queues are full, and a consumer takes longer than the broker waits."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.chaos.faults.messages import killing
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.strike import Fault


@asynccontextmanager
async def deleted(stage: Stage) -> AsyncIterator[None]:
    """auth's queues with what is in them, while it consumes; `carepod resend` says again what was lost."""
    auth = stage.deployment.processes["auth"]
    auth.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2.0)
    for queue in await stage.broker.queues():
        if queue["name"].startswith("auth.p") and queue["name"] != "auth.parked":
            await stage.broker.queue_deleted(queue["name"])
    auth.send_signal(signal.SIGCONT)
    yield
    await _sent_again(stage)


@asynccontextmanager
async def vhost_deleted(stage: Stage) -> AsyncIterator[None]:
    """The whole vhost: exchanges, queues, policies and rights; `carepod topology` and `resend` bring all back."""
    await stage.broker.vhost_deleted()
    yield
    await stage.broker.vhost_made()
    stage.notes.append((await asyncio.to_thread(stage.command, "topology")).strip())
    await _sent_again(stage)


async def _sent_again(stage: Stage) -> None:
    """Twice, for it is safe to repeat."""
    for _ in range(2):
        said = await asyncio.to_thread(stage.command, "resend", "--since", "10m")
        stage.notes += [f"carepod resend: {line}" for line in said.splitlines() if ": 0 messages" not in line]


@asynccontextmanager
async def parking_missing(stage: Stage) -> AsyncIterator[None]:
    """A poison whose parking queue and its exchange are gone: it waits in the broker until they are made again."""
    await stage.broker.exchange_deleted("parking")
    await stage.broker.queue_deleted("auth.parked")
    yield
    async with killing(stage):
        await asyncio.sleep(15.0)
        stage.notes.append((await asyncio.to_thread(stage.command, "topology")).strip())


@asynccontextmanager
async def full(stage: Stage) -> AsyncIterator[None]:
    """auth stands still, and each of its queues takes two messages."""
    usual = (await stage.broker.policy_of("auth-queues"))["definition"]
    await stage.broker.policy("auth-full", r"^auth\.p[0-9]+$", **{**usual, "max-length": 2})
    stage.deployment.processes["auth"].send_signal(signal.SIGSTOP)
    yield
    stage.deployment.processes["auth"].send_signal(signal.SIGCONT)
    await stage.broker.policy_removed("auth-full")


@asynccontextmanager
async def forbidden(stage: Stage) -> AsyncIterator[None]:
    """Our user may do nothing in the vhost, and every connection is closed once."""
    await stage.broker.permitted("^$", "^$", "^$")
    await stage.broker.connections_closed()
    yield
    await stage.broker.permitted(".*", ".*", ".*")


@asynccontextmanager
async def timed_out(stage: Stage) -> AsyncIterator[None]:
    """A consumer stands still longer than the broker waits for an acknowledgement, and goes on as if nothing were."""
    await stage.broker.ctl("eval", "application:set_env(rabbit, consumer_timeout, 2000).")
    await stage.broker.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 500).")
    await stage.broker.connections_closed()
    await asyncio.sleep(3.0)
    for name in ("auth", "scheduling"):
        stage.deployment.processes[name].send_signal(signal.SIGSTOP)
        await asyncio.sleep(6.0)
        stage.deployment.processes[name].send_signal(signal.SIGCONT)
    yield
    await stage.broker.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
    await stage.broker.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 60000).")
    await stage.broker.connections_closed()


FAULTS = (
    Fault("16", "auth's queues deleted while it consumes, then carepod resend", deleted, 6.0, 2.0),
    Fault(
        "17",
        "parking queue and exchange missing when a poison comes",
        parking_missing,
        1.0,
        leaves=("delivery limit",),
        within=300.0,
    ),
    Fault("18", "auth's queues full", full, 20.0),
    Fault("19", "every right in the vhost lost", forbidden, 10.0),
    Fault("19b", "the vhost deleted, then carepod topology and resend", vhost_deleted, 6.0),
    Fault("22", "consumers slower than the broker's patience", timed_out, 5.0),
)
