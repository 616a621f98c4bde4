"""Lays what an event brings over what is known: the newest word of each source wins, and some words are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.intake.codes import ANSWER, CALLED_OFF, QUESTION, SOURCE_UPDATED, code_of, task_code, typed
from services.intake.facts import Facts
from services.intake.questions import OPEN
from services.intake.records import bare, literal, placed_by, placer_client, subject_of
from shared.core import Event, Resource, reference

ANSWERS = frozenset({"confirmed", "rejected"})
"""What a question may be answered with."""


def folded(event: Event, facts: Facts) -> dict[str, Resource]:
    """Everything known once the event is: by `Type/id`."""
    known = dict(facts.resources)
    for resource in event.resources:
        key = reference(resource)
        if event.kind == "message":
            known[key] = resource
        elif resource["resourceType"] != "Task":
            known[key] = newest(known.get(key), resource)
        elif is_question(facts.resources.get(key)):
            known[key] = answered(facts.resources[key], resource)
    return known


def newest(stored: Resource | None, received: Resource) -> Resource:
    """What stands of two versions of one record: the stored one unless the received one says something newer."""
    if stored is None:
        return received
    return stored if bare(stored) == bare(received) or came_late(stored, received) else received


def came_late(stored: Resource, received: Resource) -> bool:
    """Whether the source itself dates the received version before the stored one; undated ones come as they arrive."""
    before, after = source_updated(stored), source_updated(received)
    return before is not None and after is not None and after < before


def source_updated(resource: Resource) -> str | None:
    """When the source last changed it, by its own clock, as an instant in UTC."""
    extensions: list[Any] = resource.get("meta", {}).get("extension", [])
    return next((e["valueInstant"] for e in extensions if e.get("url") == SOURCE_UPDATED), None)


def answered(question: Resource, received: Resource) -> Resource:
    """A question with the answer somebody gave: only status, output and note are his to say."""
    if question["status"] not in OPEN or received.get("status") not in ("completed", "rejected", "cancelled"):
        return question
    said = {k: received[k] for k in ("status", "output", "note") if k in received}
    return {**question, **said}


def is_question(task: Resource | None) -> bool:
    """Whether a Task is one of our own questions."""
    return task is not None and task_code(task) == "intake-question"


def is_answer(event: Event, facts: Facts) -> bool:
    """Whether the event answers one of our questions."""
    return event.kind == "command" and any(
        is_question(facts.resources.get(reference(t))) for t in event.of_type("Task")
    )


def placed_task(event: Event, facts: Facts) -> Resource | None:
    """The placer's Task an event brings, or None."""
    if event.kind != "command":
        return None
    sent = next((t for t in event.of_type("Task") if not is_question(facts.resources.get(reference(t)))), None)
    if sent is None:
        return None
    stored = facts.resources.get(reference(sent))
    return placed_by(sent, placer_client(stored)) if stored is not None else _known_by_order(sent, event, facts)


def _known_by_order(task: Resource, event: Event, facts: Facts) -> Resource:
    """A Task placed under its order's own identifier means the referral that order belongs to already, if any."""
    placed = {_key(i) for i in task.get("identifier", ()) if typed(i, "PLAC")}
    focus = literal(task.get("focus"))
    order = next((o for o in event.of_type("ServiceRequest") if reference(o) == focus), {})
    if not placed & {_key(i) for i in order.get("identifier", ())}:
        return task
    known = (t for t in facts.tasks("referral") if literal(t.get("focus")) == focus)
    return next(({**t, "status": task.get("status")} for t in known), task)


def _key(identifier: Mapping[str, Any]) -> tuple[Any, Any]:
    return identifier.get("system"), identifier.get("value")


# Refusals: each rule names one code, or none


def another_patient(event: Event, facts: Facts) -> list[str]:
    """A business identifier that already belongs to another patient's record."""
    codes = []
    for resource in event.resources:
        stored = facts.resources.get(reference(resource))
        if stored is not None and subject_of(stored) not in (None, facts.patient):
            kind = "placer-identifier" if resource["resourceType"] == "Task" else "identifier"
            codes.append(f"{kind}-of-another-patient")
    return codes


def unknown_task(event: Event, facts: Facts) -> list[str]:
    """An answer to a Task that intake never asked."""
    answers = event.of_type("Task") if event.reason == "task-answered" else ()
    return ["task-unknown" for t in answers if reference(t) not in facts.resources]


def empty_answer(event: Event, facts: Facts) -> list[str]:
    """A question completed without one of the answers there are."""
    return [
        "answer-missing"
        for t in event.of_type("Task")
        if is_question(facts.resources.get(reference(t)))
        and t.get("status") == "completed"
        and not any(code_of(o.get("type"), ANSWER) in ANSWERS for o in t.get("output", ()))
    ]


def verified_by_the_placer(event: Event, facts: Facts) -> list[str]:
    """An order verified by the client who placed it: that is for a pharmacist of this practice."""
    codes = []
    for task in event.of_type("Task"):
        stored = facts.resources.get(reference(task)) or {}
        asks = {code_of(i.get("type"), QUESTION) for i in stored.get("input", ())}
        referral = next((facts.at(p) for p in stored.get("partOf", ())), None)
        moved = "order-verification" in asks and task.get("status") != stored["status"]
        if moved and placer_client(referral) == event.source:
            codes.append("verification-not-by-placer")
    return codes


def closed_question(event: Event, facts: Facts) -> list[str]:
    """A question answered again in another way; its first answer stands."""
    codes = []
    for task in event.of_type("Task"):
        stored = facts.resources.get(reference(task))
        if stored is not None and is_question(stored) and stored["status"] not in OPEN:
            same = (stored["status"], stored.get("output")) == (task.get("status"), task.get("output"))
            codes += [] if same else ["question-already-closed"]
    return codes


def cancelled_referral(event: Event, facts: Facts) -> list[str]:
    """A new push under a referral that ended; a new order needs a new placer identifier."""
    task = placed_task(event, facts)
    stored = facts.resources.get(reference(task)) if task else None
    if task is None or stored is None or stored["status"] != "cancelled":
        return []
    sent = (task, *event.of_type("ServiceRequest", "MedicationRequest"))
    again = any(s.get("status") in CALLED_OFF[s["resourceType"]] for s in sent)
    return [] if again else ["referral-cancelled"]


def our_own_order(event: Event, facts: Facts) -> list[str]:
    """A filler order is ours alone to write: who wants it changed changes his own order, or the referral Task."""
    sent = event.of_type("ServiceRequest")
    either = (*sent, *(facts.resources.get(reference(r), {}) for r in sent))
    return ["order-is-ours" for order in either if order.get("intent") == "filler-order"]


REFUSALS = (
    another_patient, unknown_task, empty_answer, verified_by_the_placer, closed_question, cancelled_referral,
    our_own_order,
)  # fmt: skip


def refusals(event: Event, facts: Facts) -> tuple[str, ...]:
    """Every code for which a command is refused; messages of our own services are not."""
    if event.kind != "command":
        return ()
    return tuple(dict.fromkeys(code for rule in REFUSALS for code in rule(event, facts)))
