"""What intake asks a person: Task `intake-question`, owned by a role, answered by its output."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from services.intake.codes import ANSWER, DIGEST_ID, QUESTION, ROLE_ID, TASK_CODE, code_of, concept
from services.intake.facts import Case
from services.intake.records import bare, literal
from shared.core import PRACTICE_ONLY_LABEL, Resource, derived_id, reference

PRACTICE_ONLY = frozenset({
    "placer-refused", "possible-duplicate", "nobody-to-tell", "language-unavailable", "patient-unreached",
    "patient-silent", "reply-unclear",
})  # fmt: skip
"""What is asked of the practice's own people: no placer is told of it, and none reads it."""

OPEN = ("draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold")


def questions_of(case: Case, order: Resource | None, auto_confirm: frozenset[str], at: datetime) -> dict[str, Resource]:
    """Every question asked about one referral, by its code, as it now stands."""
    auto = "order-verification" in auto_confirm
    asked = {
        "order-verification": verification(case, order, auto, at),
        "placer-identifier": unidentified(case, order, at),
    }
    return {code: task for code, task in asked.items() if task is not None}


def verification(case: Case, order: Resource | None, auto: bool, at: datetime) -> Resource | None:
    """The pharmacist's question about an active order; asked again when the medication changes."""
    stored = question_of(case, "order-verification")
    if order is None or order["status"] != "active":
        return stored
    content = _digest(case)
    if stored is not None and stored["status"] != "cancelled" and _content(stored) == content:
        return stored
    text = "Verify the order: drug, dose, route and rate against weight, labs and allergies."
    asked = question(case, "order-verification", "pharmacist", text, order, at)
    asked["input"].append({"type": concept(QUESTION, "order-content"), "valueString": content})
    return _confirmed(asked, at) if auto else asked


def _digest(case: Case) -> str:
    """Changes when a medication of the referral does, and only then."""
    text = json.dumps([bare(m) for m in case.medications], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _content(task: Resource) -> str | None:
    inputs = task.get("input", ())
    return next((i.get("valueString") for i in inputs if code_of(i.get("type"), QUESTION) == "order-content"), None)


def _confirmed(task: Resource, at: datetime) -> Resource:
    note = {
        "time": at.isoformat(timespec="seconds"),
        "text": "Confirmed by the site's configuration (auto_confirm: order-verification), not by a person.",
    }
    answer = {"type": concept(ANSWER, "confirmed"), "valueBoolean": True}
    return {**task, "status": "completed", "note": [note], "output": [answer]}


def unidentified(case: Case, order: Resource | None, at: datetime) -> Resource | None:
    """The question about a referral that came without any business identifier."""
    stored = question_of(case, "placer-identifier")
    if all(i.get("system") != DIGEST_ID for i in case.referral.get("identifier", ())) or stored is not None:
        return stored
    text = "The referral came without a placer identifier: is it new, and under which identifier is it known?"
    return question(case, "placer-identifier", "intake-coordinator", text, order, at)


def unreached(task: Resource, at: datetime) -> Resource:
    """The question to a person when the placer's system refuses our answer."""
    text = "The placer's system refused our answer to the referral: tell the placer by another way."
    return _asked(task["id"], "placer-refused", "intake-coordinator", text, task, literal(task["for"]) or "", at)


def asked_about(task: Resource, code: str, role: str, text: str, at: datetime) -> dict[str, Any]:
    """A new question about a referral Task."""
    return _asked(task["id"], code, role, text, task, literal(task["for"]) or "", at)


def unread(task: Resource, about: Resource, patient: str, at: datetime) -> Resource:
    """The question to a person when the placer's system cannot be read, attempt after attempt."""
    text = "The placer's system could not be read for a referral: ask him what is wrong. Trying goes on."
    asked = _asked(task["id"], "system-unread", "intake-coordinator", text, task, patient, at)
    return {**asked, "partOf": [{"reference": reference(about)}]}


def question(case: Case, code: str, role: str, text: str, order: Resource | None, at: datetime) -> dict[str, Any]:
    """A new Task `intake-question`, about the order where there is one."""
    return _asked(case.referral["id"], code, role, text, order or case.referral, f"Patient/{case.facts.patient}", at)


def _asked(
    referral_id: str, code: str, role: str, text: str, focus: Resource, patient: str, at: datetime
) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": derived_id("in", "intake-question", referral_id, code),
        **({"meta": {"security": [PRACTICE_ONLY_LABEL]}} if code in PRACTICE_ONLY else {}),
        "partOf": [{"reference": f"Task/{referral_id}"}],
        "status": "requested",
        "intent": "order",
        "code": concept(TASK_CODE, "intake-question"),
        "focus": {"reference": reference(focus)},
        "for": {"reference": patient},
        "authoredOn": at.isoformat(timespec="seconds"),
        "owner": {"identifier": {"system": ROLE_ID, "value": role}},
        "input": [{"type": concept(QUESTION, code), "valueString": text}],
    }


def asks(task: Resource) -> frozenset[str | None]:
    """The codes of what a Task asks."""
    return frozenset(code_of(i.get("type"), QUESTION) for i in task.get("input", ()))


def closed(task: Resource) -> Resource:
    """A question nobody needs to answer any more."""
    return {**task, "status": "cancelled"} if task["status"] in OPEN else task


def question_of(case: Case, code: str) -> Resource | None:
    """Our question of this code about a referral, as it stands."""
    return case.facts.resources.get(f"Task/{derived_id('in', 'intake-question', case.referral['id'], code)}")
