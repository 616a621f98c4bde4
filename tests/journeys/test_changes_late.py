"""An order that grows too old, a patient who moves, a stale write: what stops, what is kept, what is checked again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from benchmarks.disturbed import Deployment
from shared.clock import system_clock
from shared.core import Resource, reference
from shared.dates import months_later
from shared.visits.elements import identified
from tests.journeys.case import Case, booked, case_of, entries, until
from tests.journeys.changing import Change, asked, claims, is_unready, later_by, of_order, patient_is, push, times
from tests.journeys.test_home import IVIG, TODAY, referred, requirement, settled, visits

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

VALID_FOR = 12
"""Months an order may be acted on (scheduling/deadlines)."""


def written_on(day: date) -> Change:
    """Order and prescription are of this day."""

    def changed(bundle: dict[str, Any]) -> None:
        for resource in (*entries(bundle, "ServiceRequest"), *entries(bundle, "MedicationRequest")):
            resource["authoredOn"] = day.isoformat()

    return changed


def ends_after(days: int) -> date:
    """The day of writing of an order that counts until so many days from now."""
    return months_later(TODAY + timedelta(days=days), -VALID_FOR)


# An order too old on the day of the visit


async def test_an_order_too_old_is_authorized_but_books_nothing_until_it_is_renewed(standing: Deployment) -> None:
    await push(standing, 181, written_on(ends_after(-2)))
    case = await until(standing, 181, lambda c: c.stage("preauthorization") == "approved" and c.gaps())
    assert case.gaps() == {"order-out-of-date"}
    assert case.task("referral")["status"] == "on-hold"
    assert case.task("referral")["statusReason"]["text"] == "Information missing for a visit: order-out-of-date"
    assert not case.visits("pending") + case.visits("booked")
    await push(standing, 181, written_on(TODAY))
    case = await until(standing, 181, booked)
    assert case.gaps() == set()
    assert len(await claims(standing, 181)) == 1


async def test_an_order_that_expires_between_two_doses_keeps_the_first_and_waits_with_the_second(
    standing: Deployment,
) -> None:
    await push(standing, 182, later_by(1), written_on(ends_after(6)))
    case = await until(standing, 182, lambda c: len(c.visits("booked")) == 1 and c.visits("proposed"))
    case = await until(standing, 182, lambda c: "order-out-of-date" in c.gaps())
    first = times(case)
    await push(standing, 182, later_by(1), written_on(TODAY))
    case = await until(standing, 182, booked)
    assert set(first) < set(times(case))
    assert case.stage("preauthorization") == "approved"
    assert len(await claims(standing, 182)) == 1


async def test_visits_booked_on_an_order_too_old_stay_but_are_not_ready_until_it_is_renewed(
    standing: Deployment,
) -> None:
    await push(standing, 183)
    before = await until(standing, 183, booked)
    await push(standing, 183, written_on(ends_after(-2)))
    case = await until(standing, 183, lambda c: is_unready(c, "order-current"))
    assert times(case) == times(before)
    assert {c["status"] for c in case.of("ChargeItem")} == {"planned"}
    await push(standing, 183, written_on(TODAY))
    case = await until(standing, 183, lambda c: booked(c) and not is_unready(c, "order-current"))
    assert times(case) == times(before)
    assert len(await claims(standing, 183)) == 1


# A patient who moves


def lives(state: str, postal_code: str) -> Change:
    """The patient's home is elsewhere now."""
    address = {"use": "home", "line": ["9 New Street"], "state": state, "postalCode": postal_code, "country": "US"}

    def changed(bundle: dict[str, Any]) -> None:
        bundle["timestamp"] = system_clock().isoformat()
        patient_is(address=[address])(bundle)

    return changed


def those_who_go(case: Case) -> set[str]:
    """Nurses and agencies of the booked visits."""
    actors = [p["actor"] for v in visits(case, "booked") for p in v["participant"] if "actor" in p]
    return {name for a in actors for kind in ("home-nurse", "agency") if (name := identified(a, kind)) is not None}


def fitness(case: Case) -> set[str | None]:
    """Why those who are to make the booked visits may not."""
    return {requirement(v, "nurse-competent").get("reason") for v in visits(case, "booked")}


async def test_a_home_that_moves_out_of_every_nurses_range_goes_to_the_agency_that_serves_it(
    standing: Deployment,
) -> None:
    await referred(standing, 184, IVIG)
    case = await until(standing, 184, settled)
    before = {v["id"] for v in visits(case, "booked")}
    nurses = those_who_go(case)
    await referred(standing, 184, IVIG, lives("NE", "69101"))
    case = await until(standing, 184, lambda c: settled(c) and those_who_go(c) == {"plains-visiting"})
    assert len(nurses) > 0
    assert before <= {v["id"] for v in visits(case, "cancelled")}
    assert not visits(case, "pending")
    assert case.stage("preauthorization") == "not-required"


async def test_a_home_that_moves_where_nobody_is_licensed_keeps_its_visits_and_a_person_is_asked(
    standing: Deployment,
) -> None:
    await referred(standing, 185, IVIG)
    case = await until(standing, 185, settled)
    before = visits(case, "booked")
    await referred(standing, 185, IVIG, lives("WY", "82001"))
    case = await until(standing, 185, lambda c: c.tasks("nursing-question") and fitness(c) == {"nurse-lost"})
    questions = {(t["status"], t["input"][0]["type"]["coding"][0]["code"]) for t in case.tasks("nursing-question")}
    assert ("requested", "requirement-lost") in questions
    assert {(v["id"], v["start"]) for v in visits(case, "booked")} == {(v["id"], v["start"]) for v in before}
    await referred(standing, 185, IVIG, lives("NE", "68510"))
    case = await until(standing, 185, lambda c: settled(c) and fitness(c) == {None})
    assert {v["id"] for v in visits(case, "booked")} == {v["id"] for v in before}
    assert {q["status"] for q in case.tasks("nursing-question")} == {"cancelled"}


async def test_a_chair_patient_who_moves_keeps_visits_and_authorization(standing: Deployment) -> None:
    await push(standing, 186)
    before = await until(standing, 186, booked)
    await push(standing, 186, lives("WY", "82001"))
    case = await until(standing, 186, lambda c: c.of("Patient")[0]["address"][0]["state"] == "WY")
    await push(standing, 187)
    await until(standing, 187, booked)
    case = await until(standing, 186, booked)
    assert times(case) == times(before)
    assert case.stage("preauthorization") == "approved"
    assert len(await claims(standing, 186)) == 1


# A write over another one


async def written(standing: Deployment, order: Resource, version: str) -> int:
    """The status that answers a PUT of one record by its placer, who has seen this version."""
    answer = await asked(standing, "PUT", reference(order), order, **{"If-Match": f'W/"{version}"'})
    return answer.status_code


async def test_a_stale_write_of_a_placed_order_is_refused_and_the_right_one_counts(standing: Deployment) -> None:
    await push(standing, 188)
    before = await until(standing, 188, booked)
    [order] = [o for o in before.of("ServiceRequest") if o["intent"] != "filler-order"]
    version = order["meta"]["versionId"]
    assert await written(standing, {**order, "status": "on-hold"}, version) == 200
    held = await until(standing, 188, lambda c: of_order(c, "on-hold") and is_unready(c, "order-current"))
    assert await written(standing, {**order, "status": "revoked"}, version) == 412
    await push(standing, 189)
    await until(standing, 189, booked)
    [now] = [o for o in (await case_of(standing, 188)).of("ServiceRequest") if o["intent"] != "filler-order"]
    assert now["meta"]["versionId"] == held.versions[now["id"]]
    assert now["status"] == "on-hold"
    assert await written(standing, {**now, "status": "active"}, now["meta"]["versionId"]) == 200
    case = await until(standing, 188, lambda c: booked(c) and not is_unready(c, "order-current"))
    assert times(case) == times(before)
    assert len(await claims(standing, 188)) == 1
