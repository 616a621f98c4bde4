"""Builds the resources of the sheet (Appointment, CarePlan, Task `chair`) and reads visits back from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from services.scheduling import planner
from services.scheduling.facts import Case, Dose, Facts, Visit
from services.scheduling.planner import Place
from services.scheduling.policy import Practice
from shared.core import Resource, Seat, derived_id
from shared.visits import appointments as visits
from shared.visits.appointments import bare, extensions, hold_of, participant, period, timed
from shared.visits.elements import EXTENSIONS, concept, extension_value, identified, identifier, instant, named, to
from shared.visits.requirements import Requirement

OWNER = "infusion-coordinator"
KIND = "chair"
"""Code of our Task and of our Appointments."""


# Reading


def visit_of(order: Resource, dose: Dose, facts: Facts) -> Visit:
    """The visit of a dose: its latest Appointment that is not cancelled, else a new proposal."""
    occurrence = 1
    while (stored := facts.find(f"Appointment/{appointment_id(order, dose.number, occurrence)}")) is not None:
        if stored["status"] != "cancelled":
            return read(stored, dose)
        occurrence += 1
    return Visit(appointment_id(order, dose.number, occurrence), dose, "proposed")


def read(appointment: Resource, dose: Dose) -> Visit:
    """A stored Appointment as a visit of a dose."""
    place = None if appointment["status"] == "proposed" else place_of(appointment)
    return Visit(appointment["id"], dose, appointment["status"], appointment, place, hold_of(appointment))


def appointment_id(order: Resource, dose: int, occurrence: int) -> str:
    return derived_id("sc", "chair", order["id"], str(dose), str(occurrence))


def place_of(appointment: Resource) -> Place | None:
    """Chair, nurse and time of an Appointment, None where it has no time."""
    start = instant(appointment.get("start"))
    chair = participant(appointment, "chair")
    nurse = participant(appointment, "nurse")
    if start is None or chair is None or nurse is None:
        return None
    number = int((identified(chair["actor"], "chair") or "").rpartition("/")[2])
    seats = _unfolded(extension_value(nurse, "nurse-seats"))
    return Place(number, identified(nurse["actor"], "nurse") or "", start, appointment["minutesDuration"], seats)


def site_of(appointment: Resource) -> str | None:
    """The site id of an Appointment."""
    found = participant(appointment, "site")
    return identified(found["actor"], "site") if found else None


def seats_of(appointment: Resource, practice: Practice) -> tuple[Seat, ...]:
    """The seats an Appointment takes: those of its place while it is pending or booked; anything else takes none."""
    if appointment["resourceType"] != "Appointment" or appointment["status"] not in ("pending", "booked"):
        return ()
    place, site = place_of(appointment), site_of(appointment)
    if place is None or site is None:
        return ()
    return planner.seats(site, place, practice.number("minutes_between_starts", place.start.date()))


# Writing


def appointment(case: Case, visit: Visit, requirements: Iterable[Requirement]) -> Resource:
    """The Appointment of a visit, whole. A booked one keeps what it was booked as; its readiness moves on."""
    keeps = visit.stored is not None and (visit.status == "booked" or case.problem or visit in case.unordered)
    base = bare(visit.stored) if keeps and visit.stored else _fresh(case, visit)
    return {**base, "extension": extensions(visit, requirements), "status": visit.status}


def _fresh(case: Case, visit: Visit) -> dict[str, Any]:
    assert case.drug is not None
    assert case.request is not None
    return {
        "resourceType": "Appointment",
        "id": visit.id,
        "extension": [],
        "identifier": [identifier("appointment", visit.id)],
        "status": visit.status,
        "serviceCategory": [concept("appointment-kind", "chair")],
        "serviceType": [concept("drug", case.drug.key, case.drug.name)],
        "supportingInformation": [to(case.request)],
        **timed(case.site, visit.place),
        "basedOn": [to(case.order)],
        "participant": _participants(case, visit.place),
        "requestedPeriod": period(visit.dose),
    }


def _participants(case: Case, place: Place | None) -> list[dict[str, Any]]:
    patient = {"actor": case.order["subject"], "status": "accepted"}
    site = {"actor": named("Location", "site", case.site.id), "status": "accepted"}
    if place is None:
        return [patient, site]
    chair = {"actor": named("Location", "chair", f"{case.site.id}/{place.chair}"), "status": "accepted"}
    seats = {"url": EXTENSIONS + "nurse-seats", "valueString": _folded(place.seats)}
    nurse = {"extension": [seats], "actor": named("Practitioner", "nurse", place.nurse), "status": "accepted"}
    return [patient, site, chair, nurse]


def series(case: Case, status: str, appointments: Sequence[str]) -> Resource:
    """The CarePlan of an order, one activity a dose; the order is in supportingInfo, for R4's basedOn is a CarePlan."""
    plan = {
        "resourceType": "CarePlan",
        "id": derived_id("sc", "series", case.order["id"]),
        "identifier": [identifier("series", case.order["id"])],
        "status": status,
        "intent": "plan",
        "subject": case.order["subject"],
        "supportingInfo": [to(case.order)],
    }
    activities = [{"reference": {"reference": f"Appointment/{id_}"}} for id_ in appointments]
    return {**plan, "activity": activities} if activities else plan


def task_id(order: Resource) -> str:
    return derived_id("sc", KIND, order["id"])


def task(case: Case, stage: str, reasons: Sequence[str], practice: Practice, *, complete: bool = True) -> Resource:
    """The Task `chair` of an order at a stage; `reasons` are the codes of what it waits for."""
    return visits.task(case, KIND, task_id(case.order), OWNER, stage, reasons, practice, complete=complete)


def _folded(seats: Iterable[tuple[int, ...]]) -> str:
    """Seats cell by cell as `<cells>:<seat>,<seat> ...`: `13:0,1,2`."""
    runs = ((len(list(same)), row) for row, same in groupby(seats))
    return " ".join(f"{count}:{','.join(map(str, row))}" for count, row in runs)


def _unfolded(text: str | None) -> tuple[tuple[int, ...], ...]:
    runs = (run.partition(":") for run in (text or "").split())
    return tuple(tuple(map(int, row.split(","))) for count, _, row in runs for _ in range(int(count)))
