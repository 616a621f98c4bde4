"""The composition root: which adapters stand behind which service, in one process or in many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import IO, NamedTuple

import httpx
import redis.asyncio as redis

from contracts.upcasts import UPCASTS
from shared import store
from shared.adapters.clients import SqlClientStore
from shared.adapters.migrations import migrate_sqlite
from shared.borders import checking, unknown_profiles
from shared.clock import Clock, system_clock, uuid7
from shared.core import Decision, Event, Service
from shared.deliveries import Deliveries
from shared.failpoints import Failpoints
from shared.fetching import Fetching
from shared.fhir.bodies import LIMIT, abridged
from shared.fhir.json import encode
from shared.fhir.outcomes import Issue, outcome
from shared.fhir.profiles import Validator, carepod
from shared.footing import Footing, folder_lock, footing_of
from shared.messages import Catalogue
from shared.outside import PartnerOutside
from shared.ports import Broker, Database, Reader, Transaction
from shared.relay import Relay
from shared.repair.digests import Owners
from shared.repair.nightly import Nightly
from shared.run import Outcome, Runner
from shared.settings import Settings, SettingsError, Site
from shared.smart.clients import OURSELVES
from shared.smart.keys import client_key, signing_key
from shared.smart.scopes import parse
from shared.smart.server import Authority
from shared.smart.tokens import Tokens
from shared.workers import Sweeper, Worker, workers_of


class Stale(Exception):
    """The version a command rests on is no longer the current one, or what it brings once was taken already."""


class Once(NamedTuple):
    """What a client says once, and the id of what it becomes; `instead_of` one of which nothing came."""

    system: str
    value: str
    id: str
    instead_of: str | None = None


@dataclass(slots=True)
class Handle:
    """One running service, as its own routes and the web layer see it."""

    service: Service
    runner: Runner
    database: Database
    settings: Settings
    site: Site
    clock: Clock
    workers: tuple[Worker, ...] = ()

    def now(self) -> datetime:
        return self.clock()

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """A short read of the service's own store."""
        async with self.database.reading() as tx:
            yield store.StoreReader(tx, self.runner.border.stored)

    async def quarantine(self, client: str, place: str, issues: Iterable[Issue], body: bytes) -> None:
        """Keeps what was refused with its issues, where a person sees it (`carepod quarantine`)."""
        at, said = self.clock(), encode(outcome(issues)).decode()
        async with self.database.writing() as tx:
            await store.quarantine(tx, uuid7(at), at, client, place, said, _readable(body))

    async def take(self, event: Event) -> Decision:
        """Decides one event through the run loop; a partner's notification also settles what was in doubt."""
        return (await self.outcome(event)).decision

    async def outcome(
        self,
        event: Event,
        identities: Sequence[tuple[str, str, str]] = (),
        expected: Sequence[tuple[str, str]] = (),
        once: Once | None = None,
    ) -> Outcome:
        """As `take`, with what was saved; `identities` are (system, value, our id) the client knows it by.

        Raises Stale where one of `expected`, (id, versionId; "" for none yet), is not the current version once the lane
        is held, and where the client has said `once` before.
        """

        parked: list[tuple[str, str]] = []

        async def admit(tx: Transaction) -> bool:
            if event.kind == "answer" and event.focus:
                parked[:] = await store.settle(tx, event.focus, self.clock())
            if not all([await _is_current(tx, *version) for version in expected]):
                return False
            return once is None or await store.claimed(tx, event.source, *once)

        named = replace(event, matched=frozenset(resource_id for resource_id, version in expected if version))
        outcome = await self.runner.take(named, admit=admit, identities=identities)
        if outcome is None:
            raise Stale
        for delivery_id, lane in parked:
            await self.runner.hearing.asking.delivery_settled(delivery_id, lane)
        return outcome


async def _is_current(tx: Transaction, resource_id: str, version_id: str) -> bool:
    """Whether a resource stands in this version; "" is none yet."""
    stored = (await store.current(tx, [resource_id])).get(resource_id)
    return (stored.resource["meta"]["versionId"] if stored else "") == version_id


_NO_UTF8 = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def _readable(body: bytes) -> str:
    """A refused body as text, bytes that are no UTF-8 as `\\xff`; a large one without its documents."""
    plain = body if len(body) <= LIMIT else abridged(body)
    # What `backslashreplace` says, which takes seconds where nothing of a large body is UTF-8.
    return plain.decode("utf-8", "surrogateescape").translate(_NO_UTF8)


@dataclass(slots=True)
class Application:
    """Everything one process runs."""

    settings: Settings
    site: Site
    catalogue: Catalogue
    handles: Mapping[str, Handle]
    broker: Broker
    redis: redis.Redis
    authority: Authority
    validator: Validator
    outside: PartnerOutside
    clock: Clock
    folder_lock: IO[str] | None = None
    started: list[Worker] = field(default_factory=list)

    @property
    def door(self) -> Handle | None:
        """The service of this process that takes in what outside clients send."""
        return next((h for h in self.handles.values() if h.service.door is not None), None)

    def owning(self, resource_id: str) -> Handle | None:
        """The service of this process that owns an id."""
        prefix = resource_id.partition("-")[0]
        return next((h for h in self.handles.values() if h.service.prefix == prefix), None)

    async def start(self) -> None:
        """Starts consuming and the background work."""
        for handle in self.handles.values():
            await self.broker.subscribe(handle.service.name, handle.service.listens, handle.runner.receive)
        for handle in self.handles.values():
            for worker in handle.workers:
                worker.start()
                self.started.append(worker)

    async def stop(self) -> None:
        """Ends in order: work under way first (bounded), then broker, partners, databases."""
        await asyncio.gather(*(worker.stop() for worker in self.started))
        await self.broker.close()
        await self.outside.close()
        for handle in self.handles.values():
            await handle.database.close()
        await self.redis.aclose()
        if self.folder_lock is not None:
            self.folder_lock.close()


async def build(
    services: Sequence[Service],
    settings: Settings,
    site: Site,
    running: Sequence[str] = (),
    clock: Clock = system_clock,
    footing: Footing | None = None,
) -> Application:
    """Puts the services named in `running` (none: all) on the engines the settings name, or on the laptop's own.

    `footing` are other engines than those, for what runs the same services elsewhere.

    Raises SettingsError, or Unavailable when an engine that is named cannot be reached.
    """
    names = tuple(running) or tuple(s.name for s in services)
    _check(services, names, settings)
    lock = None if settings.database_url else folder_lock(settings.folder)
    catalogue, validator = Catalogue(tuple(services)), carepod()
    ground = footing or footing_of(settings)
    broker = ground.broker(names)
    handles: dict[str, Handle] = {}
    fetch = _fetching(settings, handles, clock, ground.transport, services)
    outside = PartnerOutside(site, client_key(settings.secrets), clock, ground.transport, fetch.document)
    if not settings.database_url:
        await migrate_sqlite(settings.folder, names)
    for name in names:
        service = next(s for s in services if s.name == name)
        handles[name] = await _handle(
            service, settings, site, catalogue, validator, broker, outside, clock, fetch, ground
        )
    keeper = next((h for h in handles.values() if h.service.door is not None), next(iter(handles.values())))
    clients = SqlClientStore(keeper.database, clock)
    return Application(
        settings, site, catalogue, handles, broker, ground.redis(), Authority(settings, clients, clock), validator,
        outside, clock, lock,
    )  # fmt: skip


def _check(services: Sequence[Service], names: Sequence[str], settings: Settings) -> None:
    """Raises SettingsError where these services cannot be run so."""
    if unknown := set(names) - {s.name for s in services}:
        raise SettingsError(f"service {', '.join(sorted(unknown))}: one of {', '.join(s.name for s in services)}")
    if len(names) < len(services) and not (settings.database_url and settings.amqp_url):
        raise SettingsError("services of their own need CAREPOD_DATABASE_URL and CAREPOD_AMQP_URL")
    if unsaid := [text for service in services for text in unknown_profiles(service)]:
        raise SettingsError("; ".join(unsaid))


async def _handle(
    service: Service, settings: Settings, site: Site, catalogue: Catalogue, validator: Validator, broker: Broker,
    outside: PartnerOutside, clock: Clock, fetch: Fetching, ground: Footing,
) -> Handle:  # fmt: skip
    database = await ground.database(service.name)
    if not settings.database_url:
        async with database.writing() as tx:
            await store.void_leases(tx)
    failpoints = Failpoints(settings.failpoint)
    check = checking(validator)
    runner = Runner(service, database, catalogue, check, clock, settings.partitions, failpoints, UPCASTS)
    relay = Relay(database, broker, clock, settings.partitions, failpoints)
    deliveries = [Deliveries(runner, c, database, outside, clock, failpoints) for c in service.channels]
    owners = Owners(fetch.own, fetch.digest)
    nightly = Nightly(service, database, catalogue.services, owners, clock, site.sites[0].time_zone)
    workers = workers_of(runner, relay, deliveries, Sweeper(runner, database, clock, fetch), ground.poll)
    workers = (*workers, Worker(f"{service.name} digest", nightly.once, poll=ground.poll))
    return Handle(service, runner, database, settings, site, clock, workers)


def _fetching(
    settings: Settings, handles: Mapping[str, Handle], clock: Clock, transport: httpx.AsyncBaseTransport | None,
    services: Iterable[Service],
) -> Fetching:  # fmt: skip
    """Missed messages and documents come from their owners: services of this process, or the other processes."""
    base = settings.base_url.rstrip("/")
    tokens = Tokens(signing_key(settings.secrets), issuer=base, audience=f"{base}/fhir")

    def own(producer: str) -> Database | None:
        return handles[producer].database if producer in handles else None

    def token() -> str:
        return tokens.issued(OURSELVES, parse("system/*.rs"), clock())

    return Fetching(own, settings.peers, token, transport, {s.prefix: s.name for s in services})
