"""Carries a visit to the pharmacy: when it is told, what it gets, and what its answers mean."""

from __future__ import annotations

from typing import Any

from shared.core import Answer, Resource
from shared.ports import Outside, Reader
from shared.posting import collection, posted
from shared.visits.elements import identifier


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
    answer = await posted(outside, outside.site.pharmacy or "", "orders", await bundle(appointment, reader))
    return Answer("pharmacy-told" if answer.is_success else "pharmacy-refused")


async def bundle(appointment: Resource, reader: Reader) -> dict[str, Any]:
    """A collection of the Appointment, its MedicationRequest and its Patient."""
    actors = (p["actor"].get("reference", "") for p in appointment["participant"] if "actor" in p)
    references = [i.get("reference", "") for i in appointment.get("supportingInformation", ())]
    names = [r for r in (*references, *actors) if r.startswith(("MedicationRequest/", "Patient/"))]
    found = [await reader.read(name.partition("/")[2]) for name in names]
    order = identifier("pharmacy-order", appointment["id"])
    return collection(order, [appointment, *(r for r in found if r is not None)])
