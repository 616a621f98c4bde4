"""What a change of one record does to a referral that is under way."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from services.intake.records import placer_client
from services.intake.rules import npi_holds
from shared.core import CANONICAL, reference

NEW_RESULT = {"status": "final", "effectiveDateTime": "2026-12-20"}


def entry(resource: Mapping[str, Any], number: int) -> dict[str, Any]:
    """One more entry of a transaction."""
    url = f"urn:uuid:00000000-0000-4000-8000-{number:012}"
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def of_type(bundle: Mapping[str, Any], kind: str) -> Any:
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def rewritten_prescription(bundle: dict[str, Any], number: str, **elements: Any) -> dict[str, Any]:
    """The prescription once more under another number."""
    named = [{"system": "https://ehr.mercy.example/id/prescription", "value": number}]
    return deepcopy(of_type(bundle, "MedicationRequest")) | {"identifier": named} | elements


def test_a_new_result_makes_good_for_one_withdrawn_after_the_order_became_active(
    desk: Any, example: Any, edited: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    withdrawn = {"set": {"Observation/718-7": {"status": "entered-in-error"}}}
    desk.push(edited(example("iron-meets-criteria"), withdrawn))
    assert desk.order["status"] == "on-hold"
    desk.at += timedelta(days=30)
    old = next(o for o in desk.all("Observation") if o["code"]["coding"][0]["code"] == "718-7")
    named = [{"system": "https://ehr.mercy.example/id/result", "value": "new"}]
    about = {k: old[k] for k in ("resourceType", "category", "code", "subject", "valueQuantity")}
    desk.send(about | NEW_RESULT | {"identifier": named})
    assert (desk.order["status"], desk.missing) == ("active", [])


@pytest.mark.parametrize("number", ["RX-0", "RX-1", "RX-2", "RX-3"])
def test_a_prescription_stopped_for_another_of_the_same_drug_is_a_change_not_an_end(
    number: str, desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    changed = example("iron-meets-criteria")
    changed["entry"].append(entry(rewritten_prescription(changed, number), 1))
    of_type(changed, "MedicationRequest")["status"] = "stopped"
    decision = desk.push(changed)
    assert decision.reason == "referral-changed"
    assert desk.order["status"] == "active"
    live = desk.one("MedicationRequest", status="active")
    assert desk.order["supportingInfo"][0] == {"reference": reference(live)}


def test_two_prescriptions_in_force_are_asked_about_not_chosen_from(desk: Any, example: Any) -> None:
    doubled = example("iron-meets-criteria")
    doubled["entry"].append(entry(rewritten_prescription(doubled, "RX-2"), 1))
    desk.push(doubled)
    assert (desk.missing, desk.order["status"]) == (["medication-ambiguous"], "draft")


def test_the_same_entries_in_another_order_are_the_same_records(desk: Any, example: Any, edited: Any) -> None:
    unnamed = edited(example("iron-meets-criteria"), {"set": {"MedicationRequest": {"identifier": None}}})
    desk.push(unnamed)
    turned = {**unnamed, "entry": unnamed["entry"][::-1]}
    assert desk.push(turned).saves == ()


def test_a_prescription_on_hold_holds_the_order(desk: Any, example: Any, edited: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(edited(example("iron-meets-criteria"), {"set": {"MedicationRequest": {"status": "on-hold"}}}))
    assert desk.order["status"] == "on-hold"
    assert desk.referral["statusReason"]["text"] == "The placer's order is on hold"


def test_a_coverage_that_ended_gives_way_to_one_in_force(desk: Any, example: Any) -> None:
    pushed = example("iron-meets-criteria")
    ended = deepcopy(of_type(pushed, "Coverage")) | {"subscriberId": "OLD", "period": {"end": "2026-06-30"}}
    pushed["entry"].append(entry({k: v for k, v in ended.items() if k != "identifier"}, 1))
    of_type(pushed, "ServiceRequest")["insurance"] = [{"reference": pushed["entry"][-1]["fullUrl"]}]
    desk.push(pushed)
    first = desk.held[desk.order["insurance"][0]["reference"]]
    assert (first["subscriberId"], desk.missing) == ("PHP-482913507", [])


def test_an_organization_is_no_prescriber(desk: Any, example: Any) -> None:
    pushed = example("iron-meets-criteria")
    clinic = next(e["fullUrl"] for e in pushed["entry"] if e["resource"].get("name") == "Mercy Clinic Lincoln")
    of_type(pushed, "ServiceRequest")["requester"] = {"reference": clinic}
    named = next(i["value"] for e in pushed["entry"] if e["fullUrl"] == clinic for i in e["resource"]["identifier"])
    assert npi_holds(named)
    desk.push(pushed)
    assert desk.missing == ["prescriber-npi-missing"]


def test_a_refuted_intolerance_documents_nothing(desk: Any, example: Any, edited: Any) -> None:
    pushed = edited(example("iron-meets-criteria"), {"drop": ["MedicationStatement"]})
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
    refuted = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": system.replace("verification", "clinical"), "code": "active"}]},
        "verificationStatus": {"coding": [{"system": system, "code": "refuted"}]},
        "code": {"text": "Ferrous sulfate"},
        "patient": {"reference": pushed["entry"][0]["fullUrl"]},
    }
    pushed["entry"].append(entry(refuted, 1))
    desk.push(pushed)
    assert desk.missing == ["oral-iron-undocumented"]


def test_the_later_consent_is_the_patients_word(desk: Any, example: Any) -> None:
    pushed = example("iron-meets-criteria")
    later = {"identifier": [{"system": "urn:x", "value": "2"}], "dateTime": "2026-11-20", "provision": {"type": "deny"}}
    pushed["entry"].append(entry(deepcopy(of_type(pushed, "Consent")) | later, 1))
    desk.push(pushed)
    assert desk.missing == ["consent-refused"]
    pushed["entry"][-1]["resource"]["dateTime"] = "2026-11-01"
    desk.held = {}
    desk.push(pushed)
    assert desk.missing == []


def test_dates_that_are_not_said_are_left_out(desk: Any, example: Any, edited: Any) -> None:
    unknown = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    events = {"event": [None, "2026-11-24"], "_event": [{"extension": [unknown]}, None]}
    dosage = [{"timing": events, "doseAndRate": [{"doseQuantity": {"value": 750, "unit": "mg"}}]}]
    change = {"ServiceRequest": {"occurrencePeriod": None}, "MedicationRequest": {"dosageInstruction": dosage}}
    desk.push(edited(example("iron-meets-criteria"), {"set": change}))
    assert desk.order["occurrencePeriod"] == {"start": "2026-11-24"}


# Questions


def answered(task: Mapping[str, Any], answer: str, status: str = "completed") -> dict[str, Any]:
    coding = {"system": CANONICAL + "CodeSystem/answer", "code": answer}
    return {**task, "status": status, "output": [{"type": {"coding": [coding]}, "valueBoolean": True}]}


def test_the_placer_does_not_verify_his_own_order(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    question = asking_desk.task("intake-question")
    decision = asking_desk.answer(answered(question, "confirmed"), client="mercy-ehr")
    assert decision.refusals == ("verification-not-by-placer",)
    assert asking_desk.task("intake-question")["status"] == "requested"
    assert asking_desk.answer(question, client="mercy-ehr").refusals == ()


def test_an_answer_nobody_offered_is_refused(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    decision = asking_desk.answer(answered(asking_desk.task("intake-question"), "perhaps"))
    assert decision.refusals == ("answer-missing",)


def test_a_verification_the_pharmacist_declines_is_told_not_lost(asking_desk: Any, example: Any) -> None:
    asking_desk.push(example("iron-meets-criteria"))
    asking_desk.answer({**asking_desk.task("intake-question"), "status": "rejected"})
    assert asking_desk.referral["status"] == "on-hold"
    assert asking_desk.referral["statusReason"]["text"] == "The pharmacist did not verify the order"


# What a visit waits for


def test_what_a_visit_waits_for_and_only_the_placer_has_is_told(desk: Any, example: Any) -> None:
    desk.push(example("infliximab-pended"))
    codes = ("labs-out-of-date", "authorization-pended")
    chair = {
        "resourceType": "Task",
        "id": "sc-chair",
        "status": "in-progress",
        "code": {"coding": [{"system": CANONICAL + "CodeSystem/task-code", "code": "chair"}]},
        "for": desk.referral["for"],
        "focus": {"reference": reference(desk.order)},
        "statusReason": {"coding": [{"system": CANONICAL + "CodeSystem/chair-reason", "code": c} for c in codes]},
    }
    desk.hear(chair)
    assert desk.missing == ["labs-out-of-date"]
    assert desk.referral["status"] == "on-hold"
    assert desk.referral["statusReason"]["text"] == "Information missing for a visit: labs-out-of-date"
    desk.hear({k: v for k, v in chair.items() if k != "statusReason"})
    assert (desk.missing, desk.referral["status"]) == ([], "accepted")


def forged(client: str) -> dict[str, Any]:
    return {"url": CANONICAL + "StructureDefinition/placer-client", "valueString": client}


def test_a_forged_placer_neither_takes_nor_diverts_the_answers(desk: Any, example: Any) -> None:
    pushed = example("iron-meets-criteria")
    of_type(pushed, "Task")["extension"] = [forged("other-ehr")]
    desk.push(pushed)
    assert placer_client(desk.referral) == "mercy-ehr"
    diverted = {k: v for k, v in desk.referral.items() if k != "meta"} | {"extension": [forged("other-ehr")]}
    desk.answer(diverted, client="mercy-ehr")
    assert placer_client(desk.referral) == "mercy-ehr"
