"""What becomes of a message that cannot be taken: a question to a person, of which intake tells the referrer.

The question closes itself once the message could be taken, or a newer one has said the same and more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.borders import worded
from shared.core import CANONICAL, IDENTIFIERS, Resource, Service, derived_id
from shared.messages import Letter, Malformed
from shared.places import is_type

CODE = "message-question"
TASK_CODE = CANONICAL + "CodeSystem/task-code"
QUESTION = CANONICAL + "CodeSystem/question"
ROLE_ID = IDENTIFIERS + "role"
KIND = f"Task#{CODE}"
PROFILE = f"{CODE}|1.0"
REASONS: Mapping[str, str] = {
    "message-refused": "Task#message-question: a message of another service could not be taken and waits for a person.",
    "message-taken": "Task#message-question: such a message was taken after all, or a newer one said the same.",
}
"""What the run loop itself says for every service."""

_ORDER = re.compile(r"ServiceRequest/in-[0-9a-f-]{36}")
_FOCUS = re.compile(r"([A-Z][A-Za-z]{2,39})/[A-Za-z0-9.-]{1,64}")
_PATIENT = re.compile(r"patient/([A-Za-z0-9.-]{1,64})")
_DEPTH = 12
"""How deep in a resource an order it refers to is looked for."""
_NAMED = 20
"""Orders a question names."""
_TOLD = 5
"""Issues a question names."""


def question_id(service: Service, message_id: str) -> str:
    """The id of the question about one message."""
    return derived_id(service.prefix, CODE, message_id)


def question(service: Service, letter: Letter, malformed: Malformed, at: datetime) -> dict[str, Any]:
    """Task `message-question`: what could not be taken and why, with FHIRPath and rule, without any value."""
    listed = (_input("message-issue", text) for text in worded(malformed.issues, _TOLD))
    inputs = [_input("message-refused", malformed.reason), *listed]
    patient, focus = _PATIENT.fullmatch(letter.lane), _FOCUS.fullmatch(str(letter.focus))
    orders = sorted({text for r in letter.resources for text in _orders(r, _DEPTH)})[:_NAMED]
    elements: dict[str, Any] = {
        "identifier": [{"system": IDENTIFIERS + "message", "value": letter.id}],
        "basedOn": [{"reference": order} for order in orders],
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": TASK_CODE, "code": CODE}]},
        "focus": {"reference": focus[0]} if focus and is_type(focus[1]) else None,
        "for": {"reference": f"Patient/{patient[1]}"} if patient else None,
        "authoredOn": at.isoformat(timespec="seconds"),
        "owner": {"identifier": {"system": ROLE_ID, "value": service.asks}},
        "input": inputs,
    }
    present = {k: v for k, v in elements.items() if v}
    return {"resourceType": "Task", "id": question_id(service, letter.id), **present}


def closed(asked: Resource) -> Resource:
    """The question when nobody needs to answer it any more."""
    return {**asked, "status": "completed"}


def _input(code: str, text: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": QUESTION, "code": code}]}, "valueString": text}


def _orders(value: Any, depth: int) -> Iterator[str]:
    """Every filler order a resource refers to, however wrong the rest of it is."""
    match value:
        case {"reference": str(text)} if found := _ORDER.fullmatch(text.partition("/_history/")[0]):
            yield found[0]
        case dict() if depth:
            for inner in value.values():
                yield from _orders(inner, depth - 1)
        case list() if depth:
            for inner in value:
                yield from _orders(inner, depth - 1)
