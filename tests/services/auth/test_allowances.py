"""Until when a visit may take place before the payer's decision, and what becomes of it when the decision comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.decision.allowances import NOTE
from services.auth.service import declared
from services.auth.words import HOLD, part, question_code
from shared.core import Resource
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import NOW, PRACTICE, START, appointment, coverage, medication, order, payer, referral
from tests.services.auth.test_decision_clocks import statement

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("allowances.yaml").read_text(encoding="utf-8"))
BEFORE = date(2026, 10, 31)


def of_line(line: str, payer_id: str = "prairie-health") -> Journey:
    """A practice with one payer of this line; of another payer no row speaks by its name."""
    one = replace(payer("prairie-health", line), id=payer_id)
    return Journey(service=declared(replace(PRACTICE, payers=(one,))))


def told(journey: Journey) -> list[date] | None:
    periods = journey.outputs("allowed-until")
    return [date.fromisoformat(periods[0][k]) for k in ("start", "end")] if periods else None


def hold_answers(journey: Journey) -> list[tuple[Any, Any]]:
    found = [o for o in journey.task["output"] if o["type"]["coding"][0]["code"] == "hold-answer"]
    return [(part(o, HOLD, "answer"), part(o, HOLD, "reason")) for o in found]


@pytest.mark.parametrize("case", [pytest.param(c, id=" ".join(map(str, c.values()))) for c in CASES])
def test_the_days_that_go_ahead_of_the_decision(case: dict[str, Any]) -> None:
    journey = of_line(case["line"], case.get("payer", "prairie-health"))
    journey.at = datetime.fromisoformat(case["asked"]) if "asked" in case else NOW
    changes: dict[str, Any] = {"priority": "stat"} if case.get("urgent") else {}
    if "starts" in case:
        changes["occurrencePeriod"] = {"start": case["starts"].isoformat()}
    period = {"period": {"start": case["begins"].isoformat()}} if case.get("begins") else {}
    rest = [r for r in referral() if r["id"] not in ("in-order", "in-coverage")]
    given = [appointment(1, case.get("visit", "fulfilled"), on=case["given"])] if case.get("given") else []
    journey.hears(*rest, coverage(**period), statement(), order(**changes), *given)
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, benefit_answer(request))
    assert told(journey) == case["is"]


def in_transition(*more: Resource) -> Journey:
    """A course begun under another plan, and the new plan's answer pending."""
    journey = Journey()
    changed = [r for r in referral() if r["id"] != "in-coverage"]
    given = appointment(1, "fulfilled", None, on=BEFORE)
    journey.benefit_known(*changed, coverage(period={"start": "2026-11-01"}), given, *more)
    return journey


def decided(journey: Journey, action: str = "A1", **changes: Any) -> None:
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, action, **changes))


def test_a_visit_in_a_transition_is_let_go_ahead_and_says_by_whose_rule() -> None:
    journey = in_transition(appointment(2))
    assert journey.status == ("submitted", "in-progress")
    assert hold_answers(journey) == [("not-needed", "transition-of-coverage")]
    (note,) = [n["text"] for n in journey.task["note"] if n["text"].startswith(NOTE)]
    assert "from 2026-11-01 until 2027-01-29" in note
    assert "auth/allowances, a draft adopted by" in note
    assert journey.of("ChargeItem") == []


@pytest.mark.parametrize(("day", "answer"), [(date(2027, 1, 29), "not-needed"), (date(2027, 1, 30), "refused")])
def test_a_visit_after_the_last_day_waits_for_the_decision(day: date, answer: str) -> None:
    journey = in_transition(appointment(2, on=day))
    assert [a for a, _ in hold_answers(journey)] == [answer]


def test_the_decision_counts_the_units_of_what_went_ahead() -> None:
    journey = in_transition(appointment(2))
    journey.hears(appointment(2, "booked"))
    decided(journey)
    assert told(journey) is None
    assert hold_answers(journey) == [("reserved", None)]
    assert journey.one("ChargeItem")["status"] == "planned"


def test_a_dose_that_was_given_before_the_decision_is_counted_as_given() -> None:
    journey = in_transition(appointment(2))
    journey.hears(appointment(2, "fulfilled"))
    decided(journey)
    assert journey.one("ChargeItem")["status"] == "billable"
    assert [q["value"] for q in journey.outputs("units-left")] == [750]


def test_a_decision_that_does_not_cover_the_day_says_so_of_the_visit() -> None:
    journey = in_transition(appointment(2, on=START))
    journey.hears(appointment(2, "booked", on=START))
    decided(journey, days=1, units=100)
    assert hold_answers(journey) == [("refused", "no-units-left")]
    assert journey.of("ChargeItem") == []


def test_a_denial_ends_the_allowance() -> None:
    journey = in_transition(appointment(2))
    decided(journey, "A3")
    assert told(journey) is None
    journey.hears(appointment(2, hold=2))
    assert hold_answers(journey) == [("refused", "not-authorized")]
    assert not any(n["text"].startswith(NOTE) for n in journey.task.get("note", ()))


def test_an_approval_of_another_plan_before_is_a_course_begun() -> None:
    journey = Journey().approved()
    journey.at = datetime(2026, 12, 1, 16, tzinfo=UTC)
    ended, period = coverage(status="cancelled"), {"start": "2026-12-01"}
    journey.hears(ended, coverage("arkansas-bcbs", id="in-next", period=period))
    assert told(journey) is None
    journey.hears(coverage("lakeland-advantage", id="in-next", period=period))
    assert told(journey) == [date(2026, 12, 1), date(2027, 2, 28)]


def test_a_plan_that_follows_in_mid_course_is_the_one_that_is_asked() -> None:
    journey = Journey().approved()
    journey.at = datetime(2026, 12, 1, 16, tzinfo=UTC)
    journey.hears(coverage(status="cancelled"))
    assert journey.missing() == ["coverage"]
    journey.hears(coverage("lakeland-advantage", id="in-next", period={"start": "2026-12-02"}))
    assert journey.missing() == ["coverage"]
    journey.hears(coverage("lakeland-advantage", id="in-next", period={"start": "2026-12-01"}))
    assert journey.missing() == []
    asked = journey.of("CoverageEligibilityRequest")[-1]
    assert asked["insurance"][0]["coverage"]["reference"] == "Coverage/in-next"


def test_an_order_that_ended_allows_nothing() -> None:
    journey = in_transition(appointment(2))
    journey.at = datetime(2026, 11, 22, tzinfo=UTC)
    journey.hears(order(status="revoked"))
    assert told(journey) is None


def test_no_allowance_comes_back_after_a_denial() -> None:
    journey = in_transition()
    decided(journey, "A3")
    journey.hears(medication(500, 2))
    assert told(journey) is None


def test_a_dose_the_first_decision_did_not_cover_is_counted_by_the_next() -> None:
    journey = in_transition(appointment(2, on=START))
    journey.hears(appointment(2, "fulfilled", on=START))
    claim = journey.one("Claim")
    decided(journey, units=100)
    journey.answered("preauthorization-answered", claim, claim_answer(claim, answer_id="ph9"))
    asked = (q for q in journey.tasks("authorization-question") if question_code(q) == "payer-contradicts")
    journey.person(next(asked), "resubmit")
    again = journey.of("Claim")[-1]
    journey.answered("preauthorization-answered", again, claim_answer(again, answer_id="ph10"))
    assert [q["value"] for q in journey.outputs("units-left")] == [750]
