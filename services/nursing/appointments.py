"""Builds the resources of home visits (Appointment, Task `home-nursing`) and reads visits back from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from services.nursing import planner
from services.nursing.facts import AgencyPlace, Case, Errand, Facts, Visit
from services.nursing.planner import Place
from services.nursing.policy import Practice
from shared.core import Resource, Seat, derived_id
from shared.settings import Site
from shared.visits import appointments as visits
from shared.visits.appointments import bare, extensions, hold_of, participant, period, stored_dose, timed
from shared.visits.elements import (
    EXTENSIONS,
    code_of,
    concept,
    extended,
    identified,
    identifier,
    instant,
    named,
    to,
)
from shared.visits.requirements import Requirement

OWNER = "nursing-coordinator"
KIND = "home-nursing"
"""Code of our Task."""

OWN_REASONS = frozenset(
    {
        "access-device-missing", "agency-asked", "agency-called-off", "anaphylaxis-order-missing", "caregiver-missing",
        "end-not-stated", "first-dose-excluded", "home-address-missing", "home-not-on-map", "home-out-of-range",
        "no-day-left", "no-nurse-and-no-agency", "no-nurse-in-window", "nurse-lost", "nurse-not-competent",
        "nurse-not-licensed", "patient-admitted", "patient-deceased", "start-of-care-missed", "therapy-not-at-home",
    }
)  # fmt: skip
"""Why a home visit waits, beyond what any visit waits for."""


# Reading


def visit_of(order: Resource, errand: Errand, facts: Facts) -> Visit:
    """The visit of an errand: its latest Appointment that is not cancelled, with the booked one it replaces.

    Where all are cancelled, or there is none, a new proposal.
    """
    ids = tuple(_occurrences(order, errand, facts))
    stored = [a for id_ in ids if (a := facts.find(f"Appointment/{id_}")) and a["status"] != "cancelled"]
    if not stored:
        return proposal(order, errand, ids)
    visit = replace(read(stored[-1], errand), ids=ids)
    return replace(visit, old=replace(read(stored[0], errand), ids=ids)) if len(stored) > 1 else visit


def proposal(order: Resource, errand: Errand, ids: tuple[str, ...], old: Visit | None = None) -> Visit:
    """A new Appointment to be, after those there were."""
    id_ = appointment_id(order, errand, len(ids) + 1)
    return Visit(id_, errand, "proposed", errand=errand, old=old, ids=(*ids, id_))


def _occurrences(order: Resource, errand: Errand, facts: Facts) -> Iterator[str]:
    occurrence = 1
    while facts.find(f"Appointment/{(id_ := appointment_id(order, errand, occurrence))}") is not None:
        yield id_
        occurrence += 1


def read(appointment: Resource, errand: Errand) -> Visit:
    """A stored Appointment as a visit of an errand."""
    place = None if appointment["status"] == "proposed" else place_of(appointment)
    status = appointment["status"]
    return Visit(appointment["id"], errand, status, appointment, place, hold_of(appointment), errand=errand)


def read_alone(appointment: Resource) -> Visit:
    """A stored Appointment that belongs to no errand of its order any more, as it says itself."""
    return replace(read(appointment, stored_errand(appointment)), ids=(appointment["id"],))


def appointment_id(order: Resource, errand: Errand, occurrence: int) -> str:
    return derived_id("nu", "home-visit", order["id"], errand.kinds[0], str(errand.number), str(occurrence))


def stored_errand(appointment: Resource) -> Errand:
    """The errand an Appointment was made for, as it says itself."""
    dose, kinds = stored_dose(appointment), kinds_of(appointment)
    treatment = dose.number if kinds[0] == "infusion" else 0
    minutes = appointment.get("minutesDuration", 0)
    return Errand(dose.number, dose.of, dose.on, dose.last, kinds, minutes, dose.on, treatment=treatment)


def kinds_of(appointment: Resource) -> tuple[str, ...]:
    """What a visit is for, the leading kind first."""
    return tuple(code_of(kind, "home-visit-kind") or "" for kind in appointment["serviceType"])


def place_of(appointment: Resource) -> Place | AgencyPlace | None:
    """Who comes when, None where an Appointment has no time."""
    start, minutes = instant(appointment.get("start")), appointment.get("minutesDuration", 0)
    if start is None:
        return None
    if (agency := participant(appointment, "agency")) is not None:
        return AgencyPlace(identified(agency["actor"], "agency") or "", start, minutes)
    if (nurse := participant(appointment, "home-nurse")) is None:
        return None
    road = extended(nurse, "visit-travel")
    name = identified(nurse["actor"], "home-nurse") or ""
    return Place(name, start, minutes, road["minutes"], road["onward"], road["turn"], road["postalCode"])


def seats_of(appointment: Resource, site: Site) -> tuple[Seat, ...]:
    """The seats an Appointment takes of one of our nurses while it is pending or booked; anything else takes none."""
    if appointment["resourceType"] != "Appointment" or appointment["status"] not in ("pending", "booked"):
        return ()
    place = place_of(appointment)
    return planner.seats(site.home, place) if isinstance(place, Place) and site.home is not None else ()


# Writing


def appointment(case: Case, visit: Visit, requirements: Iterable[Requirement]) -> Resource:
    """The Appointment of a visit, whole. A booked one keeps what it was booked as; its readiness moves on."""
    keeps = visit.stored is not None and (visit.status == "booked" or case.problem or visit in case.unordered)
    base = bare(visit.stored) if keeps and visit.stored else _fresh(case, visit)
    written = [*extensions(visit, requirements), *_replaces(visit)]
    return {**base, "extension": written, "status": visit.status}


def _replaces(visit: Visit) -> list[dict[str, Any]]:
    if visit.old is None:
        kept = visit.stored.get("extension", ()) if visit.stored and visit.status == "booked" else ()
        return [e for e in kept if e["url"] == EXTENSIONS + "visit-replaces"]
    return [{"url": EXTENSIONS + "visit-replaces", "valueReference": {"reference": f"Appointment/{visit.old.id}"}}]


def _fresh(case: Case, visit: Visit) -> dict[str, Any]:
    assert case.request is not None
    return {
        "resourceType": "Appointment",
        "id": visit.id,
        "extension": [],
        "identifier": [identifier("appointment", visit.id)],
        "status": visit.status,
        "serviceCategory": [concept("appointment-kind", "home-visit")],
        "serviceType": [concept("home-visit-kind", kind) for kind in visit.kinds],
        "supportingInformation": [to(case.request)],
        **timed(case.site, visit.place),
        "basedOn": [to(case.order)],
        "participant": [*_participants(case), *_by_whom(visit.place)],
        "requestedPeriod": period(visit.dose),
    }


def _participants(case: Case) -> list[dict[str, Any]]:
    patient = {"actor": case.order["subject"], "status": "accepted"}
    return [patient, {"actor": named("Location", "home-region", case.site.id), "status": "accepted"}]


def _by_whom(place: Place | AgencyPlace | None) -> list[dict[str, Any]]:
    match place:
        case AgencyPlace(agency=agency):
            return [{"actor": named("HealthcareService", "agency", agency), "status": "accepted"}]
        case Place():
            actor = named("Practitioner", "home-nurse", place.nurse)
            return [{"extension": [_road(place)], "actor": actor, "status": "accepted"}]
    return []


def _road(place: Place) -> dict[str, Any]:
    parts = [
        {"url": "minutes", "valueUnsignedInt": place.travel},
        {"url": "onward", "valueUnsignedInt": place.onward},
        {"url": "turn", "valueUnsignedInt": place.turn},
        {"url": "postalCode", "valueString": place.postal_code},
    ]
    return {"url": EXTENSIONS + "visit-travel", "extension": parts}


def task_id(order: Resource) -> str:
    return derived_id("nu", KIND, order["id"])


def task(case: Case, stage: str, reasons: Sequence[str], practice: Practice, *, complete: bool = True) -> Resource:
    """The Task `home-nursing` of an order at a stage; `reasons` are the codes of what it waits for."""
    return visits.task(
        case, KIND, task_id(case.order), OWNER, stage, reasons, practice, complete=complete, own=OWN_REASONS
    )


def day_of(case: Case, visit: Visit) -> date | None:
    """The local day of a visit that has a time."""
    return None if visit.place is None else visit.place.start.astimezone(case.site.time_zone).date()
