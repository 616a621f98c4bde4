"""Reads a referral from the system of the client who sent it: what was named, what it rests on, and a few searches.

Law of this file: only addresses below the base this practice configured for the client are ever asked, whatever a
message or an answer names.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.intake.codes import URI
from services.intake.doors import bundles
from services.intake.doors.bundles import Arrival
from services.intake.doors.entries import OURS, RECEIVED
from services.intake.doors.shapes import FHIR_JSON, ORDERS, absolute, kind_of_address, transaction, wanted
from services.intake.pulls.provisional import EVENTS, count_of, is_pull, received_of, wanted_of
from services.intake.pulls.pulling import CHANNEL
from services.intake.records import SUBJECT, literal, placer_client, subject_of
from shared.borders import Check, worded
from shared.core import Answer, Channel, Resource, TryLater
from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import errors
from shared.fhir.references import references
from shared.ports import Outside, Reader
from shared.settings import Partner

LONGEST = 30.0
"""Seconds one reading may take in all: a delivery's lease is longer."""
MOST = 200
"""Records one referral may rest on."""
LARGEST = 5 * 1024 * 1024
SEARCHES = (
    ("MedicationRequest", "patient={}"),
    ("Coverage", "patient={}&status=active"),
    ("Observation", "patient={}&category=laboratory"),
    ("Observation", "patient={}&category=vital-signs"),
    ("AllergyIntolerance", "patient={}"),
    ("MedicationStatement", "patient={}"),
)
"""What a referral needs of a patient that no order refers to."""
GONE = frozenset({403, 404, 410})
NOT_OFFERED = frozenset({400, 403, 404, 405, 410, 501})


class Unread(Exception):
    """The system did not give what is needed: why, without a value of a patient."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.why, self.status = why, status


@dataclass
class Reading:
    """One reading of one client's system."""

    http: httpx.AsyncClient
    base: str
    token: str
    check: Check
    found: dict[str, Resource] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    async def get(self, address: str) -> Resource:
        """One answer of the system as legal R4. Raises Unread."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": FHIR_JSON}
        try:
            response = await self.http.get(address, headers=headers)
        except httpx.TimeoutException:
            raise Unread("no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unread(f"no answer ({type(error).__name__})") from None
        if response.status_code != httpx.codes.OK:
            raise Unread(f"HTTP {response.status_code}", response.status_code)
        try:
            resource = decode(response.content, limit=LARGEST)
        except GateError:
            raise Unread("an answer that is no FHIR JSON") from None
        if issues := errors(self.check(resource, "")):
            raise Unread("an answer that is not legal R4: " + "; ".join(worded(issues, 3)))
        return resource

    async def record(self, address: str) -> Resource | None:
        """The record at an address, its own references as addresses; None where there is none and none is needed."""
        kind = kind_of_address(address, self.base)
        resource = await self.get(address)
        if resource["resourceType"] != kind or address.rpartition("/")[2] != resource.get("id"):
            raise Unread("another record than the one asked for")
        return resource

    async def search(self, kind: str, query: str) -> list[Resource]:
        """The matches of one search; none where the system does not offer it."""
        try:
            bundle = await self.get(f"{self.base}/{kind}?{query}")
        except Unread as error:
            if error.status in NOT_OFFERED:
                return []
            raise
        found = (e["resource"] for e in bundle.get("entry", ()) if "resource" in e)
        return [r for r in found if r["resourceType"] == kind and "id" in r]

    async def follow(self, bundle: Resource, needed: Iterable[str]) -> None:
        """Reads what the Bundle and everything found refer to; what is needed must be there."""
        needed = set(needed)
        while addresses := [a for a in self._open(bundle) if a not in self.left_out]:
            if len(self.found) + len(addresses) > MOST:
                raise Unread(f"more than {MOST} records")
            read = await asyncio.gather(*(self._one(a, needed=a in needed) for a in addresses))
            self.found |= {a: r for a, r in zip(addresses, read, strict=True) if r is not None}

    async def _one(self, address: str, *, needed: bool) -> Resource | None:
        try:
            return await self.record(address)
        except Unread as error:
            if needed or error.status not in GONE:
                raise
            self.left_out.append(address)
            return None

    def _open(self, bundle: Resource) -> tuple[str, ...]:
        return wanted(self.whole(bundle), self.base)

    def whole(self, bundle: Resource) -> dict[str, Any]:
        """The Bundle with everything found, as one push."""
        own = {e.get("fullUrl") for e in bundle["entry"]}
        read = transaction((a, _unnumbered(r)) for a, r in self.found.items() if a not in own)
        return absolute({**bundle, "entry": [*bundle["entry"], *read["entry"]]}, self.base)


def _unnumbered(resource: Resource) -> Resource:
    """A record without the id its system gave it: its full URL says that."""
    return {k: v for k, v in resource.items() if k != "id"}


def pulls(check: Check) -> Channel:
    """The channel by which senders' systems are read; reading twice changes nothing."""

    async def read(task: Resource, reader: Reader, outside: Outside) -> Answer:
        current = await reader.read(task["id"]) or task
        client = placer_client(current) or ""
        try:
            async with asyncio.timeout(LONGEST):
                return await _answer(current, client, outside, check)
        except TimeoutError:
            return _failed("no answer in time", client)
        except TryLater as error:
            return _failed(str(error), client)
        except Unread as error:
            return _failed(error.why, client)

    return Channel(CHANNEL, due, "idempotent", read)


def due(before: Resource | None, after: Resource) -> str | None:
    """Each attempt is one delivery."""
    if not is_pull(after) or after["status"] != "in-progress":
        return None
    attempt = count_of(after, "attempt")
    return str(attempt) if before is None or count_of(before, "attempt") != attempt else None


def partner_of(client: str, outside: Outside) -> Partner | None:
    """The system that may be read for a client."""
    referrer = outside.site.referrers.get(client)
    return outside.site.partners.get(referrer.read_from or "") if referrer else None


async def _answer(task: Resource, client: str, outside: Outside, check: Check) -> Answer:
    partner = partner_of(client, outside)
    if partner is None:
        raise Unread("no system of this client is configured")
    base = partner.base.rstrip("/")
    reading = Reading(outside.http, base, await outside.token(partner.id), check)
    asked = wanted_of(task)
    if any(EVENTS in a for a in asked):
        return await _missed(reading, asked[0], client)
    return await _referral(reading, task, asked, client)


async def _referral(reading: Reading, task: Resource, asked: Sequence[str], client: str) -> Answer:
    attached = received_of(task)
    bundle = decode(base64.b64decode(attached), limit=LARGEST) if attached else _of(asked[0])
    if not bundle["entry"]:
        reading.found[asked[0]] = await _needed(reading, asked[0])
    await reading.follow(bundle, _needs(bundle))
    await reading.follow(bundle, _needs(reading.whole(bundle)))
    await _searched(reading, bundle)
    _check_own(reading, bundle)
    arrival = bundles.resolved(reading.whole(bundle), client)
    if not isinstance(arrival, Arrival):
        raise Unread("what was read makes no referral: " + "; ".join(worded(arrival, 3)))
    return _read(reading, bundle, arrival, client)


def _of(address: str) -> dict[str, Any]:
    return transaction((), {"system": URI, "value": address})


async def _needed(reading: Reading, address: str) -> Resource:
    found = await reading.record(address)
    assert found is not None
    return found


def _needs(bundle: Resource) -> set[str]:
    """The addresses without which there is no referral: the patient and what a Task asks to fulfil."""
    orders = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] in ORDERS]
    elements = (o.get(name) or {} for o in orders for name in ("focus", "for", "subject"))
    return {str(e["reference"]) for e in elements if "reference" in e}


async def _searched(reading: Reading, bundle: Resource) -> None:
    """What a referral needs of the patient besides what it refers to."""
    entries = reading.whole(bundle)["entry"]
    orders = {e.get("fullUrl") for e in entries if e["resource"]["resourceType"] == "ServiceRequest"}
    patients = [a for a in reading.found if kind_of_address(a, reading.base) == "Patient"]
    if not orders or not patients:
        return
    patient = patients[0].rpartition("/")[2]
    for kind, query in SEARCHES:
        for record in await reading.search(kind, query.format(patient)):
            address = f"{reading.base}/{kind}/{record['id']}"
            if len(reading.found) < MOST and _is_asked_for(record, orders, patients[0], reading.base):
                reading.found.setdefault(address, record)
    await reading.follow(bundle, ())


def _is_asked_for(record: Resource, orders: set[Any], patient: str, base: str) -> bool:
    """Whether a match is the patient's own and, of prescriptions, of the order that was placed."""
    named = {_address(text, base) for _, text in references(record)}
    subject = (record.get(SUBJECT.get(record["resourceType"], "subject")) or {}).get("reference", "")
    mine = _address(subject, base) == patient
    return mine and (record["resourceType"] != "MedicationRequest" or bool(named & orders))


def _address(text: str, base: str) -> str:
    plain = text.partition("/_history/")[0]
    return plain if "://" in plain else f"{base}/{plain}"


def _check_own(reading: Reading, bundle: Resource) -> None:
    """A sender's system names no patient by our id but the one it was asked for: he may be another client's."""
    sent = [e["resource"] for e in bundle["entry"]]
    asked = {f"Patient/{subject_of(r)}" for r in sent if r["resourceType"] != "Patient"}
    others = [link["other"] for r in sent if r["resourceType"] == "Patient" for link in r.get("link", ())]
    others += [{"reference": text} for r in reading.found.values() for _, text in references(r)]
    named = {place for other in others if (place := literal(other)) is not None} - asked
    if any(place.startswith("Patient/") and OURS.fullmatch(place) for place in named):
        raise Unread("a patient named by an id of this practice")


def _read(reading: Reading, bundle: Resource, arrival: Arrival, client: str) -> Answer:
    """The records in our ids, decided in the lane of the patient they turned out to be about."""
    patient = arrival.lane.removeprefix("patient/")
    addresses = (e.get("fullUrl", "") for e in reading.whole(bundle)["entry"])
    known = [(URI, a, patient) for a in addresses if kind_of_address(a, reading.base) == "Patient"]
    gone = [{"name": "left-out", "valueUri": a} for a in reading.left_out]
    told = ({"resourceType": "Parameters", "parameter": gone},) if gone else ()
    return Answer("pulled", (*arrival.resources, *told), arrival.lane, (*arrival.identities, *known), client)


async def _missed(reading: Reading, address: str, client: str) -> Answer:
    """The events a Subscription has told of between two numbers, as addresses to read."""
    if kind_of_address(address.partition(EVENTS)[0], reading.base) != "Subscription":
        raise Unread("a Subscription of another system")
    bundle = await reading.get(address)
    parameters = (e["resource"] for e in bundle.get("entry", ())[:1] if "resource" in e)
    events = (p for r in parameters for p in r.get("parameter", ()) if p.get("name") == "notification-event")
    focuses = (q["valueReference"]["reference"] for e in events for q in e.get("part", ()) if q.get("name") == "focus")
    addresses = [a for f in focuses if kind_of_address(a := _address(f, reading.base), reading.base) in RECEIVED]
    named = [{"name": "wanted", "valueUri": a} for a in dict.fromkeys(addresses)]
    resource: Mapping[str, Any] = {"resourceType": "Parameters", **({"parameter": named} if named else {})}
    return Answer("events-read", (resource,), source=client)


def _failed(why: str, client: str) -> Answer:
    issue = {"severity": "error", "code": "transient", "diagnostics": why}
    return Answer("pull-failed", ({"resourceType": "OperationOutcome", "issue": [issue]},), source=client)
