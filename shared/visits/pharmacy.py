"""Carries a visit to the pharmacy: when it is told, what it gets, and what its answers mean."""

from __future__ import annotations

from datetime import date, tzinfo
from typing import Any

from shared.core import Answer, Resource
from shared.ports import Outside, Reader
from shared.posting import collection, posted
from shared.visits.elements import identifier
from shared.visits.treating import for_treatment


def due(before: Resource | None, after: Resource) -> str | None:
    """The start of a newly booked or moved visit; the start with `/cancelled` of a booked one called off."""
    if after["resourceType"] != "Appointment":
        return None
    was = before["start"] if before is not None and before["status"] == "booked" else None
    if after["status"] == "booked":
        return str(after["start"]) if after["start"] != was else None
    return f"{was}/cancelled" if after["status"] == "cancelled" and was is not None else None


async def send(appointment: Resource, reader: Reader, outside: Outside) -> Answer:
    """Posts the order of one visit as a Bundle; the same again replaces it, for its identifier is the Appointment's."""
    zone = outside.site.sites[0].time_zone
    body = await bundle(appointment, reader, outside.now().astimezone(zone).date(), zone)
    answer = await posted(outside, outside.site.pharmacy or "", "orders", body)
    return Answer("pharmacy-told" if answer.is_success else "pharmacy-refused")


async def bundle(appointment: Resource, reader: Reader, on: date, zone: tzinfo) -> dict[str, Any]:
    """A collection of the Appointment, its MedicationRequest and its Patient, as a pharmacist needs them on a day.

    What is called off goes alone: nothing is prepared for it any more.
    """
    actors = (p["actor"].get("reference", "") for p in appointment["participant"] if "actor" in p)
    references = [i.get("reference", "") for i in appointment.get("supportingInformation", ())]
    cited = () if appointment["status"] == "cancelled" else (*references, *actors)
    names = [r for r in cited if r.startswith(("MedicationRequest/", "Patient/"))]
    found = [await reader.read(name.partition("/")[2]) for name in names]
    order = identifier("pharmacy-order", appointment["id"])
    return collection(order, [for_treatment(r, on, zone) for r in (appointment, *found) if r is not None])
