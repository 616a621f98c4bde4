"""The composition root: which adapters stand behind which service, in one process or in many."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import fakeredis
import redis.asyncio as redis

from contracts.upcasts import UPCASTS
from shared import store
from shared.adapters.clients import SqlClientStore
from shared.adapters.memory import MemoryBroker
from shared.adapters.migrations import migrate_sqlite
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.rabbitmq import RabbitBroker
from shared.adapters.sqlite import SqliteDatabase
from shared.borders import checking, unknown_profiles
from shared.clock import Clock, system_clock, uuid7
from shared.core import Decision, Event, Service
from shared.deliveries import Deliveries
from shared.failpoints import Failpoints
from shared.fetching import Fetching
from shared.fhir.json import encode
from shared.fhir.outcomes import Issue, outcome
from shared.fhir.profiles import Validator, carepod
from shared.messages import Catalogue
from shared.outside import PartnerOutside
from shared.ports import Broker, Database, Reader, Transaction
from shared.relay import Relay
from shared.run import Outcome, Runner
from shared.settings import Settings, SettingsError, Site
from shared.smart.clients import OURSELVES
from shared.smart.keys import client_key, signing_key
from shared.smart.scopes import parse
from shared.smart.server import Authority
from shared.smart.tokens import Tokens
from shared.workers import Fetch, Sweeper, Worker, workers_of


class Stale(Exception):
    """The version a command rests on is no longer the current one."""


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
            await store.quarantine(tx, uuid7(at), at, client, place, said, body.decode("utf-8", "backslashreplace"))

    async def take(self, event: Event) -> Decision:
        """Decides one event through the run loop; a partner's notification also settles what was in doubt."""
        return (await self.outcome(event)).decision

    async def outcome(
        self,
        event: Event,
        identities: Sequence[tuple[str, str, str]] = (),
        expected: tuple[str, str] | None = None,
    ) -> Outcome:
        """As `take`, with what was saved; `identities` are (system, value, our id) the client knows it by.

        Raises Stale where `expected`, (id, versionId), is not the current version once the lane is held.
        """

        async def admit(tx: Transaction) -> bool:
            if event.kind == "answer" and event.focus:
                await store.settle(tx, event.focus, self.clock())
            return expected is None or await _is_current(tx, *expected)

        outcome = await self.runner.take(event, admit=admit, identities=identities)
        if outcome is None:
            raise Stale
        return outcome


async def _is_current(tx: Transaction, resource_id: str, version_id: str) -> bool:
    stored = (await store.current(tx, [resource_id])).get(resource_id)
    return stored is not None and stored.resource["meta"]["versionId"] == version_id


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
) -> Application:
    """Puts the services named in `running` (none: all) on the engines the settings name, or on the laptop's own.

    Raises SettingsError, or Unavailable when an engine that is named cannot be reached.
    """
    names = tuple(running) or tuple(s.name for s in services)
    if unknown := set(names) - {s.name for s in services}:
        raise SettingsError(f"service {', '.join(sorted(unknown))}: one of {', '.join(s.name for s in services)}")
    if len(names) < len(services) and not (settings.database_url and settings.amqp_url):
        raise SettingsError("services of their own need CAREPOD_DATABASE_URL and CAREPOD_AMQP_URL")
    if unsaid := [text for service in services for text in unknown_profiles(service)]:
        raise SettingsError("; ".join(unsaid))
    lock = None if settings.database_url else folder_lock(settings.folder)
    catalogue, validator = Catalogue(tuple(services)), carepod()
    broker = _broker(settings, names)
    outside = PartnerOutside(site, client_key(settings.secrets), clock)
    if not settings.database_url:
        await migrate_sqlite(settings.folder, names)
    handles: dict[str, Handle] = {}
    fetch = _fetching(settings, handles, clock)
    for name in names:
        service = next(s for s in services if s.name == name)
        handles[name] = await _handle(service, settings, site, catalogue, validator, broker, outside, clock, fetch)
    keeper = next((h for h in handles.values() if h.service.door is not None), next(iter(handles.values())))
    clients = SqlClientStore(keeper.database, clock)
    return Application(
        settings, site, catalogue, handles, broker, _redis(settings), Authority(settings, clients, clock), validator,
        outside, clock, lock,
    )  # fmt: skip


async def _handle(
    service: Service, settings: Settings, site: Site, catalogue: Catalogue, validator: Validator, broker: Broker,
    outside: PartnerOutside, clock: Clock, fetch: Fetch,
) -> Handle:  # fmt: skip
    database = await open_database(settings, service.name)
    if not settings.database_url:
        async with database.writing() as tx:
            await store.void_leases(tx)
    failpoints = Failpoints(settings.failpoint)
    check = checking(validator)
    runner = Runner(service, database, catalogue, check, clock, settings.partitions, failpoints, UPCASTS)
    relay = Relay(database, broker, clock, settings.partitions, failpoints)
    deliveries = [Deliveries(runner, c, database, outside, clock, failpoints) for c in service.channels]
    workers = workers_of(runner, relay, deliveries, Sweeper(runner, database, clock, fetch))
    return Handle(service, runner, database, settings, site, clock, workers)


def _fetching(settings: Settings, handles: Mapping[str, Handle], clock: Clock) -> Fetching:
    """Missed messages come from their producers: the services of this process, or the other processes."""
    base = settings.base_url.rstrip("/")
    tokens = Tokens(signing_key(settings.secrets), issuer=base, audience=f"{base}/fhir")

    def own(producer: str) -> Database | None:
        return handles[producer].database if producer in handles else None

    return Fetching(own, settings.peers, lambda: tokens.issued(OURSELVES, parse("system/*.rs"), clock()))


async def open_database(settings: Settings, service: str) -> Database:
    """The database of one service, where the settings say."""
    if settings.database_url:
        return await PostgresDatabase.open(settings.database_url, service)
    return await SqliteDatabase.open(settings.folder / f"{service}.db")


def _broker(settings: Settings, names: Sequence[str]) -> Broker:
    if settings.amqp_url:
        return RabbitBroker(settings.amqp_url, settings.partitions, name=f"carepod {' '.join(names)}")
    return MemoryBroker()


def _redis(settings: Settings) -> redis.Redis:
    if settings.redis_url:
        return redis.Redis.from_url(settings.redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
    return fakeredis.FakeAsyncRedis()


def folder_lock(folder: Path) -> IO[str]:
    """The right to work in this folder, until it is closed: two processes would each hold a part of the truth.

    Raises SettingsError where another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SettingsError(
            f"{folder} is in use by another carepod; stop it, or set CAREPOD_FOLDER to another folder"
        ) from None
    return lock
