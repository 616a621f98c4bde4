"""Whatever order messages come in, twice or late, the visits end the same, and nobody is in two homes at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nursing.appointments import kinds_of
from shared.core import Event, Resource
from tests.services.nursing.patient import (
    LANE,
    NOW,
    SITE,
    World,
    authorization,
    dispense,
    far_away,
    ivig,
    opat,
    order,
    patient,
    stay,
    supplies,
)

MINUTE = timedelta(minutes=1)
COURSES = {"opat": opat, "ivig": ivig}


def shape(world: World) -> list[tuple[object, ...]]:
    """Every visit by what it is for, where it stands and when."""
    return [(kinds_of(a), a["status"], a.get("start")) for a in world.visits()]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), course=st.sampled_from(sorted(COURSES)))
async def test_messages_in_any_order_and_twice_end_in_the_same_visits(data: st.DataObject, course: str) -> None:
    messages = [*COURSES[course](), authorization()]
    calm = World()
    await calm.hears(*messages)
    world = World()
    shuffled = data.draw(st.permutations(messages))
    for message in (*shuffled, *data.draw(st.lists(st.sampled_from(messages), max_size=4))):
        await world.hears(message)
    assert shape(world) == shape(calm)


def happenings(world: World) -> list[list[Resource]]:
    """What may be heard next of a patient whose visits stand like this."""
    visits = world.visits()
    held = [(a["id"], 1, "reserved") for a in visits if a["status"] in ("pending", "booked")]
    brought = [[dispense(a["id"]), supplies(a["id"])] for a in visits[:2]]
    return [
        [authorization(answers=held)],
        [authorization("denied")],
        [authorization(answers=[(i, n, "refused") for i, n, _ in held])],
        [order(status="on-hold")],
        [order()],
        [order(status="revoked")],
        [patient("69101")],
        [patient()],
        [stay("2026-11-23T10:00:00-06:00")],
        [stay("2026-11-23T10:00:00-06:00", "2026-11-24T10:00:00-06:00")],
        *([supplies(a["id"], "in-progress", NOW + timedelta(days=5))] for a in visits[:1]),
        *brought,
    ]


@settings(max_examples=40, deadline=None)
@given(data=st.data(), outside=st.booleans())
async def test_own_output_decides_nothing_whatever_has_happened(data: st.DataObject, outside: bool) -> None:
    world = World(far_away() if outside else SITE)
    await world.hears(*opat(), authorization())
    for n in range(data.draw(st.integers(1, 5))):
        at = NOW + timedelta(hours=data.draw(st.integers(0, 30)) + 30 * n)
        await world.hears(*data.draw(st.sampled_from(happenings(world))), at=at)
        own = [r for r in world.resources.values() if r["id"].startswith("nu-")]
        again = await world.hears(*own, at=at)
        assert again.saves == (), [r["resourceType"] for r in again.saves]
        booked = world.visits("booked", "pending")
        assert len({a["start"] for a in booked}) == len(booked)
        assert all("nurse" in str(a["participant"]) or "agency" in str(a["participant"]) for a in booked)


@pytest.mark.parametrize("outside", [False, True])
async def test_an_order_revoked_while_a_person_is_asked_about_a_visit_ends_all_of_it(outside: bool) -> None:
    world = World(far_away() if outside else SITE)
    await world.hears(*opat(), authorization())
    held = [(a["id"], 1, "reserved") for a in world.visits("pending", "booked")]
    for heard in (authorization(answers=held), authorization("denied"), order(status="revoked")):
        await world.hears(heard)
    assert not world.visits("booked", "pending", "proposed")


@pytest.mark.parametrize("course", sorted(COURSES))
async def test_every_wake_there_is_may_come_late_and_twice(course: str) -> None:
    world = World()
    await world.hears(*COURSES[course](), authorization())
    await world.answers()
    for key, due in sorted(world.wakes.items()):
        await world.take(Event("wake", key, LANE, due + MINUTE, due))
        again = await world.take(Event("wake", key, LANE, due + MINUTE, due))
        assert again.saves == ()
