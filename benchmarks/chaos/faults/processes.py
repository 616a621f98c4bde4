"""Our own processes die, are told to end, and come twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from benchmarks.chaos.stage import Stage
from benchmarks.chaos.strike import Fault
from benchmarks.harness import SERVICES
from benchmarks.truth import Wrong

Inject = Callable[[Stage], AbstractAsyncContextManager[None]]


def dying(points: Mapping[str, Sequence[str]]) -> Inject:
    """Processes that kill themselves at failpoints, one in each life, and come back."""

    @asynccontextmanager
    async def inject(stage: Stage) -> AsyncIterator[None]:
        deaths = len(stage.deployment.deaths) + len(points) + sum(map(len, points.values()))
        for name, each in points.items():
            stage.deployment.arm(name, each)
            stage.deployment.kill(name)
        yield
        await stage.died(deaths)
        for name in points:
            stage.deployment.arm(name, ())

    return inject


@asynccontextmanager
async def failed_over(stage: Stage) -> AsyncIterator[None]:
    """A second process of two services waits for the queues; the active ones are killed with messages in hand."""
    names = ("auth", "scheduling")
    seconds = [await stage.deployment.beside(name) for name in names]
    for second in seconds:
        await stage.deployment.answering(second)
    for name in names:
        stage.deployment.kill(name)
    yield
    for second in seconds:
        stage.deployment.kill(second)


@asynccontextmanager
async def doubled(stage: Stage) -> AsyncIterator[None]:
    """A second process of every service at once, and two migrations beside them."""
    migrations = [asyncio.to_thread(stage.command, "migrate") for _ in range(2)]
    seconds, *_ = await asyncio.gather(
        asyncio.gather(*(stage.deployment.beside(name) for name in SERVICES)), *migrations
    )
    for second in seconds:
        await stage.deployment.answering(second)
    yield
    for second in seconds:
        stage.deployment.end(second)
    for second in seconds:
        await asyncio.to_thread(stage.deployment.processes[second].wait, 40)


def told_to_end(names: Sequence[str], every: float) -> Inject:
    """SIGTERM to one after the other, again and again; each comes back at once."""

    @asynccontextmanager
    async def inject(stage: Stage) -> AsyncIterator[None]:
        async def again_and_again() -> None:
            while True:
                for name in names:
                    stage.deployment.end(name)
                    await asyncio.sleep(every)

        deaths, told = len(stage.deployment.deaths), len(stage.load.history.told)
        task = asyncio.create_task(again_and_again())
        yield
        task.cancel()
        await asyncio.wait([task])
        cut = sum(t.cut for t in stage.load.history.told[told:])
        if cut:
            stage.wrong.append(Wrong("lost", f"{cut} requests were begun and never answered"))
        codes = {d.code for d in stage.deployment.deaths[deaths:]}
        if codes - {0, -signal.SIGTERM, 128 + signal.SIGTERM}:
            stage.wrong.append(Wrong("lost", f"processes told to end ended with {sorted(codes)}"))

    return inject


FAULTS = (
    Fault(
        "1", "kill -9 after the commit, before the publish",
        dying({"intake": ["relay.before_publish:3"] * 2, "auth": ["relay.before_publish:3"]}), 5.0,
    ),
    Fault(
        "2", "kill -9 after the broker's confirm, before the row is marked",
        dying({"intake": ["relay.before_mark:3"], "scheduling": ["relay.before_mark:3"] * 2}), 5.0,
    ),
    Fault(
        "3", "kill -9 in a consumer before its commit",
        dying({"auth": ["loop.before_commit:5"] * 2, "scheduling": ["loop.before_commit:9"]}), 5.0,
    ),
    Fault(
        "4", "kill -9 after the commit, before the acknowledgement",
        dying({"auth": ["consumer.before_ack:3"] * 2, "scheduling": ["consumer.before_ack:3"]}), 5.0, 1.0,
    ),
    Fault(
        "5", "kill -9 before a submission, and after the payer's answer, before it is stored",
        dying({"auth": ["delivery.before_send:5", "delivery.before_store:5"]}), 5.0,
    ),
    Fault("23", "the active of two consumers killed", failed_over, 10.0),
    Fault("31", "SIGTERM every 3 s while relays and deliveries work", told_to_end(("auth", "scheduling"), 3.0), 24.0),
    Fault("35", "SIGTERM under load", told_to_end(("intake", "auth", "scheduling"), 10.0), 28.0),
    Fault("36", "two of every process, and two migrations, at once", doubled, 10.0),
)  # fmt: skip
