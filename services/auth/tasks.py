"""Builds the Tasks that tell where an authorization stands: `preauthorization`, and `appeal` for what was denied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.auth.case import Case
from services.auth.charges import balance, hold_answers
from services.auth.ledger import Ledger, Terms
from services.auth.stage import Stage
from services.auth.words import (
    COORDINATOR,
    OUTPUT,
    PERIOD,
    PREFIX,
    QUESTION,
    ROLE_ID,
    STATUS,
    TASK_CODE,
    code_of,
    concept,
    day,
    days_after,
    local_day,
    target,
)
from shared.core import Resource, derived_id, reference

TASK_STATUS: Mapping[str, str] = {
    "investigating": "in-progress",
    "needs-information": "on-hold",
    "submitted": "in-progress",
    "pended": "in-progress",
    "approved": "completed",
    "partly-approved": "completed",
    "denied": "rejected",
    "not-required": "completed",
    "not-covered": "rejected",
    "cancelled": "cancelled",
    "question": "on-hold",
}
"""Task.status by preauthorization-status."""

REASONED = {"on-hold", "rejected", "cancelled"}
"""Statuses that say why (BSeR: statusReason.text is required there)."""

OWNER = {"identifier": {"system": ROLE_ID, "value": COORDINATOR}}


def preauthorization(case: Case, stage: Stage, ledger: Ledger, terms: Terms) -> dict[str, Any]:
    """The Task as the stage and the ledger have it; criteria once judged for a submission stay beside it."""
    stored = case.task or {}
    status = "on-hold" if stage.status == "investigating" and stage.refusals else TASK_STATUS[stage.status]
    outputs = [*stage.outputs, *_verdicts(stored, stage), *balance(ledger, terms), *hold_answers(ledger)]
    note = [{"text": stage.note}] if stage.note else list(stored.get("note", ()))
    return {
        "resourceType": "Task",
        "id": derived_id(PREFIX, "preauthorization", case.order["id"], PERIOD),
        "basedOn": [{"reference": reference(case.order)}],
        "status": status,
        **({"statusReason": {"text": stage.why}} if status in REASONED else {}),
        "businessStatus": concept(STATUS, stage.status),
        "intent": "order",
        "code": concept(TASK_CODE, "preauthorization"),
        "focus": {"reference": reference(case.order)},
        "for": dict(case.order["subject"]),
        "authoredOn": stored.get("authoredOn", case.at.isoformat()),
        "owner": OWNER,
        **({"note": note} if note else {}),
        **({"output": outputs} if outputs else {}),
    }


def _verdicts(stored: Mapping[str, Any], stage: Stage) -> list[dict[str, Any]]:
    """Verdicts by which the request was made; none beside verdicts made now."""
    if stage.judged or stage.status in ("not-covered", "not-required", "investigating"):
        return []
    return [o for o in stored.get("output", ()) if code_of(o.get("type"), OUTPUT) == "criterion"]


def appeal(case: Case, answer: Resource) -> Resource:
    """The decision whether to appeal, due by the payer's line of business from the date of the denial."""
    task_id = _appeal_id(case, answer)
    stored = case.facts.at("Task/" + task_id)
    return stored if stored is not None else {
        "resourceType": "Task",
        "id": task_id,
        "basedOn": [{"reference": reference(case.order)}],
        "status": "requested",
        "intent": "order",
        "code": concept(TASK_CODE, "appeal"),
        "focus": {"reference": reference(answer)},
        "for": dict(case.order["subject"]),
        "authoredOn": case.at.isoformat(),
        "owner": OWNER,
        **_deadline(case, answer),
        "input": [{"type": concept(QUESTION, "appeal"), "valueString": "The payer denied the request: appeal?"}],
    }  # fmt: skip


def _appeal_id(case: Case, answer: Resource) -> str:
    """Of order, period and level; the denial of a later attempt at the same level is one more."""
    attempt = 1
    while True:
        level = "1" if attempt == 1 else f"1|{attempt}"
        task_id = derived_id(PREFIX, "appeal", case.order["id"], PERIOD, level)
        stored = case.facts.at("Task/" + task_id)
        if stored is None or target(stored["focus"]) == reference(answer):
            return task_id
        attempt += 1


def _deadline(case: Case, answer: Resource) -> dict[str, Any]:
    """The last day to appeal, counted from the date of the denial; none where no figure is in force.

    Where the payer's clock and ours stand on two dates, the earlier one counts.
    """
    created = str(answer.get("created", ""))
    zone = case.policy.site.sites[0].time_zone
    notice = min((d for d in (day(created), local_day(created, zone)) if d), default=case.on)
    days = case.policy.appeal_days(case.payer, notice) if case.payer else None
    if days is None:
        return {}
    return {"restriction": {"period": {"end": days_after(notice, days).isoformat()}}}
