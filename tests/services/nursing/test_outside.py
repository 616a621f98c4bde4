"""Where no nurse of the practice may go, agencies are asked one after another, and the one that agrees goes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from contracts.build import read
from services.nursing.appointments import OWN_REASONS
from shared.core import CANONICAL, Event, Resource
from shared.settings import ROOT
from shared.visits.elements import identified
from tests.services.nursing.patient import (
    FAR,
    LANE,
    NOW,
    REGION,
    SITE,
    START,
    World,
    authorization,
    chicago,
    coded,
    far_away,
    held,
    opat,
    order,
    patient,
    start_of,
)

MINUTE = timedelta(minutes=1)
CLIENTS = {"valley": "valley-client", "plains": "plains-client"}


async def said(world: World, task: Resource, status: str, at: Any = NOW + MINUTE, hour: int = 10) -> None:
    """An agency answers one Task, for its first day."""
    agency = identified(task["owner"], "agency") or ""
    on = date.fromisoformat(task["restriction"]["period"]["start"])
    minutes = next(i["valuePositiveInt"] for i in task["input"] if "valuePositiveInt" in i)
    begins = chicago(on, hour)
    time = {"start": begins.isoformat(), "end": (begins + timedelta(minutes=minutes)).isoformat()}
    output = [{"type": coded("agency-visit-output", "visit-time"), "valuePeriod": time}]
    answer = {**task, "status": status} | ({"output": output} if status == "accepted" else {})
    reason = {"statusReason": coded("agency-visit-reason", "capacity")} if status == "rejected" else {}
    event = Event("command", "task-answered", LANE, at, at, (answer | reason,), f"Task/{task['id']}", CLIENTS[agency])
    await world.take(event)


async def asked_world() -> World:
    world = World(far_away())
    await world.hears(*opat(), authorization())
    return world


async def test_the_first_agency_is_asked_for_the_first_visit() -> None:
    world = await asked_world()
    task = world.asked()[0]
    assert world.decisions[-1].reason == "agency-asked"
    assert len(world.asked()) == 1
    assert identified(task["owner"], "agency") == "valley"
    assert task["focus"]["reference"] == f"Appointment/{world.visits()[0]['id']}"
    assert (world.stage(), world.waits_for()) == ("waiting", ["agency-asked"])
    assert [d[0] for d in world.delivered] == ["agency"]


async def test_what_an_agency_agrees_to_is_held_booked_and_said_by_whom() -> None:
    world = await asked_world()
    await said(world, world.asked()[0], "accepted")
    first = world.visits()[0]
    assert (first["status"], start_of(first)) == ("pending", chicago(START, 10))
    assert [p["actor"]["identifier"]["value"] for p in first["participant"][1:]] == ["prairie-home", "valley"]
    assert world.seats == {}
    await world.answers(at=NOW + 2 * MINUTE)
    assert world.visits()[0]["status"] == "booked"
    assert world.requirement("nurse-competent")["status"] == "met"


async def test_after_the_assessment_has_its_time_the_other_visits_are_asked_for_too() -> None:
    world = await asked_world()
    await said(world, world.asked()[0], "accepted")
    assert len(world.asked()) == 3


async def test_a_refusal_goes_to_the_next_agency_and_after_the_last_to_a_person() -> None:
    world = await asked_world()
    await said(world, world.asked()[0], "rejected")
    assert identified(world.asked()[0]["owner"], "agency") == "plains"
    await said(world, world.asked()[0], "rejected", NOW + 2 * MINUTE)
    assert (world.asked(), world.questions()) == ([], ["start-of-care-missed"])
    assert world.stage() == "question"


async def test_silence_goes_to_the_next_agency() -> None:
    world = await asked_world()
    silent = world.asked()[0]
    await world.wakes_up(f"agency/{silent['id']}")
    assert world.resources[silent["id"]]["status"] == "cancelled"
    assert identified(world.asked()[0]["owner"], "agency") == "plains"


async def test_an_answer_after_the_end_of_the_asking_changes_nothing_and_says_so() -> None:
    world = await asked_world()
    silent = world.asked()[0]
    await world.wakes_up(f"agency/{silent['id']}")
    await said(world, silent, "accepted", NOW + timedelta(hours=5))
    assert (world.decisions[-1].saves, world.decisions[-1].reason) == ((), "agency-answer-refused")
    assert "agency-visit-ended" in world.decisions[-1].refusals


async def test_an_agency_that_calls_off_a_booked_visit_makes_it_move() -> None:
    world = await asked_world()
    await said(world, world.asked()[0], "accepted")
    await world.answers(at=NOW + 2 * MINUTE)
    old = world.visits()[0]
    accepted = next(t for t in world.asked("accepted"))
    await said(world, accepted, "rejected", NOW + 3 * MINUTE)
    assert old["id"] in {a["id"] for a in world.visits("booked")}
    again = [t for t in world.asked() if t["focus"]["reference"] != f"Appointment/{old['id']}"]
    assert "valley" in {identified(t["owner"], "agency") for t in again}


async def test_a_revoked_order_is_not_wanted_of_an_agency_any_more() -> None:
    world = await asked_world()
    await world.hears(order(status="revoked"), at=NOW + MINUTE)
    assert world.asked() == []
    assert len(world.asked("cancelled")) == 1
    assert not [k for k in world.wakes if k.startswith("agency/")]


async def test_a_home_out_of_range_is_the_agencies_too() -> None:
    world = await held([*opat(), patient(FAR)])
    assert world.requirement("nurse-competent")["reason"] == "home-out-of-range"
    assert len(world.asked()) == 1


async def test_a_home_nobody_knows_without_agencies_is_a_question() -> None:
    site = replace(SITE, home=replace(REGION, nurses=(), agencies=()))
    world = await held(site=site)
    assert world.asked() == []
    assert world.questions() == ["start-of-care-missed"]


async def test_a_requirement_lost_while_an_agency_is_asked_withdraws_the_asking() -> None:
    world = await asked_world()
    await world.hears(order(status="on-hold"), at=NOW + MINUTE)
    assert world.asked() == []


async def test_every_reason_of_waiting_stands_in_one_of_the_two_code_systems() -> None:
    own = read()["codeSystems"][f"{CANONICAL}CodeSystem/home-nursing-reason"]
    shared = read()["codeSystems"][f"{CANONICAL}CodeSystem/chair-reason"]
    assert frozenset(own) == OWN_REASONS
    assert not OWN_REASONS & set(shared)
    rules = (ROOT / "services/nursing/rules.py").read_text(encoding="utf-8")
    said = set(re.findall(r'unmet\(\s*"([a-z-]+)"', rules)) - {
        "home-not-assessed",
        "delivery-failed",
    }  # due at the start: no visit waits for its time for these
    assert said - set(own) - set(shared) == set()


async def test_a_visit_an_agency_has_made_is_fulfilled() -> None:
    world = await asked_world()
    await said(world, world.asked()[0], "accepted")
    await world.answers(at=NOW + 2 * MINUTE)
    first = world.visits()[0]
    accepted = next(t for t in world.asked("accepted") if t["focus"]["reference"].endswith(first["id"]))
    at = start_of(first) + timedelta(hours=3)
    event = Event(
        "command", "task-answered", LANE, at, at, ({**accepted, "status": "completed"},), None, "valley-client"
    )
    await world.take(event)
    assert world.resources[first["id"]]["status"] == "fulfilled"
