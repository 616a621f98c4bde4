"""What the databases and the partners hold at the end, and everything in it that must not be."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from benchmarks.disturbed import Deployment
from benchmarks.harness import SERVICES
from shared.core import CANONICAL, IDENTIFIERS, Resource
from shared.messages import hearers

UNFINISHED: Mapping[str, str] = {
    "messages unsent": "select count(*) from outbox where sent_at is null",
    "messages undecided": "select count(*) from inbox where status in ('new', 'waiting', 'retry')",
    "deliveries open": "select count(*) from delivery where state in ('prepared', 'sending', 'in-doubt')",
}
WRONG: Mapping[str, str] = {
    "messages not decided": "select count(*) from inbox where status not in ('done', 'superseded')",
    "messages unsent": "select count(*) from outbox where sent_at is null",
    "deliveries not answered": "select count(*) from delivery where state <> 'answered'",
    # Within each epoch: a restored database goes on 2^40 higher.
    "lanes with a gap": "select count(*) from (select lane from outbox group by lane, seq / 1099511627776 "
    "having count(*) <> max(seq) - min(seq) + 1 or min(seq) between 2 and 1099511627776) g",
}
LAST_SENT = "select id, keys, sent_at from outbox where sent_at is not null order by sent_at desc limit 500"
"""What is left in a queue is never older than what has been taken out of it."""
RESTORED = "select value from meta where key = 'restored_at'"
PER_NURSE = 4
"""Patients one nurse may look after at once at the acuity of the iron drugs (scheduling/capacity)."""
BETWEEN_STARTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Truth:
    """Current resources by service, and what each partner was told."""

    stored: Mapping[str, Sequence[Resource]]
    counts: Mapping[str, Mapping[str, int]]
    claims: Sequence[Mapping[str, Any]]
    ehr: Mapping[str, Resource]
    pharmacy: Sequence[Mapping[str, Any]]
    seats: Collection[str]

    def tasks(self, service: str, code: str) -> list[Resource]:
        """Tasks of one kind as their owner has them."""
        return [t for t in self.own(service, "Task") if _code(t) == code]

    def own(self, service: str, *types: str) -> list[Resource]:
        """Resources a service owns."""
        prefix = {"intake": "in-", "auth": "au-", "scheduling": "sc-", "nursing": "nu-"}[service]
        return [r for r in self.stored[service] if r["resourceType"] in types and r["id"].startswith(prefix)]

    def visits(self, status: str) -> list[Resource]:
        """Appointments of one status."""
        return [a for a in self.own("scheduling", "Appointment") if a["status"] == status]


async def waited(look: Callable[[], Awaitable[bool]], seconds: float, every: float = 0.2) -> bool:
    """Looks until it is so; False when the time is over."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not await look():
        if loop.time() > ends:
            return False
        await asyncio.sleep(every)
    return True


async def quiet(deployment: Deployment, seconds: float) -> bool:
    """Waits until no message, delivery or order is under way, for three looks in a row; False: the time is over."""
    calm = 0

    async def is_calm() -> bool:
        nonlocal calm
        calm = 0 if await _busy(deployment) else calm + 1
        return calm == 3

    return await waited(is_calm, seconds)


async def _busy(deployment: Deployment) -> bool:
    for service in SERVICES:
        for sql in UNFINISHED.values():
            if (await deployment.rows(service, sql))[0][0]:
                return True
    if any(o["status"] == "preparing" for o in await deployment.debug("pharmacy/debug/orders")):
        return True
    return await _unheard(deployment)


async def _unheard(deployment: Deployment) -> bool:
    """Whether the broker, or a consumer, still has one of the messages the broker took last.

    What was sent before its hearer was restored came to that one by a backfill.
    """
    sent = {name: await deployment.rows(name, LAST_SENT) for name in SERVICES}
    for hearer in SERVICES:
        restored = await deployment.rows(hearer, RESTORED)
        since = str(restored[0][0]) if restored else ""
        wanted = sorted({
            str(id_)
            for producer, messages in sent.items()
            for id_, keys, at in messages
            if at > since and hearer in hearers(json.loads(keys), producer, deployment.catalogue)
        })  # fmt: skip
        if len(await deployment.rows(hearer, "select id from inbox where id = any($1)", wanted)) < len(wanted):
            return True
    return False


async def all_booked(deployment: Deployment, visits: int, seconds: float) -> None:
    """Waits until this many visits are booked, or the time is over."""

    async def are_booked() -> bool:
        return await deployment.booked() >= visits

    await waited(are_booked, seconds)


async def gathered(deployment: Deployment) -> Truth:
    """Reads everything."""
    stored, counts = {}, {}
    for service in SERVICES:
        bodies = await deployment.rows(service, "select body from resource")
        stored[service] = [json.loads(r[0]) for r in bodies]
        counts[service] = {name: int((await deployment.rows(service, sql))[0][0]) for name, sql in WRONG.items()}
    payers = ("prairie-health", "lakeland-advantage")
    claims = [c for p in payers for c in await deployment.debug(f"payer/{p}/debug/claims")]
    ehr = {t["id"]: t["task"] for t in await deployment.debug("ehr/mercy/debug/tasks")}
    pharmacy = await deployment.debug("pharmacy/debug/orders")
    seats = {str(r[0]) for r in await deployment.rows("scheduling", "select distinct holder from capacity")}
    return Truth(stored, counts, claims, ehr, pharmacy, seats)


class Wrong(NamedTuple):
    """One thing that must not be: `lost`, `double`, `stuck` or `overbooked`, and what it is."""

    kind: str
    text: str


def faults(truth: Truth, placers: Collection[str], doses: int = 2) -> list[str]:
    """Everything that is not as it must be when each of these referrals has ended with all its doses booked."""
    return [wrong.text for wrong in wrongs(truth, placers, doses)]


def wrongs(truth: Truth, placers: Collection[str], doses: int = 2) -> list[Wrong]:
    """As `faults`, each with its kind."""
    return [
        *_unfinished(truth),
        *_cases(truth, placers),
        *_visits(truth, len(placers), doses),
        *_claims(truth, len(placers)),
        *_ledger(truth, len(placers), doses),
        *_told(truth),
        *_ordered(truth),
        *(Wrong("overbooked", text) for text in overbooked(truth.visits("booked"))),
    ]


def _counted(found: int, wanted: int, what: str) -> Iterator[Wrong]:
    """Fewer than wanted are lost, more are double."""
    if found != wanted:
        yield Wrong("double" if found > wanted else "lost", what)


def _unfinished(truth: Truth) -> Iterator[Wrong]:
    for service, counts in truth.counts.items():
        yield from (Wrong("stuck", f"{service}: {n} {name}") for name, n in counts.items() if n)


def _cases(truth: Truth, placers: Collection[str]) -> Iterator[Wrong]:
    """One case per placer identifier, and each ended as scheduled."""
    referrals = truth.tasks("intake", "referral")
    found = Counter(_placer(t) for t in referrals)
    for placer in sorted({*placers, *found}):
        yield from _counted(found[placer], int(placer in placers), f"referral {placer}: {found[placer]} cases")
    yield from (Wrong("lost", f"{t['id']}: {_business(t)}") for t in referrals if _business(t) != "5.1.1")
    chairs = truth.tasks("scheduling", "chair")
    ended = (Wrong("lost", f"{t['id']}: {t['status']} {_business(t)}") for t in chairs if t["status"] != "completed")
    yield from ended
    yield from _repeated("Task chair of", (t["basedOn"][0]["reference"] for t in chairs))
    yield from _counted(len(chairs), len(placers), f"{len(chairs)} Tasks chair for {len(placers)} referrals")


def _visits(truth: Truth, referrals: int, doses: int) -> Iterator[Wrong]:
    """Each dose of each order booked once, nothing else held, and seats taken for exactly what is booked."""
    booked = truth.visits("booked")
    found = Counter(a["basedOn"][0]["reference"] for a in booked)
    for order, n in found.items():
        yield from _counted(n, doses, f"{order}: {n} booked visits")
    yield from _counted(len(found), referrals, f"{len(found)} orders with visits for {referrals} referrals")
    yield from _repeated("dose", (f"{a['basedOn'][0]['reference']} {_dose(a)}" for a in booked))
    yield from (Wrong("stuck", f"{a['id']}: {s}") for s in ("pending", "proposed") for a in truth.visits(s))
    if set(truth.seats) != {a["id"] for a in booked}:
        yield Wrong("overbooked", "seats are taken for other visits than those booked")


def _claims(truth: Truth, referrals: int) -> Iterator[Wrong]:
    """One Claim per order at the payer, the one we have."""
    yield from _counted(
        len(truth.claims), referrals, f"{len(truth.claims)} Claims at the payers for {referrals} referrals"
    )
    ours = {c["identifier"][0]["value"] for c in truth.own("auth", "Claim") if "related" not in c}
    theirs = {c["identifier"]["value"] for c in truth.claims}
    if ours != theirs:
        yield Wrong("lost", "the payers' Claims are not ours")


def _ledger(truth: Truth, referrals: int, doses: int) -> Iterator[Wrong]:
    """One planned entry per dose and code."""
    charges = truth.own("auth", "ChargeItem")
    yield from (Wrong("lost", f"{c['id']}: {c['status']}") for c in charges if c["status"] != "planned")
    yield from _repeated("ledger entry for", (c["supportingInformation"][0]["reference"] for c in charges))
    wanted = referrals * doses
    yield from _counted(len(charges), wanted, f"{len(charges)} ledger entries for {wanted} doses")


def _told(truth: Truth) -> Iterator[Wrong]:
    """The EHR's last version of each referral Task says what ours says."""
    for task in truth.tasks("intake", "referral"):
        if _said(truth.ehr.get(task["id"], {})) != _said(task):
            yield Wrong("lost", f"{task['id']}: the EHR has another version")


def _said(task: Resource) -> tuple[Any, ...]:
    return tuple(
        json.dumps(task.get(k), sort_keys=True) for k in ("status", "businessStatus", "statusReason", "output")
    )


def _ordered(truth: Truth) -> Iterator[Wrong]:
    """The pharmacy has one order per booked visit, and we know of each that it is ready."""
    yield from _repeated("pharmacy order for", (o["appointment"] for o in truth.pharmacy))
    booked = {a["id"] for a in truth.visits("booked")}
    if {o["appointment"] for o in truth.pharmacy} != booked:
        yield Wrong("lost", "the pharmacy's orders are not the booked visits")
    yield from (Wrong("lost", f"{o['number']}: {o['status']}") for o in truth.pharmacy if o["status"] != "on-hand")
    dispenses = truth.own("intake", "MedicationDispense")
    yield from _counted(len(dispenses), len(truth.pharmacy), "dispenses are not the pharmacy's orders")
    for visit in truth.visits("booked"):
        if (said := ready(visit, "drug-on-hand")) != "met":
            yield Wrong("lost", f"{visit['id']}: drug-on-hand {said}")


def overbooked(visits: Iterable[Resource], per_nurse: int = PER_NURSE) -> Iterator[str]:
    """Chairs with two patients at once, nurses with more than they may have, or with two starts too close."""
    visits = sorted(visits, key=_start)
    for chair, held in _by(visits, "chair"):
        yield from (f"chair {chair}: two patients at once" for a, b in pairwise(held) if _start(b) < _end(a))
    for nurse, held in _by(visits, "nurse"):
        begins = [_start(a) for a in held]
        for a, b in pairwise(begins):
            if b - a < BETWEEN_STARTS:
                yield f"nurse {nurse}: two starts within {b - a}"
        for at in begins:
            if sum(_start(a) <= at < _end(a) for a in held) > per_nurse:
                yield f"nurse {nurse}: more than {per_nurse} patients at {at}"


def _by(visits: Sequence[Resource], kind: str) -> Iterator[tuple[str, list[Resource]]]:
    """Visits by who or what takes part in them, in order of time."""
    for key, group in groupby(sorted(visits, key=lambda a: _actor(a, kind)), key=lambda a: _actor(a, kind)):
        yield key, list(group)


def _actor(appointment: Resource, kind: str) -> str:
    system = IDENTIFIERS + kind
    found = (p["actor"].get("identifier", {}) for p in appointment["participant"] if "actor" in p)
    return next(str(i["value"]) for i in found if i.get("system") == system)


def ready(appointment: Resource, requirement: str) -> str | None:
    """What the readiness of a visit says of one requirement."""
    for extension in appointment.get("extension", ()):
        if extension["url"] == CANONICAL + "StructureDefinition/visit-readiness":
            parts: dict[str, str | None] = {p["url"]: p.get("valueCode") for p in extension["extension"]}
            if parts["requirement"] == requirement:
                return parts["status"]
    return None


def _start(appointment: Resource) -> datetime:
    return datetime.fromisoformat(appointment["start"])


def _end(appointment: Resource) -> datetime:
    return datetime.fromisoformat(appointment["end"])


def _dose(appointment: Resource) -> int:
    url = CANONICAL + "StructureDefinition/dose"
    parts = next(e["extension"] for e in appointment["extension"] if e["url"] == url)
    return int(next(p["valuePositiveInt"] for p in parts if p["url"] == "number"))


def _placer(task: Resource) -> str:
    types = ((i, i.get("type", {}).get("coding", [{}])[0].get("code")) for i in task["identifier"])
    return next((str(i["value"]) for i, code in types if code == "PLAC"), "")


def _code(task: Resource) -> str:
    return str(task.get("code", {}).get("coding", [{}])[0].get("code", ""))


def _business(task: Resource) -> str:
    return str(task.get("businessStatus", {}).get("coding", [{}])[0].get("code", ""))


def _repeated(what: str, keys: Iterable[str]) -> Iterator[Wrong]:
    yield from (Wrong("double", f"{n} times {what} {key}") for key, n in Counter(keys).items() if n > 1)
