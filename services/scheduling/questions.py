"""Asks a person what scheduling cannot decide, once each, and withdraws what is no longer open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.scheduling.appointments import OWNER, bare
from services.scheduling.elements import any_refers, code_of, concept, is_task, named, to
from services.scheduling.facts import Case
from shared.core import Event, Resource, derived_id, reference

SENTENCES: Mapping[str, str] = {
    "no-capacity-in-window": "No chair and nurse are free in the whole window of this dose. When shall it be given?",
    "hold-unanswered": "Every hold of a time went unanswered. Is the authorization reachable?",
    "hold-refused": "The authorization refused a dose for this visit. Shall it be extended, or the visit given up?",
    "drug-ordered-twice": "Another order of this patient asks for the same drug. Which of the two shall be given?",
    "drug-not-on-hand": "The visit is due to be prepared and the drug is not on hand. Shall the visit be kept?",
    "pharmacy-refused": "The pharmacy did not take the order for this visit. How will the drug be there?",
    "requirement-lost": "A requirement of a booked visit is no longer met. Shall the visit be kept?",
    "doses-not-stated": "The order does not say how many doses it asks for, or when.",
    "doses-not-readable": "The order says its doses in a way scheduling cannot read.",
    "start-not-stated": "The order does not say when the first dose is due.",
    "medication-request-missing": "The order came without its MedicationRequest.",
    "drug-not-in-catalogue": "The drug of the order is not one the practice infuses.",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One open question: its code, what it is about (`Type/id`), and what else tells it from others."""

    code: str
    focus: str
    detail: str = ""


def is_question(resource: Resource) -> bool:
    return is_task(resource, "scheduling-question")


def stored(case: Case) -> Iterator[Resource]:
    """The questions there are about an order, oldest first."""
    target = reference(case.order)
    tasks = (r for r in case.facts.resources if is_question(r))
    return (t for t in tasks if any_refers(t.get("basedOn", ()), target))


def code(task: Resource) -> str:
    return next((c for i in task.get("input", ()) if (c := code_of(i.get("type"), "question"))), "")


def asked(case: Case, asks: Iterable[Ask], event: Event, kept: frozenset[str]) -> tuple[Resource, ...]:
    """Every question about an order as it now stands.

    One a person has answered is not asked again; one that became void is withdrawn and, should it come back, asked anew
    under the next ordinal. Questions about `kept` foci (visits that have begun) stay as they are.
    """
    tasks = {t["id"]: _answered(bare(t), event) for t in stored(case)}
    current = [_current(case, ask, tasks, event) for ask in asks]
    open_ids = {t["id"] for t in current}
    others = (t for t in tasks.values() if t["id"] not in open_ids)
    return (*current, *(_withdrawn(t, kept) for t in others))


def _current(case: Case, ask: Ask, tasks: Mapping[str, Resource], event: Event) -> Resource:
    ordinal = 1
    while True:
        key = (case.order["id"], ask.code, ask.focus, ask.detail, str(ordinal))
        id_ = derived_id("sc", "scheduling-question", *key)
        if id_ not in tasks:
            return _new(case, ask, id_, event)
        if tasks[id_]["status"] != "cancelled":
            return tasks[id_]
        ordinal += 1


def _new(case: Case, ask: Ask, id_: str, event: Event) -> Resource:
    sentence = SENTENCES[ask.code] + (f" ({ask.detail})" if ask.detail else "")
    return {
        "resourceType": "Task",
        "id": id_,
        "basedOn": [to(case.order)],
        "status": "requested",
        "intent": "order",
        "code": concept("task-code", "scheduling-question"),
        "focus": {"reference": ask.focus},
        "for": case.order["subject"],
        "authoredOn": event.at.isoformat(),
        "owner": named("PractitionerRole", "role", OWNER),
        "input": [{"type": concept("question", ask.code), "valueString": sentence}],
    }


def _answered(task: Resource, event: Event) -> Resource:
    """The question with a person's answer, where this command brings one."""
    brought = (t for t in event.resources if event.kind == "command" and is_question(t) and t["id"] == task["id"])
    answer = next((t for t in brought if t.get("status") == "completed" and t.get("output")), None)
    if answer is None or task["status"] != "requested":
        return task
    return {**task, "status": "completed", "output": answer["output"]}


def _withdrawn(task: Resource, kept: frozenset[str]) -> Resource:
    if task["status"] != "requested" or task["focus"]["reference"] in kept:
        return task
    return {**task, "status": "cancelled", "statusReason": {"text": "no longer open: the reason for asking has gone"}}
