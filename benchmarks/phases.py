"""The phases of the benchmark: a deployment on fresh engines, loaded in one way, and what was measured."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.cases import CLIENT, Template, patient_id, roomy_site
from benchmarks.engines import Engines
from benchmarks.harness import SERVICES, Deployment, fresh
from benchmarks.limits import publishes_per_second, transactions_per_second
from benchmarks.load import Answer, Pool, percentile, steady
from shared.app import open_database
from shared.cli.push import SCOPES
from shared.clock import stamp, system_clock
from shared.ports import Database
from shared.settings import Partner
from shared.smart.client import TokenSource

SITES = 20
STEADY_RATE = 20.0
AT_ONCE = 60
"""Journeys under way at once where whole journeys are counted."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How long each phase takes, and how long after its end journeys still under way may take, in seconds."""

    limits: float = 5.0
    steady: float = 60.0
    journeys: float = 120.0
    burst: float = 30.0
    half_rate: float = 20.0
    patience: float = 30.0


QUICK = Extent(limits=1.0, steady=5.0, journeys=6.0, burst=4.0, half_rate=4.0, patience=6.0)


class Watch:
    """Sees, to within `EVERY` seconds, when all visits of a patient are booked."""

    EVERY = 0.05
    SQL = (
        "select r.lane from resource r join search s on s.id = r.id where r.type = 'Task' and r.updated >= $1 "
        "and s.type = 'Task' and s.parameter = 'status' and s.value = 'completed'"
    )

    def __init__(self, database: Database) -> None:
        self._database, self._ended = database, dict[str, asyncio.Event]()

    def of(self, number: int) -> asyncio.Event:
        """Set when the journey of this number has ended."""
        return self._at(f"patient/{patient_id(number)}")

    def _at(self, lane: str) -> asyncio.Event:
        return self._ended.setdefault(lane, asyncio.Event())

    async def run(self) -> None:
        while True:
            # A decision's instant is taken before it commits: each look goes back some seconds.
            since = stamp(system_clock() - timedelta(seconds=5))
            async with self._database.reading() as tx:
                for (lane,) in await tx.fetch(self.SQL, since):
                    self._at(lane).set()
            await asyncio.sleep(self.EVERY)


@asynccontextmanager
async def deployed(engines: Engines) -> AsyncIterator[tuple[Deployment, Pool, dict[str, Any]]]:
    """A running deployment on fresh engines, the connections of its EHR, and what `started` measured."""
    with tempfile.TemporaryDirectory(prefix="carepod-benchmark-") as name:
        folder = Path(name)
        async with fresh(engines) as addresses:
            deployment = Deployment(folder, addresses, folder / "site.yaml", lead_time=5.0, partitions=16)
            sites = roomy_site(deployment.site_file, SITES)
            template = Template(system_clock().date())
            try:
                rest = await started(deployment)
                pool = await _pool(deployment, lambda n: template.referral(n, sites[n % SITES]))
                yield deployment, pool, rest
                pool.close()
            finally:
                await deployment.stop()


async def _pool(deployment: Deployment, body: Callable[[int], bytes]) -> Pool:
    url = deployment.base_url
    partner = Partner(CLIENT, url, f"{url}/token", CLIENT, SCOPES)
    async with httpx.AsyncClient(trust_env=False) as http:
        token = await TokenSource(http, deployment.key(CLIENT), system_clock).token(partner)
    return Pool(f"{url}/fhir", token, body)


@asynccontextmanager
async def watched(deployment: Deployment) -> AsyncIterator[Watch]:
    """A watch on the journeys of a deployment."""
    database = await open_database(deployment.settings, "scheduling")
    watch = Watch(database)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.close()


async def limits(engines: Engines, extent: Extent) -> dict[str, Any]:
    """What the engines allow."""
    async with fresh(engines) as addresses:
        return {
            "transactions_per_second": await transactions_per_second(addresses["CAREPOD_DATABASE_URL"], extent.limits),
            "publishes_per_second": await publishes_per_second(addresses["CAREPOD_AMQP_URL"], extent.limits),
        }


async def started(deployment: Deployment) -> dict[str, Any]:
    """Starts everything, one process after the other: seconds to readiness, and memory of each service at rest."""
    await deployment.prepare()
    seconds = {}
    for name in SERVICES:
        begun = time.monotonic()
        deployment.launch(name)
        await deployment.answering(name)
        seconds[name] = time.monotonic() - begun
    await asyncio.sleep(1.0)
    memory = {name: deployment.memory(name) for name in SERVICES}
    return {
        "memory_mib": memory,
        "largest_service_mib": max(memory.values()),
        "start_seconds": seconds,
        "slowest_start_seconds": max(seconds.values()),
    }


async def end_to_end(deployment: Deployment, pool: Pool, extent: Extent) -> dict[str, Any]:
    """Seconds from push to all visits booked, at a steady rate."""
    journeys: list[float] = []
    waiting: dict[asyncio.Task[None], float] = {}
    loop = asyncio.get_running_loop()

    async with watched(deployment) as watch:

        async def ended(number: int, begun: float) -> None:
            await watch.of(number).wait()
            journeys.append(loop.time() - begun)

        async def send(number: int) -> Answer:
            begun = loop.time()
            answer = await pool.send(number)
            if 200 <= answer.status < 300:
                waiting[asyncio.create_task(ended(number, begun))] = begun
            return answer

        tally = await steady(send, STEADY_RATE, extent.steady)
        late = {t for t in waiting if not t.done()}
        if late:
            _, late = await asyncio.wait(late, timeout=extent.patience)
        for task in late:
            task.cancel()
    # What had not ended when patience did counts with the time it had had: it took longer than that.
    seconds = journeys + [loop.time() - waiting[task] for task in late]
    return {
        "offered_per_second": STEADY_RATE,
        "pushed": len(tally.answers),
        "refused": tally.refused,
        "ended": len(journeys),
        "not_ended_in_time": len(late),
        "p50_seconds": percentile(seconds, 0.5),
        "p99_seconds": percentile(seconds, 0.99),
        "resolution_seconds": Watch.EVERY,
    }


async def journeys(deployment: Deployment, pool: Pool, extent: Extent) -> dict[str, Any]:
    """Whole journeys a second while so many are always under way, each pushed when another has ended."""
    loop = asyncio.get_running_loop()
    before = await _counts(deployment)
    ended = 0
    begun = loop.time()
    numbers = iter(range(500_000, 10**6))

    async with watched(deployment) as watch:

        async def one_after_another() -> None:
            nonlocal ended
            while loop.time() - begun < extent.journeys:
                number = next(numbers)
                if (await pool.send(number)).status // 100 == 2:
                    await watch.of(number).wait()
                    ended += 1

        tasks = [asyncio.create_task(one_after_another()) for _ in range(AT_ONCE)]
        await asyncio.wait(tasks, timeout=extent.journeys + extent.patience)
        stuck = [t for t in tasks if not t.done()]
        for task in stuck:
            task.cancel()
    seconds = loop.time() - begun
    used = {k: v - before[k] for k, v in (await _counts(deployment)).items()}
    return {
        "at_once": AT_ONCE,
        "ended": ended,
        "not_ended_in_time": len(stuck),
        "per_second": ended / seconds,
        "transactions_each": used["commits"] / ended if ended else None,
        "messages_each": used["messages"] / ended if ended else None,
        "transactions_per_second": used["commits"] / seconds,
        "messages_per_second": used["messages"] / seconds,
        "unsent": used["unsent"],
    }


async def _counts(deployment: Deployment) -> dict[str, int]:
    """Commits of the database, messages said and unsent, until now."""
    commits = "select xact_commit from pg_stat_database where datname = current_database()"
    found = {"commits": int((await deployment.rows("intake", commits))[0][0]), "messages": 0, "unsent": 0}
    for service in SERVICES:
        rows = await deployment.rows(service, "select count(*), count(*) - count(sent_at) from outbox")
        found["messages"] += int(rows[0][0])
        found["unsent"] += int(rows[0][1])
    return found
