"""Who sends, and whose records and patients are his to write about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared import store
from shared.app import Handle
from shared.core import Resource, derived_id
from shared.fhir.references import references
from shared.ports import Arrival
from shared.smart.tokens import Access
from shared.web.deleting import DELETABLE
from shared.web.requests import refused
from shared.web.sight import Sight, patient_of_lane

_ORDERS = ("CommunicationRequest/", "MedicationRequest/", "ServiceRequest/")
_NO_PATIENT = "a patient this client has sent would be right"


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is: the token's access, and the client on whose behalf one of our processes hands it on."""

    access: Access
    client: str


async def check_patient(sight: Sight, sender: Sender, handle: Handle, arrival: Arrival) -> None:
    """Refuses, with one answer for both, a patient that is unknown and one that another client has sent.

    A record that rests on an order of ours for that patient (a dispense) may come from whom the practice lets bring it.
    """
    patient = patient_of_lane(arrival.lane)
    brings = patient in {resource_id for _, _, resource_id in arrival.identities}
    # One statement, one snapshot: a push of the same patient may commit beside this one.
    sql = (
        "select (select count(*) from identity where client = $1 and id = $2), "
        "(select count(*) from resource where id = $2), "
        "(select count(*) from resource where lane = $3 and id = any($4))"
    )
    async with handle.database.reading() as tx:
        rows = await tx.fetch(sql, sender.client, patient, arrival.lane, _orders_of(sight, sender, arrival))
    sent, exists, orders = rows[0]
    may = sent or orders or sight.unlimited(sender.access)
    if not (exists and may) and not (brings and not exists):
        raise refused(422, "not-found", _NO_PATIENT, arrival.resources[0]["resourceType"])


async def check_deletable(sight: Sight, sender: Sender, handle: Handle, stored: Resource) -> None:
    """405 for what cannot say that it was entered in error, 403 for a record that only another client has sent."""
    kind = stored["resourceType"]
    if kind not in DELETABLE or stored.get("intent") == "filler-order":
        refusal = refused(405, "not-supported", "an interaction of the CapabilityStatement would be right")
        refusal.headers = {"Allow": "GET"}
        raise refusal
    async with handle.database.reading() as tx:
        rows = await tx.fetch("select distinct client from identity where id = $1", stored["id"])
    senders = {row[0] for row in rows}
    if senders and sender.client not in senders and not sight.unlimited(sender.access):
        raise refused(403, "forbidden", "a record this client has sent would be right", kind)


async def check_links(sight: Sight, sender: Sender, handle: Handle, arrival: Arrival) -> None:
    """Refuses, with one answer for both, a link to a record that is unknown and to one that another client has sent.

    Linked records are one person's: what one says of him stops the other's visits. A link that stands may be sent
    again, and a record of the client's own be named by its identifier before it is sent.
    """
    linked = {place: other for p in _patients(arrival) for place, other in _others(p)}
    if not linked or sight.unlimited(sender.access):
        return
    ids = sorted(text.removeprefix("Patient/") for text in linked)
    patient = patient_of_lane(arrival.lane)
    async with handle.database.reading() as tx:
        sql = "select distinct id from identity where client = $1 and id = any($2)"
        sent = {f"Patient/{row[0]}" for row in await tx.fetch(sql, sender.client, ids)}
        stored = await store.current(tx, [patient or ""])
    standing = {place for s in stored.values() for place, _ in _others(s.resource)}
    own = {text for text, other in linked.items() if text == _named(handle, sender, other)}
    if linked.keys() - sent - standing - own:
        raise refused(422, "not-found", _NO_PATIENT, "Patient.link.other")


def _patients(arrival: Arrival) -> Iterator[Resource]:
    return (r for r in arrival.resources if r["resourceType"] == "Patient")


def _others(patient: Resource) -> Iterator[tuple[str, Resource]]:
    """`Patient/id` of each record it is linked to, under whatever address, and the Reference that says so."""
    for link in patient.get("link", ()):
        other = link.get("other", {})
        place = "/".join(str(other.get("reference", "")).partition("/_history/")[0].split("/")[-2:])
        if place.startswith("Patient/"):
            yield place, other


def _named(handle: Handle, sender: Sender, other: Resource) -> str | None:
    """`Patient/id` of the record this client knows by the identifier of a Reference."""
    known = other.get("identifier", {})
    key = (sender.client, str(known.get("system")), str(known.get("value")))
    return f"Patient/{derived_id(handle.service.prefix, 'Patient', *key)}" if known else None


def _orders_of(sight: Sight, sender: Sender, arrival: Arrival) -> list[str]:
    """The orders that one resource sent alone rests on, where its sender may bring such of any patient."""
    if len(arrival.resources) != 1 or not sight.brings(sender.client, arrival.resources[0]["resourceType"]):
        return []
    named = (text for _, text in references(arrival.resources[0]))
    return [text.partition("/")[2] for text in named if text.startswith(_ORDERS)]
