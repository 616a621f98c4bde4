"""What must be met before a time is held, on which days, and what stands against it."""

from __future__ import annotations

from datetime import date

import pytest

from tests.services.scheduling.patient import (
    MINUTE,
    NOW,
    World,
    authorization,
    benefit,
    consent,
    coverage,
    everything_but_authorization,
    lab,
    order,
    renamed,
    request,
    start_of,
    verification,
)


@pytest.mark.parametrize("status", ["approved", "partly-approved", "not-required"])
async def test_a_granted_authorization_lets_a_time_be_held(status: str) -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization(status))
    assert world.stage() == "holding"


@pytest.mark.parametrize("status", ["investigating", "submitted", "denied", "not-covered", "cancelled", "question"])
async def test_any_other_authorization_holds_nothing(status: str) -> None:
    world = World()
    decision = await world.hears(*everything_but_authorization(), authorization(status))
    assert world.statuses() == ["proposed", "proposed"]
    assert world.stage() == "waiting"
    assert f"authorization-{status}" in decision.refusals
    assert not world.seats


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        (benefit(inforce=False), "coverage-not-in-force"),
        (
            benefit() | {"insurance": [{"coverage": {"reference": "Coverage/in-former"}, "inforce": True}]},
            "benefit-unknown",
        ),
        (coverage(period={"end": "2026-11-30"}), "coverage-ended"),
        (coverage(status="cancelled"), "coverage-ended"),
        (order(insurance=[]), "coverage-missing"),
        (request() | {"authoredOn": "2025-11-30"}, "order-out-of-date"),
        (order(status="on-hold"), "order-on-hold"),
        (verification(status="requested"), "order-not-verified"),
        (verification(answer="rejected"), "order-rejected-by-pharmacist"),
        (consent("inactive"), "consent-not-active"),
        (consent(scope="research"), "consent-not-active"),
        (consent(provision={"type": "deny"}), "consent-refused"),
        (consent(provision={"type": "permit", "period": {"end": "2026-11-30"}}), "consent-not-active"),
        (consent(id="in-later", dateTime="2026-11-20", provision={"type": "deny"}), "consent-refused"),
        (lab("in-hb", "718-7", "2026-11-15", "preliminary"), "labs-missing"),
        (lab("in-hb", "718-7", "2026-11-15", "entered-in-error"), "labs-missing"),
        (lab("in-hb", "718-7", "2026-11-24"), "labs-missing"),
        (lab("in-hb", "718-7", "2026-11-15") | {"valueQuantity": {"unit": "g/dL"}}, "labs-missing"),
        (lab("in-hb", "718-7", "2026-11-15") | {"dataAbsentReason": {"text": "hemolyzed"}}, "labs-missing"),
    ],
)
async def test_nothing_is_held_past_an_unmet_requirement(changed: dict[str, object], refusal: str) -> None:
    world = World()
    decision = await world.hears(*everything_but_authorization(), authorization(), changed)
    assert world.statuses() == ["proposed", "proposed"]
    assert refusal in decision.refusals
    assert not world.seats


async def test_no_time_is_held_outside_the_authorized_period() -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization(period=("2026-11-23", "2026-11-30")))
    assert world.statuses() == ["proposed", "proposed"]
    assert world.requirement("authorized")["reason"] == "outside-authorized-period"
    await world.hears(authorization(period=("2026-12-01", "2026-12-07")), at=NOW + MINUTE)
    assert world.statuses() == ["pending", "proposed"]
    await world.hears(authorization(period=("2026-12-01", "2026-12-08")), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["pending", "pending"]


async def test_an_authorization_or_a_coverage_that_begins_later_is_waited_for_without_a_standstill() -> None:
    for later in (authorization(period=("2026-12-03", "2026-12-31")), coverage(period={"start": "2026-12-03"})):
        world = World()
        await world.hears(*everything_but_authorization(), authorization(), later)
        assert world.statuses() == ["pending", "pending"]
        assert [start_of(a).date() for a in world.appointments()] == [date(2026, 12, 3), date(2026, 12, 10)]


@pytest.mark.parametrize(("end", "statuses"), [("2026", "pending"), ("2026-12", "pending"), ("2026-11", "proposed")])
async def test_an_imprecise_end_of_a_coverage_means_its_last_day(end: str, statuses: str) -> None:
    world = World()
    await world.hears(*everything_but_authorization(), coverage(period={"end": end}), authorization())
    assert world.statuses() == [statuses, statuses]


async def test_the_same_drug_ordered_twice_is_asked_about_and_given_once() -> None:
    world = World()
    twins = [renamed(r) for r in (order(authoredOn="2026-11-21"), verification(), authorization(), benefit())]
    await world.hears(*everything_but_authorization(), authorization(), *twins)
    live = {a["basedOn"][0]["reference"] for a in world.appointments() if a["status"] == "pending"}
    assert live == {"ServiceRequest/in-order"}
    assert world.questions() == ["drug-ordered-twice"]
    await world.hears(order(status="revoked"), at=NOW + MINUTE)
    live = {a["basedOn"][0]["reference"] for a in world.appointments() if a["status"] == "pending"}
    assert live == {"ServiceRequest/in-other"}
    assert world.questions() == []


@pytest.mark.parametrize(("given", "first"), [("2026-11-23", "2026-12-01"), ("2026-11-25", "2026-12-02")])
async def test_a_dose_given_by_another_order_counts_for_the_least_gap(given: str, first: str) -> None:
    world = World()
    await world.hears(*everything_but_authorization(), order(status="draft"), request({"repeat": {"count": 1}}))
    past = {"resourceType": "Appointment", "id": "sc-past", "status": "fulfilled", "start": f"{given}T09:00:00-06:00"}
    earlier = renamed(order(status="completed"))
    world.resources |= {"sc-past": past | {"basedOn": [{"reference": "ServiceRequest/in-other"}]}, "in-other": earlier}
    await world.hears(order(), authorization(), at=NOW + MINUTE)
    mine = next(a for a in world.resources.values() if a["resourceType"] == "Appointment" and a["id"] != "sc-past")
    assert mine["start"][:10] == first
