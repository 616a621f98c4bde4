"""An order given by word of mouth: it acts, the prescriber signs it in time, and nobody stops it in silence.

Law of this file: the clock runs from the day the question was asked; a deadline once told does not move.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.intake.codes import ANSWER, ORDER_MODE, ROLE_ID, code_of, concept
from services.intake.facts import Case, Facts
from services.intake.questions import OPEN, asks, closed, question, question_of
from services.intake.reading import transcription
from services.intake.records import literal
from services.intake.requirements.gap import limit
from services.intake.rules import NOT_IN_FORCE
from shared.core import Event, Resource, reference
from shared.policy import Figures

if TYPE_CHECKING:
    from services.intake.consequences import Worked

SPOKEN = frozenset({"verbal", "telephone"})
SIGN = "Sign the order you gave by word of mouth: complete this Task as confirmed, with your signature as its value."
LATE = "The prescriber has not signed an order he gave by word of mouth: reach him, or say what holds."


def is_spoken(order: Resource) -> bool:
    """Whether an order says that it was given by word of mouth."""
    return any(e.get("url") == ORDER_MODE and e.get("valueCode") in SPOKEN for e in order.get("extension", ()))


def countersignature(case: Case, order: Resource | None, figures: Figures, at: datetime) -> Resource | None:
    """The prescriber's question about a spoken order; a coordinator's when its deadline comes near."""
    stored = question_of(case, "countersignature")
    if stored is None and (order is None or not is_spoken(case.request)):
        return None
    asked = stored or _asked(case, order, figures, at)
    if asked["status"] not in OPEN:
        return asked
    if _signed_elsewhere(case):
        return _signed(asked, at)
    return _escalated(asked) if _near(asked, case, figures, at) else asked


def _asked(case: Case, order: Resource | None, figures: Figures, at: datetime) -> dict[str, Any]:
    asked = question(case, "countersignature", "prescriber", SIGN, order, at)
    hours = limit(figures, "countersignature_due_hours", case)
    if hours is None:
        return asked
    due = (at + timedelta(hours=hours)).isoformat(timespec="seconds")
    return {**asked, "restriction": {"period": {"end": due}}}


def deadline(task: Resource | None) -> datetime | None:
    """By when a question is to be answered."""
    text = (task or {}).get("restriction", {}).get("period", {}).get("end")
    return datetime.fromisoformat(text) if text else None


def _warned(asked: Resource, case: Case, figures: Figures) -> datetime | None:
    """From when a coordinator goes after the signature."""
    due, before = deadline(asked), limit(figures, "countersignature_warned_hours_before", case)
    return due - timedelta(hours=before) if due and before is not None else None


def _near(asked: Resource, case: Case, figures: Figures, at: datetime) -> bool:
    warned = _warned(asked, case, figures)
    return warned is not None and at >= warned


def _escalated(asked: Resource) -> Resource:
    return {**asked, "priority": "urgent", "owner": {"identifier": {"system": ROLE_ID, "value": "intake-coordinator"}}}


def _signed_elsewhere(case: Case) -> bool:
    """Whether the prescriber's own system sent the same order, in force and not by word of mouth."""
    named = {_key(i) for i in case.request.get("identifier", ())}
    others = (o for o in case.facts.of("ServiceRequest") if o["id"] != case.request.get("id"))
    return any(_is_same(o, named, case) for o in others)


def _is_same(order: Resource, named: set[tuple[Any, Any]], case: Case) -> bool:
    right = order.get("status") not in NOT_IN_FORCE | {"revoked", "entered-in-error"} and order.get("intent") == "order"
    shared = named & {_key(i) for i in order.get("identifier", ())}
    return bool(right and shared and not is_spoken(order) and _npis(order, case.facts) & set(case.prescriber_npis))


def _npis(order: Resource, facts: Facts) -> set[str]:
    requester = order.get("requester", {})
    named = facts.at(requester) or {}
    person = facts.at(named.get("practitioner")) or {}
    listed = [requester.get("identifier", {}), *named.get("identifier", ()), *person.get("identifier", ())]
    return {str(i.get("value")) for i in listed if i.get("value")}


def _key(identifier: Mapping[str, Any]) -> tuple[Any, Any]:
    return identifier.get("system"), identifier.get("value")


def _signed(asked: Resource, at: datetime) -> Resource:
    note = {"time": at.isoformat(timespec="seconds"), "text": "Signed: the prescriber's own system sent the order."}
    answer = {"type": concept(ANSWER, "confirmed"), "valueBoolean": True}
    return {**asked, "status": "completed", "note": [note], "output": [answer]}


# The deadline


def signature_missing(case: Case, asked: Resource | None, order: Resource | None, at: datetime) -> Resource | None:
    """The question to a pharmacist once the deadline has passed; the order stands until a person decides."""
    stored, due = question_of(case, "countersignature-missing"), deadline(asked)
    if asked is None or asked["status"] not in OPEN:
        return closed(stored) if stored is not None else None
    if stored is not None or due is None or at < due:
        return stored
    return question(case, "countersignature-missing", "pharmacist", LATE, order, at)


def signature_clock(worked: Worked) -> Mapping[str, datetime | None]:
    """When to look at a signature again: as its deadline comes near, then as it passes."""
    asked = worked.questions.get("countersignature")
    if asked is None:
        return {}
    warned = _warned(asked, worked.case, worked.policy.figures)
    ahead = [i for i in (warned, deadline(asked)) if asked["status"] in OPEN and i is not None and i > worked.at]
    return {f"countersignature/{asked['id']}": min(ahead, default=None)}


# The signature


def unsigned(event: Event, facts: Facts) -> list[str]:
    """A spoken order confirmed without the signature of its prescriber."""
    codes = []
    for task in event.of_type("Task"):
        stored = facts.resources.get(reference(task))
        if stored is None or "countersignature" not in asks(stored) or task.get("status") != "completed":
            continue
        order = facts.at(stored["focus"]) or {}
        given = [o for o in task.get("output", ()) if code_of(o.get("type"), ANSWER) == "confirmed"]
        if given and not any(_is_of(o.get("valueSignature", {}).get("who", {}), order) for o in given):
            codes.append("signature-not-of-the-prescriber")
    return codes


def _is_of(who: Mapping[str, Any], order: Resource) -> bool:
    prescriber = order.get("requester", {})
    same = literal(who) is not None and literal(who) == literal(prescriber)
    number = prescriber.get("identifier", {}).get("value")
    return same or (number is not None and who.get("identifier", {}).get("value") == number)


def further_questions(case: Case, order: Resource | None, figures: Figures, at: datetime) -> dict[str, Resource]:
    """What is asked of a referral that came as paper or by word of mouth, by code."""
    signature = countersignature(case, order, figures, at)
    asked = {
        "transcription": transcription(case, at),
        "countersignature": signature,
        "countersignature-missing": signature_missing(case, signature, order, at),
    }
    return {code: task for code, task in asked.items() if task is not None}
