"""What of a chart a payer may be shown: clinical records that stand and that nobody restricted."""

from __future__ import annotations

from typing import Any

import pytest

from services.auth.wire.standing import EVIDENCE_KINDS, may_travel
from shared.core import PRACTICE_ONLY_LABEL
from tests.services.auth.patient import coded

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
DOCUMENT = {"resourceType": "DocumentReference", "id": "in-note", "status": "current", "content": []}
ALLERGY = {"resourceType": "AllergyIntolerance", "id": "in-allergy"}


def labelled(*labels: tuple[str, str]) -> dict[str, Any]:
    return {"meta": {"security": [{"system": system, "code": code} for system, code in labels]}}


def verified(code: str) -> dict[str, Any]:
    return {"verificationStatus": coded(TERMINOLOGY + "allergyintolerance-verification", code)}


@pytest.mark.parametrize(
    "record",
    [
        DOCUMENT,
        DOCUMENT | {"docStatus": "final"},
        DOCUMENT | labelled((TERMINOLOGY + "v3-Confidentiality", "N")),
        DOCUMENT | labelled((TERMINOLOGY + "v3-ActReason", "TREAT")),
        ALLERGY,
        ALLERGY | verified("unconfirmed"),
        ALLERGY | {"verificationStatus": {"text": "said by the patient"}},
    ],
)
def test_a_clinical_record_that_stands_and_nobody_restricted_may_travel(record: dict[str, Any]) -> None:
    assert may_travel(record)


@pytest.mark.parametrize(
    "record",
    [
        DOCUMENT | {"status": "entered-in-error"},
        DOCUMENT | {"status": "superseded"},
        DOCUMENT | {"docStatus": "entered-in-error"},
        ALLERGY | verified("entered-in-error"),
    ],
)
def test_what_was_taken_back_or_replaced_may_not_travel(record: dict[str, Any]) -> None:
    assert not may_travel(record)


@pytest.mark.parametrize(
    "labels",
    [
        [(TERMINOLOGY + "v3-Confidentiality", "R")],
        [(TERMINOLOGY + "v3-Confidentiality", "V")],
        [(TERMINOLOGY + "v3-ActCode", "PSYTHPN")],
        [(TERMINOLOGY + "v3-Confidentiality", "N"), (TERMINOLOGY + "v3-ActCode", "HIV")],
        [(PRACTICE_ONLY_LABEL["system"], PRACTICE_ONLY_LABEL["code"])],
    ],
)
def test_a_label_that_restricts_keeps_a_record_here(labels: list[tuple[str, str]]) -> None:
    assert not may_travel(DOCUMENT | labelled(*labels))


@pytest.mark.parametrize("kind", ["Consent", "Coverage", "RelatedPerson", "Task"])
def test_what_is_not_clinical_may_not_travel(kind: str) -> None:
    assert not may_travel({"resourceType": kind, "id": "in-x", "status": "active"}, EVIDENCE_KINDS)


def test_answers_to_a_question_set_travel_only_as_evidence() -> None:
    answers = {"resourceType": "QuestionnaireResponse", "id": "au-answers", "status": "completed"}
    assert may_travel(answers, EVIDENCE_KINDS)
    assert not may_travel(answers)
