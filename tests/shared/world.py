"""A small world to try the runtime in: a clock to set, scripted services, messages made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from shared import refused, store
from shared.adapters.migrations import migrate_postgres, migrate_sqlite
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.sqlite import SqliteDatabase
from shared.borders import Upcasts
from shared.clock import stamp, uuid7
from shared.core import Channel, Decision, Event, Needs, Resource, Seat, Service
from shared.failpoints import Failpoints
from shared.messages import Catalogue, Cause, Causes, headers_of, written
from shared.ports import Database, Incoming, Outgoing, Reader, Unavailable
from shared.relay import Relay
from shared.run import Outcome, Runner
from shared.workers import Sweeper
from tests.shared.toys import check

PARTITIONS = 4
NAMES = ("alpha", "beta", "gamma", "delta")
TABLES = (
    "lane", "resource", "history", "search", "identity", "inbox", "outbox", "wake", "delivery", "decision",
    "quarantine", "capacity", "client", "jti",
)  # fmt: skip
ORDER = "ServiceRequest/in-00000000-0000-5000-8000-000000000001"
"""A filler order, as a resource of a message may name it."""
SECRET = "Mustermann"
"""A patient's name, which nothing that is told may hold."""


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


Script = Callable[[Event, "Facts"], Decision | Needs]


@dataclass(frozen=True, slots=True)
class Facts:
    held: Mapping[str, Resource]
    lanes: frozenset[str]
    taken: frozenset[Seat]


async def gather(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
    held = {r["id"]: r for r in await reader.of_lane(event.lane)}
    return Facts(held, lanes, frozenset(await reader.taken(["chair/1"], 0, 1000)))


def noted(event: Event, facts: Facts) -> Decision:
    """Saves one Claim a lane that lists what was heard, in the order it was decided."""
    claim = facts.held.get(claim_of(event.lane)) or {"resourceType": "Claim", "id": claim_of(event.lane), "heard": []}
    return Decision("noted", ({**claim, "heard": [*claim["heard"], event.id or event.reason]},))


def claim_of(lane: str) -> str:
    return "be-" + lane.replace("/", "-")


@dataclass(slots=True)
class World:
    """beta is under test: it hears alpha's ServiceRequest and delta's Task, and does what `script` says."""

    open: Callable[[str], Any]
    clock: Hand = field(default_factory=Hand)
    script: Script = noted
    channels: tuple[Channel, ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    fetchable: dict[str, Incoming] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    _databases: list[Database] = field(default_factory=list)
    _said: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def services(self) -> tuple[Service, ...]:
        def coordinate(event: Event, facts: Facts, policy: Any) -> Decision | Needs:
            return self.script(event, facts)

        def service(name: str, owns: str, hears: Sequence[str], **more: Any) -> Service:
            reasons = {**dict.fromkeys(("said", "noted", "shared"), "any: a script says so."), **refused.REASONS}
            return Service(
                name, name[:2], frozenset(owns.split()), frozenset(hears), reasons, coordinate, gather, **more
            )

        return (
            service("alpha", "ServiceRequest Coverage", ()),
            service(
                "beta", "Binary Claim Practitioner Appointment Task", ("ServiceRequest", "Task"),
                channels=self.channels, search=self.search,
                capacity=lambda r: [Seat("chair/1", r["cell"])] if "cell" in r else [],
                profiles=self.profiles, reads=self.reads, asks="pharmacist",
            ),
            service("gamma", "Consent", ("Claim", "Practitioner", "Coverage", "Task")),
            service("delta", "Task", ()),
        )  # fmt: skip

    async def runner(self, name: str = "beta", upcasts: Upcasts | None = None) -> Runner:
        service = next(s for s in self.services() if s.name == name)
        database = await self.database(name)
        catalogue = Catalogue(self.services())
        return Runner(service, database, catalogue, check, self.clock, PARTITIONS, Failpoints(None), upcasts)

    async def database(self, name: str = "beta") -> Database:
        database: Database = await self.open(name)
        self._databases.append(database)
        return database

    def sweeper(self, runner: Runner) -> Sweeper:
        async def fetch(producer: str, message_id: str) -> Incoming | None:
            self.fetched.append(message_id)
            return self.fetchable.get(message_id)

        return Sweeper(runner, runner.database, self.clock, fetch)

    def relay(self, database: Database, broker: Any) -> Relay:
        return Relay(database, broker, self.clock, PARTITIONS, Failpoints(None))

    def message(
        self,
        lane: str = "patient/1",
        producer: str = "alpha",
        *,
        version: int = 0,
        causes: Causes | None = None,
        of: str = "",
        **elements: Any,
    ) -> Incoming:
        """The next message of a producer in a lane, as its own outbox would hold it."""
        kind = {"alpha": "ServiceRequest", "delta": "Task"}[producer]
        said = self._said.setdefault((producer, lane), [])
        message_id, seq = uuid7(self.clock()), len(said) + 1
        resource = {
            "resourceType": kind,
            "id": of or f"{producer[:2]}-{lane.replace('/', '-')}",
            "meta": {"versionId": f"1-{version or seq}", "lastUpdated": stamp(self.clock())},
            **elements,
        }
        previous = {"beta": said[-1]} if said else {}
        said.append(message_id)
        bundle = written(producer, message_id, Decision("said"), [resource], self.clock())
        headers = headers_of(producer, lane, seq, 1, causes or {}, previous, {"beta": message_id}, "")
        return Incoming(message_id, "said", headers, store.text_of(bundle).encode())

    async def command(self, runner: Runner, reason: str = "do", lane: str = "patient/1") -> Outcome | None:
        return await runner.take(Event("command", reason, lane, self.clock(), self.clock(), source="test"))

    async def close(self) -> None:
        for database in self._databases:
            await database.close()


def rests_on(message: Incoming, seq: int = 1, service: str = "beta") -> Causes:
    """Causes that name this message."""
    return {str(message.headers["producer"]): Cause(seq, {service: message.id})}


async def rows(database: Database, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query finds, as plain tuples."""
    async with database.reading() as tx:
        return [tuple(r) for r in await tx.fetch(sql, *values)]


async def statuses(database: Database) -> dict[str, str]:
    """Message id -> inbox status."""
    return dict(await rows(database, "select id, status from inbox"))


async def heard(database: Database, lane: str = "patient/1") -> list[str]:
    """What beta has noted in a lane."""
    found = await rows(database, "select body from resource where id = $1", claim_of(lane))
    return list(store.parsed(found[0][0])["heard"]) if found else []


async def questions(database: Database) -> list[dict[str, Any]]:
    """Every version of every question, oldest first."""
    found = await rows(database, "select body from history order by version")
    return [q for (body,) in found if (q := store.parsed(body))["resourceType"] == "Task"]


async def sent(database: Database) -> list[tuple[str, str]]:
    """(reason, keys) of what goes out."""
    return [(r, k) for r, k in await rows(database, "select reason, keys from outbox order by seq")]


@asynccontextmanager
async def sqlite_world(folder: Path) -> AsyncIterator[World]:
    await migrate_sqlite(folder, NAMES)

    async def opened(name: str) -> Database:
        return await SqliteDatabase.open(folder / f"{name}.db")

    world = World(opened)
    try:
        yield world
    finally:
        await world.close()


@asynccontextmanager
async def postgres_world(url: str) -> AsyncIterator[World]:
    await migrate_postgres(url, NAMES)
    connection = await asyncpg.connect(url)
    await connection.execute(f"truncate {', '.join(f'{name}.{table}' for name in NAMES for table in TABLES)}")
    for name in NAMES:
        await connection.execute(f"delete from {name}.meta where key = 'restored_at'")
        await connection.execute(f"update {name}.meta set value = '1' where key = 'epoch'")
    await connection.close()

    async def opened(name: str) -> Database:
        return await PostgresDatabase.open(url, name)

    world = World(opened)
    try:
        yield world
    finally:
        await world.close()


class FakeBroker:
    """Takes what it is given, or fails as told: message id or key -> exception."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.fails: Callable[[Outgoing], Exception | None] = lambda message: None

    async def publish(self, message: Outgoing) -> None:
        if (error := self.fails(message)) is not None:
            raise error
        self.taken.append(message)


class Away:
    """A database that is away for the first `times` transactions."""

    def __init__(self, database: Database, times: int) -> None:
        self._database, self.times = database, times

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Any]:
        if self.times:
            self.times -= 1
            raise Unavailable("away")
        async with self._database.writing() as tx:
            yield tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)
