"""A benefit is asked about again once for each occasion; until the payer answers, what it said last counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.auth.benefit.reverifying import VERIFY
from services.auth.service import declared
from services.auth.words import OCCASION, extension
from shared.core import Decision, Resource
from tests.services.auth.home import answers
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import CHICAGO, NOW, POLICIES, START, appointment, coverage, order, practice, referral


def on(journey: Journey, day: str, clock: str = "12:00") -> Journey:
    """Another day, by the practice's clock."""
    journey.at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=CHICAGO).astimezone(UTC)
    return journey


def woken(journey: Journey, day: str, clock: str = "12:00") -> Decision:
    return on(journey, day, clock).wakes(VERIFY + "in-order")


def occasions(journey: Journey) -> list[tuple[str, str]]:
    """Reason and period of every benefit request, oldest first."""
    found = []
    for request in journey.of("CoverageEligibilityRequest"):
        said = extension(request, OCCASION) or {}
        parts = {p["url"]: p["valueString"] for p in said["extension"]}
        found.append((parts["reason"], parts["period"]))
    return found


def latest(journey: Journey) -> Resource:
    return journey.of("CoverageEligibilityRequest")[-1]


def answered(journey: Journey, **said: Any) -> Decision:
    """The payer answers the latest benefit request."""
    return journey.answered("benefit-answered", latest(journey), benefit_answer(latest(journey), **said))


def approved() -> Journey:
    """Approved on 2026-11-21 for 90 days from 2026-11-23."""
    return Journey().approved()


FIRST = ("initial", "1")


@pytest.mark.parametrize(("day", "again"), [("2026-12-20", False), ("2026-12-21", True), ("2026-12-22", True)])
def test_after_thirty_days_the_payer_is_asked_again(day: str, again: bool) -> None:
    journey = approved()
    decision = woken(journey, day)
    assert occasions(journey) == [FIRST, *([("monthly", "2026-12-21")] if again else [])]
    assert decision.reason == ("benefit-asked-again" if again else "nothing-to-do")


def test_an_occasion_is_asked_about_once_however_often_it_is_looked_at() -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    for clock in ("12:01", "18:00", "23:59"):
        assert woken(journey, "2026-12-21", clock).saves == ()
    woken(journey, "2026-12-25")
    assert occasions(journey) == [FIRST, ("monthly", "2026-12-21")]


def test_the_days_are_the_practices_own() -> None:
    """2026-12-21 05:59 UTC is still the 20th in Chicago."""
    journey = approved()
    journey.at = datetime(2026, 12, 21, 5, 59, tzinfo=UTC)
    assert journey.wakes(VERIFY + "in-order").saves == ()
    journey.at = datetime(2026, 12, 21, 6, 0, tzinfo=UTC)
    assert journey.wakes(VERIFY + "in-order").reason == "benefit-asked-again"


def test_the_next_month_counts_from_the_last_request() -> None:
    journey = approved()
    woken(journey, "2026-12-23")
    answered(journey)
    woken(journey, "2027-01-01")
    answered(journey)
    assert woken(journey, "2027-01-30").saves == ()
    woken(journey, "2027-01-31")
    assert occasions(journey)[1:] == [("monthly", "2026-12-21"), ("new-year", "2027"), ("monthly", "2027-01-31")]


@pytest.mark.parametrize(("clock", "again"), [("2026-12-31T23:59", False), ("2027-01-01T00:00", True)])
def test_on_the_first_of_january_the_payer_is_asked_again(clock: str, again: bool) -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    answered(journey)
    day, _, time = clock.partition("T")
    woken(journey, day, time)
    assert (("new-year", "2027") in occasions(journey)) is again


def test_a_wake_is_set_for_the_first_day_that_is_due() -> None:
    journey = approved()
    wakes = [d.wakes[VERIFY + "in-order"] for d in journey.decisions if VERIFY + "in-order" in d.wakes]
    assert wakes == [datetime(2026, 12, 21, tzinfo=CHICAGO)]
    assert [w.tzinfo for w in wakes if w] == [UTC]
    decision = woken(journey, "2026-12-21")
    assert decision.wakes[VERIFY + "in-order"] == datetime(2027, 1, 1, tzinfo=CHICAGO)


def test_until_the_new_answer_comes_the_standing_one_counts() -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    assert journey.status == ("approved", "completed")
    assert answered(journey, inforce=True).reason == "benefit-known"
    assert journey.status == ("approved", "completed")


def test_a_coverage_that_has_ended_takes_the_authorization_from_what_is_to_come() -> None:
    journey = approved()
    woken(journey, "2027-01-01")
    assert answered(journey, inforce=False).reason == "preauthorization-incomplete"
    assert journey.missing() == ["coverage-not-in-force"]
    decision = journey.hears(appointment(1, on=START + timedelta(days=42)))
    assert (list(answers(journey)), decision.refusals) == (["refused"], ("not-authorized",))


def test_an_authorization_newly_needed_is_asked_for() -> None:
    journey = Journey().benefit_known(required=False)
    journey.hears(appointment(1, on=START + timedelta(days=42)))
    assert (journey.status, list(answers(journey))) == (("not-required", "completed"), ["not-needed"])
    woken(journey, "2027-01-01")
    assert answered(journey, required=True).reason == "preauthorization-asked"
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.status == ("approved", "completed")


def test_an_authorization_no_longer_needed_does_not_undo_one_that_was_given() -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    answered(journey, required=False)
    assert journey.status == ("approved", "completed")
    assert [c["coding"][0]["code"] for c in journey.outputs("authorization-needed")] == ["authorization-not-required"]


def test_the_findings_are_those_of_the_latest_answer() -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    answer = benefit_answer(latest(journey)) | {"created": "2026-12-21T18:00:05Z"}
    journey.answered("benefit-answered", latest(journey), answer)
    (told,) = journey.outputs("benefit-told")
    assert told["time"] == "2026-12-21T18:00:05Z"


def test_an_older_answer_that_comes_late_changes_nothing() -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    (first,) = [r for r in journey.of("CoverageEligibilityRequest") if r is not latest(journey)]
    answered(journey)
    journey.answered("benefit-answered", first, benefit_answer(first, inforce=False))
    assert journey.status == ("approved", "completed")


# The Coverage


CHANGES = [
    ({"class": [{"type": {"text": "group"}, "value": "GX-2"}]}, True),
    ({"period": {"end": "2027-06-30"}}, True),
    ({"relationship": {"text": "self"}}, True),
    ({"order": 1}, False),
    ({"costToBeneficiary": [{"valueMoney": {"value": 20, "currency": "USD"}}]}, False),
]


@pytest.mark.parametrize(("change", "again"), CHANGES)
def test_what_changes_the_benefit_of_a_coverage_is_asked_about_and_nothing_else(
    change: dict[str, Any], again: bool
) -> None:
    journey = approved()
    journey.hears(coverage(**change))
    assert [reason for reason, _ in occasions(journey)] == ["initial", *(["coverage-changed"] if again else [])]
    assert journey.status == ("approved", "completed")
    assert journey.hears(coverage(**change)).saves == ()


def test_a_coverage_that_changes_while_the_payer_decides_leaves_the_request_and_is_asked_about() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.hears(coverage(**{"class": [{"type": {"text": "group"}, "value": "GX-2"}]}))
    assert journey.one("Claim")["status"] == "active"
    answered(journey, inforce=False)
    assert journey.status == ("needs-information", "on-hold")
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.status == ("needs-information", "on-hold")


# Before a visit


@pytest.mark.parametrize(("day", "held_on", "again"), [
    (date(2026, 12, 5), "2026-12-02", False), (date(2026, 12, 6), "2026-12-02", False),
    (date(2026, 12, 6), "2026-12-03", True),
])  # fmt: skip
def test_a_visit_finds_no_answer_older_than_a_fortnight(day: date, held_on: str, again: bool) -> None:
    """Asked on 11-21, 14 days old on 12-05; a visit on 12-06 is looked at three days before."""
    journey = approved()
    journey.hears(appointment(1, on=day))
    on(journey, held_on).wakes(VERIFY + "sc-1-1")
    assert occasions(journey)[1:] == ([("visit", day.isoformat())] if again else [])


def test_a_held_visit_sets_its_own_wake_three_days_ahead() -> None:
    journey = approved()
    decision = journey.hears(appointment(1, on=date(2026, 12, 18)))
    assert decision.wakes == {VERIFY + "sc-1-1": datetime(2026, 12, 15, tzinfo=CHICAGO)}


def test_two_visits_soon_after_one_another_are_verified_once() -> None:
    journey = approved()
    journey.hears(appointment(1, on=date(2026, 12, 10)), appointment(2, on=date(2026, 12, 17)))
    on(journey, "2026-12-07").wakes(VERIFY + "sc-1-1")
    on(journey, "2026-12-14").wakes(VERIFY + "sc-2-1")
    assert occasions(journey)[1:] == [("visit", "2026-12-10")]


# What is over


@pytest.mark.parametrize("status", ["fulfilled", "cancelled", "noshow"])
def test_where_no_visit_is_to_come_nobody_is_asked(status: str) -> None:
    journey = approved()
    journey.hears(appointment(1, status, on=START))
    assert woken(journey, "2026-12-21").saves == ()
    journey.hears(appointment(2, "proposed", hold=None, on=date(2027, 1, 4)))
    assert occasions(journey)[1:] == [("monthly", "2026-12-21")]


def test_an_order_nobody_plans_is_verified_only_while_its_period_runs() -> None:
    """The criteria of the plan ask for 90 days from 2026-11-23."""
    for day, again in (("2027-02-21", True), ("2027-02-22", False)):
        journey = approved()
        period = woken(journey, day)
        assert bool(period.saves) is again


def test_a_revoked_order_is_not_verified() -> None:
    journey = approved()
    journey.hears(order(status="revoked"))
    assert woken(journey, "2026-12-21").saves == ()


def test_a_practice_that_did_not_adopt_the_figures_is_told_of_changes_alone() -> None:
    service = declared(practice(*(p for p in POLICIES if p != "practice")))
    journey = Journey(service=service).approved()
    assert all(VERIFY + "in-order" not in d.wakes for d in journey.decisions)
    assert woken(journey, "2027-02-01").saves == ()
    journey.hears(coverage(period={"end": "2027-06-30"}))
    assert [reason for reason, _ in occasions(journey)] == ["initial", "coverage-changed"]


# A request the payer does not take


def refused() -> tuple[Journey, Resource]:
    journey = approved()
    woken(journey, "2026-12-21")
    journey.answered("benefit-refused-by-payer", latest(journey))
    (question,) = journey.tasks("authorization-question")
    return journey, question


def test_a_refused_verification_is_a_question_and_takes_nothing_away() -> None:
    journey, question = refused()
    assert question["status"] == "requested"
    assert journey.status == ("approved", "completed")


def test_asked_again_it_goes_out_once_more_for_the_same_occasion() -> None:
    journey, question = refused()
    journey.person(question, "resubmit")
    assert occasions(journey)[1:] == [("monthly", "2026-12-21")] * 2
    assert answered(journey).reason == "benefit-known"
    assert woken(journey, "2026-12-22").saves == ()


def test_a_request_never_answered_is_followed_by_the_next_occasion() -> None:
    journey = approved()
    woken(journey, "2026-12-21")
    woken(journey, "2027-01-01")
    assert occasions(journey) == [FIRST, ("monthly", "2026-12-21"), ("new-year", "2027")]


def test_before_the_first_answer_nothing_is_asked_twice() -> None:
    journey = Journey()
    journey.hears(*referral())
    assert woken(journey, "2027-03-01").saves == ()
    assert occasions(journey) == [FIRST]
    assert NOW.isoformat() == latest(journey)["created"]


@pytest.mark.parametrize(
    ("ends", "until"),
    [(None, "2026-12-31"), ("2026-12-30", "2026-12-30"), ("2026-12-31", "2026-12-31"), ("2027-06-30", "2026-12-31")],
)
def test_an_answer_speaks_for_its_year_and_no_longer_than_the_coverage(ends: str | None, until: str) -> None:
    bought = coverage(**({"period": {"end": ends}} if ends else {}))
    journey = Journey().approved(*[r for r in referral() if r["resourceType"] != "Coverage"], bought)
    assert journey.outputs("verified-until") == [until]
