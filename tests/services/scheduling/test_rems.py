"""A visit of a drug with a safety program waits for the person who looks there: for each dose, or once an order."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from shared.core import Resource, reference
from tests.services.scheduling.patient import (
    MINUTE,
    NOW,
    ORDER,
    World,
    authorization,
    chicago,
    coded,
    dispense,
    everything_but_authorization,
    order,
    request,
    start_of,
)

EACH_DOSE, ONCE, NONE = "natalizumab", "ravulizumab", "vedolizumab"
CHECK = "rems-check"


async def booked(drug: str) -> World:
    """Two doses eight weeks apart, both booked."""
    world = World()
    timing = {"repeat": {"count": 2, "period": 8, "periodUnit": "wk"}}
    needed = [r for r in everything_but_authorization() if r["id"] not in ("in-order", "in-mr")]
    await world.hears(order(code=coded("drug", drug)), request(timing), *needed, authorization())
    answers = [(a["id"], 1, "reserved") for a in world.appointments()]
    await world.hears(authorization(answers=answers), at=NOW + MINUTE)
    assert world.statuses() == ["booked", "booked"]
    return world


def checks(world: World) -> list[Resource]:
    tasks = (r for r in world.resources.values() if r["resourceType"] == "Task" and "input" in r)
    return [t for t in tasks if t["input"][0]["type"]["coding"][0]["code"] == CHECK]


async def says(world: World, task: Resource, answer: str = "confirmed") -> None:
    output = [{"type": coded("answer", answer), "valueBoolean": True}]
    await world.hears({**task, "status": "completed", "output": output}, at=NOW + 5 * MINUTE, kind="command")


async def prepared(world: World, dose: int) -> None:
    """Until the visit of this dose is to be prepared, and its drug is there."""
    visit = world.appointments()[dose - 1]
    await world.hears(dispense(visit["id"]), at=NOW + 2 * MINUTE)
    await world.wakes_up(f"prepare/{visit['id']}")


def state(world: World, dose: int = 1) -> tuple[str, str | None]:
    found = world.requirement("rems-cleared", dose)
    return found["status"], found.get("reason")


async def test_a_drug_without_a_program_needs_no_check() -> None:
    world = await booked(NONE)
    assert (state(world), checks(world)) == (("not-needed", None), [])


async def test_a_program_that_asks_once_is_checked_for_the_order_before_anything_is_held() -> None:
    world = World()
    await world.hears(order(code=coded("drug", ONCE)), request(), authorization("submitted"))
    [check] = checks(world)
    assert (check["focus"]["reference"], check["status"]) == (ORDER, "requested")
    assert "ULTOMIRIS and SOLIRIS REMS; enrolled: prescriber, pharmacy" in check["input"][0]["valueString"]


async def test_one_answer_for_the_order_clears_every_dose() -> None:
    world = await booked(ONCE)
    assert [state(world, n) for n in (1, 2)] == [("unmet", "rems-not-cleared")] * 2
    [check] = checks(world)
    await says(world, check)
    assert [state(world, n) for n in (1, 2)] == [("met", None)] * 2
    assert world.requirement("rems-cleared")["evidence"]["reference"].startswith(reference(check))
    assert world.questions() == []


async def test_a_program_that_asks_each_time_is_checked_when_the_visit_is_to_be_prepared() -> None:
    world = await booked(EACH_DOSE)
    assert (state(world), checks(world)) == (("unmet", "rems-not-cleared"), [])
    await prepared(world, 1)
    [check] = checks(world)
    assert check["focus"]["reference"] == reference(world.appointments()[0])
    assert "TOUCH; enrolled: prescriber, patient, site, pharmacy, renewed every 180 days" in str(check["input"])


async def test_the_check_is_asked_neither_before_the_hour_nor_never() -> None:
    world = await booked(EACH_DOSE)
    due = world.wakes[f"prepare/{world.appointments()[0]['id']}"]
    await world.hears(at=due - timedelta(seconds=1))
    assert checks(world) == []
    await world.hears(at=due)
    assert len(checks(world)) == 1


async def test_an_answer_clears_its_own_dose_alone() -> None:
    world = await booked(EACH_DOSE)
    await prepared(world, 1)
    await says(world, checks(world)[0])
    assert [state(world, n) for n in (1, 2)] == [("met", None), ("unmet", "rems-not-cleared")]


async def test_a_program_that_refuses_is_asked_about_and_the_visit_is_not_ready() -> None:
    world = await booked(ONCE)
    await says(world, checks(world)[0], "rejected")
    assert state(world) == ("unmet", "rems-refused")
    assert world.questions() == ["requirement-lost", "requirement-lost"]
    assert world.statuses() == ["booked", "booked"]


async def test_another_drug_withdraws_the_check() -> None:
    world = await booked(ONCE)
    await world.hears(order(code=coded("drug", NONE)), at=NOW + 9 * MINUTE)
    assert [c["status"] for c in checks(world)] == ["cancelled"]


async def test_the_check_of_an_order_that_is_called_off_is_withdrawn() -> None:
    world = await booked(ONCE)
    await world.hears(order(code=coded("drug", ONCE), status="revoked"), at=NOW + 9 * MINUTE)
    assert [c["status"] for c in checks(world)] == ["cancelled"]


async def test_a_check_of_another_order_clears_nothing() -> None:
    world = await booked(ONCE)
    [check] = checks(world)
    other: dict[str, Any] = {**check, "id": "sc-other", "basedOn": [{"reference": "ServiceRequest/in-other"}]}
    output = [{"type": coded("answer", "confirmed"), "valueBoolean": True}]
    await world.hears({**other, "status": "completed", "output": output}, at=NOW + 9 * MINUTE)
    assert state(world) == ("unmet", "rems-not-cleared")


@pytest.mark.parametrize("drug", [EACH_DOSE, ONCE])
async def test_what_was_said_of_a_visit_that_has_begun_stays(drug: str) -> None:
    world = await booked(drug)
    await prepared(world, 1)
    begun = start_of(world.appointments()[0]) + MINUTE
    before = checks(world)
    await world.hears(at=begun)
    assert [c["status"] for c in checks(world)] == [c["status"] for c in before]
    assert begun > chicago(date(2026, 12, 1), 8)
