"""A home patient gets a nurse after the drug: ordered, authorized, held, booked, delivered, ready."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.core import CANONICAL, Resource
from shared.visits.readiness import readiness_of
from tests.journeys.case import Case, entries, until
from tests.journeys.changing import post, put
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()
OPAT, IVIG = "opat-vancomycin-home", "ivig-pidd-medicare-home"


def kinds(visit: Resource) -> list[str]:
    return [k["coding"][0]["code"] for k in visit["serviceType"]]


def visits(case: Case, *statuses: str) -> list[Resource]:
    """Home visits of these statuses, by their days."""
    found = (a for a in case.of("Appointment") if a["status"] in statuses)
    return sorted(found, key=lambda a: str(a["requestedPeriod"][0]["start"]))


def settled(case: Case) -> bool:
    """Whether every home visit near enough is booked and the referrer knows."""
    return case.stage("home-nursing") == "booked" and case.stage("referral") == "5.1.1"


def requirement(visit: Resource, name: str) -> dict[str, Any]:
    """One requirement as `Appointment/$readiness` tells it."""
    said = readiness_of(visit)["parameter"][1:]
    rows = ({p["name"]: next(v for k, v in p.items() if k != "name") for p in r["part"]} for r in said)
    return next(r for r in rows if r["requirement"] == name)


def is_ready(visit: Resource) -> bool:
    return bool(readiness_of(visit)["parameter"][0]["valueBoolean"])


async def referred(
    standing: Deployment, number: int, case: str, changed: Callable[[dict[str, Any]], None] | None = None
) -> None:
    await pushed(standing.sender(), str(number), Template(TODAY, case, changed).referral(number))


def starts_on(day: date) -> Callable[[dict[str, Any]], None]:
    """The order asks for the first visit on another day."""

    def changed(bundle: dict[str, Any]) -> None:
        bundle["timestamp"] = datetime.now(UTC).isoformat()
        entries(bundle, "ServiceRequest")[0]["occurrencePeriod"]["start"] = day.isoformat()

    return changed


async def test_six_weeks_of_vancomycin_end_in_weekly_visits_and_the_drug_is_promised_before_each(
    standing: Deployment,
) -> None:
    await referred(standing, 210, OPAT)
    case = await until(standing, 210, lambda c: settled(c) and len(c.of("SupplyDelivery")) == 6)
    found = visits(case, "booked")
    assert [kinds(v) for v in found] == [["assessment", "teach"], ["teach"], *[["dressing", "lab-draw"]] * 5]
    starts = {v["id"]: datetime.fromisoformat(v["start"]) for v in found}
    for delivery in case.of("SupplyDelivery"):
        promise = datetime.fromisoformat(delivery["occurrenceDateTime"])
        assert promise < starts[delivery["basedOn"][0]["identifier"]["value"]]


async def test_immune_globulin_takes_a_visit_a_dose_and_is_ready_once_it_is_delivered(standing: Deployment) -> None:
    await referred(standing, 211, IVIG)
    case = await until(standing, 211, lambda c: settled(c) and any(map(is_ready, visits(c, "booked"))))
    assert case.stage("preauthorization") == "not-required"
    found = visits(case, "booked")
    assert kinds(found[0]) == ["infusion", "assessment"]
    assert {kinds(v)[0] for v in found} == {"infusion"}
    assert requirement(found[0], "drug-delivered")["evidence"]["reference"].startswith("MedicationDispense/")
    assert requirement(found[0], "supplies-delivered")["evidence"]["reference"].startswith("SupplyDelivery/")


async def test_a_start_of_care_that_is_missed_waits_for_a_day_a_practitioner_approves(standing: Deployment) -> None:
    await referred(standing, 212, OPAT, starts_on(TODAY))
    case = await until(standing, 212, lambda c: c.stage("home-nursing") == "question")
    question = case.task("nursing-question")
    assert question["input"][0]["type"]["coding"][0]["code"] == "start-of-care-missed"
    assert not visits(case, "pending", "booked")
    approved = TODAY + timedelta(days=4)
    confirmed = {"coding": [{"system": CANONICAL + "CodeSystem/answer", "code": "confirmed"}]}
    output = [{"type": confirmed, "valueDate": approved.isoformat()}]
    await put(standing, {**question, "status": "completed", "output": output})
    case = await until(standing, 212, settled)
    assert visits(case, "booked")[0]["start"][:10] == approved.isoformat()


async def test_an_order_moved_to_later_days_is_booked_anew_before_the_old_time_goes(standing: Deployment) -> None:
    await referred(standing, 213, IVIG)
    case = await until(standing, 213, settled)
    before = visits(case, "booked")
    later = datetime.fromisoformat(before[0]["start"]).date() + timedelta(days=2)
    await referred(standing, 213, IVIG, starts_on(later))
    case = await until(standing, 213, lambda c: before[0]["id"] in {a["id"] for a in c.visits("cancelled")})
    case = await until(standing, 213, lambda c: settled(c) and not c.visits("pending"))
    after = visits(case, "booked")
    assert after[0]["start"][:10] == later.isoformat()
    assert len(after) == len(before)
    planned = [c for c in case.of("ChargeItem") if c["status"] == "planned"]
    assert not planned


async def test_a_revoked_order_gives_every_visit_and_delivery_back(standing: Deployment) -> None:
    await referred(standing, 214, OPAT)
    case = await until(standing, 214, lambda c: settled(c) and len(c.of("SupplyDelivery")) == 6)

    def revoked(bundle: dict[str, Any]) -> None:
        bundle["timestamp"] = datetime.now(UTC).isoformat()
        entries(bundle, "ServiceRequest")[0]["status"] = "revoked"

    await referred(standing, 214, OPAT, revoked)
    case = await until(standing, 214, lambda c: c.stage("home-nursing") == "cancelled")
    assert not visits(case, "booked", "pending", "proposed")
    case = await until(standing, 214, lambda c: "in-progress" not in {d["status"] for d in c.of("SupplyDelivery")})
    assert [d["status"] for d in case.of("SupplyDelivery")].count("abandoned") >= 5


async def test_a_patient_taken_to_hospital_keeps_the_visits_until_their_deadline(standing: Deployment) -> None:
    await referred(standing, 215, IVIG, starts_on(TODAY + timedelta(days=10)))
    case = await until(standing, 215, settled)
    before = {v["id"] for v in visits(case, "booked")}
    person = case.of("Patient")[0]["id"]
    stay = {
        "resourceType": "Encounter",
        "identifier": [{"system": "https://ehr.mercy.example/id/encounter", "value": "ENC-215"}],
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": f"Patient/{person}"},
        "period": {"start": (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")},
    }
    await post(standing, stay)
    case = await until(standing, 215, lambda c: admitted(c) == {"patient-admitted"} and c.tasks("nursing-question"))
    assert {v["id"] for v in visits(case, "booked")} == before


def admitted(case: Case) -> set[str | None]:
    """Why the patient of each booked visit is not at home."""
    return {requirement(v, "patient-at-home").get("reason") for v in visits(case, "booked")}
