"""What the placer is told of his referral: Task `referral`.

Law of this file: the referral Task follows from everything known about the case; nobody sets its status by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.intake.codes import (
    ANSWER,
    BSER,
    IDENTIFIER_TYPE,
    NPI,
    PREAUTHORIZATION_OUTPUT,
    REFERRAL_ID,
    REFERRAL_OUTPUT,
    TASK_CODE,
    code_of,
    concept,
    task_code,
    typed,
)
from services.intake.codes import GAP as GAP_SYSTEM
from services.intake.facts import Case
from services.intake.gap import Gap
from services.intake.orders import called_off
from services.intake.questions import OPEN
from services.intake.records import bare, literal
from shared.core import Resource, reference

ASKED_OF_PLACER = ("appeal", "authorization-question", "scheduling-question", "intake-question", "message-question")
NOT_TAKEN = "A message about this referral could not be processed; a coordinator has been asked."
COMPUTED = frozenset(
    {"status", "businessStatus", "statusReason", "output", "basedOn", "intent", "code", "lastModified"}
)
"""Elements of the referral Task that are ours alone; the rest stays the placer's."""


WANTED_FOR_VISITS: Mapping[str, str] = {
    "consent-not-active": "The patient's active Consent to treatment, in force on the day of the visit",
    "consent-refused": "The patient's consent: the latest word on file is a refusal",
    "coverage-ended": "A Coverage in force on the day of the visit",
    "labs-missing": "The laboratory results the visit needs",
    "labs-out-of-date": "Laboratory results recent enough for the day of the visit",
    "order-out-of-date": "A renewed order: the one on file is too old on the day of the visit",
}
"""What scheduling waits for that only the placer can bring, and what would be right."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Status, BSeR code and reason of the referral Task."""

    status: str
    business: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """One referral and what has become of it in the other services."""

    case: Case
    gaps: tuple[Gap, ...]
    order: Resource | None
    verification: Resource | None
    preauthorization: Resource | None
    questions: tuple[Resource, ...]
    appointments: tuple[Resource, ...]
    chair: Resource | None = None

    @property
    def authorization(self) -> str | None:
        """The business status of the authorization."""
        codings = (self.preauthorization or {}).get("businessStatus", {}).get("coding", ())
        return next((c.get("code") for c in codings), None)

    @property
    def asked_for_visits(self) -> tuple[str, ...]:
        """What the visits still to be timed wait for that the placer has."""
        codings = (self.chair or {}).get("statusReason", {}).get("coding", ())
        return tuple(c["code"] for c in codings if c.get("code") in WANTED_FOR_VISITS)

    def visits(self, *statuses: str) -> tuple[Resource, ...]:
        """The visits in one of these statuses."""
        return tuple(a for a in self.appointments if a["status"] in statuses)


def course(case: Case, gaps: tuple[Gap, ...], order: Resource | None, questions: Mapping[str, Resource]) -> Course:
    """What the other services say about this order, and our own questions as they now stand."""
    own = reference(order) if order else ""
    ours = {t["id"]: t for t in questions.values()}
    tasks = {t["id"]: t for t in case.facts.of("Task")} | ours
    about = [t for t in tasks.values() if own and (own in _named(t) or _is_of_no_order(t))]
    asked = [t for t in about if task_code(t) in ASKED_OF_PLACER and t["status"] in OPEN]
    authorizations = [t for t in about if task_code(t) == "preauthorization"]
    visits = [a for a in case.facts.resources.values() if a["resourceType"] == "Appointment" and own in _named(a)]
    return Course(
        case,
        gaps,
        order,
        questions.get("order-verification"),
        max(authorizations, key=lambda t: (t["status"] != "cancelled", t.get("authoredOn", ""), t["id"]), default=None),
        tuple(sorted(_once(asked), key=reference)),
        tuple(sorted(visits, key=lambda a: (a.get("start", ""), a["id"]))),
        next((t for t in about if task_code(t) == "chair"), None),
    )


def _once(asked: Sequence[Resource]) -> Iterable[Resource]:
    """However many messages could not be taken, the placer is told once."""
    not_taken = sorted((t for t in asked if _is_not_taken(t)), key=lambda t: (t.get("authoredOn", ""), t["id"]))
    return (*(t for t in asked if not _is_not_taken(t)), *not_taken[:1])


def _is_not_taken(task: Resource) -> bool:
    return task_code(task) == "message-question"


def _is_of_no_order(task: Resource) -> bool:
    """Whether a message could not be taken and does not even say which order it is about."""
    return _is_not_taken(task) and "basedOn" not in task


def _named(resource: Resource) -> set[str | None]:
    return {literal(resource.get("focus"))} | {literal(b) for b in resource.get("basedOn", ())}


# Where the referral stands: the first that holds


def ended(course: Course) -> Standing | None:
    word, stored = called_off(course.case), course.case.stored
    if stored is not None and stored["status"] == "cancelled":
        return Standing("cancelled", "6.0", stored["statusReason"]["text"])
    return Standing("cancelled", "6.0", f"The placer's order is {word}") if word else None


def incomplete(course: Course) -> Standing | None:
    codes = ", ".join(g.code for g in course.gaps if not g.formal)
    return Standing("on-hold", "3.0", f"Information missing: {codes}") if codes else None


def held(course: Course) -> Standing | None:
    return Standing("on-hold", "3.0", "The placer's order is on hold") if course.case.on_hold else None


def unverified(course: Course) -> Standing | None:
    task = course.verification or {}
    said = {code_of(o.get("type"), ANSWER) for o in task.get("output", ())}
    rejected = task.get("status") == "rejected" or "rejected" in said
    return Standing("on-hold", "3.0", "The pharmacist did not verify the order") if rejected else None


def authorization_waiting(course: Course) -> Standing | None:
    texts = {
        "needs-information": "The authorization needs information",
        "question": "A question about the authorization is open",
    }
    text = texts.get(course.authorization or "")
    return Standing("on-hold", "3.0", text) if text else None


def refused(course: Course) -> Standing | None:
    words = {"denied": "authorization denied", "not-covered": "not covered by the plan"}
    word = words.get(course.authorization or "")
    if word is None:
        return None
    if any(task_code(q) == "appeal" for q in course.questions):
        return Standing("on-hold", "3.0", f"{word}; appeal question open")
    return Standing("rejected", "4.0", word)


def given(course: Course) -> Standing | None:
    all_given = course.visits("fulfilled") and not course.visits("proposed", "pending", "booked", "arrived", "waitlist")
    done = course.case.request.get("status") == "completed"
    return Standing("completed", "7.0") if all_given or done else None


def scheduled(course: Course) -> Standing | None:
    return Standing("in-progress", "5.1.1") if course.visits("booked", "arrived", "checked-in") else None


def unattended(course: Course) -> Standing | None:
    return Standing("in-progress", "5.1.2") if course.visits("noshow") else None


def visit_cancelled(course: Course) -> Standing | None:
    once_booked = [a for a in course.visits("cancelled") if a.get("start")]
    return Standing("in-progress", "5.1.3") if once_booked else None


def visits_waiting(course: Course) -> Standing | None:
    codes = ", ".join(course.asked_for_visits)
    return Standing("on-hold", "3.0", f"Information missing for a visit: {codes}") if codes else None


def under_way(course: Course) -> Standing | None:
    return Standing("in-progress", "3.0") if course.preauthorization else None


def accepted(_: Course) -> Standing | None:
    return Standing("accepted", "3.0")


STANDINGS: tuple[Callable[[Course], Standing | None], ...] = (
    ended, incomplete, held, unverified, authorization_waiting, refused, given, scheduled, unattended,
    visit_cancelled, visits_waiting, under_way, accepted,
)  # fmt: skip


def standing(course: Course) -> Standing:
    """The first standing that holds."""
    return next(s for rule in STANDINGS if (s := rule(course)) is not None)


# The Task for the placer


def referral(course: Course, at: datetime) -> Resource:
    """The referral Task as it stands; `lastModified` moves only when anything else does."""
    case, stands = course.case, standing(course)
    elements: dict[str, Any] = {
        **{k: v for k, v in case.referral.items() if k not in COMPUTED},
        "extension": (case.stored or case.referral).get("extension"),
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
        "owner": case.referral.get("owner") or _practice(case),
        "output": list(_outputs(course)),
    }
    present = {k: v for k, v in elements.items() if v}
    if case.stored is not None and _said(present) == _said(case.stored):
        return case.stored
    return {**present, "lastModified": at.isoformat(timespec="seconds")}


def _said(task: Resource) -> dict[str, Any]:
    return {k: v for k, v in bare(task).items() if k != "lastModified"}


def _first_seen(case: Case, at: datetime) -> str:
    return str(case.stored["authoredOn"]) if case.stored else at.isoformat(timespec="seconds")


def _identifiers(task: Resource) -> list[dict[str, Any]]:
    """The placer's identifiers as received, then ours."""
    received = [i for i in task.get("identifier", ()) if not typed(i, "FILL")]
    return [*received, {"type": concept(IDENTIFIER_TYPE, "FILL"), "system": REFERRAL_ID, "value": task["id"]}]


def _practice(case: Case) -> dict[str, Any]:
    return {"identifier": {"system": NPI, "value": case.site.npi}, "display": case.site.organization}


def _outputs(course: Course) -> Iterable[dict[str, Any]]:
    for gap in course.gaps:
        text = f"{gap.text} ({gap.expression})"
        yield {"type": _output("missing"), "valueCodeableConcept": concept(GAP_SYSTEM, gap.code, text)}
    yield from _authorization(course)
    for code in course.asked_for_visits:
        yield {"type": _output("missing"), "valueCodeableConcept": concept(GAP_SYSTEM, code, WANTED_FOR_VISITS[code])}
    for visit in course.visits("booked", "arrived", "checked-in", "fulfilled"):
        yield {"type": _output("appointment"), "valueReference": {"reference": reference(visit)}}
    for question in course.questions:
        told = {"display": NOT_TAKEN} if _is_not_taken(question) else {}
        yield {"type": _output("question"), "valueReference": {"reference": reference(question), **told}}


def _authorization(course: Course) -> Iterable[dict[str, Any]]:
    """What the authorization misses while it waits, else its numbers."""
    waiting = course.authorization == "needs-information"
    for output in (course.preauthorization or {}).get("output", ()):
        match code_of(output.get("type"), PREAUTHORIZATION_OUTPUT):
            case "missing" if waiting:
                yield {"type": _output("missing"), "valueCodeableConcept": output["valueCodeableConcept"]}
            case "number":
                yield {"type": _output("authorization"), "valueString": output["valueString"]}


def _output(code: str) -> dict[str, Any]:
    return concept(REFERRAL_OUTPUT, code)
