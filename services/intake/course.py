"""One referral and what has become of it in the other services; readers only, no judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.intake.codes import task_code
from services.intake.facts import Case
from services.intake.questions import OPEN, PRACTICE_ONLY, asks
from services.intake.records import literal
from services.intake.requirements.gap import Gap
from shared.core import Resource, reference

ASKED_OF_PLACER = (
    "appeal", "authorization-question", "scheduling-question", "nursing-question", "intake-question",
    "message-question",
)  # fmt: skip
VISITS = ("chair", "home-nursing")
"""Tasks that say where the visits of an order stand."""

WANTED_FOR_VISITS: Mapping[str, str] = {
    "consent-not-active": "The patient's active Consent to treatment, in force on the day of the visit",
    "consent-refused": "The patient's consent: the latest word on file is a refusal",
    "coverage-ended": "A Coverage in force on the day of the visit",
    "labs-missing": "The laboratory results the visit needs",
    "labs-out-of-date": "Laboratory results recent enough for the day of the visit",
    "order-out-of-date": "A renewed order: the one on file is too old on the day of the visit",
}
"""What the visits wait for that only the placer can bring, and what would be right."""


@dataclass(frozen=True, slots=True)
class Course:
    """One referral and what has become of it in the other services.

    visiting  the Tasks of its visits.
    renewals  the Tasks of later periods of its authorization.
    """

    case: Case
    gaps: tuple[Gap, ...]
    order: Resource | None
    verification: Resource | None
    preauthorization: Resource | None
    questions: tuple[Resource, ...]
    appointments: tuple[Resource, ...]
    visiting: tuple[Resource, ...] = ()
    renewals: tuple[Resource, ...] = ()

    @property
    def authorization(self) -> str | None:
        """The business status of the authorization."""
        codings = (self.preauthorization or {}).get("businessStatus", {}).get("coding", ())
        return next((c.get("code") for c in codings), None)

    @property
    def asked_for_visits(self) -> tuple[str, ...]:
        """What the visits still to be timed wait for that the placer has."""
        codings = [c for t in self.visiting for c in t.get("statusReason", {}).get("coding", ())]
        return tuple(dict.fromkeys(c["code"] for c in codings if c.get("code") in WANTED_FOR_VISITS))

    def visits(self, *statuses: str) -> tuple[Resource, ...]:
        """The visits in one of these statuses, in order of their start."""
        return tuple(a for a in self.appointments if a["status"] in statuses)


def course(case: Case, gaps: tuple[Gap, ...], order: Resource | None, questions: Mapping[str, Resource]) -> Course:
    """What the other services say about this order, and our own questions as they now stand."""
    own = reference(order) if order else ""
    ours = {t["id"]: t for t in questions.values()}
    tasks = {t["id"]: t for t in case.facts.of("Task")} | ours
    about = [t for t in tasks.values() if own and (own in _named(t) or _is_of_no_order(t))]
    asked = [t for t in about if _is_told(t) and t["status"] in OPEN]
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
        tuple(sorted((t for t in about if task_code(t) in VISITS), key=reference)),
        tuple(sorted((t for t in about if task_code(t) == "renewal"), key=reference)),
    )


def _is_told(task: Resource) -> bool:
    """Whether a placer is told that this is asked."""
    return task_code(task) in ASKED_OF_PLACER and not asks(task) & PRACTICE_ONLY


def is_not_taken(task: Resource) -> bool:
    """Whether it is the question about a message that could not be taken."""
    return task_code(task) == "message-question"


def _once(asked: Sequence[Resource]) -> Iterable[Resource]:
    """However many messages could not be taken, the placer is told once."""
    not_taken = sorted((t for t in asked if is_not_taken(t)), key=lambda t: (t.get("authoredOn", ""), t["id"]))
    return (*(t for t in asked if not is_not_taken(t)), *not_taken[:1])


def _is_of_no_order(task: Resource) -> bool:
    """Whether a message could not be taken and does not even say which order it is about."""
    return is_not_taken(task) and "basedOn" not in task


def _named(resource: Resource) -> set[str | None]:
    return {literal(resource.get("focus"))} | {literal(b) for b in resource.get("basedOn", ())}
