"""Tells the pharmacy of every booked visit that drug or supplies must be brought for, and of one called off."""

from __future__ import annotations

from services.nursing.appointments import kinds_of
from shared.core import Channel, Resource
from shared.visits import pharmacy
from shared.visits.elements import EXTENSIONS
from shared.visits.pharmacy import send

BRINGS = frozenset({"infusion", "dressing"})
"""Kinds of visit for which something is always brought; for teaching only the first time."""


def due(before: Resource | None, after: Resource) -> str | None:
    """The start of a newly booked visit nothing is there for yet; the start with `/cancelled` of one called off."""
    if after["resourceType"] != "Appointment" or not brings(after) or _is_supplied(after):
        return None
    return pharmacy.due(before, after)


def brings(appointment: Resource) -> bool:
    """Whether drug or supplies are brought for this very visit."""
    kinds = kinds_of(appointment)
    number = next(p for e in appointment["extension"] if e["url"] == EXTENSIONS + "dose" for p in e["extension"])
    first_teaching = "teach" in kinds and (kinds[0] != "teach" or number["valuePositiveInt"] == 1)
    return first_teaching or bool(BRINGS & set(kinds))


def _is_supplied(appointment: Resource) -> bool:
    """Whether everything was brought for an earlier time of the same visit."""
    said = [
        {p["url"]: p.get("valueCode") for p in e["extension"]}
        for e in appointment["extension"]
        if e["url"] == EXTENSIONS + "visit-readiness"
    ]
    delivered = [s["status"] for s in said if (s["requirement"] or "").endswith("-delivered")]
    return bool(delivered) and "unmet" not in delivered


PHARMACY = Channel("pharmacy", due, "idempotent", send)
