"""A placer whose orders change, and intake on its real run loop and store that hears of it in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.cases import Template, mrn, placer
from services import declared
from services.intake.doors import bundles
from services.intake.records import bare, literal
from services.intake.service import declared as declared_intake
from shared import store
from shared.adapters.migrations import migrate_sqlite
from shared.adapters.sqlite import SqliteDatabase
from shared.borders import checking
from shared.clock import uuid7
from shared.core import Event, Resource
from shared.failpoints import Failpoints
from shared.fhir.json import decode
from shared.fhir.profiles import carepod
from shared.messages import Catalogue
from shared.run import Runner
from shared.settings import Site
from shared.workers import Sweeper

CLIENT = "mercy-ehr"
NOON = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
FIRST, SECOND, OTHER = "first", "second", "other"
"""A referral; the one that replaces it; one of another record of the same person, for another therapy."""
_PATTERNS = {
    FIRST: Template(date(2026, 11, 20)),
    SECOND: Template(date(2026, 11, 20)),
    OTHER: Template(date(2026, 11, 20), "infliximab-pended"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """What the placer's system holds: each order's status and start, and whether its two records are one patient."""

    orders: Mapping[str, tuple[str, int]]
    merged: bool = False
    over: frozenset[str] = frozenset()
    """Referrals that ended: what is sent of them later is refused, so the source tells of the patient by others."""

    @property
    def open(self) -> list[str]:
        """The patient's referrals that go on."""
        return [w for w in self.orders if w != OTHER and w not in self.over]

    def after(self, act: str, which: str, day: int) -> Source:
        """The source once somebody has worked in it."""
        if act in ("merge", "part"):
            return replace(self, merged=act == "merge")
        status, start = self.orders.get(which, ("active", 0))
        words = {"create": status, "update": status, "hold": "on-hold", "resume": "active", "revoke": "revoked"}
        if status == "revoked" and act != "create":
            return self
        words["create"] = "active"
        changed = (words[act], day if act == "update" else start)
        ended = {which} if act == "revoke" else {FIRST} if which == SECOND else set()
        return replace(self, orders={**self.orders, which: changed}, over=self.over | ended)


@dataclass(frozen=True, slots=True)
class Command:
    """What the source sends once it has changed: one referral whole, as it stands, dated by its own clock."""

    which: str
    source: Source
    second: int | None
    survivor: bool = False
    """Sent under the record that survives a merge."""

    def bundle(self, number: int) -> dict[str, Any]:
        """The transaction; `number` keeps one example's patients from another's."""
        pattern = _PATTERNS[self.which].referral(number + (self.which == OTHER)).decode()
        if self.which == SECOND:
            for name in ("REF-", "SO-", "RX-"):
                pattern = pattern.replace(f'"{name}', f'"2{name}')
        made: dict[str, Any] = decode(pattern.encode())
        status, start = self.source.orders[self.which]
        order = _one(made, "ServiceRequest")
        order |= {"status": status, "occurrencePeriod": {"start": (date(2026, 12, 1) + timedelta(start)).isoformat()}}
        if self.which == SECOND:
            system = order["identifier"][0]["system"]
            old = order["identifier"][0]["value"].removeprefix("2")
            order["replaces"] = [{"reference": f"ServiceRequest?identifier={system}|{old}"}]
        if self.survivor:
            _one(made, "Patient")["identifier"][0]["value"] = mrn(number + 1)
        elif self.source.merged and self.which != OTHER:
            other = {"system": "https://ehr.mercy.example/id/mrn", "value": mrn(number + 1)}
            _one(made, "Patient")["link"] = [{"other": {"identifier": other}, "type": "replaced-by"}]
        made.pop("timestamp", None)
        if self.second is not None:
            made["timestamp"] = (NOON + timedelta(seconds=self.second)).isoformat()
        return made


def _one(bundle: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return found


class Intake:
    """Intake alone, on its run loop and a database of its own."""

    def __init__(self, runner: Runner, now: datetime) -> None:
        self.runner, self.now = runner, now
        self.sweeper = Sweeper(runner, runner.database, lambda: self.now, _nothing)

    @classmethod
    async def opened(cls, folder: Path, site: Site) -> Intake:
        await migrate_sqlite(folder, ["intake"])
        database = await SqliteDatabase.open(folder / "intake.db")
        now = NOON + timedelta(hours=1)
        check, catalogue = checking(carepod()), Catalogue(declared(site))
        runner = Runner(declared_intake(site), database, catalogue, check, lambda: now, 4, Failpoints(None))
        return cls(runner, now)

    async def take(self, command: Command, number: int) -> str:
        """One push; the decision's reason. Whatever it wakes is done before the next."""
        arrival = bundles.resolved(deepcopy(command.bundle(number)), CLIENT)
        assert isinstance(arrival, bundles.Arrival), arrival
        event = Event(
            "command", "referral-received", arrival.lane, self.now, self.now, arrival.resources, arrival.focus, CLIENT,
            uuid7(self.now),
        )  # fmt: skip
        outcome = await self.runner.take(event, identities=arrival.identities)
        self.now += timedelta(seconds=1)
        await self.sweeper.wakes()
        assert outcome is not None
        return outcome.decision.reason

    async def held(self, number: int) -> dict[str, Resource]:
        """Everything stored of one example's patients, by id."""
        found: dict[str, Resource] = {}
        for n in (number, number + 1):
            lane = f"patient/{bundles.patient_id(CLIENT, ('https://ehr.mercy.example/id/mrn', mrn(n)))}"
            async with self.runner.database.reading() as tx:
                rows = await tx.fetch("select body from resource where lane = $1", lane)
            found |= {r["id"]: r for r in map(store.parsed, (row[0] for row in rows))}
        return found

    async def told(self, number: int) -> dict[str, Any]:
        """Each referral of an example as it stands, by its business identifier, without what follows from arrival."""
        return state(await self.held(number), number)


async def _nothing(producer: str, message_id: str) -> None:
    return None


def state(held: Mapping[str, Resource], number: int) -> dict[str, Any]:
    """One case for each business identifier: where it stands, and if it goes on, by which order."""
    cases: dict[str, Any] = {}
    for task in held.values():
        if task["resourceType"] == "Task" and task["code"]["coding"][0]["code"] == "referral":
            name = next(i["value"] for i in task["identifier"] if i["type"]["coding"][0]["code"] == "PLAC")
            assert name not in cases, "two cases of one business identifier"
            cases[name] = _case(task, held)
    assert set(cases) <= {placer(number), f"2{placer(number)}", placer(number + 1)}
    return cases


def _case(task: Resource, held: Mapping[str, Resource]) -> dict[str, Any]:
    if task["status"] == "cancelled":
        assert all(o["status"] == "revoked" for o in _orders(task, held)), "an order outlived its referral"
        return {"status": "cancelled"}
    [order] = [o for o in _orders(task, held) if o["status"] != "revoked"]
    request = held[(literal(task["focus"]) or "/").partition("/")[2]]
    known_as = [e["valueReference"] for e in task.get("extension", ()) if e["url"].endswith("known-as")]
    elements = ("status", "occurrencePeriod", "code", "locationCode", "insurance", "priority")
    said = {name: task.get(name) for name in ("status", "businessStatus", "statusReason", "basedOn")}
    return {
        **{k: v for k, v in said.items() if k != "basedOn"},
        "order": {name: order.get(name) for name in elements},
        "request": bare(request),
        "known as": known_as,
        "is answered by it": said["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}],
    }


def _orders(task: Resource, held: Mapping[str, Resource]) -> Sequence[Resource]:
    ours = (r for r in held.values() if r.get("intent") == "filler-order")
    return [o for o in ours if any(literal(b) == literal(task["focus"]) for b in o["basedOn"])]
