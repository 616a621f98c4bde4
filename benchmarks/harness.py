"""A whole Carepod as real processes, in either mode, with its partners: prepared, started, watched, ended."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from benchmarks.engines import Engines
from benchmarks.engines.probes import free_ports
from services import declared
from shared.adapters.migrations import migrate_postgres, migrate_sqlite
from shared.cli.admin import add_client
from shared.cli.push import SCOPES, Sender
from shared.footing import open_database
from shared.messages import Catalogue
from shared.ports import Database, Row
from shared.settings import ROOT, Settings, Site, load_site
from shared.smart.clients import registered
from shared.smart.keys import SigningKey, key_file, public_jwks

SERVICES = ("intake", "auth", "scheduling", "nursing")
EHR, DESK = "mercy-ehr", "practice-desk"
"""Clients: the EHR that refers, and the practice's own people, who see every patient where the site file says so."""
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For partners, who speak plain HTTP: reading certificates costs more than asking them."""
GRACE = 30.0
"""Seconds a process may take to end when it is asked to."""


def free_port() -> int:
    """A port that is free now and was given to nobody here before, as the engines have theirs."""
    return free_ports(1)[0]


@dataclass
class Deployment:
    """Processes by name: `all` in the embedded mode, one a service on the engines, and `partners`.

    engines        `CAREPOD_*` addresses of the engines; none: the embedded mode.
    release_after  seconds until the payers decide what they pended; lead_time: until the pharmacy has a drug.
    """

    folder: Path
    engines: Mapping[str, str] = field(default_factory=dict)
    site_file: Path = ROOT / "deploy" / "sites" / "demo.yaml"
    release_after: float = 2.0
    lead_time: float = 0.5
    partitions: int = 4

    def __post_init__(self) -> None:
        self.names = SERVICES if self.engines else ("all",)
        self.ports = {name: free_port() for name in (*self.names, "partners")}
        self.smtp_port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._databases: dict[str, Database] = {}
        self.base_url = f"http://127.0.0.1:{self.ports[self.names[0]]}"
        self.partners_url = f"http://127.0.0.1:{self.ports['partners']}"

    @property
    def environment(self) -> dict[str, str]:
        """What every process gets."""
        peers = ",".join(f"{n}=http://127.0.0.1:{self.ports[n]}" for n in self.names) if self.engines else ""
        # What is installed has its bytecode; a shell that keeps none would have every start compile everything anew.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CAREPOD_") and k != "PYTHONDONTWRITEBYTECODE"}
        return kept | dict(self.engines) | {
            "CAREPOD_FOLDER": str(self.folder),
            "CAREPOD_SECRETS": str(self.folder / "secrets"),
            "CAREPOD_SITE": str(self.site_file),
            "CAREPOD_BASE_URL": self.base_url,
            "CAREPOD_PARTNERS_URL": self.partners_url,
            "CAREPOD_PARTITIONS": str(self.partitions),
            "CAREPOD_PEERS": peers,
        }  # fmt: skip

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)

    @property
    def site(self) -> Site:
        """The site file as the processes read it."""
        return load_site(self.site_file, partners_url=self.partners_url, base_url=self.base_url)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the services say and hear."""
        return Catalogue(declared(self.site))

    def key(self, client: str) -> SigningKey:
        """The private key of an outside client."""
        return key_file(self.folder / f"{client}.pem")

    def sender(self, client: str = EHR) -> Sender:
        """An outside client, with tokens of its own."""
        return Sender(self.base_url, client, self.key(client))

    async def prepare(self) -> None:
        """Makes tables, topology and clients, and starts the partners."""
        settings = self.settings
        site = self.site
        services = declared(site)
        if self.engines:
            await migrate_postgres(str(settings.database_url), [s.name for s in services])
            await asyncio.to_thread(self._command, "topology")
        else:
            await migrate_sqlite(self.folder, [s.name for s in services])
        keys = {client: self.key(client) for client in (EHR, DESK)}
        keys["prairie-pharmacy"] = key_file(self.folder / "partners" / "pharmacy.key.pem")
        for agency in site.home.agencies if site.home else ():
            keys[agency.client] = key_file(self.folder / "partners" / f"agency-{agency.client}.key.pem")
        keys["patient-texts"] = key_file(self.folder / "partners" / "gateway.key.pem")
        for client, key in keys.items():
            await add_client(settings, services, registered(client, client, json.dumps(public_jwks(key)), SCOPES))
        self._start_partners()
        await self.answering("partners", "/openapi.json")

    async def start(self) -> None:
        """Prepares and starts everything, and waits until it is ready."""
        await self.prepare()
        for name in self.names:
            self.launch(name)
        await self.ready()

    def launch(self, name: str, extra: Mapping[str, str] | None = None) -> None:
        """Starts one process of our own."""
        services = [name] if self.engines else []
        command = [sys.executable, "-m", "services", "serve", *services, "--port", str(self.ports[name])]
        self.processes[name] = self._process(name, command, self.environment | dict(extra or {}))

    async def ready(self) -> None:
        """Waits until every process says it is ready."""
        for name in self.names:
            await self.answering(name)

    async def answering(self, name: str, path: str = "/health/ready", seconds: float = 180.0) -> None:
        """Waits until a process answers 200 at this path. Raises RuntimeError with its log when it has ended."""
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(seconds):
            while not await self._answers(http, f"http://127.0.0.1:{self.ports[name]}{path}"):
                if self.has_ended(name):
                    raise RuntimeError(f"{name} ended: {self.log(name)[-2000:]}")
                await asyncio.sleep(0.05)

    async def _answers(self, http: httpx.AsyncClient, url: str) -> bool:
        try:
            return (await http.get(url)).status_code == 200
        except httpx.HTTPError:
            return False

    def has_ended(self, name: str) -> bool:
        """Whether a process has ended and nobody will start it again."""
        return self.processes[name].poll() is not None

    async def stop(self) -> None:
        """Ends everything as an operator would (SIGTERM), then by force."""
        while self._databases:
            await self._databases.popitem()[1].close()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                await asyncio.to_thread(process.wait, GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        """What a process has said."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def memory(self, name: str) -> float:
        """Resident memory of a process in MiB."""
        command = ["ps", "-o", "rss=", "-p", str(self.processes[name].pid)]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout) / 1024

    async def rows(self, service: str, sql: str, *values: object) -> list[Row]:
        """Rows of one service's own database."""
        if service not in self._databases:
            self._databases[service] = await open_database(self.settings, service)
        async with self._databases[service].reading() as tx:
            return await tx.fetch(sql, *values)

    async def let_go(self, service: str) -> None:
        """Closes our own view of a service's database, of which another file is about to take the place."""
        if service in self._databases:
            await self._databases.pop(service).close()

    async def debug(self, path: str) -> Any:
        """A debug view of a partner."""
        async with httpx.AsyncClient(trust_env=False, timeout=30.0, verify=PLAIN) as http:
            return (await http.get(f"{self.partners_url}/{path}")).raise_for_status().json()

    def _start_partners(self) -> None:
        command = [
            sys.executable, "-m", "partners", "--port", str(self.ports["partners"]), "--folder",
            str(self.folder / "partners"), "--carepod", self.base_url, "--address", self.partners_url, "--debug",
            "--release-after", str(self.release_after), "--lead-time", str(self.lead_time),
            "--smtp-port", str(self.smtp_port),
        ]  # fmt: skip
        self.processes["partners"] = self._process("partners", command, self.environment)

    def _process(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=dict(environment), stdout=log, stderr=log, cwd=ROOT)

    def _command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "services", *arguments]
        subprocess.run(command, env=self.environment, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


@asynccontextmanager
async def fresh(engines: Engines) -> AsyncIterator[dict[str, str]]:
    """A database and a vhost of its own as `CAREPOD_*`, removed when the block ends; Redis holds nothing to keep."""
    name = f"carepod_bench_{secrets.token_hex(6)}"
    user = urlsplit(engines.amqp_url).username or "guest"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    async with httpx.AsyncClient(base_url=engines.management_url, timeout=30, trust_env=False) as management:
        await _execute(engines.database_url, f'create database "{name}"')
        (await management.put(f"/api/vhosts/{name}")).raise_for_status()
        (await management.put(f"/api/permissions/{name}/{user}", json=everything)).raise_for_status()
        try:
            yield {
                "CAREPOD_DATABASE_URL": _with_path(engines.database_url, name),
                "CAREPOD_AMQP_URL": _with_path(engines.amqp_url, name),
                "CAREPOD_REDIS_URL": engines.redis_url,
                "CAREPOD_RABBITMQ_MANAGEMENT_URL": engines.management_url,
            }
        finally:
            (await management.delete(f"/api/vhosts/{name}")).raise_for_status()
            await _execute(engines.database_url, f'drop database "{name}" with (force)')


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
