"""Makes of an answer a letter, and of the letter a DocumentReference for a system that files documents."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from services.intake.answers.letter import Letter, letter
from services.intake.answers.pdf import pdf
from services.intake.answers.referral import practice
from services.intake.answers.telling import OpenAnswer, ordinal
from services.intake.codes import ANSWER_ID, LOINC, typed
from services.intake.records import literal
from shared.core import Resource
from shared.settings import Site

LETTER = {"coding": [{"system": LOINC, "code": "51852-2", "display": "Letter"}]}
NOTE = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"


def letter_of(answer: OpenAnswer, known: Mapping[str, Resource], site: Site) -> bytes:
    """The letter as a PDF file."""
    return pdf(letter(answer, known, site))


def condition(answer: OpenAnswer) -> str:
    """By what a system that has the document already finds it (`If-None-Exist`)."""
    return f"identifier={ANSWER_ID}|{_number(answer)}"


def document(answer: OpenAnswer, known: Mapping[str, Resource], site: Site) -> Resource:
    """The letter in a DocumentReference: about the placer's own referral and patient, by his identifiers."""
    task, content = answer.task, letter_of(answer, known, site)
    patient = known.get(literal(task["for"]) or "", {})
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": ANSWER_ID, "value": _number(answer)},
        "status": "current",
        "docStatus": "final",
        "type": LETTER,
        "category": [{"coding": [{"system": NOTE, "code": "clinical-note"}]}],
        "subject": _by_identifier("Patient", patient.get("identifier", ())),
        "date": task["meta"]["lastUpdated"],
        "author": [practice(site)],
        "description": letter(answer, known, site).status,
        "content": [{"attachment": _attachment(content)}],
        "context": {"related": [_by_identifier("Task", _placed(task))]},
    }


def _number(answer: OpenAnswer) -> str:
    return f"{answer.task['id']}/{ordinal(answer.communication)}"


def _placed(task: Resource) -> list[Mapping[str, Any]]:
    return [i for i in task.get("identifier", ()) if typed(i, "PLAC")]


def _by_identifier(kind: str, identifiers: Any) -> dict[str, Any]:
    """A Reference by the first identifier with a system."""
    known = [i for i in identifiers if i.get("system") and i.get("value")]
    return {"type": kind, "identifier": known[0]} if known else {"type": kind, "display": "not identified"}


def _attachment(content: bytes) -> dict[str, Any]:
    return {
        "contentType": "application/pdf",
        "language": "en-US",
        "data": base64.b64encode(content).decode(),
        "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode(),
        "title": "Answer to a referral",
    }


__all__ = ["Letter", "condition", "document", "letter_of"]
