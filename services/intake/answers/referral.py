"""What the placer is told of his referral: Task `referral`.

Law of this file: the referral Task follows from everything known about the case; nobody sets its status by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from services.intake.answers.standings import Standing, standing
from services.intake.codes import (
    BSER,
    IDENTIFIER_TYPE,
    NPI,
    PREAUTHORIZATION_OUTPUT,
    REFERRAL_ID,
    REFERRAL_OUTPUT,
    TASK_CODE,
    code_of,
    concept,
    typed,
)
from services.intake.codes import GAP as GAP_SYSTEM
from services.intake.course import WANTED_FOR_VISITS, Course, course, is_not_taken
from services.intake.doors.placing import lacks
from services.intake.facts import Case
from services.intake.records import bare, named_by
from shared.core import Resource, reference
from shared.settings import Site

__all__ = ["COMPUTED", "WANTED_FOR_VISITS", "Course", "course", "practice", "referral"]

NOT_TAKEN = "A message about this referral could not be processed; a coordinator has been asked."
COMPUTED = frozenset(
    {"status", "businessStatus", "statusReason", "output", "basedOn", "intent", "code", "lastModified"}
)
"""Elements of the referral Task that are ours alone; the rest stays the placer's."""


def referral(course: Course, at: datetime) -> Resource:
    """The referral Task as it stands; `lastModified` moves only when anything else does."""
    case, stands = course.case, standing(course)
    elements: dict[str, Any] = {
        **{k: v for k, v in case.referral.items() if k not in COMPUTED},
        "extension": _extensions(case),
        "identifier": _identifiers(case.referral),
        "basedOn": [{"reference": reference(course.order)}] if course.order else None,
        "status": stands.status,
        "statusReason": {"text": stands.reason} if stands.reason else None,
        "businessStatus": concept(BSER, stands.business),
        "intent": "order",
        "code": concept(TASK_CODE, "referral"),
        "for": {"reference": f"Patient/{case.facts.patient}"},
        "authoredOn": case.referral.get("authoredOn") or _first_seen(case, at),
        "requester": case.referral.get("requester") or case.requester,
        "owner": case.referral.get("owner") or practice(case.site),
        "output": list(_outputs(course, stands)),
    }
    present = {k: v for k, v in elements.items() if v}
    if case.stored is not None and _said(present) == _said(case.stored):
        return {**case.stored, **({"meta": present["meta"]} if "meta" in present else {})}
    return {**present, "lastModified": at.isoformat(timespec="seconds")}


def _extensions(case: Case) -> list[Mapping[str, Any]]:
    """Whose the referral is, as it was known first; what its Task lacks, as it was sent last."""
    named = named_by(case.stored or case.referral, (f.patient for f in case.facts.others))
    return [*(e for e in named if e not in lacks(case.stored or case.referral)), *lacks(case.referral)]


def _said(task: Resource) -> dict[str, Any]:
    return {k: v for k, v in bare(task).items() if k != "lastModified"}


def _first_seen(case: Case, at: datetime) -> str:
    return str(case.stored["authoredOn"]) if case.stored else at.isoformat(timespec="seconds")


def _identifiers(task: Resource) -> list[dict[str, Any]]:
    """The placer's identifiers as received, then ours."""
    received = [i for i in task.get("identifier", ()) if not typed(i, "FILL")]
    return [*received, {"type": concept(IDENTIFIER_TYPE, "FILL"), "system": REFERRAL_ID, "value": task["id"]}]


def practice(site: Site) -> dict[str, Any]:
    """The practice as a party, by its NPI."""
    return {"identifier": {"system": NPI, "value": site.npi}, "display": site.organization}


def _outputs(course: Course, stands: Standing) -> Iterable[dict[str, Any]]:
    for gap in course.gaps:
        text = f"{gap.text} ({gap.expression})"
        yield {"type": _output("missing"), "valueCodeableConcept": concept(GAP_SYSTEM, gap.code, text)}
    yield from _authorization(course)
    yield from _renewals(course)
    for code in course.asked_for_visits:
        yield {"type": _output("missing"), "valueCodeableConcept": concept(GAP_SYSTEM, code, WANTED_FOR_VISITS[code])}
    for visit in course.visits("booked", "arrived", "checked-in", "fulfilled"):
        yield {"type": _output("appointment"), "valueReference": {"reference": reference(visit)}}
    for question in course.questions:
        told = {"display": NOT_TAKEN} if is_not_taken(question) else {}
        yield {"type": _output("question"), "valueReference": {"reference": reference(question), **told}}
    if stands.status == "completed":
        yield {"type": _output("feedback"), "valueString": _feedback(course)}


def _feedback(course: Course) -> str:
    """What came of a completed referral: a placer's loop is closed by more than a status."""
    starts = [str(v["start"])[:10] for v in course.visits("fulfilled") if "start" in v]
    if not starts:
        return "The placer's order is completed; no visit took place here."
    return f"Visits given: {len(starts)}; the first on {starts[0]}, the last on {starts[-1]}."


def _authorization(course: Course) -> Iterable[dict[str, Any]]:
    """What the authorization misses while it waits, else its numbers."""
    waiting = course.authorization == "needs-information"
    for output in (course.preauthorization or {}).get("output", ()):
        match code_of(output.get("type"), PREAUTHORIZATION_OUTPUT):
            case "missing" if waiting:
                yield {"type": _output("missing"), "valueCodeableConcept": output["valueCodeableConcept"]}
            case "number":
                yield {"type": _output("authorization"), "valueString": output["valueString"]}


def _renewals(course: Course) -> Iterable[dict[str, Any]]:
    """What a later period misses while its request waits: nothing stops for it, so the referral stands as it does."""
    for task in course.renewals:
        for output in task.get("output", ()) if task["status"] in WAITING else ():
            if code_of(output.get("type"), PREAUTHORIZATION_OUTPUT) == "missing":
                said = output["valueCodeableConcept"]
                yield {"type": _output("missing"), "valueCodeableConcept": {**said, "text": RENEWING + said["text"]}}


WAITING = ("in-progress", "on-hold")
RENEWING = "For the renewal of the authorization: "


def _output(code: str) -> dict[str, Any]:
    return concept(REFERRAL_OUTPUT, code)
