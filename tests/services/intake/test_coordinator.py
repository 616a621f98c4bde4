"""What intake asserts after each event of a referral's life, and that nothing is asserted twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.intake.questions import asks
from services.intake.records import bare
from shared.core import reference
from shared.fhir.json import decode, encode
from tests.services.intake.reports import concept, said, stands

# Arrival


@pytest.mark.parametrize("name", ["iron-meets-criteria", "iron-criteria-not-met", "infliximab-pended", "denied"])
def test_a_complete_referral_gives_an_active_order(name: str, desk: Any, example: Any) -> None:
    decision = desk.push(example(name))
    assert (decision.reason, decision.refusals) == ("referral-completed", ())
    assert decision.saves[0] == desk.order
    assert desk.order["status"] == "active"
    assert stands(desk) == ("accepted", "3.0", "")


def test_an_incomplete_referral_gives_a_draft_order_and_one_answer(desk: Any, example: Any) -> None:
    decision = desk.push(example("incomplete"))
    assert decision.reason == "referral-accepted"
    assert desk.order["status"] == "draft"
    assert stands(desk)[0] == "on-hold"
    assert [t["code"]["coding"][0]["code"] for t in desk.all("Task") if "nobody-to-tell" not in asks(t)] == ["referral"]


def test_a_missing_coverage_withholds_nothing_but_is_told(desk: Any, example: Any, edited: Any) -> None:
    decision = desk.push(edited(example("iron-meets-criteria"), {"drop": ["Coverage"]}))
    assert decision.reason == "referral-completed"
    assert desk.order["status"] == "active"
    assert stands(desk) == ("on-hold", "3.0", "Information missing: coverage-missing")


def test_an_unknown_drug_gives_no_order_but_an_answer(desk: Any, example: Any, edited: Any) -> None:
    change = {"set": {"MedicationRequest": {"medicationCodeableConcept": {"text": "something"}}}}
    decision = desk.push(edited(example("iron-meets-criteria"), change))
    assert decision.reason == "referral-accepted"
    assert [o["intent"] for o in desk.all("ServiceRequest")] == ["order"]
    assert desk.missing == ["drug-unrecognised"]


def test_the_order_says_what_every_fulfiller_needs(desk: Any, example: Any) -> None:
    desk.push(example("infliximab-pended"))
    order = desk.order
    codes = {(c["system"].rpartition("/")[2], c["code"]) for c in order["code"]["coding"]}
    assert {("drug", "infliximab-dyyb"), ("HCPCSReleaseCodeSets", "Q5103"), ("ndc", "00069-0809-01")} == codes
    assert order["category"] == [concept("therapy", "anti-tnf")]
    assert order["performer"][0]["identifier"]["value"] == "riverside"
    assert order["locationCode"] == [concept("site-of-care", "aic")]
    assert order["occurrencePeriod"] == {"start": "2026-11-24"}
    assert order["requester"]["identifier"]["value"] == "1327164988"
    kinds = [s["reference"].partition("/")[0] for s in order["supportingInfo"]]
    assert kinds[0] == "MedicationRequest"
    assert set(kinds[1:]) == {"Observation", "MedicationStatement", "DocumentReference", "Consent"}
    named = [*order["reasonReference"], *order["insurance"], *order["basedOn"], order["requester"], order["subject"]]
    assert all(n["reference"] in desk.held for n in named)


def test_the_same_content_again_changes_nothing(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.at += timedelta(days=3)
    again = desk.push(example("duplicate"))
    assert (again.reason, again.saves) == ("nothing-to-change", ())


def test_a_later_copy_of_the_same_content_changes_nothing_but_its_date(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    before = {key: bare(resource) for key, resource in desk.held.items()}
    later = desk.push(example("duplicate") | {"timestamp": "2026-11-20T08:00:00Z"})
    assert not [s for s in later.saves if s.get("intent") == "filler-order"]
    assert {key: bare(resource) for key, resource in desk.held.items()} == before


def test_two_referrals_of_one_patient_are_two_cases_and_the_second_waits(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    text = _text(example("duplicate")).replace("REF-2026-104417", "REF-2").replace("SO-778120", "SO-2")
    decision = desk.push(_decoded(text.replace("RX-778120", "RX-2")))
    assert decision.reason == "referral-accepted"
    orders = [o for o in desk.all("ServiceRequest") if o["intent"] == "filler-order"]
    assert sorted(o["status"] for o in orders) == ["active", "draft"]


def test_a_referral_without_any_identifier_is_taken_with_a_question(desk: Any, example: Any, edited: Any) -> None:
    unnamed = edited(
        example("iron-meets-criteria"), {"drop": ["Task"], "set": {"ServiceRequest": {"identifier": None}}}
    )
    assert desk.push(unnamed).reason == "referral-completed"
    asked = [t["input"][0]["type"]["coding"][0]["code"] for t in desk.all("Task") if "input" in t]
    assert sorted({*asked} - {"nobody-to-tell"}) == ["order-verification", "placer-identifier"]
    assert len(desk.outputs("question")) == 1
    assert desk.push(unnamed).saves == ()


# Updates


def test_updates_that_fill_the_gaps_let_the_case_go_on(desk: Any, example: Any, edited: Any) -> None:
    whole = example("iron-meets-criteria")
    desk.push(edited(whole, {"drop": ["Coverage", "Consent", "Observation/718-7"]}))
    assert desk.missing == ["coverage-missing", "consent-missing", "hemoglobin-missing"]
    assert desk.order["status"] == "draft"
    decision = desk.push(whole)
    assert decision.reason == "referral-completed"
    assert desk.order["status"] == "active"
    assert desk.missing == []
    assert desk.order["authoredOn"] == desk.at.isoformat()


def test_one_result_by_itself_completes_a_referral(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("infliximab-pended"), {"drop": ["Observation/29463-7"]}))
    assert desk.missing == ["weight-missing"]
    decision = desk.send(weight(desk))
    assert decision.reason == "referral-completed"
    kinds = [s["resourceType"] for s in decision.saves]
    assert kinds == ["ServiceRequest", "Task", "Task", "Observation", "Communication"]


def weight(desk: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://ehr.mercy.example/id/result", "value": "w1"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": reference(desk.one("Patient"))},
        "effectiveDateTime": "2026-11-20",
        "valueQuantity": {"value": 64, "code": "kg", "system": "http://unitsofmeasure.org"},
    }


def test_a_result_after_completion_changes_no_order(desk: Any, example: Any) -> None:
    desk.push(example("infliximab-pended"))
    decision = desk.send(weight(desk))
    assert decision.reason == "observation-received"
    assert [s["resourceType"] for s in decision.saves] == ["Observation"]


def test_requirements_once_met_do_not_grow_old(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.at += timedelta(days=200)
    desk.hear(said(desk, "preauthorization", "in-progress", "submitted"))
    assert desk.missing == []


def test_a_requirement_lost_later_puts_the_order_on_hold(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    wrong = {"set": {"Observation/718-7": {"status": "entered-in-error"}}}
    assert desk.push(edited(example("iron-meets-criteria"), wrong)).reason == "referral-changed"
    assert desk.order["status"] == "on-hold"
    righted = example("iron-meets-criteria") | {"timestamp": "2026-11-20T08:00:00-06:00"}
    assert desk.push(righted).reason == "referral-completed"


def test_an_older_version_never_replaces_a_newer_one(desk: Any, example: Any, edited: Any) -> None:
    moved = {"set": {"ServiceRequest": {"occurrencePeriod": {"start": "2026-12-01"}}}}
    desk.push(edited(example("iron-meets-criteria"), moved) | {"timestamp": "2026-11-20T08:00:00-06:00"})
    assert desk.push(example("iron-meets-criteria")).saves == ()
    assert desk.order["occurrencePeriod"] == {"start": "2026-12-01"}


def test_another_drug_of_another_therapy_revokes_the_first_order(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    first = desk.order["id"]
    infliximab = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "00069-0809-01"}]}
    change = {"set": {"MedicationRequest": {"medicationCodeableConcept": infliximab}}}
    desk.push(edited(example("iron-meets-criteria"), change))
    statuses = {o["id"] == first: o["status"] for o in desk.all("ServiceRequest") if o["intent"] == "filler-order"}
    assert statuses == {True: "revoked", False: "draft"}


# Verification


def test_verification_by_configuration_is_visible(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    question = desk.task("intake-question")
    assert question["status"] == "completed"
    assert question["output"][0]["type"] == concept("answer", "confirmed")
    assert "configuration" in question["note"][0]["text"]


def test_a_pharmacist_is_asked_where_nothing_is_confirmed_by_configuration(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    question = asking_desk.task("intake-question")
    assert question["status"] == "requested"
    assert question["owner"]["identifier"]["value"] == "pharmacist"
    assert "output" not in question
    assert [o["valueReference"]["reference"] for o in asking_desk.outputs("question")] == [reference(question)]
    assert asking_desk.push(example("iron-meets-criteria")).saves == ()


def answered(question: Mapping[str, Any], answer: str) -> dict[str, Any]:
    output = [{"type": concept("answer", answer), "valueBoolean": True}]
    return {**question, "status": "completed", "output": output}


def test_a_pharmacists_answer_is_recorded_once(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    answer = answered(asking_desk.task("intake-question"), "confirmed")
    assert asking_desk.answer(answer).reason == "question-answered"
    assert asking_desk.task("intake-question")["status"] == "completed"
    assert asking_desk.outputs("question") == []
    assert asking_desk.answer(answer).reason == "nothing-to-change"
    other = asking_desk.answer(answered(asking_desk.task("intake-question"), "rejected"))
    assert (other.reason, other.refusals) == ("referral-refused", ("question-already-closed",))


def test_only_the_answer_is_taken_from_who_answers(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    question = asking_desk.task("intake-question")
    asking_desk.answer(answered(question, "confirmed") | {"focus": {"reference": "ServiceRequest/in-other"}})
    assert asking_desk.task("intake-question")["focus"] == question["focus"]


def test_an_order_the_pharmacist_rejects_is_told_on_hold(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    asking_desk.answer(answered(asking_desk.task("intake-question"), "rejected"))
    assert stands(asking_desk) == ("on-hold", "3.0", "The pharmacist did not verify the order")


def test_a_changed_dose_is_verified_again(asking_desk: Any, example: Any, edited: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    asking_desk.answer(answered(asking_desk.task("intake-question"), "confirmed"))
    bundle = example("iron-meets-criteria")
    dose = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "MedicationRequest")
    dose["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] = 500
    asking_desk.push(bundle)
    assert asking_desk.task("intake-question")["status"] == "requested"


def test_answers_without_answer_or_question_are_refused(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    question = asking_desk.task("intake-question")
    assert asking_desk.answer({**question, "status": "completed"}).refusals == ("answer-missing",)
    assert asking_desk.answer({**question, "id": "in-nobody", "status": "completed"}).refusals == ("task-unknown",)


# The end of an order


@pytest.mark.parametrize(
    "change, word",
    [
        ({"Task": {"status": "cancelled"}}, "cancelled"),
        ({"ServiceRequest": {"status": "revoked"}}, "revoked"),
        ({"ServiceRequest": {"status": "entered-in-error"}}, "entered-in-error"),
        ({"MedicationRequest": {"status": "stopped"}}, "stopped"),
    ],
)
def test_an_order_taken_back_ends_the_referral(
    change: Any, word: str, asking_desk: Any, example: Any, edited: Any
) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    revoked = edited(example("iron-meets-criteria"), {"set": change})
    assert asking_desk.push(revoked).reason == "referral-revoked"
    assert asking_desk.order["status"] == "revoked"
    assert asking_desk.task("intake-question")["status"] == "cancelled"
    assert stands(asking_desk) == ("cancelled", "6.0", f"The placer's order is {word}")
    assert asking_desk.push(revoked).saves == ()


def test_an_ended_referral_is_not_opened_again(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(edited(example("iron-meets-criteria"), {"set": {"Task": {"status": "cancelled"}}}))
    assert desk.push(example("iron-meets-criteria")).saves == ()
    again = desk.push(example("iron-meets-criteria") | {"timestamp": "2026-11-20T08:00:00-06:00"})
    assert (again.reason, again.refusals, again.saves) == ("referral-refused", ("referral-cancelled",), ())
    assert desk.order["status"] == "revoked"


def test_the_placer_cancels_by_writing_our_task(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    assert desk.answer({**desk.referral, "status": "cancelled"}).reason == "referral-revoked"
    assert stands(desk)[:2] == ("cancelled", "6.0")


def test_a_denied_referral_written_back_unchanged_is_not_cancelled(desk: Any, example: Any) -> None:
    desk.push(example("denied"))
    desk.hear(said(desk, "preauthorization", "rejected", "denied"))
    assert desk.answer(desk.referral).reason == "nothing-to-change"
    assert stands(desk) == ("rejected", "4.0", "authorization denied")


def test_an_order_on_hold_waits(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(edited(example("iron-meets-criteria"), {"set": {"ServiceRequest": {"status": "on-hold"}}}))
    assert desk.order["status"] == "on-hold"
    assert stands(desk) == ("on-hold", "3.0", "The placer's order is on hold")


# Refusals


def test_a_placer_identifier_of_another_patient_is_refused(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    other = _decoded(_text(example("duplicate")).replace("MC-3301948", "MC-9999999"))
    decision = desk.push(other)
    assert decision.reason == "referral-refused"
    assert "placer-identifier-of-another-patient" in decision.refusals
    assert decision.saves == ()


def test_our_own_order_is_not_written_from_outside(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    decision = desk.send({**desk.order, "status": "revoked"})
    assert (decision.reason, decision.refusals) == ("referral-refused", ("order-is-ours",))


def _text(bundle: Mapping[str, Any]) -> str:
    return encode(bundle).decode()


def _decoded(text: str) -> dict[str, Any]:
    return decode(text.encode())
