"""What a simulated world has come to when nothing moves any more: what is lost, stuck, doubled; what was reached."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from benchmarks.cases import patient_id, placer
from benchmarks.simulation.people import People
from benchmarks.simulation.therapies import payer_of, therapy_of
from benchmarks.simulation.visits import is_on_changing_day, overdue
from benchmarks.simulation.watch import UNFINISHED, Watch
from benchmarks.simulation.world import World
from shared.clock import stamp
from shared.core import Resource
from shared.visits.elements import code_of, is_task

TIMED = "state = 'prepared' and problem = 'quiet hours' and next_at > $1"
"""A notice to a patient that waits for the morning: a timer, nothing that is under way."""
QUIET = (
    ("outbox", "sent_at is null"),
    ("inbox", "status in ('new', 'waiting', 'retry')"),
    ("delivery", f"state in ('prepared', 'sending', 'in-doubt') and not ({TIMED})"),
)
MOMENT = timedelta(minutes=2)
"""How long after a deadline a service may need, with all that is disturbed."""
FINAL = ("completed", "rejected", "cancelled")
_WAITS = ("requested", "received", "accepted", "on-hold")


def is_quiet(world: World) -> bool:
    """Whether nothing is under way but timers."""
    for service in world.names:
        for table, where in QUIET:
            values = (stamp(world.now()),) if "$1" in where else ()
            if world.rows(service, f"select 1 from {table} where {where} limit 1", *values):
                return False
    return True


@dataclass(frozen=True, slots=True)
class Journey:
    """One patient's resources as their owners have them."""

    number: int
    resources: tuple[Resource, ...]

    def tasks(self, code: str) -> list[Resource]:
        return [r for r in self.resources if is_task(r, code)]

    def stage(self, code: str) -> str:
        found = self.tasks(code)
        return str(found[0]["businessStatus"]["coding"][0]["code"]) if found and "businessStatus" in found[0] else ""

    def visits(self, *statuses: str) -> list[Resource]:
        return [r for r in self.resources if r["resourceType"] == "Appointment" and r["status"] in statuses]

    @property
    def shape(self) -> dict[str, Any]:
        """What it ended with, under its business keys: equal for equal journeys, whatever happened on the way."""
        kinds = ("ServiceRequest", "Task", "Claim", "ClaimResponse", "Appointment", "ChargeItem", "CarePlan")
        kept = (r for r in self.resources if r["resourceType"] in kinds and not _is_question(r))
        return {_known_by(r): [r.get("status"), _business(r)] for r in kept}


def _known_by(resource: Resource) -> str:
    """What an answer is called after hangs on the payer's own numbering: it is known by what it answers."""
    if resource["resourceType"] == "ClaimResponse":
        return f"ClaimResponse to {resource['request']['reference']}"
    return f"{resource['resourceType']}/{resource['id']}"


def _business(resource: Resource) -> str:
    found = resource.get("businessStatus", {}).get("coding", ())
    return str(found[0]["code"]) if found else ""


def _is_question(resource: Resource) -> bool:
    code = code_of(resource.get("code"), "task-code") or ""
    return resource["resourceType"] == "Task" and (code.endswith("-question") or code == "agency-visit")


def journey(world: World, number: int) -> Journey:
    """The journey of the patient of one referral."""
    lane, found = f"patient/{patient_id(number)}", []
    for service in world.services:
        sql = "select body from resource where lane = $1 and owner = $2 order by id"
        found += [json.loads(r[0]) for r in world.rows(service.name, sql, lane, service.name)]
    return Journey(number, tuple(found))


def wrong_at_the_end(world: World, watch: Watch, people: People) -> None:
    """Tells the watch of everything that must not be once all has come to rest."""
    found = (*_undelivered(world), *_lost(world, people), *_stuck(world, people), *_at_partners(world))
    for what in (*found, *overdue_visits(world)):
        watch.says(what)
    for failure in world.loop.failures:
        watch.says(f"an exception nobody took: {type(failure).__name__} {failure}")


def _undelivered(world: World) -> Iterator[str]:
    """Every message said was heard and decided by whoever listens to a type in it."""
    held = {n: {r[0]: r[1] for r in world.rows(n, "select id, status from inbox")} for n in world.names}
    for producer in world.names:
        for id_, keys, sent in world.rows(producer, "select id, keys, sent_at from outbox"):
            types = {key.rpartition(".")[0] for key in json.loads(keys)}
            if sent is None:
                yield f"a message of {producer} was never sent"
            for service in world.services:
                if service.name != producer and service.listens & types:
                    status = held[service.name].get(id_, "missing")
                    if status in (*UNFINISHED, "missing"):
                        yield f"a message of {producer} is {status} at {service.name}"
        gaps = "select count(*) from (select lane from outbox group by lane having count(*) <> max(seq)) g"
        if world.rows(producer, gaps)[0][0]:
            yield f"{producer} left a gap in the sequence of a lane"
        sql = f"select channel, state, problem from delivery where state <> 'answered' and not ({TIMED}) order by id"
        for channel, state, problem in world.rows(producer, sql, stamp(world.now())):
            yield f"a delivery over {channel} is {state}: {problem[:60]}"


def _lost(world: World, people: People) -> Iterator[str]:
    """What a sender was told is taken has a referral, and he has its latest state."""
    yield from people.refused
    for number in sorted(people.accepted):
        found = journey(world, number).tasks("referral")
        if len(found) != 1:
            yield f"{len(found)} referrals for {placer(number)}, which was accepted"
            continue
        told = world.partners.ehrs["mercy"].tasks.current(found[0]["id"])
        if told is None:
            yield f"the placer was never told of {placer(number)}"
        elif any(json.loads(told["body"]).get(k) != found[0].get(k) for k in ("status", "businessStatus")):
            yield f"the placer has an older state of {placer(number)}"


def _stuck(world: World, people: People) -> Iterator[str]:
    """Every open case has a timer, an open question, or somebody outside who is asked."""
    for number in sorted(people.accepted):
        case = journey(world, number)
        referral = next(iter(case.tasks("referral")), None)
        if referral is None or referral["status"] in FINAL or _is_settled(case):
            continue
        lane = f"patient/{patient_id(number)}"
        wakes = any(world.rows(n, "select 1 from wake where lane = $1 limit 1", lane) for n in world.names)
        asked = [r for r in case.resources if r["resourceType"] == "Task" and r["status"] in _WAITS and r != referral]
        if not wakes and not asked and referral["status"] != "on-hold":
            stages = [case.stage(c) for c in ("referral", "preauthorization", "chair", "home-nursing")]
            yield f"{placer(number)} stands still at {stages}"


def next_wake(world: World, after: float) -> float:
    """Seconds from the beginning at which the next timer of a service is due."""
    at = stamp(world.begins + timedelta(seconds=after))
    found = (world.rows(n, "select min(due_at) from wake where due_at > $1", at)[0][0] for n in world.names)
    dues = ((datetime.fromisoformat(due) - world.begins).total_seconds() for due in found if due)
    return min(dues, default=float("inf"))


def overdue_visits(world: World) -> Iterator[str]:
    """Booked visits that lack something past their deadline, a moment after it."""
    tasks = [json.loads(r[0]) for n in ("scheduling", "nursing") for r in _stored(world, n, "Task")]
    for service in ("scheduling", "nursing"):
        for row in _stored(world, service, "Appointment"):
            yield from overdue(world.site, json.loads(row[0]), tasks, world.now() - MOMENT)


def _is_settled(case: Journey) -> bool:
    return any(t["status"] == "completed" for t in (*case.tasks("chair"), *case.tasks("home-nursing")))


def _at_partners(world: World) -> Iterator[str]:
    """One Claim for each of ours, and no other; one pharmacy order a visit."""
    ours = {json.loads(r[0])["identifier"][0]["value"] for r in _stored(world, "auth", "Claim")}
    held = [c["identifier"]["value"] for p in world.partners.payers.values() for c in p.claims.listing()]
    for value, count in Counter(held).items():
        if count > 1:
            yield "two Claims of one identifier at the payers"
        if value not in ours:
            yield "a payer holds a Claim that is not ours"


def _stored(world: World, service: str, kind: str) -> list[Any]:
    return list(world.rows(service, "select body from resource where type = $1 and owner = $2", kind, service))


def counts(world: World, people: People) -> Counter[str]:
    """How the journeys went."""
    found: Counter[str] = Counter()
    for item in people.plan.of("r"):
        if item.number in people.accepted:
            found.update(_of(world, journey(world, item.number)))
            found[f"therapy {therapy_of(item.what)}"] += 1
            found[f"payer {payer_of(item.what, item.payer)}"] += 1
    return found


def _of(world: World, case: Journey) -> Iterator[str]:
    yield "referrals"
    ids = [r["id"] for r in case.resources if r["resourceType"] == "Appointment"]
    told = _history(world, ids)
    if any(a["status"] == "booked" for versions in told.values() for a in versions):
        yield "booked"
    if any(_moved(versions) for versions in told.values()):
        yield "moved"
    visits = case.visits("booked")
    yield from ("on a changing day" for a in visits if is_on_changing_day(world.site, a))
    stages = {_business(v) for t in case.tasks("preauthorization") for v in _versions(world, "auth", t["id"])}
    yield from (stage for stage in ("pended", "denied") if stage in stages)
    if any(t["status"] == "cancelled" for t in case.tasks("referral")):
        yield "cancelled"
    if any(t["status"] == "on-hold" for t in case.tasks("referral")):
        yield "incomplete"


def _history(world: World, ids: list[str]) -> Mapping[str, list[Resource]]:
    return {i: _versions(world, {"sc": "scheduling", "nu": "nursing"}[i[:2]], i) for i in ids}


def _versions(world: World, service: str, id_: str) -> list[Resource]:
    rows = world.rows(service, "select body from history where id = $1 order by epoch, version", id_)
    return [json.loads(r[0]) for r in rows]


def _moved(versions: list[Resource]) -> bool:
    """Whether a visit was at one time meant for other days, or had another time, than later."""
    days = {json.dumps(a["requestedPeriod"]) for a in versions if "requestedPeriod" in a}
    starts = {a["start"] for a in versions if "start" in a}
    return len(days) > 1 or len(starts) > 1
