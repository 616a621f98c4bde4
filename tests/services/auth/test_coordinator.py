"""What authorization decides, from the first order to the last unit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.auth.service import declared
from shared.core import CANONICAL, Event, reference
from shared.settings import Referrer
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import (
    DESK,
    FCM,
    FDI,
    LANE,
    NOW,
    PARTIES,
    appointment,
    coded,
    condition,
    coverage,
    lab,
    medication,
    oral_iron,
    order,
    patient,
    practice,
    referral,
)

# Benefit


def test_an_order_asks_the_payer_about_the_benefit_once() -> None:
    journey = Journey()
    decision = journey.hears(*referral())
    assert decision.reason == "benefit-asked"
    assert journey.status == ("investigating", "in-progress")
    assert journey.one("CoverageEligibilityRequest")["insurance"][0]["coverage"] == {
        "reference": "Coverage/in-coverage"
    }
    assert journey.hears(lab("ferritin", 8)).saves == ()


def test_a_draft_order_asks_about_the_benefit_and_waits_to_submit() -> None:
    journey = Journey().benefit_known(*referral()[1:], order(status="draft"))
    assert journey.decisions[-1].reason == "benefit-known"
    assert journey.status == ("investigating", "in-progress")
    assert journey.hears(order()).reason == "preauthorization-asked"


def test_an_order_without_coverage_says_so_and_goes_on_when_the_coverage_comes() -> None:
    journey = Journey()
    without = [r for r in referral() if r["resourceType"] != "Coverage"]
    assert journey.hears(*without).reason == "coverage-missing"
    assert journey.status == ("investigating", "on-hold")
    assert journey.missing() == ["coverage"]
    assert journey.hears(coverage()).reason == "benefit-asked"
    assert journey.missing() == []


def test_a_coverage_that_is_not_in_force_is_the_missing_piece() -> None:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, benefit_answer(request, inforce=False))
    assert (journey.status, journey.missing()) == (("needs-information", "on-hold"), ["coverage-not-in-force"])
    assert journey.of("Claim") == []


def test_a_payer_nobody_configured_is_a_question_to_a_person() -> None:
    journey = Journey()
    decision = journey.hears(*referral(payer_id="unheard-of"))
    assert decision.reason == "preauthorization-questioned"
    (question,) = journey.tasks("authorization-question")
    assert question["input"][0]["type"]["coding"][0]["code"] == "payer-unknown"
    journey.hears(coverage())
    assert journey.tasks("authorization-question")[0]["status"] == "cancelled"


def test_no_authorization_is_asked_for_where_the_payer_needs_none() -> None:
    journey = Journey().benefit_known(required=False)
    assert journey.decisions[-1].reason == "preauthorization-not-required"
    assert journey.status == ("not-required", "completed")
    assert journey.of("Claim") == []


def test_a_product_the_payer_excludes_is_not_covered() -> None:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, benefit_answer(request, required=None))
    assert journey.status == ("not-covered", "rejected")


def test_a_second_benefit_answer_changes_nothing() -> None:
    journey = Journey().benefit_known()
    request = journey.one("CoverageEligibilityRequest")
    again = journey.answered("benefit-answered", request, benefit_answer(request, required=False))
    assert (again.reason, again.saves) == ("nothing-to-do", ())


@pytest.mark.parametrize("reason", ["benefit-refused-by-payer", "benefit-unreadable"])
def test_a_benefit_request_the_payer_refuses_is_a_question(reason: str) -> None:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    assert journey.answered(reason, request).reason == "preauthorization-questioned"
    assert journey.status == ("question", "on-hold")
    journey.answered("benefit-answered", request, benefit_answer(request))
    assert journey.tasks("authorization-question")[0]["status"] == "cancelled"
    assert journey.status == ("submitted", "in-progress")


# Criteria and submission


def test_met_criteria_make_one_claim_with_units_for_all_doses_and_its_evidence() -> None:
    journey = Journey().benefit_known()
    decision, claim = journey.decisions[-1], journey.one("Claim")
    assert decision.reason == "preauthorization-asked"
    assert claim["identifier"] == [{"system": "https://carepod.example/id/claim", "value": claim["id"]}]
    assert claim["item"][0]["quantity"]["value"] == 1500
    assert claim["item"][0]["servicedPeriod"] == {"start": "2026-11-23", "end": "2027-02-20"}
    cited = [i["valueReference"]["reference"] for i in claim["supportingInfo"]]
    assert cited == [
        "Observation/in-ferritin", "Observation/in-hemoglobin", "Observation/in-tsat", "MedicationRequest/in-drug",
        "Condition/in-anemia", "MedicationStatement/in-oral",
    ]  # fmt: skip
    assert "Observation/in-ferritin/_history/1-1" in decision.evidence


def test_a_task_shows_each_verdict_with_its_proof_and_the_draft_it_rests_on() -> None:
    journey = Journey().benefit_known()
    verdicts = {c["coding"][0]["code"]: c["text"] for c in journey.outputs("criterion")}
    assert verdicts["hemoglobin-low"] == "met"
    assert verdicts["oral-iron-intolerance"] == "not-documented"
    assert "auth/prairie-health-iv-iron, a draft adopted by medical director" in journey.task["note"][0]["text"]


def test_an_unmet_request_names_the_smallest_set_and_sends_nothing() -> None:
    labs = [lab("hemoglobin", 12), lab("ferritin", 85), lab("tsat", 18)]
    resources = [
        order(),
        patient(gender="male"),
        coverage(),
        medication(),
        condition("anemia", "D50.9"),
        *labs,
        *PARTIES,
    ]
    journey = Journey().benefit_known(*resources, oral_iron(status="not-taken"))
    decision = journey.decisions[-1]
    assert decision.reason == "preauthorization-incomplete"
    assert journey.status == ("needs-information", "on-hold")
    assert journey.missing() == ["diagnosis-not-documented", "oral-iron-trial-not-documented"]
    assert decision.refusals == ("diagnosis-not-documented", "oral-iron-trial-not-documented")
    assert journey.of("Claim") == []


def test_a_case_goes_on_by_itself_when_the_missing_piece_comes() -> None:
    without = [r for r in referral() if r["resourceType"] != "MedicationStatement"]
    journey = Journey().benefit_known(*without)
    assert journey.missing() == ["oral-iron-trial-not-documented"]
    assert journey.hears(oral_iron()).reason == "preauthorization-asked"
    assert journey.missing() == []


def test_a_threshold_not_met_says_what_would_meet_it() -> None:
    changed = [r for r in referral() if r["id"] != "in-hemoglobin"]
    journey = Journey().benefit_known(*changed, lab("hemoglobin", 12))
    (missing,) = journey.outputs("missing")
    assert missing["coding"][0]["code"] == "threshold-not-met"
    assert missing["text"].startswith("Criterion hemoglobin-low is not met. It would be by: Hemoglobin below 13 g/dL")


def test_a_product_that_is_not_covered_names_the_preferred_one() -> None:
    journey = Journey().benefit_known(*referral(FDI))
    assert journey.status == ("not-covered", "rejected")
    assert [c["coding"][0]["code"] for c in journey.outputs("preferred")] == ["ferric-carboxymaltose", "iron-sucrose"]
    assert journey.of("Claim") == []


def test_a_dose_by_weight_without_a_weight_is_missing_just_that() -> None:
    resources = [r for r in referral() if r["id"] != "in-drug"]
    journey = Journey().benefit_known(*resources, medication(15, 1, "mg/kg"))
    assert journey.missing() == ["weight-not-documented"]


def test_without_adopted_criteria_a_person_says_whether_to_submit() -> None:
    journey = Journey(declared(practice("practice"))).benefit_known()
    (question,) = journey.tasks("authorization-question")
    assert journey.status == ("question", "on-hold")
    assert journey.of("Claim") == []
    assert journey.person(question, "submit").reason == "preauthorization-asked"


# Answers


def test_an_approval_says_number_period_and_units() -> None:
    journey = Journey().approved()
    assert journey.decisions[-1].reason == "preauthorization-approved"
    assert journey.status == ("approved", "completed")
    assert journey.outputs("number") == ["AUTH-1"]
    assert journey.outputs("period") == [{"start": "2026-11-23", "end": "2027-02-20"}]
    assert journey.outputs("units")[0]["value"] == journey.outputs("units-left")[0]["value"] == 1500
    assert journey.one("ClaimResponse")["request"] == {"reference": reference(journey.one("Claim"))}


def test_fewer_units_than_asked_are_a_partial_approval() -> None:
    journey = Journey().approved(units=750)
    assert journey.status == ("partly-approved", "completed")
    assert journey.outputs("units")[0]["value"] == 750


def test_of_the_rest_of_a_partial_approval_a_person_is_asked_while_what_was_approved_goes_ahead() -> None:
    journey = Journey().approved(units=750)
    (question,) = journey.tasks("authorization-question")
    assert "(J1439 750 of 1500)" in question["input"][0]["valueString"]
    journey.hears(appointment())
    assert journey.one("ChargeItem")["status"] == "planned"
    journey.person(question, "accepted")
    assert [q["status"] for q in journey.tasks("authorization-question")] == ["completed"]
    assert journey.status == ("partly-approved", "completed")


def test_an_item_the_payer_wants_no_authorization_for_needs_none() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    decision = journey.answered("preauthorization-answered", claim, claim_answer(claim, "NA"))
    assert decision.reason == "preauthorization-not-required"
    assert journey.status == ("not-required", "completed")
    journey.hears(appointment())
    assert journey.of("ChargeItem") == []
    assert journey.outputs("hold-answer") != []


@pytest.mark.parametrize(
    ("payer_id", "deadline"), [("prairie-health", "2026-08-28"), ("lakeland-advantage", "2026-05-05")]
)
def test_a_denial_keeps_its_reason_and_opens_an_appeal_in_time(payer_id: str, deadline: str) -> None:
    journey = Journey().benefit_known(*referral(payer_id=payer_id))
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", created="2026-03-01T09:00:00Z"))
    (appeal,) = journey.tasks("appeal")
    assert journey.status == ("denied", "rejected")
    assert journey.outputs("denial-reason") == [{"text": "Not medically necessary"}]
    assert appeal["restriction"]["period"]["end"] == deadline
    assert appeal["focus"] == {"reference": reference(journey.one("ClaimResponse"))}


def test_a_pend_sets_a_wake_that_asks_a_person_and_an_answer_clears_it() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    pended = journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    key = f"pended:{claim['id']}"
    assert (pended.reason, pended.wakes) == ("preauthorization-pended", {key: datetime(2026, 12, 5, 6, tzinfo=UTC)})
    journey.at = datetime(2026, 12, 7, 6, tzinfo=UTC)
    assert journey.wakes(key).reason == "preauthorization-unanswered"
    assert journey.status == ("pended", "in-progress")
    answer = claim_answer(claim, "A1", "ph2")
    approved = journey.answered("preauthorization-answered", claim, answer)
    assert (approved.reason, approved.wakes) == ("preauthorization-approved", {key: None})
    assert journey.tasks("authorization-question")[0]["status"] == "cancelled"
    assert journey.wakes(key).saves == ()


def test_a_late_pend_never_turns_an_approval_back() -> None:
    journey = Journey().approved()
    claim = journey.one("Claim")
    for answer_id in ("ph1", "ph0"):
        late = journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4", answer_id))
        assert (late.reason, late.saves) == ("nothing-to-do", ())
    assert journey.status == ("approved", "completed")


def test_the_same_answer_under_another_id_changes_nothing() -> None:
    journey = Journey().approved()
    claim = journey.one("Claim")
    again = claim_answer(claim, "A1", "ph7", created="2026-11-22T08:00:00Z")
    assert journey.answered("preauthorization-answered", claim, again).saves == ()


def test_a_denial_after_an_approval_is_a_question_and_changes_nothing_else() -> None:
    journey = Journey().approved()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", "ph8"))
    assert journey.status == ("approved", "completed")
    assert journey.tasks("authorization-question")[0]["input"][0]["type"]["coding"][0]["code"] == "payer-contradicts"


@pytest.mark.parametrize("action", ["A2", "A6", "C", "CT", "ZZ"])
def test_every_other_review_action_is_a_question_and_never_a_crash(action: str) -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    decision = journey.answered("preauthorization-answered", claim, claim_answer(claim, action))
    assert decision.reason == "preauthorization-questioned"
    assert action in journey.tasks("authorization-question")[0]["input"][0]["valueString"]


@pytest.mark.parametrize("lost", ["item", "adjudication", "period"])
def test_an_answer_that_decides_nothing_is_a_question(lost: str) -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    answer = claim_answer(claim)
    match lost:
        case "item":
            del answer["item"]
        case "adjudication":
            del answer["item"][0]["adjudication"][0]["extension"]
        case _:
            del answer["item"][0]["extension"]
    journey.answered("preauthorization-answered", claim, answer)
    assert journey.status == ("question", "on-hold")


def test_a_refused_request_is_a_question_and_a_person_may_submit_it_again() -> None:
    journey = Journey().benefit_known()
    first = journey.one("Claim")
    issue = {"severity": "error", "code": "required", "diagnostics": "the member id is missing"}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    journey.answered("preauthorization-refused-by-payer", first, outcome)
    (question,) = journey.tasks("authorization-question")
    assert question["input"][0]["valueString"].endswith("Payer: the member id is missing.")
    assert journey.status == ("question", "on-hold")
    assert journey.person(question, "resubmit").reason == "preauthorization-asked"
    first, second = journey.of("Claim")
    assert (first["status"], second["status"]) == ("cancelled", "active")
    assert first["identifier"] != second["identifier"]


def test_an_answer_to_a_claim_nobody_knows_changes_nothing() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    stranger = {**claim, "id": "au-00000000-0000-0000-0000-000000000000"}
    assert journey.answered("preauthorization-answered", stranger, claim_answer(claim)).saves == ()


# Persons


def test_an_answer_to_an_unknown_or_closed_question_is_refused() -> None:
    journey = Journey(declared(practice("practice"))).benefit_known()
    (question,) = journey.tasks("authorization-question")
    assert journey.person(journey.task, "submit").refusals == ("question-unknown",)
    journey.person(question, "submit")
    assert journey.person(question, "submit").refusals == ("question-closed",)


def test_an_answer_without_output_is_refused() -> None:
    journey = Journey(declared(practice("practice"))).benefit_known()
    (question,) = journey.tasks("authorization-question")
    event = Event("command", "task-answered", LANE, NOW, NOW, ({**question, "status": "completed"},), None, DESK)
    assert journey.take(event).refusals == ("answer-missing",)


@pytest.mark.parametrize("client", [None, "mercy-ehr", "never-heard-of"])
def test_who_refers_patients_answers_no_question_of_authorization(client: str | None) -> None:
    site = practice("practice")
    referrers = {**site.referrers, "mercy-ehr": Referrer("mercy-ehr", "Mercy Clinic EHR")}
    journey = Journey(declared(replace(site, referrers=referrers))).benefit_known()
    (question,) = journey.tasks("authorization-question")
    output = [{"type": coded(CANONICAL + "CodeSystem/answer", "submit"), "valueBoolean": True}]
    given = {**question, "status": "completed", "output": output}
    decision = journey.take(Event("command", "task-answered", LANE, NOW, NOW, (given,), reference(given), client))
    assert (decision.saves, decision.refusals) == ((), ("answer-not-by-practice",))
    assert journey.person(question, "submit").refusals == ()


# Order of events


def test_messages_in_another_order_end_alike() -> None:
    first, second = Journey(), Journey()
    first.hears(*referral(FCM))
    for resource in reversed(referral(FCM)):
        second.hears(resource)
    for journey in (first, second):
        request = journey.one("CoverageEligibilityRequest")
        journey.answered("benefit-answered", request, benefit_answer(request))
    assert first.one("Claim") == second.one("Claim")


def test_an_event_nobody_expects_changes_nothing() -> None:
    journey = Journey().benefit_known()
    assert journey.wakes("something-else").reason == "nothing-to-do"
    assert journey.answered("preauthorization-withdrawn", journey.one("Claim")).reason == "nothing-to-do"
