"""The phases of the benchmark: a deployment on fresh engines, loaded in one way, and what was measured."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
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
from benchmarks.load import CONNECTIONS, Answer, Pool, percentile, steady
from shared.cli.push import SCOPES
from shared.clock import stamp, system_clock
from shared.footing import open_database
from shared.ports import Database
from shared.settings import Partner
from shared.smart.client import TokenSource

SITES = 20
STEADY_RATE = 20.0
SUSTAINED = 0.7
"""Share of the journeys a second that were reached at which latency is taken where nothing queues."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How long each phase takes, and how long after its end journeys still under way may take, in seconds."""

    limits: float = 5.0
    steady: float = 60.0
    journeys: float = 120.0
    burst: float = 30.0
    half_rate: float = 20.0
    patience: float = 30.0
    at_once: int = 60
    """Journeys under way at once where whole journeys are counted."""
    stored: int = 500_000
    """Referrals that are stored when the rate over many is taken."""


QUICK = Extent(limits=1.0, steady=5.0, journeys=30.0, burst=8.0, half_rate=8.0, at_once=12, stored=5_000)


class Watch:
    """Sees, to within `EVERY` seconds, when all visits of a patient are booked."""

    EVERY = 0.05
    SQL = (
        "select r.lane from resource r join search s on s.id = r.id where r.type = 'Task' and r.owner = 'scheduling' "
        "and r.updated >= $1 and s.type = 'Task' and s.parameter = 'status' and s.value = 'completed'"
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
async def deployed(
    engines: Engines, connections: int = CONNECTIONS, names: Sequence[str] = SERVICES, *, one_by_one: bool = False
) -> AsyncIterator[tuple[Deployment, Pool, dict[str, Any]]]:
    """A running deployment on fresh engines, the connections of its EHR, and what `started` measured.

    `names`: the services that run; they start together unless `one_by_one`, which alone says how long a start takes.
    """
    with tempfile.TemporaryDirectory(prefix="carepod-benchmark-") as name:
        folder = Path(name)
        async with fresh(engines) as addresses:
            deployment = Deployment(folder, addresses, folder / "site.yaml", lead_time=5.0, partitions=16)
            sites = roomy_site(deployment.site_file, SITES)
            template = Template(system_clock().date())
            try:
                rest = await started(deployment, names, one_by_one=one_by_one)
                async with _pool(deployment, lambda n: template.referral(n, sites[n % SITES]), connections) as pool:
                    yield deployment, pool, rest
            finally:
                await deployment.stop()


@asynccontextmanager
async def _pool(deployment: Deployment, body: Callable[[int], bytes], connections: int) -> AsyncIterator[Pool]:
    url = deployment.base_url
    partner = Partner(CLIENT, url, f"{url}/token", CLIENT, SCOPES)
    async with httpx.AsyncClient(trust_env=False) as http:
        source = TokenSource(http, deployment.key(CLIENT), system_clock)
        pool = Pool(f"{url}/fhir", lambda: source.token(partner), body, connections)
        try:
            yield pool
        finally:
            pool.close()


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


async def started(deployment: Deployment, names: Sequence[str], *, one_by_one: bool) -> dict[str, Any]:
    """Starts the partners and these services: seconds to readiness, and memory of each at rest."""
    await deployment.prepare()
    seconds = {}
    for group in [(name,) for name in names] if one_by_one else [tuple(names)]:
        begun = time.monotonic()
        for name in group:
            deployment.launch(name)
        for name in group:
            await deployment.answering(name)
            seconds[name] = time.monotonic() - begun
    await asyncio.sleep(1.0)
    memory = {name: deployment.memory(name) for name in names}
    return {
        "memory_mib": memory,
        "largest_service_mib": max(memory.values()),
        "start_seconds": seconds,
        "slowest_start_seconds": max(seconds.values()),
    }


async def end_to_end(
    deployment: Deployment, pool: Pool, extent: Extent, rate: float = STEADY_RATE, seconds: float | None = None
) -> dict[str, Any]:
    """Seconds from push to all visits booked, at a steady rate (for `extent.steady` seconds where none are given)."""
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

        tally = await steady(send, rate, seconds or extent.steady)
        late = {t for t in waiting if not t.done()}
        if late:
            _, late = await asyncio.wait(late, timeout=extent.patience)
        for task in late:
            task.cancel()
    # What had not ended when patience did counts with the time it had had: it took longer than that.
    took = journeys + [loop.time() - waiting[task] for task in late]
    return {
        "offered_per_second": rate,
        "pushed": len(tally.answers),
        "refused": tally.refused,
        "ended": len(journeys),
        "not_ended_in_time": len(late),
        "p50_seconds": percentile(took, 0.5),
        "p99_seconds": percentile(took, 0.99),
        "resolution_seconds": Watch.EVERY,
    }


async def journeys(deployment: Deployment, pool: Pool, extent: Extent) -> dict[str, Any]:
    """Whole journeys a second while so many are always under way, each pushed when another has ended.

    Counted until the last has ended, so what the last ones still take counts too.
    """
    loop = asyncio.get_running_loop()
    before = await _counts(deployment)
    ended, begun = 0, loop.time()
    last = begun
    numbers = iter(range(500_000, 10**6))

    async with watched(deployment) as watch:

        async def one_after_another() -> None:
            nonlocal ended, last
            while loop.time() - begun < extent.journeys:
                number = next(numbers)
                if (await pool.send(number)).status // 100 == 2:
                    await watch.of(number).wait()
                    ended, last = ended + 1, loop.time()

        tasks = [asyncio.create_task(one_after_another()) for _ in range(extent.at_once)]
        await asyncio.wait(tasks, timeout=extent.journeys + extent.patience)
        stuck = [t for t in tasks if not t.done()]
        for task in stuck:
            task.cancel()
    seconds = (loop.time() if stuck or not ended else last) - begun
    used = {k: v - before[k] for k, v in (await _counts(deployment)).items()}
    return {
        "at_once": extent.at_once,
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
