"""The code systems, codes and identifier systems intake reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core import CANONICAL, IDENTIFIERS

BSER = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
LOINC = "http://loinc.org"
CVX = "http://hl7.org/fhir/sid/cvx"
CONDITION_CERTAINTY = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY_CERTAINTY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
NPI = "http://hl7.org/fhir/sid/us-npi"
UCUM = "http://unitsofmeasure.org"
URI = "urn:ietf:rfc:3986"

ANSWER = CANONICAL + "CodeSystem/answer"
ANSWER_WAY = CANONICAL + "CodeSystem/answer-way"
GAP = CANONICAL + "CodeSystem/gap"
PREAUTHORIZATION_OUTPUT = CANONICAL + "CodeSystem/preauthorization-output"
PULL_INPUT = CANONICAL + "CodeSystem/pull-input"
QUESTION = CANONICAL + "CodeSystem/question"
REFERRAL_OUTPUT = CANONICAL + "CodeSystem/referral-output"
SITE_OF_CARE = CANONICAL + "CodeSystem/site-of-care"
TASK_CODE = CANONICAL + "CodeSystem/task-code"
THERAPY = CANONICAL + "CodeSystem/therapy"

EVENT_NUMBER = CANONICAL + "StructureDefinition/event-number"
KNOWN_AS = CANONICAL + "StructureDefinition/known-as"
ORDER_MODE = CANONICAL + "StructureDefinition/order-mode"
PLACER_CLIENT = CANONICAL + "StructureDefinition/placer-client"
SOURCE_UPDATED = CANONICAL + "StructureDefinition/source-updated"
SUPERSEDED = CANONICAL + "StructureDefinition/superseded"
TASK_LACKS = CANONICAL + "StructureDefinition/task-lacks"

ANSWER_EVENT_ID = IDENTIFIERS + "answer-event"
ANSWER_ID = IDENTIFIERS + "answer"
CLIENT_ID = IDENTIFIERS + "client"
DIGEST_ID = IDENTIFIERS + "digest"
ORDER_ID = IDENTIFIERS + "order"
PAPER_ID = IDENTIFIERS + "paper"
PATIENT_ID = IDENTIFIERS + "patient"
REFERRAL_ID = IDENTIFIERS + "referral"
ROLE_ID = IDENTIFIERS + "role"
SITE_ID = IDENTIFIERS + "site"

# LOINC, the code a placer is told of first
HEMOGLOBIN = ("718-7", "20509-6", "30313-1")
FERRITIN = ("2276-4", "20567-4", "24373-3")
TSAT = ("2502-3", "14801-5")
BODY_WEIGHT = ("29463-7", "3141-9")
TB_SCREEN = ("71773-6", "45323-3", "64084-7", "71774-4", "82311-2")
HEPATITIS_B = ("5195-3", "5196-1", "16933-4", "63557-3")
IGG = ("2465-3",)
JCV_ANTIBODY = ("70173-0", "100977-8")
NEUTROPHILS = ("751-8", "26499-4")
RENAL_FUNCTION = (
    "2160-0", "38483-4", "14682-9", "98979-8", "62238-1", "48642-3", "48643-1", "33914-3", "69405-9", "2164-2",
)  # fmt: skip

CALLED_OFF = {
    "Task": frozenset({"cancelled", "rejected", "failed", "entered-in-error"}),
    "ServiceRequest": frozenset({"revoked", "entered-in-error"}),
    "MedicationRequest": frozenset({"cancelled", "stopped", "entered-in-error"}),
}
"""Status words by which a placer takes an order back."""

SITES_OF_CARE = frozenset({"aic", "hopd", "home"})


def concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    """A CodeableConcept of one coding, with text where given."""
    coded: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    return coded | ({"text": text} if text else {})


def code_of(concept: Mapping[str, Any] | None, system: str) -> str | None:
    """The first code of this system in a CodeableConcept."""
    if concept:
        for coding in concept.get("coding") or ():
            if coding.get("system") == system:
                code: str | None = coding.get("code")
                return code
    return None


def task_code(task: Mapping[str, Any]) -> str | None:
    """Our own code of a Task: `referral`, `intake-question`, `preauthorization`, `appeal`, ..."""
    return code_of(task.get("code"), TASK_CODE)


def typed(identifier: Mapping[str, Any], code: str) -> bool:
    """Whether an identifier is of this v2-0203 type."""
    return code_of(identifier.get("type"), IDENTIFIER_TYPE) == code
