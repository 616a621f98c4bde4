"""Tells an outside agency of a visit it is asked for, and of one it is not wanted for any more."""

from __future__ import annotations

from services.nursing.agency import REASON, is_agency_visit
from shared.core import Answer, Channel, Resource
from shared.ports import Outside, Reader
from shared.posting import collection, posted
from shared.visits.elements import code_of, identified, identifier
from shared.visits.treating import for_treatment

OURS = frozenset({"silent", "withdrawn"})
"""Ends that are ours to tell; the others the agency said itself."""


def due(before: Resource | None, after: Resource) -> str | None:
    """`requested` for a new Task; `cancelled` where we end it."""
    if not is_agency_visit(after):
        return None
    if before is None and after["status"] == "requested":
        return "requested"
    open_before = before is not None and before["status"] in ("requested", "accepted")
    ours = code_of(after.get("statusReason"), REASON) in OURS
    return "cancelled" if open_before and after["status"] == "cancelled" and ours else None


async def send(task: Resource, reader: Reader, outside: Outside) -> Answer:
    """Posts the Task as it now stands, with the order and whom it is for; known by its id, so again is no second one.

    Once it has ended it goes alone: who does not come any more, or never answered, learns nothing further of a patient.
    The agency's own answer comes later, as its update of the Task. An agency the practice knows no more counts as one
    that refused.
    """
    home = outside.site.home
    agency = home.agency(identified(task["owner"], "agency") or "") if home is not None else None
    if home is None or agency is None:
        return Answer("agency-refused")
    on = outside.now().astimezone(home.time_zone).date()
    known = [for_treatment(r, on, home.time_zone) for r in await _gathered(task, reader)]
    body = collection(identifier("agency-visit", task["id"]), [task, *known])
    answer = await posted(outside, agency.partner, "visits", body)
    return Answer("agency-told" if answer.is_success else "agency-refused")


async def _gathered(task: Resource, reader: Reader) -> list[Resource]:
    """The order of an open Task, its prescription and the patient: what a nurse needs to know, and no more."""
    if task["status"] not in ("requested", "accepted"):
        return []
    order = await reader.read(task["basedOn"][0]["reference"].partition("/")[2])
    cited = [i.get("reference", "") for i in (order or {}).get("supportingInfo", ())]
    names = [r for r in (*cited, task["for"]["reference"]) if r.startswith(("MedicationRequest/", "Patient/"))]
    found = [await reader.read(name.partition("/")[2]) for name in names]
    return [r for r in (order, *found) if r is not None]


AGENCY = Channel("agency", due, "idempotent", send)
