"""Makes of each order for the home a case: where the patient lives, the errands it asks for, the visits there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, tzinfo

from services.nursing.appointments import read_alone, visit_of
from services.nursing.course import Course, errands
from services.nursing.facts import Case, Facts, Visit
from services.nursing.planner import Home
from services.nursing.policy import Practice
from services.nursing.start import says, starts
from shared.catalogue import recognised
from shared.core import Resource, reference
from shared.visits.elements import any_refers, code_of, is_task, refers
from shared.visits.records import contains, days_of
from shared.visits.series import Unreadable

ENDED = frozenset({"revoked", "entered-in-error"})
"""Order statuses on which everything that has not happened is called off."""

HAD = frozenset({"active", "completed", "on-hold", "stopped"})
"""MedicationStatement statuses that say a drug was taken."""


def cases(facts: Facts, practice: Practice, at: datetime) -> tuple[Case, ...]:
    """Every order for the home, oldest first; a completed one only where something was made of it."""
    orders = [r for r in facts.resources if r["resourceType"] == "ServiceRequest" and _is_for_home(r)]
    known = [t for t in facts.of("Task") if is_task(t, "home-nursing")]
    wanted = (
        o for o in orders if o["status"] != "completed" or any(refers(t.get("focus"), reference(o)) for t in known)
    )
    return tuple(case for o in wanted if (case := _case(o, facts, practice, at)) is not None)


def _is_for_home(order: Resource) -> bool:
    places = (code_of(place, "site-of-care") for place in order.get("locationCode", ()))
    return order.get("intent") == "filler-order" and "home" in places


def _case(order: Resource, facts: Facts, practice: Practice, at: datetime) -> Case | None:
    """None where the practice makes no home visits."""
    if (site := practice.site.home) is None:
        return None
    request = next(
        (r for i in order.get("supportingInfo", ()) if _is_request(r := facts.find(i.get("reference")))), None
    )
    drug = recognised(order.get("code", {}).get("coding", ()))
    if drug is None and request is not None:
        drug = recognised(request.get("medicationCodeableConcept", {}).get("coding", ()))
    patient = facts.find(order["subject"].get("reference"))
    home = home_of(patient, at.astimezone(site.time_zone).date(), site.time_zone)
    case = Case(order, site, facts, request, drug, home=home, patient=patient)
    if order["status"] in ENDED:
        return replace(case, unordered=tuple(_stored(case)))
    if order["status"] == "completed":
        return _completed(case)
    try:
        return _with_errands(case, practice, at)
    except Unreadable as unreadable:
        return replace(case, problem=unreadable.code, visits=tuple(_stored(case)))


def _is_request(resource: Resource | None) -> bool:
    return resource is not None and resource["resourceType"] == "MedicationRequest"


def home_of(patient: Resource | None, on: date, zone: tzinfo) -> Home:
    """Where a patient lives on a day: the first address in use that is a home, else the first one."""
    known = (a for a in (patient or {}).get("address", ()) if a.get("use") not in ("old", "billing"))
    addresses = [a for a in known if contains(days_of(a.get("period", {}), zone), on)]
    homes = [a for a in addresses if a.get("use") in ("home", "temp")] or addresses
    found = homes[0] if homes else {}
    return Home(found.get("state", ""), found.get("postalCode", ""))


def _completed(case: Case) -> Case:
    """What has a place stays, for a person to look at; what has none any more is not ordered."""
    stored = tuple(_stored(case))
    kept = tuple(v for v in stored if v.status not in ("proposed", "pending"))
    return replace(case, visits=kept, unordered=tuple(v for v in stored if v not in kept))


def _with_errands(case: Case, practice: Practice, at: datetime) -> Case:
    if case.request is None:
        raise Unreadable("medication-request-missing")
    if case.drug is None:
        raise Unreadable("drug-not-in-catalogue")
    today = at.astimezone(case.site.time_zone).date()
    begins = starts(case.order, case.facts, case.site, practice, today)
    first_dose = not _had_before(case, practice.words("first_dose_given_words", today))
    course = Course(case.order, case.request, case.drug, case.site, begins, first_dose, practice, today)
    visits = tuple(visit_of(case.order, errand, case.facts) for errand in errands(course))
    ids = {id_ for v in visits for id_ in v.ids}
    unordered = tuple(v for v in _stored(case) if v.id not in ids)
    return replace(case, start=begins[0], first_dose=first_dose, visits=visits, unordered=unordered)


def _had_before(case: Case, words: frozenset[str]) -> bool:
    """Whether the patient has had the drug: a statement of it, or the order says that the first dose was given."""
    statements = (s for s in case.facts.of("MedicationStatement") if s.get("status") in HAD)
    codings = (s.get("medicationCodeableConcept", {}).get("coding", ()) for s in statements)
    if any(case.drug is not None and recognised(c) == case.drug for c in codings):
        return True
    received = (case.facts.find(r.get("reference")) for r in case.order.get("basedOn", ()))
    return any(says(r, words) for r in (*received, case.request) if r is not None)


def _stored(case: Case) -> Iterator[Visit]:
    """The order's own Appointments that are not called off, by their days."""
    target = reference(case.order)
    found = (a for a in case.facts.of("Appointment") if any_refers(a.get("basedOn", ()), target))
    visits = (read_alone(a) for a in found if a["status"] != "cancelled" and a["id"].startswith("nu-"))
    return iter(sorted(visits, key=lambda v: (v.dose.on, v.id)))
