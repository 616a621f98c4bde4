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
    chicago,
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


def unsigned(status: str = "requested") -> dict[str, object]:
    """The question about a spoken order whose prescriber let the deadline pass."""
    asked = verification(status=status)
    code = {**asked["input"][0]["type"]["coding"][0], "code": "countersignature-missing"}
    return {**asked, "id": "in-unsigned", "input": [{"type": {"coding": [code]}, "valueString": "?"}]}


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
        (benefit() | {"created": "2025-12-31"}, "benefit-unknown"),
        (benefit() | {"created": "2026-01-01T05:59:59Z"}, "benefit-unknown"),
        (coverage(period={"end": "2026-11-30"}), "coverage-ended"),
        (coverage(status="cancelled"), "coverage-ended"),
        (order(insurance=[]), "coverage-missing"),
        (request() | {"authoredOn": "2025-11-30"}, "order-out-of-date"),
        (order(status="on-hold"), "order-on-hold"),
        (unsigned(), "countersignature-missing"),
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


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_a_signature_found_or_given_up_for_a_reason_lets_a_time_be_held(status: str) -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization(), unsigned(status))
    assert world.stage() == "holding"


async def test_no_time_is_held_outside_the_authorized_period() -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization(period=("2026-11-23", "2026-11-30")))
    assert world.statuses() == ["proposed", "proposed"]
    assert world.requirement("authorized")["reason"] == "outside-authorized-period"
    await world.hears(authorization(period=("2026-12-01", "2026-12-07")), at=NOW + MINUTE)
    assert world.statuses() == ["pending", "proposed"]
    await world.hears(authorization(period=("2026-12-01", "2026-12-08")), at=NOW + 2 * MINUTE)
    assert world.statuses() == ["pending", "pending"]


async def test_what_may_go_ahead_of_the_decision_is_held_on_its_days_and_booked() -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization("pended", allowed=("2026-11-23", "2026-12-07")))
    assert world.statuses() == ["pending", "proposed"]
    first = world.appointments()[0]
    answers = [(first["id"], 1, "not-needed")]
    await world.hears(authorization("pended", answers, allowed=("2026-11-23", "2026-12-07")), at=NOW + MINUTE)
    assert world.statuses()[0] == "booked"
    assert world.requirement("authorized")["status"] == "met"


async def test_what_went_ahead_is_unmet_once_the_payer_denies_it() -> None:
    world = World()
    allowed = ("2026-11-23", "2026-12-07")
    await world.hears(*everything_but_authorization(), authorization("pended", allowed=allowed))
    answers = [(world.appointments()[0]["id"], 1, "not-needed")]
    await world.hears(authorization("pended", answers, allowed=allowed), at=NOW + MINUTE)
    await world.hears(authorization("denied", answers), at=NOW + 2 * MINUTE)
    assert world.requirement("authorized")["reason"] == "authorization-denied"
    assert world.statuses()[0] == "booked"


async def test_an_allowance_that_begins_later_is_waited_for() -> None:
    world = World()
    await world.hears(*everything_but_authorization(), authorization("pended", allowed=("2026-12-03", "2026-12-31")))
    assert [start_of(a).date() for a in world.appointments()] == [date(2026, 12, 3), date(2026, 12, 10)]


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


@pytest.mark.parametrize("created", ["2026-01-01", "2026-01-01T06:00:00Z"])
async def test_a_benefit_told_since_the_first_of_january_holds(created: str) -> None:
    world = World()
    await world.hears(*everything_but_authorization(), benefit() | {"created": created}, authorization())
    assert world.stage() == "holding"


async def test_the_coverage_that_was_asked_of_counts_though_another_is_listed_first() -> None:
    world = World()
    listed = order(insurance=[{"reference": "Coverage/in-other"}, {"reference": "Coverage/in-cov"}])
    other = coverage(id="in-other", period={"end": "2026-11-30"})
    await world.hears(*everything_but_authorization(), listed, other, authorization())
    assert world.stage() == "holding"


@pytest.mark.parametrize(
    ("ends", "on", "status", "reason"),
    [
        (None, "2026-12-31", "met", None),
        (None, "2027-01-04", "met", "unverified-new-year"),
        ("2026-12-31", "2026-12-31", "met", None),
        ("2026-12-31", "2027-01-04", "met", "unverified-new-year"),
        ("2026-12-30", "2026-12-31", "unmet", "coverage-ended"),
        ("2026-12-30", "2027-01-04", "unmet", "coverage-ended"),
    ],
)
async def test_a_visit_of_the_next_year_may_be_booked_and_says_that_nobody_verified_it(
    ends: str | None, on: str, status: str, reason: str | None
) -> None:
    world = World()
    ending = coverage(**({"period": {"end": ends}} if ends else {}))
    labs = [lab("in-hb", "718-7", "2026-12-27"), lab("in-fer", "2276-4", "2026-12-27")]
    heard = [*everything_but_authorization(), order(occurrencePeriod={"start": on}), *labs, ending, authorization()]
    await world.hears(*heard, at=chicago(date(2026, 12, 28), 9))
    found = world.requirement("benefit-verified")
    assert (found["status"], found.get("reason")) == (status, reason)
    assert world.statuses()[0] == ("pending" if status == "met" else "proposed")


@pytest.mark.parametrize(
    ("later", "statuses"),
    [(("2026-12-02", "2026-12-07"), ["pending", "proposed"]), (("2026-12-08", "2026-12-08"), ["pending", "pending"])],
)
async def test_a_visit_may_lie_in_any_authorized_period(later: tuple[str, str], statuses: list[str]) -> None:
    """The first dose is due on 2026-12-01, the second a week later."""
    task, renewed = (authorization(period=p) for p in (("2026-12-01", "2026-12-01"), later))
    world = World()
    both = {**task, "output": [*task["output"], *(o for o in renewed["output"] if "valuePeriod" in o)]}
    await world.hears(*everything_but_authorization(), both)
    assert world.statuses() == statuses
