"""What a placer's own Task leaves out that a referral must say (BSeR): it is completed, and he is told what it lacked.

Law of this file: only a Task that was really sent lacks anything, and what it lacked is written down where it came in,
for nobody could tell afterwards what stood in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.intake.codes import TASK_LACKS, task_code, typed
from services.intake.facts import Case
from services.intake.paper import is_paper
from services.intake.requirements.gap import Gap
from shared.core import Resource

FULFILL = ("http://hl7.org/fhir/CodeSystem/task-code", "fulfill")
"""What a Task asks for that is a referral (BSeR, SDOHCC)."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One element of the placer's Task: the gap where it is missing, what would be right, and whether it is there."""

    gap: str
    text: str
    is_said: Callable[[Resource], object]


def _is_identified(task: Resource) -> bool:
    return any(typed(i, "PLAC") and i.get("value") for i in task.get("identifier", ()))


def _is_to_fulfill(task: Resource) -> bool:
    codings = task.get("code", {}).get("coding", ())
    return FULFILL in {(c.get("system"), c.get("code")) for c in codings}


DEMANDS: Mapping[str, Demand] = {
    "Task.identifier": Demand("task-identifier-missing", "The placer's identifier, of type PLAC", _is_identified),
    "Task.intent": Demand("task-intent-other", "The intent order", lambda t: t.get("intent") == "order"),
    "Task.code": Demand("task-code-missing", f"The code {FULFILL[1]} of {FULFILL[0]}", _is_to_fulfill),
    "Task.focus": Demand("task-focus-missing", "The ServiceRequest to fulfill", lambda t: t.get("focus")),
    "Task.for": Demand("task-patient-missing", "The Patient", lambda t: t.get("for")),
    "Task.authoredOn": Demand("task-undated", "When the referral was made", lambda t: t.get("authoredOn")),
    "Task.requester": Demand("task-requester-missing", "Who refers", lambda t: t.get("requester")),
    "Task.owner": Demand("task-owner-missing", "Who is to fulfill the order", lambda t: t.get("owner")),
}
"""Where each stands, in FHIRPath -> the demand (profile floor of a BSeR referral Task)."""


def marked(task: Resource) -> dict[str, Any]:
    """A Task as it was sent, with an extension for each element it lacks, whatever its sender wrote there."""
    lacking = () if task_code(task) is not None or is_paper(task) else DEMANDS.items()
    ours = [{"url": TASK_LACKS, "valueString": place} for place, d in lacking if not d.is_said(task)]
    kept = [*(e for e in task.get("extension", ()) if e.get("url") != TASK_LACKS), *ours]
    return {k: v for k, v in task.items() if k != "extension"} | ({"extension": kept} if kept else {})


def lacks(task: Resource) -> list[dict[str, Any]]:
    """The extensions that name what a referral Task lacked when it came."""
    return [e for e in task.get("extension", ()) if e.get("url") == TASK_LACKS]


def omissions(case: Case) -> Iterator[Gap]:
    """One gap for each element the placer's Task lacked; they withhold nothing."""
    for place in (str(e.get("valueString")) for e in lacks(case.referral)):
        if (demand := DEMANDS.get(place)) is not None:
            yield Gap(demand.gap, place, demand.text, clinical=False, formal=True)
