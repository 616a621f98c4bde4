"""Asks a person which of two referrals for the same therapy go on, before anything is claimed for the second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from services.intake.codes import QUESTION, ROLE_ID, TASK_CODE, concept
from services.intake.records import literal
from services.intake.succession import QUESTION as KIND
from services.intake.succession import is_of_kin, question_id
from shared.core import PRACTICE_ONLY_LABEL, Resource, reference

if TYPE_CHECKING:
    from services.intake.consequences import Worked

CHOICES = frozenset({"both", "only-first", "only-second"})
TEXT = (
    "Another referral of this patient asks for the same therapy: answer `both` if both go on, `only-first` if this "
    "second one (partOf) is declined, `only-second` if the one that was there before (focus) is."
)


def choices(worked: Worked) -> Iterator[Resource]:
    """The questions a referral waits for, and those nobody needs to answer any more."""
    case = worked.case
    asked = {question_id(case.referral, first): first for first in case.rivals}
    for id_, first in asked.items():
        yield case.facts.resources.get(f"Task/{id_}") or _question(worked, id_, first)
    for task in case.facts.tasks(KIND):
        mine = reference(case.referral) in map(literal, task.get("partOf", ()))
        if mine and task["id"] not in asked and task["status"] == "requested":
            yield {**task, "status": "cancelled"}


def _question(worked: Worked, id_: str, first: Resource) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": id_,
        **({"meta": {"security": [PRACTICE_ONLY_LABEL]}} if is_of_kin(worked.case, first) else {}),
        "partOf": [{"reference": reference(worked.case.referral)}],
        "status": "requested",
        "intent": "order",
        "code": concept(TASK_CODE, KIND),
        "focus": {"reference": reference(first)},
        "for": {"reference": f"Patient/{worked.case.facts.patient}"},
        "authoredOn": worked.at.isoformat(timespec="seconds"),
        "owner": {"identifier": {"system": ROLE_ID, "value": "intake-coordinator"}},
        "input": [{"type": concept(QUESTION, "second-referral"), "valueString": TEXT}],
    }
