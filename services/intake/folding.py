"""Lays what an event brings over what is known: the newest word of each source wins, and some words are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.intake.choosing import CHOICES
from services.intake.codes import ANSWER, ANSWER_ID, CALLED_OFF, QUESTION, code_of, task_code, typed
from services.intake.countersigning import unsigned
from services.intake.facts import Facts
from services.intake.orders import is_ending
from services.intake.pulls.provisional import is_provisional
from services.intake.questions import OPEN
from services.intake.reading import by_whom, read_otherwise, transcribed, unread_order
from services.intake.records import literal, placed_by, placer_client, subject_of
from services.intake.versions import came_late, laid_over, source_updated
from shared.core import Event, Resource, reference

ANSWERS = {
    "intake-question": frozenset({"confirmed", "rejected"}),
    "referral-question": CHOICES,
}
"""Our questions, and what each kind may be answered with."""


def folded(event: Event, facts: Facts) -> dict[str, Resource]:
    """Everything known once the event is: by `Type/id`."""
    known = dict(facts.resources)
    for resource in event.resources:
        key = reference(resource)
        if event.kind == "message":
            known[key] = resource
        elif resource["resourceType"] != "Task":
            stored = None if is_provisional(known.get(key), event.source) else known.get(key)
            known[key] = laid_over(stored, resource, matched=resource["id"] in event.matched)
        elif is_question(facts.resources.get(key)):
            known[key] = by_whom(answered(facts.resources[key], resource), facts.resources[key], event)
    return known


def answered(question: Resource, received: Resource) -> Resource:
    """A question with the answer somebody gave: only status, output and note are his to say."""
    if question["status"] not in OPEN or received.get("status") not in ("completed", "rejected", "cancelled"):
        return question
    said = {k: received[k] for k in ("status", "output", "note") if k in received}
    return {**question, **said}


def is_question(task: Resource | None) -> bool:
    """Whether a Task is one of our own questions."""
    return task is not None and task_code(task) in ANSWERS


def is_answer(event: Event, facts: Facts) -> bool:
    """Whether the event answers one of our questions."""
    return event.kind == "command" and any(
        is_question(facts.resources.get(reference(t))) for t in event.of_type("Task")
    )


def placed_task(event: Event, facts: Facts) -> Resource | None:
    """The placer's Task an event brings, or None."""
    if event.kind != "command":
        return None
    if (read := transcribed(event, facts)) is not None:
        return read
    sent = next((t for t in event.of_type("Task") if not is_question(facts.resources.get(reference(t)))), None)
    if sent is None:
        return None
    stored = facts.resources.get(reference(sent))
    if stored is None or is_provisional(stored, event.source):
        return _known_by_order(sent, event, facts)
    return placed_by(sent, placer_client(stored))


def _known_by_order(task: Resource, event: Event, facts: Facts) -> Resource:
    """A referral that is known by its order's own identifier, or is sent under it, is the one that order belongs to."""
    focus = literal(task.get("focus"))
    order = next((o for o in event.of_type("ServiceRequest") if reference(o) == focus), {})
    own = {_key(i) for i in order.get("identifier", ())}
    known = [t for t in facts.tasks("referral") if literal(t.get("focus")) == focus]
    found = next((t for t in known if own & (_placed_as(t) | _placed_as(task))), None)
    if found is None:
        return task
    fresh = [i for i in task.get("identifier", ()) if typed(i, "PLAC") and _key(i) not in _placed_as(found)]
    return {**found, "status": task.get("status"), "identifier": [*fresh, *found["identifier"]]}


def _placed_as(task: Resource) -> set[tuple[Any, Any]]:
    return {_key(i) for i in task.get("identifier", ()) if typed(i, "PLAC")}


def _key(identifier: Mapping[str, Any]) -> tuple[Any, Any]:
    return identifier.get("system"), identifier.get("value")


# Refusals: each rule names one code, or none


def another_patient(event: Event, facts: Facts) -> list[str]:
    """A business identifier that already belongs to another patient's record."""
    codes = []
    for resource in event.resources:
        stored = facts.resources.get(reference(resource))
        if stored is None or is_provisional(stored, event.source):
            continue
        if subject_of(stored) not in (None, facts.patient):
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
        if is_question(stored := facts.resources.get(reference(t)))
        and t.get("status") == "completed"
        and not any(
            code_of(o.get("type"), ANSWER) in ANSWERS[task_code(stored or {}) or ""] for o in t.get("output", ())
        )
    ]


def verified_by_the_placer(event: Event, facts: Facts) -> list[str]:
    """An order verified, or a second referral chosen, by the client who placed it: that is for this practice."""
    codes = []
    for task in event.of_type("Task"):
        stored = facts.resources.get(reference(task)) or {}
        asks = {code_of(i.get("type"), QUESTION) for i in stored.get("input", ())}
        referral = next((facts.at(p) for p in stored.get("partOf", ())), None)
        moved = OF_THE_PRACTICE & asks and task.get("status") != stored["status"]
        if moved and placer_client(referral) == event.source:
            codes.append("verification-not-by-placer")
    return codes


OF_THE_PRACTICE = frozenset({"order-verification", "second-referral"})
"""Questions that are not for the placer to answer."""


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
    """A new push under a referral that ended; a new order needs a new placer identifier. What is late is no new one."""
    task = placed_task(event, facts)
    stored = facts.resources.get(reference(task)) if task else None
    if task is None or stored is None or not (stored["status"] == "cancelled" or is_ending(stored)):
        return []
    sent = (task, *event.of_type("ServiceRequest", "MedicationRequest"))
    again = _is_before_its_end(stored, task, facts) or any(
        s.get("status") in CALLED_OFF[s["resourceType"]] for s in sent
    )
    return [] if again else ["referral-cancelled"]


def _is_before_its_end(stored: Resource, task: Resource, facts: Facts) -> bool:
    """Whether the source dates a push no later than the referral's end: its own, or the order that replaced it."""
    sent, request = source_updated(task), literal(stored.get("focus"))
    orders = (o for o in facts.of("ServiceRequest") if request in map(literal, o.get("replaces", ())))
    ends = [at for o in orders if (at := source_updated(o)) is not None]
    return came_late(stored, task) or (sent is not None and any(sent <= at for at in ends))


def our_own_order(event: Event, facts: Facts) -> list[str]:
    """A filler order is ours alone to write: who wants it changed changes his own order, or the referral Task."""
    sent = event.of_type("ServiceRequest")
    either = (*sent, *(facts.resources.get(reference(r), {}) for r in sent))
    return ["order-is-ours" for order in either if order.get("intent") == "filler-order"]


def our_own_answer(event: Event, facts: Facts) -> list[str]:
    """What was told to a placer, and how, is ours alone to write."""
    stored = (facts.resources.get(reference(c), {}) for c in event.of_type("Communication"))
    listed = (i for c in stored for i in c.get("identifier", ()))
    return ["answer-is-ours" for i in listed if i.get("system") == ANSWER_ID]


REFUSALS = (
    another_patient, unknown_task, empty_answer, unread_order, unsigned, verified_by_the_placer, closed_question,
    read_otherwise, cancelled_referral, our_own_order, our_own_answer,
)  # fmt: skip


def refusals(event: Event, facts: Facts) -> tuple[str, ...]:
    """Every code for which a command is refused; messages of our own services are not."""
    if event.kind != "command":
        return ()
    return tuple(dict.fromkeys(code for rule in REFUSALS for code in rule(event, facts)))
