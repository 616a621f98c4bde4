"""Builds the Task that tells where a period of an authorization stands: `preauthorization` or, later, `renewal`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.auth.benefit.verified import verified
from services.auth.case import Case
from services.auth.decision.allowances import NOTE as ALLOWED
from services.auth.decision.allowances import notes as allowance_notes
from services.auth.decision.allowances import told as allowed_until
from services.auth.decision.charges import balance, hold_answers
from services.auth.decision.clocks import NOTE, clock_notes, restriction
from services.auth.decision.ledger import Grant, Ledger, Terms
from services.auth.decision.spoken import NOTE as SPOKEN
from services.auth.decision.spoken import notes as spoken_notes
from services.auth.discovery import findings
from services.auth.home import benefits
from services.auth.stage import Stage
from services.auth.words import (
    COORDINATOR,
    OUTPUT,
    ROLE_ID,
    STATUS,
    TASK_CODE,
    code_of,
    concept,
)
from shared.core import reference

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

HOME_POLICY = "auth/home-benefits"
"""The policy whose rows say who pays an infusion at home."""

RISK = "Risk of a gap: "
"""How a note begins that says which of the next doses nothing covers."""

RENEWED = (f"Criteria {HOME_POLICY}", NOTE, SPOKEN, ALLOWED, RISK, findings.NOTE)
"""How the notes begin that are written anew each time."""

OWNER = {"identifier": {"system": ROLE_ID, "value": COORDINATOR}}


def preauthorization(
    case: Case, stage: Stage, ledger: Ledger, terms: Terms, grants: Iterable[Grant], later: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """The Task of the first period, and of every answer to a held time; `later` tells of periods granted after it."""
    told = [*later, *verified(case), *([] if case.ended else benefits(case))]
    outputs = [*told, *balance(ledger, terms, grants), *allowed_until(terms.allowed), *hold_answers(ledger)]
    return told_by(case, stage, "preauthorization", outputs, ())


def told_by(
    case: Case, stage: Stage, code: str, told: Iterable[dict[str, Any]], words: Iterable[str]
) -> dict[str, Any]:
    """The Task of a period as its stage has it; criteria once judged for a submission stay beside it."""
    stored = case.task or {}
    status = "on-hold" if stage.status == "investigating" and stage.refusals else TASK_STATUS[stage.status]
    outputs = [*stage.outputs, *_verdicts(stored, stage), *told]
    note = [{"text": text} for text in (*_notes(case, stage, stored), *words)]
    return {
        "resourceType": "Task",
        "id": case.task_id,
        "basedOn": [{"reference": reference(case.order)}],
        "status": status,
        **({"statusReason": {"text": stage.why}} if status in REASONED else {}),
        "businessStatus": concept(STATUS, stage.status),
        "intent": "order",
        "code": concept(TASK_CODE, code),
        "focus": {"reference": reference(case.order)},
        "for": dict(case.order["subject"]),
        "authoredOn": stored.get("authoredOn", case.at.isoformat()),
        "owner": OWNER,
        **restriction(case),
        **({"note": note} if note else {}),
        **({"output": outputs} if outputs else {}),
    }


def _notes(case: Case, stage: Stage, stored: Mapping[str, Any]) -> list[str]:
    """By which criteria it was decided, by which row it is paid at home, and by which the payer's clock runs."""
    told = [n["text"] for n in stored.get("note", ()) if not n["text"].startswith(RENEWED)]
    benefit = case.home_benefit
    row = [case.policy.note_on(benefit)] if benefit and not case.ended else []
    clocks = (*clock_notes(case), *spoken_notes(case), *allowance_notes(case, stage), *findings.notes(case))
    return list(dict.fromkeys([*([stage.note] if stage.note else told), *row, *clocks]))


def _verdicts(stored: Mapping[str, Any], stage: Stage) -> list[dict[str, Any]]:
    """Verdicts by which the request was made; none beside verdicts made now."""
    if stage.judged or stage.status in ("not-covered", "not-required", "investigating"):
        return []
    return [o for o in stored.get("output", ()) if code_of(o.get("type"), OUTPUT) == "criterion"]
