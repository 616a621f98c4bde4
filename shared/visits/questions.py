"""Asks a person what a service cannot decide about an order's visits, once each; withdraws what is no longer open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.core import Event, Resource, derived_id, reference
from shared.visits.appointments import bare
from shared.visits.case import AnyCase
from shared.visits.elements import any_refers, code_of, concept, is_task, named, to


@dataclass(frozen=True, slots=True)
class Ask:
    """One open question: its code, what it is about (`Type/id`), and what else tells it from others."""

    code: str
    focus: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one service: its id prefix, the Task code they go by, whom it asks, and in which words."""

    prefix: str
    kind: str
    owner: str
    sentences: Mapping[str, str]

    def has(self, resource: Resource) -> bool:
        """Whether a resource is one of these questions."""
        return is_task(resource, self.kind)

    def stored(self, case: AnyCase) -> Iterator[Resource]:
        """The questions there are about an order, oldest first."""
        target = reference(case.order)
        tasks = (r for r in case.facts.resources if self.has(r))
        return (t for t in tasks if any_refers(t.get("basedOn", ()), target))

    def asked(self, case: AnyCase, asks: Iterable[Ask], event: Event, kept: frozenset[str]) -> tuple[Resource, ...]:
        """Every question about an order as it now stands.

        One a person has answered is not asked again; one that became void is withdrawn and, should it come back, asked
        anew under the next ordinal. Questions about `kept` foci (visits that have begun) stay as they are.
        """
        tasks = {t["id"]: self.answered(bare(t), event) for t in self.stored(case)}
        current = [self._current(case, ask, tasks, event) for ask in asks]
        open_ids = {t["id"] for t in current}
        others = (t for t in tasks.values() if t["id"] not in open_ids)
        return (*current, *(_withdrawn(t, kept) for t in others))

    def refused_by_pharmacy(self, case: AnyCase, focus: str, event: Event) -> bool:
        """Whether the pharmacy has just refused a visit, or has before and the question still stands."""
        just = event.kind == "answer" and event.reason == "pharmacy-refused" and event.focus == focus
        before = (t for t in self.stored(case) if code(t) == "pharmacy-refused" and t["status"] != "cancelled")
        return just or any(t["focus"]["reference"] == focus for t in before)

    def answered(self, task: Resource, event: Event) -> Resource:
        """The question with a person's answer, where this command brings one."""
        brought = (t for t in event.resources if event.kind == "command" and self.has(t) and t["id"] == task["id"])
        answer = next((t for t in brought if t.get("status") == "completed" and t.get("output")), None)
        if answer is None or task["status"] != "requested":
            return task
        return {**task, "status": "completed", "output": answer["output"]}

    def _current(self, case: AnyCase, ask: Ask, tasks: Mapping[str, Resource], event: Event) -> Resource:
        ordinal = 1
        while True:
            key = (case.order["id"], ask.code, ask.focus, ask.detail, str(ordinal))
            id_ = derived_id(self.prefix, self.kind, *key)
            if id_ not in tasks:
                return self._new(case, ask, id_, event)
            if tasks[id_]["status"] != "cancelled":
                return tasks[id_]
            ordinal += 1

    def _new(self, case: AnyCase, ask: Ask, id_: str, event: Event) -> Resource:
        sentence = self.sentences[ask.code] + (f" ({ask.detail})" if ask.detail else "")
        return {
            "resourceType": "Task",
            "id": id_,
            "basedOn": [to(case.order)],
            "status": "requested",
            "intent": "order",
            "code": concept("task-code", self.kind),
            "focus": {"reference": ask.focus},
            "for": case.order["subject"],
            "authoredOn": event.at.isoformat(),
            "owner": named("PractitionerRole", "role", self.owner),
            "input": [{"type": concept("question", ask.code), "valueString": sentence}],
        }


def code(task: Resource) -> str:
    return next((c for i in task.get("input", ()) if (c := code_of(i.get("type"), "question"))), "")


def _withdrawn(task: Resource, kept: frozenset[str]) -> Resource:
    if task["status"] != "requested" or task["focus"]["reference"] in kept:
        return task
    return {**task, "status": "cancelled", "statusReason": {"text": "no longer open: the reason for asking has gone"}}
