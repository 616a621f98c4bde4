"""The broker dies, freezes, fills up, closes connections and forgets queues and rights; and the net to it is bad."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from benchmarks.chaos.proxy import Trouble
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.strike import Fault


@asynccontextmanager
async def frozen(stage: Stage) -> AsyncIterator[None]:
    stage.signal_engine("rabbitmq", signal.SIGSTOP)
    try:
        yield
    finally:
        stage.signal_engine("rabbitmq", signal.SIGCONT)


@asynccontextmanager
async def killed(stage: Stage) -> AsyncIterator[None]:
    await stage.kill("rabbitmq")
    try:
        yield
    finally:
        await stage.revive("rabbitmq")


@asynccontextmanager
async def stopped(stage: Stage) -> AsyncIterator[None]:
    await stage.broker.ctl("stop_app")
    try:
        yield
    finally:
        await stage.broker.ctl("start_app")


@asynccontextmanager
async def closing(stage: Stage) -> AsyncIterator[None]:
    async def again_and_again() -> None:
        while True:
            closed.append(await stage.broker.connections_closed())
            await asyncio.sleep(2.0)

    closed: list[int] = []
    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        stage.notes.append(f"{sum(closed)} connections closed")


@asynccontextmanager
async def alarmed(stage: Stage) -> AsyncIterator[None]:
    """Both at once."""
    await stage.broker.ctl("set_vm_memory_high_watermark", "0.00001")
    await stage.broker.ctl("set_disk_free_limit", "1000GB")
    try:
        yield
    finally:
        await stage.broker.ctl("set_vm_memory_high_watermark", "0.4")
        await stage.broker.ctl("set_disk_free_limit", "50MB")


@asynccontextmanager
async def half_open(stage: Stage) -> AsyncIterator[None]:
    """What the broker says no longer arrives; also on connections made meanwhile."""
    stage.proxies["broker"].trouble = Trouble(swallows=frozenset({"back"}))
    try:
        yield
    finally:
        stage.proxies["broker"].trouble = Trouble()


@asynccontextmanager
async def bad_net(stage: Stage) -> AsyncIterator[None]:
    stage.proxies["broker"].trouble = Trouble(late=0.3, resets=0.01)
    try:
        yield
    finally:
        for proxy in stage.proxies.values():
            proxy.trouble = Trouble()


FAULTS = (
    Fault("9", "broker frozen (SIGSTOP)", frozen, 30.0),
    Fault("10", "broker kill -9", killed, 5.0, 1.0),
    Fault("11", "broker stop_app, start_app", stopped, 5.0),
    Fault("12", "every connection to the broker closed every 2 s", closing, 60.0),
    Fault("13", "memory and disk alarm of the broker", alarmed, 15.0),
    Fault("14", "half-open link to the broker", half_open, 25.0),
    Fault("15", "300 ms to the broker, 1 % of chunks reset", bad_net, 30.0),
)
