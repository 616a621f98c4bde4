"""Makes of each order for a chair a case: its site, its drug, the doses it asks for, and the visits there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from services.scheduling.appointments import read, site_of, visit_of
from services.scheduling.facts import Case, Facts, Visit
from shared.catalogue import recognised
from shared.core import Resource, reference
from shared.settings import InfusionSite, Site
from shared.visits.appointments import stored_dose
from shared.visits.elements import any_refers, code_of, identified, is_task, refers
from shared.visits.series import Unreadable, doses

ENDED = frozenset({"revoked", "entered-in-error"})
"""Order statuses on which everything that has not happened is called off."""


def cases(facts: Facts, site: Site) -> tuple[Case, ...]:
    """Every order for a chair, oldest first; a completed one only where something was made of it."""
    orders = [r for r in facts.resources if r["resourceType"] == "ServiceRequest" and _is_for_a_chair(r)]
    known = [t for t in facts.of("Task") if is_task(t, "chair")]
    wanted = (
        o for o in orders if o["status"] != "completed" or any(refers(t.get("focus"), reference(o)) for t in known)
    )
    return tuple(_case(o, facts, site) for o in wanted)


def _is_for_a_chair(order: Resource) -> bool:
    places = (code_of(place, "site-of-care") for place in order.get("locationCode", ()))
    return order.get("intent") == "filler-order" and "home" not in places


def _case(order: Resource, facts: Facts, site: Site) -> Case:
    request = next(
        (r for i in order.get("supportingInfo", ()) if _is_request(r := facts.find(i.get("reference")))), None
    )
    drug = recognised(order.get("code", {}).get("coding", ()))
    if drug is None and request is not None:
        drug = recognised(request.get("medicationCodeableConcept", {}).get("coding", ()))
    case = Case(order, _site(order, site), facts, request, drug)
    if order["status"] in ENDED:
        return replace(case, unordered=tuple(_stored(case)))
    if order["status"] == "completed":
        return _completed(case)
    try:
        return _with_doses(case)
    except Unreadable as unreadable:
        return replace(case, problem=unreadable.code, visits=tuple(_stored(case)))


def _is_request(resource: Resource | None) -> bool:
    return resource is not None and resource["resourceType"] == "MedicationRequest"


def _site(order: Resource, site: Site) -> InfusionSite:
    """The site the order names, else the first one of the practice."""
    names = (identified(performer, "site") for performer in order.get("performer", ()))
    return next((s for name in names if name and (s := site.site(name))), site.sites[0])


def _completed(case: Case) -> Case:
    """What has a place stays, for a person to look at; what has none any more is not ordered."""
    stored = tuple(_stored(case))
    kept = tuple(v for v in stored if v.status not in ("proposed", "pending"))
    return replace(case, visits=kept, unordered=tuple(v for v in stored if v not in kept))


def _with_doses(case: Case) -> Case:
    if case.request is None:
        raise Unreadable("medication-request-missing")
    if case.drug is None:
        raise Unreadable("drug-not-in-catalogue")
    series = doses(case.order, case.request, case.drug, case.site.time_zone)
    found = (visit_of(case.order, dose, case.facts) for dose in series)
    visits = tuple(replace(v, changed=v.status == "booked" and differs(case, v)) for v in found)
    ids = {v.id for v in visits}
    return replace(case, visits=visits, unordered=tuple(v for v in _stored(case) if v.id not in ids))


def _stored(case: Case) -> Iterator[Visit]:
    """The order's own Appointments that are not called off, by dose."""
    target = reference(case.order)
    found = (a for a in case.facts.of("Appointment") if any_refers(a.get("basedOn", ()), target))
    visits = (read(a, stored_dose(a)) for a in found if a["status"] != "cancelled" and a["id"].startswith("sc-"))
    return iter(sorted(visits, key=lambda v: v.dose.number))


def differs(case: Case, visit: Visit) -> bool:
    """Whether a visit was made for other days, another site or another drug than the order now asks for."""
    if visit.stored is None:
        return False
    before, dose = stored_dose(visit.stored), visit.dose
    made_for = (before.on, before.last, site_of(visit.stored), code_of(visit.stored["serviceType"][0], "drug"))
    return made_for != (dose.on, dose.last, case.site.id, case.drug.key if case.drug else None)
