"""Patient, coverage or place changes under an order: what stops, what is kept, what is checked again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from benchmarks.cases import patient_id, placer
from benchmarks.disturbed import Deployment
from benchmarks.truth import waited
from shared.clock import system_clock
from shared.core import Resource
from tests.journeys.case import booked, until
from tests.journeys.changing import (
    another_member,
    claims,
    coverage_is,
    diagnosis_is,
    found,
    is_unready,
    merged_into,
    of_order,
    patient_is,
    post,
    push,
    replacing,
    stay,
    times,
    told,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def ago(**by: float) -> str:
    return (system_clock() - timedelta(**by)).isoformat()


async def test_an_admission_stops_the_visits_and_the_discharge_lets_them_go_on(standing: Deployment) -> None:
    await push(standing, 170)
    before = await until(standing, 170, booked)
    await post(standing, stay(170, "in-progress", start=ago(minutes=5)))
    case = await until(standing, 170, lambda c: is_unready(c, "order-current"))
    assert case.task("referral")["statusReason"]["text"] == "The patient is in hospital"
    assert times(case) == times(before)
    assert case.stage("preauthorization") == "approved"
    await post(standing, stay(170, "finished", start=ago(minutes=5), end=ago(minutes=1)))
    case = await until(standing, 170, lambda c: booked(c) and not is_unready(c, "order-current"))
    assert times(case) == times(before)
    assert {c["status"] for c in case.of("ChargeItem")} == {"planned"}
    assert len(await claims(standing, 170)) == 1


async def test_an_admission_before_the_payer_is_asked_asks_him_only_after_the_discharge(standing: Deployment) -> None:
    await push(standing, 171, coverage_is(status="cancelled"))
    await until(standing, 171, lambda c: c.task("referral").get("status") == "on-hold")
    await post(standing, stay(171, "in-progress", start=ago(minutes=5)))
    await push(standing, 171)
    case = await until(standing, 171, lambda c: of_order(c, "on-hold") and c.stage("preauthorization"))
    assert not case.visits("pending") + case.visits("booked")
    assert await claims(standing, 171) == []
    await post(standing, stay(171, "finished", start=ago(minutes=5), end=ago(minutes=1)))
    await until(standing, 171, booked)
    assert len(await claims(standing, 171)) == 1


async def test_a_death_ends_everything_still_to_come_and_the_placer_is_told(standing: Deployment) -> None:
    await push(standing, 172)
    await until(standing, 172, booked)
    await push(standing, 172, patient_is(deceasedDateTime=ago(hours=1)))
    case = await until(standing, 172, lambda c: c.task("referral").get("status") == "cancelled")
    case = await until(standing, 172, lambda c: {x["status"] for x in c.of("ChargeItem")} == {"aborted"})
    assert not case.visits("booked") + case.visits("pending") + case.visits("proposed")
    assert case.stage("preauthorization") == "cancelled"
    assert case.task("referral")["statusReason"]["text"] == "The patient has died"
    truth = await until_told(standing, case.task("referral")["id"])
    assert truth["statusReason"]["text"] == "The patient has died"
    assert len(await claims(standing, 172)) == 1


async def until_told(deployment: Deployment, task: str) -> Resource:
    """The referral as the placer's system has it once it is cancelled there."""
    held: list[Resource] = []

    async def is_cancelled() -> bool:
        held[:] = [t["task"] for t in await deployment.debug("ehr/mercy/debug/tasks") if t["id"] == task]
        return [t["status"] for t in held[-1:]] == ["cancelled"]

    assert await waited(is_cancelled, 30)
    return held[-1]


async def test_another_coverage_is_asked_for_its_benefit_and_authorization(standing: Deployment) -> None:
    await push(standing, 173)
    before = await until(standing, 173, booked)
    await push(standing, 173, coverage_is(status="cancelled"))
    case = await until(standing, 173, lambda c: is_unready(c, "benefit-verified"))
    assert times(case) == times(before)
    other = {"system": "https://prairie-health.example/member", "value": "PHP-777000173"}
    await push(standing, 173, another_member(other))
    case = await until(standing, 173, lambda c: len(c.of("Claim")) == 2 and c.stage("preauthorization") == "approved")
    assert times(case) == times(before)
    assert len(await claims(standing, 173)) == 2


async def test_another_diagnosis_is_asked_about_and_keeps_what_is_booked(standing: Deployment) -> None:
    await push(standing, 174)
    before = await until(standing, 174, booked)
    await push(standing, 174, diagnosis_is("D50.8"))
    case = await until(standing, 174, lambda c: c.stage("preauthorization") == "question")
    assert times(case) == times(before)
    assert len(await claims(standing, 174)) == 1


async def test_merged_records_are_one_patient_whose_cases_go_on_where_they_are(standing: Deployment) -> None:
    await push(standing, 175)
    before = await until(standing, 175, booked)
    await push(standing, 176, patient_is(birthDate="1970-01-01"), replacing(999999))
    await until(standing, 176, lambda c: c.task("referral"))
    await push(standing, 175, merged_into(176))
    case = await until(standing, 175, lambda c: "known-as" in str(c.task("referral").get("extension")))
    assert (times(case), case.stage("preauthorization")) == (times(before), "approved")
    for number in (175, 176):
        ids = {t["id"] for t in await found(standing, f"Task?patient={patient_id(number)}&code=referral")}
        assert case.task("referral")["id"] in ids
    assert len(await claims(standing, 175)) == 1


async def test_two_records_found_to_be_one_patient_ask_which_of_two_referrals_go_on(standing: Deployment) -> None:
    await push(standing, 177)
    await until(standing, 177, booked)
    await push(standing, 178, merged_into(177))
    case = await until(standing, 178, lambda c: c.tasks("referral-question"))
    assert told(case, placer(178))["status"] == "on-hold"
    assert case.of("Claim") == []
    await push(standing, 178, patient_is(active=True))
    await until(standing, 178, booked)
    assert len(await claims(standing, 177)) == 1
