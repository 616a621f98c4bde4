"""An order that changes, waits, ends or is replaced: what stops, what is kept, what is checked again."""

from __future__ import annotations

import pytest

from benchmarks.cases import placer
from benchmarks.disturbed import Deployment
from benchmarks.truth import waited
from tests.journeys.case import booked, until
from tests.journeys.changing import (
    answered,
    claims,
    dose_is,
    is_unready,
    later_by,
    of_order,
    order_is,
    patch,
    push,
    replacing,
    times,
    told,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_a_hold_stops_the_visits_and_keeps_them_and_their_authorization(standing: Deployment) -> None:
    await push(standing, 160)
    before = await until(standing, 160, booked)
    await push(standing, 160, order_is(status="on-hold"))
    case = await until(standing, 160, lambda c: is_unready(c, "order-current"))
    assert case.stage("referral") == "3.0"
    assert times(case) == times(before)
    assert {c["status"] for c in case.of("ChargeItem")} == {"planned"}
    await push(standing, 160)
    case = await until(standing, 160, lambda c: not is_unready(c, "order-current") and booked(c))
    assert times(case) == times(before)
    assert len(await claims(standing, 160)) == 1


async def test_a_hold_before_anything_is_booked_gives_no_time_away(standing: Deployment) -> None:
    await push(standing, 161, order_is(status="on-hold"))
    case = await until(standing, 161, lambda c: c.task("referral").get("status") == "on-hold")
    assert not case.visits("pending") + case.visits("booked")
    assert await claims(standing, 161) == []
    await push(standing, 161)
    await until(standing, 161, booked)
    assert len(await claims(standing, 161)) == 1


async def test_another_start_is_asked_about_where_a_visit_is_booked_and_kept_authorized(standing: Deployment) -> None:
    await push(standing, 162)
    before = await until(standing, 162, booked)
    await push(standing, 162, later_by(7))
    case = await until(standing, 162, lambda c: c.tasks("scheduling-question"))
    assert times(case) == times(before)
    assert case.stage("preauthorization") == "approved"
    assert len(await claims(standing, 162)) == 1


async def test_another_dose_is_asked_about_before_the_payer_is_asked_again(standing: Deployment) -> None:
    await push(standing, 163)
    await until(standing, 163, booked)
    await push(standing, 163, dose_is(500))
    case = await until(standing, 163, lambda c: c.stage("preauthorization") == "question")
    assert [q["status"] for q in case.tasks("authorization-question")] == ["requested"]
    assert len(await claims(standing, 163)) == 1
    assert len(case.visits("booked")) == 2


async def test_an_order_that_replaces_another_keeps_authorization_and_visits(standing: Deployment) -> None:
    await push(standing, 164)
    before = await until(standing, 164, booked)
    await push(standing, 164, replacing(164), again=1)
    case = await until(standing, 164, lambda c: told(c, f"2{placer(164)}").get("status") == "in-progress")
    assert told(case, placer(164))["status"] == "cancelled"
    assert [o["id"] for o in of_order(case, "active")] == [o["id"] for o in of_order(before, "active")]
    assert times(case) == times(before)
    assert case.stage("preauthorization") == "approved"
    assert len(await claims(standing, 164)) == 1


async def test_an_order_written_again_within_the_grace_gets_its_authorization_back(standing: Deployment) -> None:
    await push(standing, 165)
    before = await until(standing, 165, booked)
    await push(standing, 165, order_is(status="revoked"))
    await until(standing, 165, lambda c: c.stage("preauthorization") == "cancelled" and not c.visits("booked"))
    await push(standing, 165, again=1)
    case = await until(standing, 165, lambda c: len(c.visits("booked")) == 2)
    assert told(case, placer(165))["status"] == "cancelled"
    assert [o["id"] for o in of_order(case, "active")] == [o["id"] for o in of_order(before, "active")]
    assert case.stage("preauthorization") == "approved"
    assert len(await claims(standing, 165)) == 1


async def test_a_second_referral_is_asked_about_before_anything_is_claimed_for_it(standing: Deployment) -> None:
    await push(standing, 166)
    await until(standing, 166, booked)
    await push(standing, 166, again=1)
    case = await until(standing, 166, lambda c: c.tasks("referral-question"))
    assert told(case, f"2{placer(166)}")["status"] == "on-hold"
    assert len(case.visits("booked")) == 2
    assert len(await claims(standing, 166)) == 1
    await answered(standing, case.task("referral-question"), "only-first")
    case = await until(standing, 166, lambda c: told(c, f"2{placer(166)}").get("status") == "cancelled")
    assert len(case.visits("booked")) == 2
    assert len(await claims(standing, 166)) == 1


async def test_both_referrals_go_on_where_a_person_says_so(standing: Deployment) -> None:
    await push(standing, 167)
    await until(standing, 167, booked)
    await push(standing, 167, again=1)
    case = await until(standing, 167, lambda c: c.tasks("referral-question"))
    await answered(standing, case.task("referral-question"), "both")
    case = await until(standing, 167, lambda c: len(of_order(c, "active")) == 2 and len(c.of("Claim")) == 2)
    assert told(case, placer(167))["status"] == "in-progress"

    async def are_asked() -> bool:
        return len(await claims(standing, 167)) == 2

    assert await waited(are_asked, 30)


async def test_another_site_is_asked_about_where_a_visit_is_booked(standing: Deployment) -> None:
    await push(standing, 168)
    before = await until(standing, 168, booked)
    await push(standing, 168, site="northgate")
    case = await until(standing, 168, lambda c: c.tasks("scheduling-question") and is_unready(c, "order-current"))
    assert times(case) == times(before)
    assert len(await claims(standing, 168)) == 1


async def test_a_patch_holds_and_resumes_as_any_other_word_of_the_placer(standing: Deployment) -> None:
    await push(standing, 169)
    before = await until(standing, 169, booked)
    [order] = [o for o in before.of("ServiceRequest") if o["intent"] != "filler-order"]
    place = f"ServiceRequest/{order['id']}"
    await patch(standing, place, {"op": "replace", "path": "/status", "value": "on-hold"})
    await until(standing, 169, lambda c: of_order(c, "on-hold") and is_unready(c, "order-current"))
    await patch(standing, place, {"op": "replace", "path": "/status", "value": "active"})
    case = await until(standing, 169, lambda c: booked(c) and not is_unready(c, "order-current"))
    assert times(case) == times(before)
    assert len(await claims(standing, 169)) == 1


async def test_an_older_push_after_a_newer_one_changes_nothing(standing: Deployment) -> None:
    await push(standing, 179)
    await until(standing, 179, booked)
    await push(standing, 179, order_is(status="on-hold"))
    held = await until(standing, 179, lambda c: of_order(c, "on-hold") and is_unready(c, "order-current"))
    await push(standing, 179, lambda bundle: bundle.update(timestamp="2026-01-01T00:00:00Z"))
    await push(standing, 180)
    await until(standing, 180, booked)
    case = await until(standing, 179, lambda c: c.task("referral"))
    assert [o["meta"]["versionId"] for o in of_order(case, "on-hold")] == [
        o["meta"]["versionId"] for o in of_order(held, "on-hold")
    ]
