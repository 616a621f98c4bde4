"""Three toy services that pass an order, a claim and a visit round, run as one process or as three.

alpha says an order three times; beta keeps what it saw, asks a payer and knows the answer; gamma takes a seat, waits a
moment and reports the visit; alpha closes the order. `python -m tests.shared.toys` runs them until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared import store
from shared.adapters.memory import MemoryBroker
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.rabbitmq import RabbitBroker
from shared.adapters.sqlite import SqliteDatabase
from shared.clock import system_clock
from shared.core import Answer, Channel, Decision, Event, Needs, Resource, Seat, Service, derived_id
from shared.deliveries import Deliveries
from shared.failpoints import Failpoints
from shared.fhir.outcomes import Issue
from shared.messages import Catalogue
from shared.ports import Broker, Conflict, Database, Incoming, Reader, Unavailable
from shared.relay import Relay
from shared.run import Runner
from shared.workers import Sweeper, Worker, workers_of

PARTITIONS = 4
LEASE = timedelta(seconds=1.5)
SITE = "site/one/2026-01-01"
CHAIRS = 5
SAID = 3


def check(resource: Resource, profile: str) -> Sequence[Issue]:
    """The toys' whole profile: nothing is called unfit."""
    return (Issue("value", "status", "another status would be right"),) if resource.get("status") == "unfit" else ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One lane as a toy sees it."""

    order: Resource | None
    claim: Resource | None
    visit: Resource | None
    lanes: frozenset[str]
    taken: frozenset[Seat]


async def gather(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
    held = {r["resourceType"]: r for r in await reader.of_lane(event.lane)}
    taken = await reader.taken([f"chair/{n}" for n in range(CHAIRS)], 0, 10_000) if SITE in lanes else []
    return Facts(held.get("ServiceRequest"), held.get("Claim"), held.get("Appointment"), lanes, frozenset(taken))


def order_of(lane: str) -> str:
    return derived_id("al", "order", lane)


def alpha_coordinate(event: Event, facts: Facts, policy: Any) -> Decision | Needs:
    said = facts.order["n"] if facts.order else 0
    if event.kind == "command" and int(event.reason) == said + 1:
        order = {"resourceType": "ServiceRequest", "id": order_of(event.lane), "n": said + 1, "status": "active"}
        return Decision("order-said", (order,))
    if facts.visit is not None and facts.visit["status"] == "fulfilled" and facts.order is not None:
        return Decision("order-completed", ({**facts.order, "status": "completed"},))
    return Decision("nothing-to-say")


def beta_coordinate(event: Event, facts: Facts, policy: Any) -> Decision | Needs:
    blank = {"resourceType": "Claim", "id": derived_id("be", "claim", event.lane), "status": "draft", "seen": []}
    claim = {**(facts.claim or blank)}
    if event.kind == "answer":
        return Decision("claim-answered", ({**claim, "status": "completed", "answers": claim.get("answers", 0) + 1},))
    claim["seen"] = [*claim["seen"], *(order["meta"]["versionId"] for order in event.resources)]
    if event.resources[0]["n"] == SAID and claim["status"] == "draft":
        claim["status"] = "active"
    return Decision("claim-noted", (claim,))


def gamma_coordinate(event: Event, facts: Facts, policy: Any) -> Decision | Needs:
    if event.kind == "wake" and facts.visit is not None:
        return Decision("visit-fulfilled", ({**facts.visit, "status": "fulfilled"},))
    if facts.visit is not None or facts.claim is None or facts.claim["status"] != "completed":
        return Decision("nothing-to-book")
    if SITE not in facts.lanes:
        return Needs((SITE,))
    seat = next(
        s for cell in range(10_000) for n in range(CHAIRS) if (s := Seat(f"chair/{n}", cell)) not in facts.taken
    )
    visit = {
        "resourceType": "Appointment",
        "id": derived_id("ga", "visit", event.lane),
        "status": "booked",
        "seat": [seat.resource, seat.cell],
        "order": facts.order["n"] if facts.order else 0,
    }
    return Decision("visit-booked", (visit,), {"arrive": event.at + timedelta(seconds=0.2)})


def seats_of(visit: Resource) -> Sequence[Seat]:
    return [Seat(visit["seat"][0], visit["seat"][1])]


class Payer:
    """An outside party with a book of its own: every claim it is sent, as often as it is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path, timeout=20)) as book, book:
            book.execute("pragma journal_mode=wal")
            book.execute("create table if not exists claim (id text)")

    async def send(self, claim: Resource, reader: Reader, outside: Any) -> Answer:
        await asyncio.to_thread(self._write, claim["id"])
        return Answer("answered")

    async def inquire(self, claim: Resource, reader: Reader, outside: Any) -> Answer | None:
        return Answer("answered") if claim["id"] in self.claims() else None

    def claims(self) -> list[str]:
        """Every claim received, in order, repeated where it came again."""
        with closing(sqlite3.connect(self.path, timeout=20)) as book:
            return [row[0] for row in book.execute("select id from claim order by rowid")]

    def _write(self, claim: str) -> None:
        with closing(sqlite3.connect(self.path, timeout=20)) as book, book:
            book.execute("insert into claim values (?)", (claim,))


def asked(before: Resource | None, after: Resource) -> str | None:
    return "1" if after["status"] == "active" and (before is None or before["status"] != "active") else None


def said(kind: str, *reasons: str) -> dict[str, str]:
    """Reasons as a service declares them."""
    return dict.fromkeys(reasons, f"{kind}: a toy says so.")


def services(payer: Payer) -> tuple[Service, ...]:
    """The three declarations."""
    channel = Channel("payer", asked, "inquirable", payer.send, payer.inquire)
    order, claim, visit = frozenset({"ServiceRequest"}), frozenset({"Claim"}), frozenset({"Appointment"})
    return (
        Service(
            "alpha", "al", order, visit, said("ServiceRequest", "order-said", "order-completed"), alpha_coordinate,
            gather,
        ),
        Service(
            "beta", "be", claim, order, said("Claim", "claim-noted", "claim-answered"), beta_coordinate, gather,
            channels=(channel,),
        ),
        Service(
            "gamma", "ga", visit, order | claim, said("Appointment", "visit-booked", "visit-fulfilled"),
            gamma_coordinate, gather, capacity=seats_of,
        ),
    )  # fmt: skip


@dataclass(slots=True)
class Process:
    """What one process runs of the toys."""

    runners: dict[str, Runner]
    broker: Broker
    workers: list[Worker]

    async def start(self) -> None:
        for runner in self.runners.values():
            await self.broker.subscribe(runner.service.name, runner.service.listens, runner.receive)
        for worker in self.workers:
            worker.start()

    async def stop(self) -> None:
        await asyncio.gather(*(w.stop() for w in self.workers))
        await self.broker.close()
        for runner in self.runners.values():
            await runner.database.close()


async def build(arguments: argparse.Namespace) -> Process:
    declared = services(Payer(arguments.folder / "payer.db"))
    broker: Broker = RabbitBroker(arguments.amqp, PARTITIONS, name="toys") if arguments.amqp else MemoryBroker()
    process = Process({}, broker, [])

    async def fetch(producer: str, message_id: str) -> Incoming | None:
        if producer not in process.runners:
            return None
        async with process.runners[producer].database.reading() as tx:
            return await store.said(tx, message_id)

    failpoints = Failpoints(os.environ.get("CAREPOD_FAILPOINT"))
    for service in (s for s in declared if s.name in arguments.services.split(",")):
        database: Database = (
            await PostgresDatabase.open(arguments.database, service.name, connections=4)
            if arguments.database
            else await SqliteDatabase.open(arguments.folder / f"{service.name}.db")
        )
        runner = Runner(service, database, Catalogue(declared), check, system_clock, PARTITIONS, failpoints)
        process.runners[service.name] = runner
        relay = Relay(database, broker, system_clock, PARTITIONS, failpoints)
        outside: Any = None
        deliveries = [
            Deliveries(runner, c, database, outside, system_clock, failpoints, LEASE) for c in service.channels
        ]
        process.workers += workers_of(runner, relay, deliveries, Sweeper(runner, database, system_clock, fetch))
    return process


async def drive(runner: Runner, lanes: int, accepted: Path) -> None:
    """Says every order that was not accepted before, every lane at once; what is accepted is written down at once."""
    with accepted.open("a+") as book:
        book.seek(0)
        before = set(book.read().split())

        async def say(lane: str) -> None:
            for n in range(1, SAID + 1):
                if f"{lane}#{n}" not in before:
                    await _insisted(runner, lane, str(n))
                    book.write(f"{lane}#{n}\n")
                    book.flush()

        await asyncio.gather(*(say(f"patient/{n}") for n in range(lanes)))


async def _insisted(runner: Runner, lane: str, reason: str) -> None:
    """Says it again until it is taken, as a client does that gets 503."""
    while True:
        now = system_clock()
        try:
            await runner.take(Event("command", reason, lane, now, now, source="driver"))
        except (Unavailable, Conflict):
            await asyncio.sleep(0.5)
        else:
            return


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--services", default="alpha,beta,gamma")
    parser.add_argument("--database")
    parser.add_argument("--amqp")
    parser.add_argument("--lanes", type=int, default=0)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(process)d %(name)s %(message)s", level=logging.INFO)
    process = await build(arguments)
    await process.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    (arguments.folder / f"begun-{os.getpid()}").touch()
    if arguments.lanes and "alpha" in process.runners:
        await drive(process.runners["alpha"], arguments.lanes, arguments.folder / "accepted")
    await ended.wait()
    await process.stop()


if __name__ == "__main__":
    asyncio.run(main())
