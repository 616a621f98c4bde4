"""What a payer names goes to it by itself where it belongs to the request; of anything else a person decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from services.auth.deliver import attachment_due
from services.auth.service import declared
from services.auth.wire.attaching import attachment_parameters
from services.auth.wire.information import attachments
from services.auth.wire.wanted import Wanted
from shared.core import PRACTICE_ONLY_LABEL, Decision, Event, Resource, reference
from tests.services.auth.journey import Journey
from tests.services.auth.patient import DESK, LANE, NOW, PRACTICE, coded, complete, lab, order, referral, validator
from tests.services.auth.pharmacy import ELECTRONIC, answers, asks, paid_by_pharmacy, questionnaire
from tests.services.auth.pharmacy import FAXING as BY_PHARMACY
from tests.services.auth.test_by_hand import FAXING
from tests.services.auth.test_information import (
    ATTACHED,
    LOINC,
    NOTE,
    asked_for,
    note,
    pending,
    question,
    wanting,
)
from tests.services.auth.test_question_sets import UNIT, filled

VIRAL_LOAD, LABORATORY_REPORT, LETTER = "20447-9", "11502-2", "51852-2"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

FERUMOXYTOL = ("ferumoxytol", "Q0138")


def viral_load(**changes: Any) -> dict[str, Any]:
    """A result that no criterion of the payer names."""
    return lab("ferritin", 9, id="in-viral-load", code=coded(LOINC, VIRAL_LOAD)) | changes


def labelled(system: str, code: str) -> dict[str, Any]:
    return {"meta": {"security": [{"system": system, "code": code}]}}


def wanted_of(chart: Iterable[Resource], *codes: str) -> Journey:
    """Until the payer wants what has these codes, with everything in the chart before."""
    journey = Journey().benefit_known(*chart)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, pending(claim, wanting("T-1", *codes)))
    return journey


def names(journey: Journey, *literals: str) -> Decision:
    """A person says that these are to be sent."""
    output = [{"type": ATTACHED, "valueReference": {"reference": literal}} for literal in literals]
    given = {**question(journey), "status": "completed", "output": output}
    return journey.take(Event("command", "task-answered", LANE, NOW, NOW, (given,), reference(given), DESK))


# By itself


@pytest.mark.parametrize("code", [NOTE, "11506-3", "34117-2", "34108-1", "10160-0", LETTER])
def test_a_note_that_every_review_asks_for_goes_by_itself(code: str) -> None:
    assert question(wanted_of([*referral(), note(code)], code))["status"] == "completed"


@pytest.mark.parametrize("code", ["2276-4", "20567-4", "24373-3"])
def test_a_result_that_the_payers_criteria_name_goes_by_itself(code: str) -> None:
    found = lab("ferritin", 9, id="in-later", code=coded(LOINC, code))
    assert question(wanted_of([*referral(), found], code))["status"] == "completed"


def test_what_the_request_shows_anyway_goes_by_itself() -> None:
    cited = [*order()["supportingInfo"], {"reference": "Observation/in-viral-load"}]
    chart = [r for r in referral() if r["id"] != "in-order"]
    journey = wanted_of([order(supportingInfo=cited), *chart, viral_load()], VIRAL_LOAD)
    assert question(journey)["status"] == "completed"


# Of another matter


@pytest.mark.parametrize(
    "found", [viral_load(), note(LABORATORY_REPORT), lab("ferritin", 9, id="in-odd", code=coded(LOINC, NOTE))]
)
def test_what_is_of_another_matter_a_person_is_asked_about_and_may_attach(found: Resource) -> None:
    code = found.get("type", found.get("code", {}))["coding"][0]["code"]
    journey = wanted_of([*referral(), found], code)
    before = question(journey)
    assert (before["status"], journey.missing()) == ("requested", [code])
    assert journey.hears(found).reason == "nothing-to-do"
    assert names(journey, reference(found)).reason == "preauthorization-pended"
    assert attachment_due(before, question(journey)) == "1"
    assert [r["id"] for r in attachments(question(journey), journey.store.known)] == [found["id"]]


def test_one_code_of_another_matter_keeps_the_rest_of_its_request_for_a_person() -> None:
    journey = wanted_of([*referral(), note(), viral_load()], NOTE, VIRAL_LOAD)
    assert (question(journey)["status"], journey.missing()) == ("requested", [VIRAL_LOAD])


def test_a_letter_of_our_own_for_another_request_is_not_sent_by_itself() -> None:
    packet = Journey(service=declared(FAXING)).benefit_known().one("DocumentReference")
    assert packet["type"]["coding"][0]["code"] == LETTER
    assert question(wanted_of([*referral(), packet], LETTER))["status"] == "requested"


# Restricted


@pytest.mark.parametrize(
    "label",
    [(CONFIDENTIALITY, "V"), (CONFIDENTIALITY, "R"), (ACT_CODE, "PSYTHPN"), tuple(PRACTICE_ONLY_LABEL.values())],
)
def test_what_a_label_restricts_does_not_go_by_itself_nor_does_an_older_one_in_its_place(
    label: tuple[str, str],
) -> None:
    chart = [*referral(), note(on="2026-11-01"), note() | labelled(*label)]
    assert question(wanted_of(chart, NOTE))["status"] == "requested"


def test_a_label_that_restricts_nothing_keeps_nothing_back() -> None:
    chart = [*referral(), note() | labelled(CONFIDENTIALITY, "N")]
    assert question(wanted_of(chart, NOTE))["status"] == "completed"


def test_a_document_whose_content_was_entered_in_error_does_not_go() -> None:
    assert question(wanted_of([*referral(), note(docStatus="entered-in-error")], NOTE))["status"] == "requested"


# What a person names


@pytest.mark.parametrize(
    "found",
    [
        {"resourceType": "Task", "id": "au-hub", "status": "requested", "intent": "order"},
        {"resourceType": "Consent", "id": "in-consent", "status": "active"},
        note() | labelled(**PRACTICE_ONLY_LABEL),
        note(status="superseded"),
        viral_load(status="entered-in-error"),
    ],
    ids=["task", "consent", "practice-only", "superseded", "in-error"],
)
def test_what_no_payer_is_shown_cannot_be_named(found: Resource) -> None:
    journey, _ = asked_for(wanting("T-1", VIRAL_LOAD))
    journey.store.known[reference(found)] = found
    assert names(journey, reference(found)).refusals == ("answer-missing",)
    assert question(journey)["status"] == "requested"


def test_a_person_may_send_what_is_restricted_and_what_he_named_and_was_taken_back_is_not_sent() -> None:
    restricted = note() | labelled(CONFIDENTIALITY, "R")
    journey = wanted_of([*referral(), restricted], NOTE)
    assert names(journey, reference(restricted)).refusals == ()
    known = journey.store.known
    assert [r["id"] for r in attachments(question(journey), known)] == [restricted["id"]]
    known[reference(restricted)] = {**restricted, "status": "entered-in-error"}
    assert attachments(question(journey), known) == []


# Question sets


def number(code: str) -> dict[str, Any]:
    return asks("1", "decimal", code=[{"system": LOINC, "code": code}], extension=[UNIT])


def test_a_question_set_is_answered_with_what_the_payers_criteria_name_and_nothing_of_another_matter() -> None:
    assert filled(number("2276-4")) == (9, "Observation/in-ferritin")
    assert filled(number(VIRAL_LOAD), *referral(), viral_load()) == (None, None)


def test_a_set_that_the_practice_holds_is_answered_though_the_payer_has_no_criteria() -> None:
    found = answers(paid_by_pharmacy(BY_PHARMACY, *referral(FERUMOXYTOL)).one("QuestionnaireResponse"))
    assert found["5"] == 9
    received = paid_by_pharmacy(ELECTRONIC, *referral(FERUMOXYTOL))
    response = received.one("QuestionnaireResponse")
    received.answered("question-set-received", response, questionnaire(number("2276-4")))
    assert answers(received.one("QuestionnaireResponse")) == {}


def test_a_question_set_is_not_answered_with_what_a_label_restricts() -> None:
    restricted = lab("ferritin", 9) | labelled(CONFIDENTIALITY, "V")
    assert filled(number("2276-4"), *referral(), restricted) == (None, None)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "DocumentReference/in-note-2026-11-22"),
        (labelled(CONFIDENTIALITY, "V"), None),
        ({"docStatus": "entered-in-error"}, None),
        ({"type": coded(LOINC, LABORATORY_REPORT)}, None),
    ],
)
def test_a_document_a_question_set_asks_for_is_named_where_it_may_be(changes: Any, named: str | None) -> None:
    document = note() | changes
    wanted = asks("1", "attachment", code=document["type"]["coding"])
    assert filled(wanted, *referral(), document)[1] == named


STANDS = {"clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active")}


@pytest.mark.parametrize(
    ("kind", "element", "more"),
    [("AllergyIntolerance", "patient", STANDS), ("Observation", "subject", {"status": "final"})],
)
def test_what_is_attached_is_the_members_by_his_number(kind: str, element: str, more: dict[str, Any]) -> None:
    journey = wanted_of(complete(referral()), VIRAL_LOAD)
    said = {"code": {"text": "As said"}, element: {"reference": "Patient/in-p", "display": "Halvorsen"}}
    record = {"resourceType": kind, "id": "in-said", **more, **said}
    wanted = Wanted(("", "T-1"), (VIRAL_LOAD,), (), None, ())
    known, payer = journey.store.known, PRACTICE.payers[0]
    told = attachment_parameters(journey.one("Claim"), wanted, (record,), known, PRACTICE, payer)
    (sent,) = (p["resource"] for a in told["parameter"] if "part" in a for p in a["part"] if "resource" in p)
    assert sent[element].keys() == {"identifier"}
    assert validator().check(sent) == []
