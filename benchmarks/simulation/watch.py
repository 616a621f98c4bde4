"""Looks at every commit of every service, and says what must never be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.simulation.store import Key
from benchmarks.simulation.visits import Place, clashes, deadline, illegal, lacking, place_of
from services.auth.case import ANEW
from services.auth.words import period_of
from shared.core import Resource, derived_id
from shared.messages import causes_of
from shared.settings import Site
from shared.turns import is_young
from shared.visits.elements import code_of, extended, is_task

PREFIXES = {"intake": "in", "auth": "au", "scheduling": "sc", "nursing": "nu"}
UNFINISHED = ("new", "waiting", "retry")
HOLDING = ("pending", "booked")

Rows = Callable[..., list[Any]]
"""(service, sql, *values) -> rows as committed."""


@dataclass
class Watch:
    """What was seen so far. `wrong` is every invariant that was broken, in the order it was seen."""

    rows: Rows
    now: Callable[[], datetime]
    site: Site
    wrong: list[str] = field(default_factory=list)
    _statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    _deliveries: dict[tuple[str, str], str] = field(default_factory=dict)
    _heard: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    _versions: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _unique: dict[tuple[str, ...], str] = field(default_factory=dict)
    _saves: dict[str, int] = field(default_factory=dict)
    _booked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _ever_booked: set[str] = field(default_factory=set)
    _anew: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def committed(self, service: str, keys: Iterable[Key]) -> None:
        """Checks what one transaction has written. Never raises: it is called inside the commit of who wrote."""
        try:
            self._looked_at(service, keys)
        except Exception as error:  # noqa: BLE001
            self.says(f"what {service} wrote could not be read: {type(error).__name__} {error}")

    def _looked_at(self, service: str, keys: Iterable[Key]) -> None:
        written: dict[str, set[str]] = {}
        for table, values in keys:
            written.setdefault(table, set()).add(values[0])
        if "inbox" in written:
            self._messages(service, sorted(written["inbox"]))
        if "delivery" in written:
            self._delivered(service, sorted(written["delivery"]))
        if "history" in written:
            self._saved(service, sorted(written["history"]))
        if "resource" in written:
            self._copied(service, sorted(written["resource"]))

    def says(self, what: str) -> None:
        """Notes a broken invariant, once."""
        if what not in self.wrong:
            self.wrong.append(what)

    # Messages

    def _messages(self, service: str, ids: list[str]) -> None:
        sql = "select id, producer, lane, seq, status, headers, problem from inbox where id = any($1) order by seq"
        for id_, producer, lane, seq, status, headers, problem in self.rows(service, sql, ids):
            before = self._statuses.get((service, id_), "")
            self._statuses[(service, id_)] = status
            if status == "parked" and before != "parked":
                self.says(f"{service} parked a message of {producer}: {problem}")
            if before == "done":
                self.says(f"{service} decided a message of {producer} twice")
            elif status == "done" and before != "parked":
                self._in_order(service, producer, lane, seq)
                self._after_its_causes(service, producer, json.loads(headers))

    def _in_order(self, service: str, producer: str, lane: str, seq: int) -> None:
        line = (service, producer, lane)
        if seq <= self._heard[line]:
            self.says(f"{service} decided message {seq} of {producer} after {self._heard[line]} in one lane")
        self._heard[line] = max(self._heard[line], seq)

    def _after_its_causes(self, service: str, producer: str, headers: Mapping[str, Any]) -> None:
        causes = causes_of(str(headers.get("causes", "{}")))
        named = ((p, c.heard.get(service)) for p, c in causes.items() if p != service)
        for other, id_ in named:
            if id_ and is_young(id_, self.now()):
                found = self.rows(service, "select status from inbox where id = $1", id_)
                if not found or found[0][0] in UNFINISHED:
                    self.says(f"{service} decided a message of {producer} before one of {other} it rests on")

    def _delivered(self, service: str, ids: list[str]) -> None:
        """An answer is taken once."""
        sql = "select id, channel, state from delivery where id = any($1)"
        for id_, channel, state in self.rows(service, sql, ids):
            before = self._deliveries.get((service, id_))
            self._deliveries[(service, id_)] = state
            if before == "answered":
                self.says(f"a delivery over {channel} was answered twice")

    # Resources

    def _saved(self, service: str, ids: list[str]) -> None:
        """Own resources: every version follows the one before it; what must be so of each, and of the last of each."""
        visits, others = {}, list[Resource]()
        sql = "select h.id, h.version, h.body from history h where h.id = any($1) order by h.id, h.epoch, h.version"
        for id_, version, body in self.rows(service, sql, ids):
            before = self._saves.get(id_, 0)
            if version <= before:
                continue
            self._saves[id_] = version
            resource = json.loads(body)
            kind = resource["resourceType"]
            if version != before + 1:
                self.says(f"{service} saved version {version} of {kind} after {before}")
            if kind == "Appointment":
                self._ready(resource)
                visits[id_] = resource
            elif kind in CHECKS:
                others.append(resource)
        # What a person said stands before what is done on it.
        for resource in sorted(others, key=lambda r: r["resourceType"] != "Task"):
            CHECKS[resource["resourceType"]](self, resource)
        self._visits(list(visits.values()))

    def _copied(self, service: str, ids: list[str]) -> None:
        """Nothing that is held is ever replaced by something older."""
        sql = "select id, epoch, version, type from resource where id = any($1)"
        for id_, epoch, version, kind in self.rows(service, sql, ids):
            before = self._versions.get((service, id_), (0, 0))
            self._versions[(service, id_)] = (epoch, version)
            if (epoch, version) < before:
                self.says(f"{service} holds an older version of {kind} than it did")
            if (epoch, version) == before and id_[:2] == PREFIXES[service]:
                self.says(f"{service} saved version {version} of {kind} twice")

    def once(self, resource: Resource, *key: str) -> None:
        """One resource for each business key, for ever."""
        first = self._unique.setdefault(key, resource["id"])
        if first != resource["id"]:
            self.says(f"two {resource['resourceType']} for one {key[0]}")

    def anew(self, id_: str, resource: Resource) -> None:
        """Notes what allows one more Claim for a patient: a Claim taken back, or a person's answer."""
        patient = (resource.get("patient") or resource.get("for") or {}).get("reference", "")
        self._anew[patient].add(id_)

    def attempts(self, patient: str) -> int:
        """How many more Claims than one each of his orders may have."""
        return len(self._anew[patient])

    def _visits(self, changed: Iterable[Resource]) -> None:
        """At most one booked visit a dose, and nothing overbooked, after a decision is whole."""
        for appointment in changed:
            self._places.pop(appointment["id"], None)
            self._booked.pop(appointment["id"], None)
        for appointment in changed:
            if appointment["status"] == "booked":
                self._booked[appointment["id"]] = _dose_of(appointment)
                if sum(d == _dose_of(appointment) for d in self._booked.values()) > 1:
                    self.says("two booked visits for one dose")
            if appointment["status"] in HOLDING and "start" in appointment:
                place = place_of(appointment)
                for clash in clashes(place, list(self._places.values())):
                    self.says(clash)
                self._places[appointment["id"]] = place

    def _ready(self, appointment: Resource) -> None:
        """Nothing is booked at a time that is none, or with a requirement unmet that had to be met by then."""
        if appointment["status"] != "booked" or appointment["id"] in self._ever_booked:
            return
        self._ever_booked.add(appointment["id"])
        for wrong in illegal(self.site, appointment):
            self.says(wrong)
        late = self.now() > deadline(self.site, place_of(appointment))
        for requirement, by in lacking(appointment).items():
            if by == "book" or late:
                self.says(f"a visit was booked with {requirement} unmet")


def _dose_of(appointment: Resource) -> tuple[str, ...]:
    kind = code_of((appointment.get("serviceType") or [{}])[0], "home-visit-kind") or "chair"
    number = extended(appointment, "dose").get("number")
    return appointment["basedOn"][0]["reference"], kind, str(number)


def _task(watch: Watch, task: Resource) -> None:
    if task["status"] == "completed":
        _question(watch, task)
    if is_task(task, "referral"):
        for found in task.get("identifier", ()):
            if any(c.get("code") == "PLAC" for c in found.get("type", {}).get("coding", ())):
                watch.once(task, "placer identifier", str(found.get("system")), str(found["value"]))
    for code in ("preauthorization", "chair", "home-nursing"):
        if is_task(task, code):
            watch.once(task, f"order of {code}", task["basedOn"][0]["reference"])


def _order(watch: Watch, order: Resource) -> None:
    if order.get("intent") == "filler-order":
        watch.once(order, "order as received", order["basedOn"][0]["reference"])


def _claim(watch: Watch, claim: Resource) -> None:
    if claim["status"] == "active":
        order = next(e["valueReference"]["reference"] for e in claim["extension"] if e["url"].endswith("/order"))
        coverage = claim["insurance"][0]["coverage"]["reference"]
        related = [r["claim"].get("reference", "") for r in claim.get("related", ())]
        told = [*related, claim["created"]] if related else [_attempt(watch, claim, order, coverage)]
        watch.once(claim, "claim", order, coverage, *told)
    elif claim["status"] == "cancelled":
        watch.anew(claim["id"], claim)


def _attempt(watch: Watch, claim: Resource, order: str, coverage: str) -> str:
    """Which period and attempt a Claim is, of those its payer and people made necessary; else the first again."""
    payer, period = claim["insurer"]["identifier"]["value"], str(period_of(claim))
    about = (order.rpartition("/")[2], coverage.rpartition("/")[2], payer, period)
    allowed = map(str, range(1, 2 + watch.attempts(claim["patient"]["reference"])))
    attempt = next((n for n in allowed if claim["id"] == derived_id("au", "Claim", *about, n)), "1")
    return f"{period}|{attempt}"


def _question(watch: Watch, task: Resource) -> None:
    """A person may have a Claim made anew."""
    if any(code_of(o.get("type"), "answer") in ANEW for o in task.get("output", ())):
        watch.anew(task["id"], task)


def _charge(watch: Watch, charge: Resource) -> None:
    watch.once(charge, "ledger entry", str(charge["identifier"][0]["value"]))


CHECKS: Mapping[str, Callable[[Watch, Resource], None]] = {
    "ChargeItem": _charge,
    "Claim": _claim,
    "ServiceRequest": _order,
    "Task": _task,
}
"""What is checked of each version its owner has saved."""
