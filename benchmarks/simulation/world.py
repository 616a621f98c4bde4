"""One simulated practice: a process for each service on engines of its own, its partners, and the ways between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import yaml
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnection

from benchmarks.simulation.broker import Post, SimulatedBroker
from benchmarks.simulation.loop import Life, SimulatedLoop
from benchmarks.simulation.network import Network
from benchmarks.simulation.store import Committed, Engine, SimulatedDatabase
from benchmarks.simulation.weather import Weather
from partners.app import create_app as partners_app
from services import declared
from shared.adapters.clients import SqlClientStore
from shared.app import Application, build
from shared.cli.push import SCOPES
from shared.core import Service
from shared.footing import Footing
from shared.settings import ROOT, Partner, Settings, load_site
from shared.smart.client import TokenSource
from shared.smart.clients import registered
from shared.smart.keys import key_file, public_jwks
from shared.web.app import create_app
from shared.web.peers import Peers

BASE, PARTNERS = "http://carepod", "http://partners"
EHR, DESK = "mercy-ehr", "practice-desk"
PARTITIONS = 4
SECOND = "-2"
"""Ends the name of a second process of a service."""


@dataclass(eq=False)
class World:
    """Everything there is. `begins` is the instant at which its time starts."""

    loop: SimulatedLoop
    folder: Path
    begins: datetime
    weather: Weather
    committed: Committed
    poll: float = 2.0
    lives: dict[str, Life] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = Network(self.loop, self.weather, frozenset({"partners"}))
        self.settings = Settings(
            database_url="simulated", amqp_url="simulated", base_url=BASE, partners_url=PARTNERS,
            site_file=self._site_file(), secrets=self.folder / "secrets", folder=self.folder, partitions=PARTITIONS,
        )  # fmt: skip
        self.site = load_site(self.settings.site_file, partners_url=PARTNERS, base_url=BASE, folder=self.folder)
        self.services: tuple[Service, ...] = declared(self.site)
        self.names = [s.name for s in self.services]
        self.settings = _with_peers(self.settings, self.names)
        self.post = Post({s.name: s.listens for s in self.services}, self.weather)
        self.http = httpx.AsyncClient(transport=self.network, trust_env=False)
        self._tokens: dict[str, TokenSource] = {}
        for name in self.names:
            self.engines[name] = Engine(name, self.weather, self.committed)

    def _site_file(self) -> Path:
        """The demo's practice, with its own people as a client."""
        path = self.folder / "site.yaml"
        path.write_text(_practice(), encoding="utf-8")
        return path

    def now(self) -> datetime:
        """The instant it is in this world."""
        return self.begins + timedelta(seconds=self.loop.time())

    async def open(self) -> None:
        """Starts partners and services."""
        partners = partners_app(
            self.folder / "partners", BASE, address=PARTNERS, debug=True, now=self.now,
            http=httpx.AsyncClient(transport=self.network, trust_env=False, timeout=15.0),
        )  # fmt: skip
        self.partners = partners.state.partners
        self.network.serve("partners", partners, None)
        keys = {client: key_file(self.folder / f"{client}.pem") for client in (EHR, DESK)}
        keys["prairie-pharmacy"] = key_file(self.folder / "partners" / "pharmacy.key.pem")
        keys["patient-texts"] = key_file(self.folder / "partners" / "gateway.key.pem")
        for agency in self.site.home.agencies if self.site.home else ():
            keys[agency.client] = key_file(self.folder / "partners" / f"agency-{agency.client}.key.pem")
        for engine in self.engines.values():
            clients = SqlClientStore(SimulatedDatabase(engine, None), self.now)
            for client, key in keys.items():
                await clients.add(registered(client, client, json.dumps(public_jwks(key)), SCOPES))
        self._tokens = {client: TokenSource(self.http, keys[client], self.now) for client in (EHR, DESK)}
        self.partners.start()
        for name in self.names:
            await self.start(name)

    async def start(self, place: str) -> None:
        """Starts a process, after its death or for the first time; `scheduling-2` is the second of a service."""
        before = self.lives.get(place)
        life = Life(place, before.number + 1 if before else 1)
        self.lives[place] = life
        await self.loop.spawn(self._started(place.removesuffix(SECOND), life), life, f"start {place}")

    async def _started(self, name: str, life: Life) -> None:
        footing = Footing(
            partial(self._database, life),
            lambda _names: SimulatedBroker(self.post, PARTITIONS, life, self.loop),
            _Away,
            self.network,
            self.poll,
        )
        app = await build(self.services, self.settings, self.site, [name], partial(self._clock_of, life), footing)
        self._answering(name, app, life)
        await app.start()

    def _clock_of(self, life: Life) -> datetime:
        return self.now() + timedelta(seconds=life.skew)

    def _answering(self, name: str, app: Application, life: Life) -> None:
        api = create_app(app, peers=Peers(app, self.network))
        for host in (name, "carepod") if app.door is not None else (name,):
            self.network.serve(host, api, life)

    async def _database(self, life: Life, service: str) -> SimulatedDatabase:
        return SimulatedDatabase(self.engines[service], life)

    async def asked(
        self, method: str, path: str, body: bytes = b"", client: str = EHR, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A request of an outside client. Raises httpx.HTTPError and TryLater."""
        partner = Partner(client, BASE, f"{BASE}/token", client, SCOPES)
        given = {"Authorization": f"Bearer {await self._tokens[client].token(partner)}", **(headers or {})}
        if body:
            given.setdefault("Content-Type", "application/fhir+json")
        return await self.http.request(method, BASE + path, content=body, headers=given, timeout=30.0)

    def rows(self, service: str, sql: str, *values: Any) -> list[Any]:
        """Rows of a service's database as committed."""
        return self.engines[service].rows(sql, *values)


class _Away(Redis):
    """Redis may vanish at any time: here it is never there."""

    def pipeline(self, *_: Any, **__: Any) -> Any:
        raise NoConnection("nobody listens")


@cache
def _practice() -> str:
    """The demo's site file with the practice's own people in it."""
    document = yaml.safe_load((ROOT / "deploy" / "sites" / "demo.yaml").read_text(encoding="utf-8"))
    document["referrers"][DESK] = {"name": "The practice itself", "sees_all": True}
    return str(yaml.safe_dump(document))


def _with_peers(settings: Settings, names: Sequence[str]) -> Settings:
    return replace(settings, peers={name: f"http://{name}" for name in names})
