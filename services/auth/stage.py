"""What a stage of an authorization says: the Task's status and outputs, requests to make, questions to ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.auth.questions import Question
from services.auth.words import GAP, OUTPUT, concept
from shared.core import Resource


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the authorization stands.

    status     preauthorization-status code.
    reason     the message's name when this is news.
    why        statusReason of a Task that is on hold, rejected or cancelled.
    outputs    outputs of the Task; `judged` says whether they hold criterion verdicts made now.
    saves      requests this stage makes.
    questions  what a person must answer before it goes on.
    """

    status: str
    reason: str
    why: str = ""
    outputs: tuple[dict[str, Any], ...] = ()
    saves: tuple[Resource, ...] = ()
    questions: tuple[Question, ...] = ()
    refusals: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    note: str = ""
    answer: Resource | None = field(default=None)
    judged: bool = False


def output(code: str, **value: Any) -> dict[str, Any]:
    return {"type": concept(OUTPUT, code), **value}


def waiting(status: str, reason: str, gap: str, text: str) -> Stage:
    missing = output("missing", valueCodeableConcept=concept(GAP, gap, text))
    return Stage(status, reason, f"Information missing: {gap}", outputs=(missing,), refusals=(gap,))


def asking_about(code: str, focus: str, text: str, key: str = "") -> Stage:
    return asking(Question(code, focus, text, key))


def asking(question: Question) -> Stage:
    return Stage("question", "preauthorization-questioned", question.text, questions=(question,))
