"""A denial goes up the ladder of appeals: who decides, until when, what came of it, and what then stands."""

from __future__ import annotations

import base64
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.auth.wire.responses import authorized
from services.auth.words import ANSWER, OUTPUT
from shared.catalogue import HCPCS
from shared.core import Decision, Event, Resource, reference
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import LANE, NOW, appointment, coded, order, referral
from tests.services.auth.test_by_hand import words
from tests.services.auth.test_decision_clocks import pended
from tests.services.auth.test_never_silent import open_questions, the_open

NUMBER = {"type": coded(OUTPUT, "number"), "valueString": "PH-OVERTURNED"}
PERIOD = {"type": coded(OUTPUT, "period"), "valuePeriod": {"start": "2026-11-23", "end": "2027-02-20"}}
UNITS = {"type": coded(OUTPUT, "units"), "valueQuantity": {"value": 1500, "system": HCPCS, "code": "J1439"}}


def denied(payer_id: str = "prairie-health", created: str = "2026-11-21T10:00:00Z") -> Journey:
    journey = Journey().benefit_known(*referral(payer_id=payer_id))
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", created=created))
    return journey


def says(journey: Journey, task: Resource, answer: str, *more: dict[str, Any], status: str = "completed") -> Decision:
    """A person says something of a Task, with more beside it."""
    said = [{"type": coded(ANSWER, answer), "valueBoolean": True}] if answer else []
    given = {**task, "status": status, "output": [*said, *more]}
    return journey.take(
        Event("command", "task-answered", LANE, journey.at, journey.at, (given,), reference(task), "person")
    )


def on(code: str, day: str) -> dict[str, Any]:
    return {"type": coded(ANSWER, code), "valueDate": day}


def the_appeal(journey: Journey) -> Resource:
    (found,) = [t for t in journey.tasks("appeal") if t["status"] == "requested"]
    return found


def due(task: Resource) -> str:
    return str(task["restriction"]["period"]["end"])


def test_nothing_is_filed_before_a_person_decides_it_and_nothing_after_another_answer() -> None:
    journey = denied()
    assert open_questions(journey) == []
    says(journey, the_appeal(journey), "", {"type": {"text": "not appealed"}, "valueString": "The patient agrees."})
    assert (open_questions(journey), journey.status) == ([], ("denied", "rejected"))


def test_an_appeal_that_is_filed_is_asked_after_until_the_reviewer_must_have_decided() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    assert open_questions(journey) == ["appeal-outcome"]
    assert due(the_open(journey)) == "2026-12-21"
    assert "level 1, internal appeal" in the_open(journey)["input"][0]["valueString"]


def test_what_is_overturned_stands_with_number_period_and_units_as_granted() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    overturned = says(journey, the_open(journey), "overturned", NUMBER, PERIOD, UNITS)
    assert overturned.reason == "preauthorization-approved"
    assert journey.status == ("approved", "completed")
    assert journey.outputs("number") == ["PH-OVERTURNED"]
    assert journey.outputs("period") == [{"start": "2026-11-23", "end": "2027-02-20"}]
    assert [q["value"] for q in journey.outputs("units")] == [1500]
    assert [r.get("disposition") for r in journey.of("ClaimResponse")] == [None, "overturned: level 1, internal appeal"]
    journey.hears(appointment())
    assert journey.one("ChargeItem")["status"] == "planned"


def test_fewer_units_than_asked_for_are_granted_in_part() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    fewer = {**UNITS, "valueQuantity": {"value": 750, "system": HCPCS, "code": "J1439"}}
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD, fewer)
    assert journey.status[0] == "partly-approved"
    assert open_questions(journey) == ["partly-authorized"]


def test_a_part_of_a_unit_is_granted_as_it_was_entered() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    half = {**UNITS, "valueQuantity": {"value": Decimal("750.5"), "system": HCPCS, "code": "J1439"}}
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD, half)
    claim, entered = journey.one("Claim"), journey.of("ClaimResponse")[-1]
    assert [a.units for a in authorized(claim, entered)] == [Decimal("750.5")]


@pytest.mark.parametrize(
    "terms",
    [
        (), (NUMBER,), (PERIOD,), (NUMBER, {**PERIOD, "valuePeriod": {"start": "2026-11-23"}}),
        (NUMBER, PERIOD, {**UNITS, "valueQuantity": {"value": -1, "system": HCPCS, "code": "J1439"}}),
    ],
)  # fmt: skip
def test_an_overturned_denial_without_its_terms_is_not_taken(terms: tuple[dict[str, Any], ...]) -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    assert says(journey, the_open(journey), "overturned", *terms).refusals == ("answer-missing",)
    assert open_questions(journey) == ["appeal-outcome"]


def test_the_payers_own_word_of_what_was_overturned_is_no_contradiction_and_another_one_is() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    says(journey, the_open(journey), "overturned", {**NUMBER, "valueString": "AUTH-1"}, PERIOD, UNITS)
    claim = journey.one("Claim")
    same = claim_answer(claim, "A1", "ph7", units=1500)
    journey.answered("preauthorization-answered", claim, same)
    assert open_questions(journey) == []
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph8", units=10))
    assert open_questions(journey) == ["payer-contradicts"]


# Levels


def test_an_upheld_denial_goes_to_the_next_level_by_the_date_of_its_letter() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    says(journey, the_open(journey), "upheld", on("letter-date", "2026-12-31"))
    second = the_appeal(journey)
    assert (due(second), second["input"][0]["valueString"]) == (
        "2027-04-30", "The denial was upheld: appeal to level 2, external review?",
    )  # fmt: skip
    says(journey, second, "appeal")
    assert due(the_open(journey)) == (NOW + timedelta(days=45)).date().isoformat()
    says(journey, the_open(journey), "upheld", on("letter-date", "2027-02-01"))
    assert [t["status"] for t in journey.tasks("appeal")] == ["completed", "completed"]
    assert (open_questions(journey), journey.status) == ([], ("denied", "rejected"))


def test_a_letter_without_a_date_counts_from_the_day_it_was_entered() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    journey.at = NOW + timedelta(days=20)
    says(journey, the_open(journey), "upheld")
    journey.at = NOW + timedelta(days=40)
    journey.hears(order())
    assert due(the_appeal(journey)) == "2027-04-11"


def test_a_plan_of_medicare_sends_an_upheld_denial_on_by_itself() -> None:
    journey = denied("lakeland-advantage")
    says(journey, the_appeal(journey), "appeal")
    assert due(the_open(journey)) == "2026-11-28"
    says(journey, the_open(journey), "upheld", on("letter-date", "2026-11-27"))
    assert [t["status"] for t in journey.tasks("appeal")] == ["completed"]
    assert "sends it on by itself" in the_open(journey)["input"][0]["valueString"]
    assert due(the_open(journey)) == "2026-12-04"
    says(journey, the_open(journey), "upheld", on("letter-date", "2026-12-03"))
    assert due(the_appeal(journey)) == "2027-02-01"
    assert "level 3, administrative law judge" in the_appeal(journey)["input"][0]["valueString"]


def test_overturned_at_the_second_level_stands_as_well() -> None:
    journey = denied("lakeland-advantage")
    says(journey, the_appeal(journey), "appeal")
    says(journey, the_open(journey), "upheld")
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD)
    assert journey.status == ("approved", "completed")
    (entered,) = [r for r in journey.of("ClaimResponse") if "disposition" in r]
    assert entered["disposition"] == "overturned: level 2, independent review entity"


# Peer to peer


def test_a_talk_with_the_payers_physician_may_end_it_or_the_appeal_is_asked_about_again_in_the_same_time() -> None:
    journey = denied()
    first = the_appeal(journey)
    says(journey, first, "peer-to-peer")
    assert open_questions(journey) == ["peer-to-peer"]
    assert due(the_open(journey)) == due(first)
    says(journey, the_open(journey), "upheld")
    assert due(the_appeal(journey)) == due(first)
    says(journey, the_appeal(journey), "appeal")
    assert open_questions(journey) == ["appeal-outcome"]


def test_a_talk_that_overturns_is_an_authorization() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "peer-to-peer")
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD)
    assert (journey.status, journey.outputs("number")) == (("approved", "completed"), ["PH-OVERTURNED"])


# The letter's own word


def test_the_date_and_the_deadline_of_the_denial_letter_override_every_table() -> None:
    journey = denied()
    assert due(the_appeal(journey)) == "2027-05-20"
    says(journey, the_appeal(journey), "", on("letter-date", "2026-11-18"), status="requested")
    assert due(the_appeal(journey)) == "2027-05-17"
    says(journey, the_appeal(journey), "", on("letter-deadline", "2027-01-15"), status="requested")
    assert due(the_appeal(journey)) == "2027-01-15"
    assert says(journey, the_appeal(journey), "", on("told", "2027-01-15"), status="requested").refusals


def test_an_appeal_is_filed_whether_the_letters_date_is_said_before_or_after_it() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "", on("letter-date", "2026-11-18"), status="requested")
    appealed = {"type": coded(ANSWER, "appeal"), "valueBoolean": True}
    says(journey, the_appeal(journey), "", on("letter-date", "2026-11-18"), appealed)
    assert open_questions(journey) == ["appeal-outcome"]


def test_a_denial_without_a_figure_in_force_is_to_be_decided_at_once() -> None:
    journey = denied("lakeland-advantage", created="2024-12-31T18:00:00Z")
    assert due(the_appeal(journey)) == "2024-12-31"


def test_the_end_of_an_order_ends_its_appeals() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    journey.hears(order(status="revoked"))
    assert [t["status"] for t in (*journey.tasks("appeal"), *journey.tasks("authorization-question"))] == [
        "completed", "cancelled",
    ]  # fmt: skip
    waiting = denied()
    waiting.hears(order(status="revoked"))
    assert [t["status"] for t in waiting.tasks("appeal")] == ["cancelled"]


# The letter


def paper(journey: Journey) -> str:
    """What stands on the letter, wherever its lines end."""
    return run_on(words(base64.b64decode(journey.one("Binary")["data"])))


def run_on(text: str) -> str:
    return "".join(text.split())


def test_the_letter_answers_each_reason_with_what_the_chart_holds_and_its_source() -> None:
    journey = Journey().benefit_known(*referral())
    claim = journey.one("Claim")
    answer = claim_answer(claim, "A3")
    review = answer["item"][0]["adjudication"][0]["extension"][0]["extension"]
    review[1]["valueCodeableConcept"] = {"text": "Oral iron: no trial is shown"}
    review.append({"url": "reasonCode", "valueCodeableConcept": {"text": "The hemoglobin is not low"}})
    journey.answered("preauthorization-answered", claim, answer)
    says(journey, the_appeal(journey), "appeal")
    letter = paper(journey)
    first, _, second = letter.partition(run_on("Reason given: The hemoglobin is not low"))
    assert run_on("Reason given: Oral iron: no trial is shown") in first
    assert run_on("MedicationStatement in-oral") in first
    assert run_on("Observation in-hemoglobin") not in first
    assert run_on("Observation in-hemoglobin, 2026-11-16") in second
    assert run_on("level 1, internal appeal, standard, to be filed by 2027-05-20") in letter
    assert run_on("answers this reason") not in letter


def test_a_reason_the_chart_does_not_answer_is_left_to_the_prescriber() -> None:
    journey = Journey()
    journey.hears(*referral(payer_id="original-medicare"))
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, benefit_answer(request))
    journey.person(the_open(journey), "submit")
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3"))
    says(journey, the_appeal(journey), "appeal")
    assert run_on("the prescriber adds it before this letter is sent") in paper(journey)


def test_each_level_has_a_letter_of_its_own_and_each_is_written_once() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "appeal")
    (first,) = journey.of("DocumentReference")
    assert the_open(journey)["reasonReference"] == {"reference": reference(first)}
    says(journey, the_open(journey), "upheld")
    says(journey, the_appeal(journey), "appeal")
    journey.at = NOW + timedelta(days=3)
    journey.hears(order())
    assert len(journey.of("DocumentReference")) == len(journey.of("Binary")) == 2
    assert first in journey.of("DocumentReference")


def test_what_a_medicaid_plan_owes_meanwhile_is_told_where_it_is_decided_and_followed() -> None:
    journey = pended("medicaid-mco")
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", "ph-2"))
    told = the_appeal(journey)["input"][0]["valueString"]
    assert told.endswith("What was approved before goes on where it is filed within 10 days.")
    says(journey, the_appeal(journey), "appeal")
    assert "or 14 days later where the reviewer says so" in the_open(journey)["input"][0]["valueString"]
