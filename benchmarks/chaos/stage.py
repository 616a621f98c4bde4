"""What a run of faults stands on: a deployment behind proxies on engines of its own, kept alive, under load."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks import disturbed
from benchmarks.cases import Template, roomy_site
from benchmarks.chaos.broker import Broker
from benchmarks.chaos.load import Load
from benchmarks.chaos.proxy import Proxy
from benchmarks.engines import Engines
from benchmarks.harness import SERVICES, free_port, fresh
from benchmarks.truth import Wrong
from shared.adapters.rabbitmq import RabbitBroker
from shared.clock import system_clock
from shared.messages import outgoing
from shared.ports import Outgoing, Unavailable
from shared.settings import ROOT

SITES = 20
PROXIED = {"database": "CAREPOD_DATABASE_URL", "broker": "CAREPOD_AMQP_URL", "redis": "CAREPOD_REDIS_URL"}


class Deployment(disturbed.Deployment):
    """A deployment whose processes reach their engines by other addresses than we do: `through` the proxies."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.through: Mapping[str, str] = {}
        self.worn: dict[str, Mapping[str, str]] = {}
        """What more each life of a process finds in its environment."""

    def launch(self, name: str, extra: Mapping[str, str] | None = None) -> None:
        super().launch(name, {**self.through, **self.worn.get(name, {}), **(extra or {})})

    def end(self, name: str) -> None:
        """SIGTERM."""
        self.processes[name].send_signal(signal.SIGTERM)

    async def booked(self) -> int:
        """As ever; -1 while the database is away."""
        try:
            return await super().booked()
        except Unavailable:
            return -1

    async def beside(self, name: str, extra: Mapping[str, str] | None = None) -> str:
        """Starts a second process of a service on a port of its own; the name it has here. It is not kept alive."""
        second = f"{name}-2"
        own, first, self.ports[second] = self.ports[name], self.processes[name], free_port()
        self.ports[name] = self.ports[second]
        self.launch(name, extra)
        self.processes[second] = self.processes[name]
        self.ports[name], self.processes[name] = own, first
        return second


@dataclass
class Stage:
    """A running deployment, what can be done to it, and what a fault found wrong or worth telling."""

    deployment: Deployment
    engines: Engines
    database_url: str
    amqp_url: str
    broker: Broker
    proxies: Mapping[str, Proxy]
    load: Load
    template: Template
    sites: tuple[str, ...]
    wrong: list[Wrong] = field(default_factory=list)
    known: set[Wrong] = field(default_factory=set)
    """What was wrong when the last fault was judged."""
    notes: list[str] = field(default_factory=list)

    async def kill(self, engine: str) -> None:
        """kill -9 of an engine."""
        await asyncio.to_thread(self.engines[engine].kill)

    async def revive(self, engine: str) -> None:
        """Starts a killed engine again, and waits until it answers."""
        await asyncio.to_thread(self.engines[engine].start)

    def signal_engine(self, engine: str, number: signal.Signals) -> None:
        """A signal to an engine and everything in its process group."""
        folder = Path(self.engines[engine].log).parent
        os.killpg(int((folder / f"{engine}.pid").read_text(encoding="utf-8")), number)

    async def sql(self, statement: str, *values: object) -> list[Any]:
        """A statement of the database's owner, on a connection of its own and not through the proxy."""
        connection = await asyncpg.connect(self.database_url, server_settings={"statement_timeout": "0"})
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def until(self, look: Callable[[], Awaitable[bool]], seconds: float, what: str) -> bool:
        """Looks until it is so; what was not seen in time is noted, and False."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while not await look():
            if loop.time() > ends:
                self.notes.append(f"not seen within {seconds:g} s: {what}")
                return False
            await asyncio.sleep(0.1)
        return True

    def command(self, *arguments: str) -> str:
        """Runs `carepod` as an operator would, with this deployment's settings; what it said."""
        command = [sys.executable, "-m", "services", *arguments]
        ended = subprocess.run(
            command, env=self.deployment.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            self.notes.append(f"carepod {arguments[0]} ended with {ended.returncode}: {ended.stderr.strip()[-200:]}")
        return ended.stdout

    async def said(self, since: str = "") -> list[Outgoing]:
        """Every message the services have said since an instant, in the order in which they were said."""
        found: list[tuple[str, Outgoing]] = []
        sql = "select created_at, id, reason, keys, headers, body from outbox where created_at >= $1"
        for service in SERVICES:
            found += [(r[0], outgoing(tuple(r)[1:])) for r in await self.deployment.rows(service, sql, since)]
        return [message for _, message in sorted(found, key=lambda f: f[0])]

    async def published(self, messages: Sequence[Outgoing]) -> None:
        """Puts messages to the exchange in this order, some at a time."""
        broker = RabbitBroker(self.amqp_url, 4, name="chaos")
        try:
            for message in messages:
                await broker.publish(message)
        finally:
            await broker.close()

    async def reborn(self, name: str) -> None:
        """kill -9 of one of our processes; returns when its next life answers."""
        deaths = len(self.deployment.deaths)
        self.deployment.kill(name)
        await self.died(deaths + 1)
        await self.deployment.answering(name)

    async def died(self, deaths: int, seconds: float = 60.0) -> bool:
        """Waits until so many processes have died since the run began."""

        async def have() -> bool:
            return len(self.deployment.deaths) >= deaths

        return await self.until(have, seconds, f"{deaths - len(self.deployment.deaths)} more deaths")


def _through(url: str, proxy: Proxy) -> str:
    parts = urlsplit(url)
    credentials = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{proxy.listening}"))


async def _proxies(addresses: Mapping[str, str]) -> dict[str, Proxy]:
    proxies = {}
    for name, variable in PROXIED.items():
        parts = urlsplit(addresses[variable])
        proxies[name] = Proxy(parts.hostname or "127.0.0.1", parts.port or 0)
        await proxies[name].start()
    return proxies


async def _numbered(database_url: str) -> None:
    """Numbers decisions as they are made: their instants are their messages', their ids have their process's clock."""
    connection = await asyncpg.connect(database_url)
    try:
        for service in SERVICES:
            await connection.execute(
                f"alter table {service}.decision add column made bigint generated by default as identity"
            )
    finally:
        await connection.close()


@asynccontextmanager
async def staged(engines: Engines, folder: Path, rate: float, first: int = 0) -> AsyncIterator[Stage]:
    """Starts everything; the load is begun by whoever strikes."""
    async with fresh(engines) as addresses:
        deployment = Deployment(folder, addresses, folder / "site.yaml", partitions=4)
        sites = roomy_site(deployment.site_file, SITES)
        proxies = await _proxies(addresses)
        deployment.through = {v: _through(addresses[v], proxies[name]) for name, v in PROXIED.items()}
        template = Template(system_clock().date())
        broker = Broker(engines["rabbitmq"], addresses["CAREPOD_AMQP_URL"], engines.management_url)
        try:
            await deployment.start()
            await _numbered(addresses["CAREPOD_DATABASE_URL"])
            deployment.keep_alive()
            load = Load(deployment, lambda n: template.referral(n, sites[n % SITES]), rate, first)
            urls = addresses["CAREPOD_DATABASE_URL"], addresses["CAREPOD_AMQP_URL"]
            try:
                yield Stage(deployment, engines, *urls, broker, proxies, load, template, sites)
            finally:
                await load.stop()
        finally:
            await deployment.stop()
            await broker.close()
            for proxy in proxies.values():
                await proxy.stop()
