"""Task `pull`: what is to be read from a sender's system, and how often that failed; patients not yet known by more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from services.intake.codes import PULL_INPUT, ROLE_ID, TASK_CODE, URI, code_of, concept, task_code
from services.intake.records import SUBJECT, placed_by
from shared.core import Resource, derived_id

EVENTS = "/$events?"
"""In an address: the notifications of a Subscription that were missed, not a record."""


def provisional(client: str, address: str) -> str:
    """The id of a patient of whom nothing is known but an address in this client's system."""
    return derived_id("in", "Patient", client, URI, address)


def is_provisional(resource: Resource | None, client: str) -> bool:
    """Whether a stored record still waits for its patient to be read, as this client's system names him."""
    if resource is None:
        return False
    subject = resource.get(SUBJECT.get(resource["resourceType"], "subject")) or {}
    named = subject.get("identifier", {})
    address = str(named.get("value", ""))
    return named.get("system") == URI and subject.get("reference") == f"Patient/{provisional(client, address)}"


def is_pull(resource: Resource | None) -> bool:
    """Whether it is a Task by which a sender's system is read."""
    return resource is not None and resource["resourceType"] == "Task" and task_code(resource) == "pull"


def pull_id(client: str, key: str) -> str:
    """The id of the Task by which one thing of a client's system is read, whatever becomes of it."""
    return derived_id("in", "pull", client, key)


def pull_task(client: str, key: str, addresses: Sequence[str], received: str = "") -> Resource:
    """A Task to read these addresses; `received` is what was sent with them, a Bundle in base64."""
    attached = {"contentType": "application/fhir+json", "data": received}
    task: dict[str, Any] = {
        "resourceType": "Task",
        "id": pull_id(client, key),
        "status": "in-progress",
        "intent": "order",
        "code": concept(TASK_CODE, "pull"),
        "owner": {"identifier": {"system": ROLE_ID, "value": "intake-coordinator"}},
        "input": [
            *(_input("wanted", "valueUrl", address) for address in addresses),
            *([_input("received", "valueAttachment", attached)] if received else []),
            _input("attempt", "valuePositiveInt", 1),
        ],
    }
    return placed_by(task, client)


def _input(code: str, value: str, content: Any) -> dict[str, Any]:
    return {"type": concept(PULL_INPUT, code), value: content}


def _inputs(task: Resource, *codes: str) -> Iterator[dict[str, Any]]:
    yield from (i for i in task.get("input", ()) if code_of(i.get("type"), PULL_INPUT) in codes)


def wanted_of(task: Resource) -> tuple[str, ...]:
    """The addresses to read."""
    return tuple(str(i["valueUrl"]) for i in _inputs(task, "wanted"))


def received_of(task: Resource) -> str | None:
    """The Bundle that was sent, in base64."""
    return next((i["valueAttachment"]["data"] for i in _inputs(task, "received")), None)


def count_of(task: Resource, code: str) -> int:
    """How often it was tried (`attempt`), and how often that failed since it last went well (`failed`)."""
    return next((int(i["valuePositiveInt"]) for i in _inputs(task, code)), 0)


def content_of(task: Resource) -> tuple[Any, ...]:
    """What is to be read, and what was sent with it."""
    return tuple(_inputs(task, "wanted", "received"))


def asked_again(task: Resource, fresh: Resource | None = None, failed: int = 0) -> Resource:
    """The same Task for another attempt, with what was sent anew where something was."""
    content = list(_inputs(fresh or task, "wanted", "received"))
    failures = [_input("failed", "valuePositiveInt", failed)] if failed else []
    attempt = _input("attempt", "valuePositiveInt", count_of(task, "attempt") + 1)
    rest = {k: v for k, v in task.items() if k != "output"}
    return {**rest, "status": "in-progress", "input": [*content, attempt, *failures]}


def failed_once_more(task: Resource, why: str) -> Resource:
    """The Task after an attempt that did not go well."""
    kept = [i for i in task["input"] if i not in list(_inputs(task, "failed"))]
    failures = _input("failed", "valuePositiveInt", count_of(task, "failed") + 1)
    return {**task, "status": "on-hold", "statusReason": {"text": why}, "input": [*kept, failures]}


def ended(task: Resource, status: str, left_out: Sequence[str] = ()) -> Resource:
    """The Task once nothing is to be read any more; `left_out` are addresses that led nowhere."""
    kept = [i for i in task["input"] if i not in list(_inputs(task, "failed"))]
    outputs = [{"type": concept(PULL_INPUT, "left-out"), "valueUrl": address} for address in left_out]
    rest = {k: v for k, v in task.items() if k not in ("statusReason", "output")}
    return {**rest, "status": status, "input": kept} | ({"output": outputs} if outputs else {})
