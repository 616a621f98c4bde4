"""A drug that the pharmacy benefit alone pays is asked for by its question set, which the chart and a person answer."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from shared.core import IDENTIFIERS, Event, Resource, reference
from shared.settings import Site
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import LANE, NOW, PRACTICE, TODAY, coded, condition, lab, referral
from tests.services.auth.pharmacy import (
    ELECTRONIC,
    FAXING,
    FHIR,
    LOINC,
    answers,
    asks,
    open_question,
    paid_by_pharmacy,
    practice,
    questionnaire,
    replies,
    sources,
)
from tests.services.auth.test_by_hand import LETTER, NUMBER, PERIOD, REASON, said, words

ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
FERRITIN = {"code": [{"system": LOINC, "code": "2276-4"}]}
UNIT = {"url": FHIR + "questionnaire-unit", "valueCoding": {"system": "http://unitsofmeasure.org", "code": "ng/mL"}}


def received(*items: dict[str, Any], site: Site = ELECTRONIC, chart: Any = (), **changes: Any) -> Journey:
    """Until the set of who decides the pharmacy benefit came."""
    journey = paid_by_pharmacy(site, *(chart or referral()))
    response = journey.one("QuestionnaireResponse")
    journey.answered("question-set-received", response, questionnaire(*items, **changes))
    return journey


def filled(item: dict[str, Any], *chart: Resource) -> tuple[Any, str | None]:
    """What the chart alone answers to one item, and by which resource."""
    response = received(item, chart=chart).one("QuestionnaireResponse")
    return answers(response).get(item["linkId"]), sources(response).get(item["linkId"])


# Which way it goes


def test_without_a_way_to_ask_its_pharmacy_benefit_nothing_is_asked() -> None:
    journey = paid_by_pharmacy(PRACTICE)
    assert journey.status == ("not-covered", "rejected")
    assert journey.of("QuestionnaireResponse") == []


def test_who_has_an_interface_is_asked_for_its_question_set_first() -> None:
    journey = paid_by_pharmacy(ELECTRONIC)
    assert journey.decisions[-1].reason == "question-set-asked"
    assert journey.status == ("investigating", "in-progress")
    response = journey.one("QuestionnaireResponse")
    assert (response["status"], "item" in response) == ("in-progress", False)
    assert response["identifier"]["assigner"]["identifier"]["value"] == "prairie-rx"
    assert journey.of("Claim") == []


def test_who_has_none_is_answered_by_the_set_we_hold() -> None:
    journey = paid_by_pharmacy(FAXING)
    assert journey.decisions[-1].reason == "question-set-opened"
    found = answers(journey.one("QuestionnaireResponse"))
    assert found == {
        "1": "PHP-482913507", "2": "1981-04-09", "3": "1548302763", "4": "D50.0", "5": 9,
        "6": (TODAY - timedelta(days=5)).isoformat(),
    }  # fmt: skip


def test_a_draft_nobody_adopted_answers_nothing_and_a_person_is_asked() -> None:
    journey = paid_by_pharmacy(practice("fax", holds=False, fax="+1-402-555-0177"))
    question = open_question(journey, "question-set-unavailable")
    journey.person(question, "submit")
    assert journey.status == ("submitted", "in-progress")


def test_an_order_that_cannot_be_counted_asks_for_no_set() -> None:
    chart = [r for r in referral() if r["resourceType"] != "MedicationRequest"]
    journey = paid_by_pharmacy(ELECTRONIC, *chart)
    assert journey.missing() == ["dose-missing"]
    assert journey.of("QuestionnaireResponse") == []


def test_an_urgent_order_is_asked_about_before_its_set_is() -> None:
    order, *rest = referral()
    journey = paid_by_pharmacy(ELECTRONIC, {**order, "priority": "urgent"}, *rest)
    journey.person(open_question(journey, "expedited-unsupported"), "expedited")
    assert journey.decisions[-1].reason == "question-set-asked"


# What the chart answers


def test_every_answer_says_which_resource_it_was_taken_from() -> None:
    found = sources(paid_by_pharmacy(FAXING).one("QuestionnaireResponse"))
    assert found == {
        "1": "Coverage/in-coverage", "2": "Patient/in-p", "3": "Practitioner/in-doctor", "4": "Condition/in-anemia",
        "5": "Observation/in-ferritin", "6": "Observation/in-ferritin",
    }  # fmt: skip


def test_yes_and_no_are_a_persons() -> None:
    assert filled(asks("1", "boolean", **FERRITIN)) == (None, None)


def test_which_of_several_apply_is_a_persons() -> None:
    option = {"valueCoding": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "D50.0"}}
    several = asks("1", "choice", repeats=True, answerOption=[option], definition=FHIR + "Condition#Condition.code")
    assert filled(several)[0] is None
    assert filled({**several, "repeats": False})[0] == option["valueCoding"]


def test_which_of_two_diagnoses_is_meant_is_a_persons() -> None:
    order, *rest = referral()
    why = [*order.get("reasonReference", ()), {"reference": "Condition/in-crohn"}]
    chart = [{**order, "reasonReference": why}, *rest, condition("crohn", "K50.90")]
    offered = [{"valueCoding": {"system": ICD_10_CM, "code": c}} for c in ("K50.90", "D50.0")]
    item = asks("1", "choice", definition=FHIR + "Condition#Condition.code")
    assert filled({**item, "answerOption": offered}, *chart)[0] is None
    assert filled({**item, "answerOption": offered[1:]}, *chart)[0] == offered[1]["valueCoding"]
    assert filled({**item, "type": "string"}, *chart)[0] is None


@pytest.mark.parametrize(
    ("texts", "found"), [(["first", "then monthly"], "first; then monthly"), (["first", ""], None)]
)
def test_a_dosage_is_told_whole_or_not_at_all(texts: list[str], found: str | None) -> None:
    def told(prescription: Resource) -> Resource:
        (dosage, *_) = prescription["dosageInstruction"]
        return {**prescription, "dosageInstruction": [{**dosage, **({"text": t} if t else {})} for t in texts]}

    chart = [told(r) if r["resourceType"] == "MedicationRequest" else r for r in referral()]
    item = asks("1", "text", definition=FHIR + "MedicationRequest#MedicationRequest.dosageInstruction")
    assert filled(item, *chart)[0] == found


@pytest.mark.parametrize("kind", ["string", "text", "open-choice", "choice"])
@pytest.mark.parametrize("code", ["low", "ng/mL"])
def test_the_unit_of_a_result_is_not_its_value(kind: str, code: str) -> None:
    options = {"answerOption": [{"valueCoding": {"code": code}}]} if "choice" in kind else {}
    assert filled(asks("1", kind, **FERRITIN, **options))[0] is None


def test_a_diagnosis_that_is_no_option_is_left_to_a_person() -> None:
    option = {"valueCoding": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "D50.9"}}
    item = asks("1", "choice", answerOption=[option], definition=FHIR + "Condition#Condition.code")
    assert filled(item) == (None, None)


@pytest.mark.parametrize(("unit", "found"), [("ng/mL", 9), ("ug/L", None), ("g/dL", None)])
def test_a_number_is_taken_in_the_very_unit_that_is_asked_for(unit: str, found: int | None) -> None:
    extension = {**UNIT, "valueCoding": {"system": "http://unitsofmeasure.org", "code": unit}}
    assert filled(asks("1", "decimal", extension=[extension], **FERRITIN))[0] == found


def test_a_number_whose_unit_nobody_asks_for_is_left_to_a_person() -> None:
    assert filled(asks("1", "decimal", **FERRITIN))[0] is None


def test_a_bounded_value_is_no_number() -> None:
    chart = [*referral(), lab("ferritin", 9) | {"valueQuantity": {"value": 9, "comparator": "<", "code": "ng/mL"}}]
    assert filled(asks("1", "decimal", extension=[UNIT], **FERRITIN), *chart)[0] is None


@pytest.mark.parametrize(("days_ago", "found"), [(89, 9), (90, 9), (91, None)])
def test_a_result_is_told_up_to_ninety_days_after_its_collection(days_ago: int, found: int | None) -> None:
    chart = [*referral(), lab("ferritin", 9, days_ago=days_ago)]
    assert filled(asks("1", "decimal", extension=[UNIT], **FERRITIN), *chart)[0] == found


@pytest.mark.parametrize(("most", "found"), [(12, None), (13, "PHP-482913507"), (14, "PHP-482913507")])
def test_an_answer_that_is_too_long_is_left_to_a_person(most: int, found: str | None) -> None:
    assert filled(asks("1", "string", maxLength=most, definition=FHIR + "Coverage#Coverage.subscriberId"))[0] == found


NOTE = {
    "resourceType": "DocumentReference", "id": "in-note", "status": "current", "date": "2026-11-01T10:00:00Z",
    "type": coded(LOINC, "11488-4"), "subject": {"reference": "Patient/in-p"},
}  # fmt: skip
WANTED = asks("1", "attachment", code=[{"system": LOINC, "code": "11488-4"}])


@pytest.mark.parametrize("held", [{"data": "JVBERi0="}, {"url": "Binary/in-bytes"}])
def test_a_document_asked_for_is_named_and_goes_with_the_request(held: dict[str, str]) -> None:
    attachment = {"contentType": "application/pdf", "title": "Consult"}
    journey = received(WANTED, chart=[*referral(), {**NOTE, "content": [{"attachment": attachment | held}]}])
    assert answers(journey.one("QuestionnaireResponse"))["1"] == attachment
    assert "DocumentReference/in-note" in cited(journey.one("Claim"))


def test_a_document_whose_bytes_are_with_others_answers_nothing_whoever_names_it() -> None:
    elsewhere = {**NOTE, "content": [{"attachment": {"url": "https://ehr.test/1"}}]}
    journey = received(WANTED, chart=[*referral(), elsewhere])
    assert journey.missing() == ["1"]
    named = {"reference": "DocumentReference/in-note"}
    assert replies(journey, ("1", "valueReference", named)).refusals == ("answer-missing",)


# What a person answers


def test_a_person_is_asked_what_is_open_and_the_next_question_follows_from_the_answer() -> None:
    journey = paid_by_pharmacy(FAXING)
    assert journey.missing() == ["7"]
    assert replies(journey, ("7", "valueBoolean", False)).reason == "question-set-opened"
    assert journey.missing() == ["7.2"]
    replies(journey, ("7.2", "valueCoding", {"system": "urn:prairie-rx:iron", "code": "intolerance"}))
    response = journey.one("QuestionnaireResponse")
    assert response["status"] == "completed"
    assert answers(response)["7.2"]["code"] == "intolerance"
    assert sources(response)["7"].startswith("Task/au-")


def test_what_is_no_longer_asked_is_not_sent() -> None:
    journey = paid_by_pharmacy(FAXING)
    replies(journey, ("7", "valueBoolean", True), ("7.2", "valueCoding", OTHER))
    replies(journey, ("7.1", "valueString", "Ferrous sulfate, not tolerated"))
    assert {"7", "7.1"} <= set(answers(journey.one("QuestionnaireResponse")))
    assert "7.2" not in answers(journey.one("QuestionnaireResponse"))


OTHER = {"system": "urn:prairie-rx:iron", "code": "other"}


def test_a_persons_word_stands_before_the_charts() -> None:
    journey = paid_by_pharmacy(FAXING)
    replies(journey, ("7", "valueBoolean", False), ("7.2", "valueCoding", OTHER), ("5", "valueDecimal", 11))
    assert answers(journey.one("QuestionnaireResponse"))["5"] == 11


@pytest.mark.parametrize(
    "item",
    [
        ("7", "valueString", "yes"),
        ("7.2", "valueCoding", {"system": "urn:prairie-rx:iron", "code": "unheard-of"}),
        ("1", "valueString", "x" * 21),
        ("2", "valueDate", "2026"),
        ("99", "valueBoolean", True),
    ],
)
def test_an_answer_that_does_not_fit_its_item_is_refused(item: tuple[str, str, Any]) -> None:
    journey = paid_by_pharmacy(FAXING)
    assert replies(journey, item).refusals == ("answer-missing",)
    assert open_question(journey)["status"] == "requested"


@pytest.mark.parametrize(
    ("element", "offered", "other"),
    [("valueString", "Mild", "mild"), ("valueInteger", 2, 3), ("valueDate", "2026-11-01", "2026-11-02")],
)
def test_an_option_that_is_no_code_is_named_and_taken_and_no_other_is(element: str, offered: Any, other: Any) -> None:
    journey = received(asks("1", "choice", answerOption=[{element: offered}]))
    assert str(offered) in open_question(journey)["input"][0]["valueString"]
    assert replies(journey, ("1", element, other)).refusals == ("answer-missing",)
    replies(journey, ("1", element, offered))
    assert answers(journey.one("QuestionnaireResponse")) == {"1": offered}
    assert journey.status[0] == "submitted"


def test_an_answer_to_no_item_is_refused() -> None:
    assert replies(paid_by_pharmacy(FAXING)).refusals == ("answer-missing",)


def test_one_item_takes_one_answer_unless_it_repeats() -> None:
    twice = (("1", "valueString", "a"), ("1", "valueString", "b"))
    assert replies(received(asks("1", "string")), *twice).refusals == ("answer-missing",)
    journey = received(asks("1", "string", repeats=True))
    replies(journey, *twice)
    assert answers(journey.one("QuestionnaireResponse"))["1"] == ["a", "b"]


def test_a_set_of_items_that_need_no_answer_does_not_go_out_before_a_person_saw_it() -> None:
    follows = {"question": "1", "operator": "exists", "answerBoolean": True}
    optional = asks("2", "string", required=False, enableWhen=[follows])
    journey = received(asks("1", "boolean", required=False), optional)
    assert (journey.of("Claim"), journey.missing()) == ([], ["1"])
    replies(journey, ("1", "valueBoolean", False))
    assert (journey.of("Claim"), journey.missing()) == ([], ["2"])
    assert replies(journey).refusals == ()
    assert answers(journey.one("QuestionnaireResponse")) == {"1": False}
    assert journey.status == ("submitted", "in-progress")


def test_a_blank_answer_is_refused_while_one_item_must_be_answered() -> None:
    journey = received(asks("1", "boolean", required=False), asks("2", "boolean"))
    assert replies(journey).refusals == ("answer-missing",)


def test_a_result_that_arrives_meanwhile_is_filled_in_and_the_question_stays() -> None:
    chart = [r for r in referral() if r.get("id") != "in-ferritin"]
    journey = paid_by_pharmacy(FAXING, *chart)
    before = open_question(journey)
    assert journey.missing() == ["5", "6", "7"]
    journey.hears(lab("ferritin", 9))
    assert journey.missing() == ["7"]
    assert open_question(journey)["id"] == before["id"]


# What goes out


def whole(site: Site = ELECTRONIC) -> Journey:
    return received(asks("1", "date", definition=FHIR + "Patient#Patient.birthDate"), site=site)


def cited(claim: Resource) -> list[str]:
    return [i["valueReference"]["reference"] for i in claim["supportingInfo"]]


def test_answers_that_are_whole_go_out_with_the_request_without_a_person() -> None:
    journey = whole()
    assert journey.decisions[-1].reason == "preauthorization-asked"
    claim = journey.one("Claim")
    assert claim["insurer"]["identifier"] == {"system": IDENTIFIERS + "payer", "value": "prairie-rx"}
    assert reference(journey.one("QuestionnaireResponse")) in cited(claim)
    assert journey.one("QuestionnaireResponse")["status"] == "completed"


def test_the_decision_is_read_like_any_other() -> None:
    journey = whole()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.status == ("approved", "completed")
    assert [q["value"] for q in journey.outputs("units")] == [1500]


def test_a_denial_opens_its_appeal_and_a_pend_waits() -> None:
    journey = whole()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4", "pend"))
    assert journey.status == ("pended", "in-progress")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", "no"))
    assert journey.status == ("denied", "rejected")
    assert len(journey.tasks("appeal")) == 1


def test_the_packet_carries_every_question_with_its_answer_and_source() -> None:
    journey = paid_by_pharmacy(FAXING)
    replies(journey, ("7", "valueBoolean", False), ("7.2", "valueCoding", OTHER))
    paper = words(base64.b64decode(journey.one("Binary")["data"]))
    for each in ("Question set", "Latest ferritin", "Observation in-ferritin", "no", "Another reason", "Prairie-Rx"):
        assert each in paper, each
    question = open_question(journey, "request-by-hand")
    journey.take(_entered(journey, question, said("approved"), LETTER, NUMBER, PERIOD))
    assert journey.status == ("approved", "completed")


def test_a_denial_entered_from_a_letter_is_one() -> None:
    journey = paid_by_pharmacy(FAXING)
    replies(journey, ("7", "valueBoolean", False), ("7.2", "valueCoding", OTHER))
    journey.take(_entered(journey, open_question(journey, "request-by-hand"), said("denied"), LETTER, REASON))
    assert journey.status == ("denied", "rejected")


def _entered(journey: Journey, question: Resource, *outputs: dict[str, Any]) -> Event:
    given = {**question, "status": "completed", "output": list(outputs)}
    return Event("command", "task-answered", LANE, NOW, NOW, (given,), reference(question), "person")
