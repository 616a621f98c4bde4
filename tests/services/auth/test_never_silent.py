"""No case waits in silence: a question that is open, a wake that is set, or a request under way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.auth.questions import OPEN
from services.auth.wire.claims import PAS
from shared.catalogue import HCPCS
from shared.core import Resource
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import (
    NOW,
    appointment,
    coded,
    condition,
    coverage,
    lab,
    medication,
    order,
    referral,
)

VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def open_questions(journey: Journey) -> list[str]:
    found = [q for q in journey.tasks("authorization-question") if q["status"] in OPEN]
    return [q["input"][0]["type"]["coding"][0]["code"] for q in found]


def the_open(journey: Journey) -> Resource:
    (found,) = [q for q in journey.tasks("authorization-question") if q["status"] in OPEN]
    return found


def pended() -> tuple[Journey, Resource]:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    return journey, claim


# A person's answers


@pytest.mark.parametrize("reason", ["benefit-refused-by-payer", "benefit-unreadable"])
def test_a_refused_benefit_request_can_be_made_again_or_answered_by_a_person(reason: str) -> None:
    for answer, status in (("resubmit", "investigating"), ("required", "submitted")):
        journey = Journey()
        journey.hears(*referral())
        journey.answered(reason, journey.one("CoverageEligibilityRequest"))
        journey.person(the_open(journey), answer)
        assert journey.status == (status, "in-progress")
        assert len(journey.of("CoverageEligibilityRequest")) == (2 if answer == "resubmit" else 1)
        assert len(journey.of("Claim")) == (1 if answer == "required" else 0)


def test_an_answer_that_would_change_nothing_is_refused_and_the_question_stays_open() -> None:
    journey = Journey().approved()
    journey.hears(medication(700, 2))
    assert journey.person(the_open(journey), "perhaps").refusals == ("answer-unknown",)
    assert open_questions(journey) == ["order-changed"]


def test_a_payer_nobody_knows_is_named_by_a_coverage_and_not_by_an_answer() -> None:
    journey = Journey()
    journey.hears(*referral(payer_id="unheard-of"))
    assert journey.person(the_open(journey), "prairie-health").refusals == ("answer-unknown",)
    assert open_questions(journey) == ["payer-unknown"]


def test_an_inquiry_that_ends_nothing_is_asked_for_again() -> None:
    journey, claim = pended()
    key = f"pended:{claim['id']}"
    for days in (16, 17, 18):
        journey.at = NOW + timedelta(days=days)
        journey.wakes(key)
        assert open_questions(journey) == ["payer-late"]
        inquired = journey.person(the_open(journey), "inquired")
        assert inquired.wakes == {key: journey.at + timedelta(hours=24)}
        assert open_questions(journey) == []
    assert len(journey.tasks("authorization-question")) == 3


def test_an_order_that_changes_there_and_back_again_is_asked_about_each_time() -> None:
    journey = Journey().approved()
    for milligrams in (700, 750, 700):
        journey.hears(medication(milligrams, 2))
        assert open_questions(journey) == ["order-changed"]
        journey.person(the_open(journey), "resubmit")
    assert len(journey.of("Claim")) == 4


def test_each_contradiction_of_the_payer_is_a_question_of_its_own() -> None:
    journey = Journey().approved()
    claim = journey.one("Claim")
    for answer in (claim_answer(claim, "A3", "ph8"), claim_answer(claim, "A1", "ph9", units=10)):
        journey.answered("preauthorization-answered", claim, answer)
        assert open_questions(journey) == ["payer-contradicts"]
        journey.person(the_open(journey), "keep")
    assert journey.status == ("approved", "completed")


def test_an_unreadable_answer_to_a_pended_claim_is_a_question_until_a_readable_one() -> None:
    journey, claim = pended()
    journey.answered("preauthorization-unreadable", claim)
    assert (open_questions(journey), journey.status) == (["preauthorization-unreadable"], ("pended", "in-progress"))
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph2"))
    assert open_questions(journey) == []


def test_the_denial_of_a_second_attempt_opens_an_appeal_of_its_own() -> None:
    journey = Journey().benefit_known()
    for milligrams in (750, 700):
        if milligrams == 700:
            journey.hears(medication(700, 2))
            journey.person(the_open(journey), "resubmit")
        claim = journey.of("Claim")[-1]
        journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", f"d{milligrams}"))
    appeals = journey.tasks("appeal")
    assert [a["status"] for a in appeals] == ["requested", "requested"]
    assert len({a["focus"]["reference"] for a in appeals}) == 2
    assert {a["basedOn"][0]["reference"] for a in appeals} == {"ServiceRequest/in-order"}


def test_the_appeal_is_due_by_the_earlier_of_two_dates_of_one_denial() -> None:
    due = []
    for created in ("2026-03-01T03:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01"):
        journey = Journey().benefit_known()
        claim = journey.one("Claim")
        journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", created=created))
        due.append(journey.tasks("appeal")[0]["restriction"]["period"]["end"])
    assert due == ["2026-08-27", "2026-08-28", "2026-08-28"]


# What an approval is worth


def approval(claim: Resource, **changes: Any) -> dict[str, Any]:
    """An approval of 1500 units with parts of its authorized detail changed."""
    answer = claim_answer(claim, units=1500)
    extensions = answer["item"][0]["extension"]
    (detail,) = [e for e in extensions if e["url"] == PAS + "extension-itemAuthorizedDetail"]
    if "measure" in changes:
        detail["extension"][0]["valueQuantity"] |= {"system": "urn:x12", "code": changes["measure"]}
    if "code" in changes:
        product = coded(HCPCS, changes["code"])
        detail["extension"].append({"url": "productOrServiceCode", "valueCodeableConcept": product})
    if "end" in changes:
        extensions[0]["valuePeriod"]["end"] = changes["end"]
    return answer | {k: v for k, v in changes.items() if k in ("status", "use")}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "approved"), ({"measure": "UN"}, "approved"), ({"measure": "VS"}, "question"),
        ({"code": "J1439"}, "approved"), ({"code": "J1756"}, "question"), ({"end": "2026-11-23"}, "approved"),
        ({"status": "cancelled"}, "question"),
        ({"status": "entered-in-error"}, "question"), ({"use": "predetermination"}, "question"),
    ],
)  # fmt: skip
def test_an_approval_in_other_terms_than_ours_is_a_question(changes: dict[str, Any], status: str) -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, approval(claim, **changes))
    assert journey.status[0] == status
    if status == "question":
        journey.hears(appointment())
        assert journey.of("ChargeItem") == []


def test_one_item_answered_twice_is_a_question() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    answer = claim_answer(claim)
    journey.answered("preauthorization-answered", claim, answer | {"item": answer["item"] * 2})
    assert journey.status == ("question", "on-hold")


def test_another_site_of_care_is_a_change_of_the_order() -> None:
    journey = Journey().approved()
    home = coded("https://carepod.example/fhir/CodeSystem/site-of-care", "home")
    journey.hears(order(locationCode=[home]))
    assert open_questions(journey) == ["order-changed"]


# What the request rests on


@pytest.mark.parametrize(
    ("period", "status"),
    [
        ({"start": "2026-11-23"}, "investigating"), ({"start": "2026-11-24"}, "coverage"),
        ({"end": "2026-11-23"}, "investigating"), ({"end": "2026-11-22"}, "coverage"),
    ],
)  # fmt: skip
def test_a_coverage_counts_only_while_it_is_in_force_on_the_first_date_of_service(
    period: dict[str, str], status: str
) -> None:
    journey = Journey()
    received = [r for r in referral() if r["id"] != "in-coverage"]
    journey.hears(*received, coverage(period=period))
    assert journey.missing() == (["coverage"] if status == "coverage" else [])
    assert len(journey.of("CoverageEligibilityRequest")) == (0 if status == "coverage" else 1)


def test_what_was_recorded_by_mistake_is_neither_cited_nor_claimed() -> None:
    mistake = lab("ferritin", 1, id="in-mistake", status="entered-in-error")
    cited = order(
        supportingInfo=[{"reference": "MedicationRequest/in-drug"}, {"reference": "Observation/in-mistake"}],
        reasonReference=[{"reference": "Condition/in-anemia"}, {"reference": "Condition/in-wrong"}],
    )
    wrong = condition("wrong", "K50.00") | {"verificationStatus": coded(VERIFICATION, "entered-in-error")}
    claim = Journey().benefit_known(*referral()[1:], cited, mistake, wrong).one("Claim")
    evidence = [i["valueReference"]["reference"] for i in claim["supportingInfo"]]
    assert "Observation/in-mistake" not in evidence
    codes = [d["diagnosisCodeableConcept"]["coding"][0]["code"] for d in claim["diagnosis"]]
    assert codes == ["D50.0"]


def test_nothing_is_submitted_about_a_patient_who_is_not_known_yet() -> None:
    unknown = [r for r in referral() if r["resourceType"] != "Patient"]
    journey = Journey().benefit_known(*unknown)
    assert journey.of("Claim") == []
    (known,) = [r for r in referral() if r["resourceType"] == "Patient"]
    assert journey.hears(known).reason == "preauthorization-asked"


def test_a_start_at_the_end_of_time_is_no_error() -> None:
    journey = Journey().benefit_known(*referral()[1:], order(occurrencePeriod={"start": "9999-12-31"}))
    assert journey.one("Claim")["item"][0]["servicedPeriod"]["end"] == "9999-12-31"
    request = journey.one("CoverageEligibilityRequest")
    assert journey.answered("benefit-answered", request, benefit_answer(request)).saves == ()
