"""A paper a person reads: what he is asked, what comes of his answer, and what its sender is told until then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.intake.codes import ANSWER, QUESTION, code_of, concept
from services.intake.facts import Case, Facts
from services.intake.paper import PAPER, is_paper
from services.intake.questions import OPEN, asks, question, question_of
from services.intake.records import bare, literal, unversioned
from shared.core import Event, Resource, reference

READ = (
    "Read the document: send its order with this Task completed and confirmed, or reject it and say why. "
    "Where the patient is on file already, send the order as a referral of that patient, then reject this Task and "
    "name the referral's number in its note."
)
NO_REASON = "The document is no referral, or cannot be read"


def transcription(case: Case, at: datetime) -> Resource | None:
    """The question what a paper asks for; what comes of the same paper later is named in it too."""
    stored = question_of(case, "transcription")
    if not is_paper(case.referral) or (stored is not None and stored["status"] not in OPEN):
        return stored
    if stored is None and case.request:
        return None
    asked = stored or question(case, "transcription", "intake-coordinator", READ, None, at)
    return {**asked, "input": [*asked["input"], *_further(asked, case)]}


def _further(asked: Resource, case: Case) -> Iterable[dict[str, Any]]:
    named = {literal(i.get("valueReference")) for i in asked["input"]}
    documents = sorted(place for place in case.arrived if place.partition("/")[0] in PAPER and place not in named)
    return [{"type": concept(QUESTION, "document"), "valueReference": {"reference": place}} for place in documents]


# The answer


def transcribed(event: Event, facts: Facts) -> Resource | None:
    """The referral a paper was kept under, now with the order a person read in it; None where nothing was read."""
    question = next((q for t in event.of_type("Task") if (q := _answered(t, facts)) is not None), None)
    order = next((o for o in event.of_type("ServiceRequest") if o.get("intent") != "filler-order"), None)
    referral = facts.at(question["partOf"][0]) if question else None
    if referral is None or order is None:
        return None
    return {**unversioned(referral), "status": "requested", "focus": {"reference": reference(order)}}


def _answered(task: Resource, facts: Facts) -> Resource | None:
    """Our open question about a paper that this Task says is read."""
    stored = facts.resources.get(reference(task))
    done = task.get("status") == "completed" and _says(task, "confirmed")
    waits = stored is not None and "transcription" in asks(stored) and stored["status"] in OPEN
    return stored if done and waits else None


def _says(task: Resource, answer: str) -> bool:
    return any(code_of(o.get("type"), ANSWER) == answer for o in task.get("output", ()))


def by_whom(question: Resource, before: Resource, event: Event) -> Resource:
    """A question just answered about a paper, with the client who read it, and when."""
    if question["status"] == before["status"] or "transcription" not in asks(question):
        return question
    note = {"authorString": event.source, "time": event.at.isoformat(timespec="seconds"), "text": "Read by this client"}
    return {**question, "note": [*question.get("note", ()), note]}


def unread_order(event: Event, facts: Facts) -> list[str]:
    """A paper said to be read without the order that stands in it."""
    read = [t for t in event.of_type("Task") if _answered(t, facts) is not None]
    return ["order-of-the-document-missing"] if read and transcribed(event, facts) is None else []


def read_otherwise(event: Event, facts: Facts) -> list[str]:
    """A paper read again in other words, by a second person at once or later: its first reading stands."""
    stored = (facts.resources.get(reference(t), {}) for t in event.of_type("Task") if t.get("status") == "completed")
    again = any("transcription" in asks(q) and q["status"] not in OPEN for q in stored)
    brought = (r for r in event.resources if r["resourceType"] != "Task")
    other = any(bare(facts.resources.get(reference(r), {})) != bare(r) for r in brought)
    return ["question-already-closed"] if again and other else []


# What its sender is told


def turned_away(case: Case) -> str | None:
    """Why a paper was rejected; None while a person reads it."""
    asked = question_of(case, "transcription")
    return None if asked is None or asked["status"] in OPEN else _reason(asked)


def _reason(question: Resource) -> str:
    said = [o.get("valueString") for o in question.get("output", ()) if code_of(o.get("type"), ANSWER) == "rejected"]
    noted = [n.get("text") for n in question.get("note", ()) if "authorString" not in n]
    return next((text for text in (*said, *noted) if text), NO_REASON)
