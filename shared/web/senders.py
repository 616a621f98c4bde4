"""Who sends, and whose records and patients are his to write about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared import store
from shared.app import Handle
from shared.core import Resource
from shared.fhir.references import references
from shared.ports import EVENT_NUMBERS, Arrival
from shared.smart.tokens import Access
from shared.web.deleting import DELETABLE
from shared.web.requests import refused
from shared.web.sight import SENT, Sight, named_by, patient_of_lane, place_of

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
    brings = patient in {id_ for system, _, id_ in arrival.identities if not system.startswith(EVENT_NUMBERS)}
    # One statement, one snapshot: a push of the same patient may commit beside this one.
    sql = (
        f"select (select count(*) from identity where client = $1 and id = $2 and {SENT}), "  # noqa: S608 (ours)
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
    """Refuses, with one answer for both, to name a patient who is unknown and one whom another client has sent.

    Linked records are one person's: what one says of him stops the other's visits. And who is named in a record may be
    sent wherever the record is. What stands may be sent again, and in a link a record of the client's own be named by
    its identifier before it is sent.
    """
    patient, prefix = patient_of_lane(arrival.lane), handle.service.prefix
    named = {place: where for r in arrival.resources for place, where in _patients_in(r, prefix)}
    named.pop(f"Patient/{patient}", None)
    if not named or sight.unlimited(sender.access):
        return
    ids = sorted(place.removeprefix("Patient/") for place in named)
    async with handle.database.reading() as tx:
        sql = f"select distinct id from identity where client = $1 and id = any($2) and {SENT}"  # noqa: S608 (ours)
        sent = {f"Patient/{row[0]}" for row in await tx.fetch(sql, sender.client, ids)}
        stored = await store.current(tx, [r["id"] for r in arrival.resources])
    own = (s.resource for s in stored.values() if s.lane == arrival.lane)
    standing = {place for r in own for place, _ in _patients_in(r, prefix)}
    strange = named.keys() - sent - standing - _own_links(handle, sender, arrival)
    if strange:
        raise refused(422, "not-found", _NO_PATIENT, named[min(strange)])


def _patients_in(resource: Resource, prefix: str) -> Iterator[tuple[str, str]]:
    """`Patient/id` of each patient a record names, under whatever address, and where; ids not ours in links alone."""
    for where, text in references(resource):
        place = place_of(text)
        if place.startswith("Patient/" if resource["resourceType"] == "Patient" else f"Patient/{prefix}-"):
            yield place, where


def _own_links(handle: Handle, sender: Sender, arrival: Arrival) -> set[str | None]:
    """`Patient/id` of each record of the client's own that a link names by its identifier too."""
    links = (link for r in arrival.resources if r["resourceType"] == "Patient" for link in r.get("link", ()))
    return {named_by(sender.client, link.get("other", {}), handle.service.prefix) for link in links}


def _orders_of(sight: Sight, sender: Sender, arrival: Arrival) -> list[str]:
    """The orders that one resource sent alone rests on, where its sender may bring such of any patient."""
    if len(arrival.resources) != 1 or not sight.brings(sender.client, arrival.resources[0]["resourceType"]):
        return []
    named = (text for _, text in references(arrival.resources[0]))
    return [text.partition("/")[2] for text in named if text.startswith(_ORDERS)]
