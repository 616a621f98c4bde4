"""The declaration: capacity of what is saved, what can be searched, and resources that hold as R4."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from fhir.resources.R4B.appointment import Appointment
from fhir.resources.R4B.careplan import CarePlan
from fhir.resources.R4B.task import Task

from services.scheduling.appointments import place_of
from services.scheduling.policy import practice_of
from services.scheduling.service import declared
from shared.core import derived_id
from shared.fhir.profiles import r4
from shared.policy import PolicyError
from tests.services.scheduling.patient import (
    MINUTE,
    NOW,
    PRACTICE,
    World,
    booked,
    consent,
    dispense,
    held,
    order,
    request,
)

MODELS = {"Appointment": Appointment, "CarePlan": CarePlan, "Task": Task}


async def test_a_visit_takes_a_chair_its_share_of_a_nurse_and_a_start() -> None:
    world = await held()
    visit = world.appointments()[0]
    seats = declared(PRACTICE).capacity(visit)  # type: ignore[misc]
    kinds = Counter(s.resource for s in seats)
    assert kinds == {"chair/riverside/1": 15, "nurse/riverside/rn-a": 45, "nurse-start/riverside/rn-a": 3}
    assert len({s.cell for s in seats if s.resource.startswith("chair")}) == 15


@pytest.mark.parametrize(
    ("status", "takes"),
    [
        ("pending", True),
        ("booked", True),
        ("proposed", False),
        ("cancelled", False),
        ("fulfilled", False),
        ("noshow", False),
    ],
)
async def test_only_held_and_booked_visits_take_seats(status: str, takes: bool) -> None:
    visit = {**(await held()).appointments()[0], "status": status}
    assert bool(declared(PRACTICE).capacity(visit)) is takes  # type: ignore[misc]


async def test_a_task_takes_no_seat() -> None:
    assert declared(PRACTICE).capacity((await held()).task()) == ()  # type: ignore[misc]


async def test_a_place_is_read_back_as_it_was_written() -> None:
    world = await held()
    place = place_of(world.appointments()[0])
    assert place is not None
    assert (place.chair, place.nurse, place.minutes, len(place.seats)) == (1, "rn-a", 75, 15)
    assert set(place.seats) == {(0, 1, 2)}


async def test_what_is_saved_holds_as_r4() -> None:
    world = await booked()
    await world.wakes_up(f"prepare/{world.appointments()[0]['id']}")
    await world.hears(dispense(world.appointments()[0]["id"]), consent("inactive"), at=NOW + MINUTE)
    await world.hears(order(status="revoked"), at=NOW + MINUTE)
    saved = [r for r in world.resources.values() if r["id"].startswith("sc-")]
    assert {r["resourceType"] for r in saved} == set(MODELS)
    for decision in world.decisions:
        for resource in decision.saves:
            MODELS[resource["resourceType"]].model_validate(dict(resource))
            assert r4().check(resource) == []


async def test_every_id_is_the_one_of_its_business_key() -> None:
    world = World()
    await world.hears(order(), request())
    ids = {r["id"] for r in world.resources.values() if r["id"].startswith("sc-")}
    assert ids == {
        derived_id("sc", "chair", "in-order"),
        derived_id("sc", "series", "in-order"),
        derived_id("sc", "chair", "in-order", "1", "1"),
        derived_id("sc", "chair", "in-order", "2", "1"),
    }


async def test_every_decision_that_saves_carries_a_declared_reason_and_a_saved_focus() -> None:
    world = await booked()
    service = declared(PRACTICE)
    for decision in world.decisions:
        assert decision.reason in service.reasons
        assert decision.focus in {f"{r['resourceType']}/{r['id']}" for r in decision.saves}


async def test_a_visit_is_found_by_patient_status_date_and_identifier() -> None:
    visit = (await booked()).appointments()[0]
    found = {name: values(visit) for name, values in declared(PRACTICE).search["Appointment"].items()}
    assert found == {
        "patient": ["Patient/in-p", "in-p"],
        "status": ["booked"],
        "based-on": ["ServiceRequest/in-order", "in-order"],
        "date": ["2026-12-01T14:00:00.000000Z/2026-12-01T14:00:00.999999Z", "2026-12-01/2026-12-01"],
        "identifier": [visit["id"], f"https://carepod.example/id/appointment|{visit['id']}"],
    }


def test_without_a_pharmacy_nothing_is_delivered() -> None:
    assert [c.name for c in declared(PRACTICE).channels] == ["pharmacy"]
    assert declared(replace(PRACTICE, pharmacy=None)).channels == ()


def test_the_ratio_divides_a_nurse_exactly() -> None:
    staffing = practice_of(PRACTICE).staffing(NOW.date())
    assert (staffing.whole, staffing.shares) == (12, {1: 2, 2: 3, 3: 4, 4: 6, 5: 12})


def test_figures_nobody_adopted_decide_nothing() -> None:
    with pytest.raises(PolicyError, match="patients_per_nurse"):
        practice_of(replace(PRACTICE, adopted=())).staffing(NOW.date())


async def test_the_task_says_which_drafts_decided() -> None:
    note = (await held()).task()["note"][0]["text"]
    assert "scheduling/capacity (practice, 2026-11-01)" in note
