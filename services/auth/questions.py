"""What authorization asks a person: Task `authorization-question`, owned by the authorization-coordinator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.auth.case import Case, question_code
from services.auth.responses import FINAL, standing
from services.auth.words import COORDINATOR, PREFIX, QUESTION, ROLE_ID, TASK_CODE, concept, target
from shared.core import Resource, derived_id, reference

OPEN = ("requested", "received", "accepted", "in-progress", "on-hold")


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its code, what it is about (`Type/id`), its text, and what keeps it apart from others like it."""

    code: str
    focus: str
    text: str
    key: str = ""

    def id_for(self, order: Resource) -> str:
        """Derived from order, question and what it is about."""
        return derived_id(PREFIX, "authorization-question", order["id"], self.code, self.key or self.focus)


TEXTS: Mapping[str, str] = {
    "benefit-refused-by-payer": "The payer refused the benefit request: correct it and answer `resubmit`, or verify "
    "the benefit another way and answer `required` where an authorization is needed.",
    "benefit-unreadable": "The payer's benefit answer cannot be read: answer `resubmit`, or verify the benefit another "
    "way and answer `required` where an authorization is needed.",
    "benefit-unsendable": "The benefit request breaks what a payer may be sent, and was not sent: correct what is "
    "named and answer `resubmit`, or verify the benefit another way and answer `required` where an authorization is "
    "needed.",
    "preauthorization-refused-by-payer": "The payer refused the request as wrong: correct it, then answer `resubmit`.",
    "preauthorization-unreadable": "The payer's answer cannot be read: inquire, or answer `resubmit`.",
    "preauthorization-unsendable": "The request breaks what a payer may be sent, and was not sent: correct what is "
    "named, then answer `resubmit`.",
    "payer-late": "The payer's decision is overdue: inquire with the payer, then answer `inquired`.",
    "payer-contradicts": "The payer sent another final decision after the first: answer `keep` where the first holds, "
    "or `resubmit`.",
}
"""Questions that come of an event and stay until they are answered or overtaken."""

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "benefit-refused-by-payer": ("resubmit", "required"),
    "benefit-unreadable": ("resubmit", "required"),
    "benefit-unsendable": ("resubmit", "required"),
    "no-criteria": ("submit",),
    "order-changed": ("keep", "resubmit"),
    "payer-answer": ("resubmit",),
    "payer-contradicts": ("keep", "resubmit"),
    "payer-late": ("inquired",),
    "preauthorization-refused-by-payer": ("resubmit",),
    "preauthorization-unreadable": ("resubmit",),
    "preauthorization-unsendable": ("resubmit",),
}
"""What a question may be answered; one that is not listed is closed by what corrects it, never by an answer."""


def asked(case: Case, question: Question) -> Resource:
    """The question as it stands, opened again where it had been overtaken."""
    stored = case.facts.at("Task/" + question.id_for(case.order))
    if stored is not None and stored["status"] != "cancelled":
        return stored
    return {
        "resourceType": "Task",
        "id": question.id_for(case.order),
        "basedOn": [{"reference": reference(case.order)}],
        "status": "requested",
        "intent": "order",
        "code": concept(TASK_CODE, "authorization-question"),
        "focus": {"reference": question.focus},
        "for": dict(case.order["subject"]),
        "authoredOn": case.at.isoformat(),
        "owner": {"identifier": {"system": ROLE_ID, "value": COORDINATOR}},
        "input": [{"type": concept(QUESTION, question.code), "valueString": question.text}],
    }


def open_about(case: Case, code: str, focus: str) -> Resource | None:
    """The question of this code about this resource that nobody has answered."""
    return next(
        (q for q in case.questions if question_code(q) == code and target(q["focus"]) == focus and q["status"] in OPEN),
        None,
    )


def overtaken(case: Case, wanted: Iterable[str]) -> list[dict[str, Any]]:
    """Open questions that no longer stand, cancelled; `wanted` are the ids of those the stage still asks."""
    kept = set(wanted)
    return [
        {**q, "status": "cancelled", "statusReason": {"text": "Overtaken by what is known now."}}
        for q in case.questions
        if q["status"] in OPEN and q["id"] not in kept and not stands(case, q)
    ]


def stands(case: Case, question: Resource) -> bool:
    """Whether a question that came of an event is still one."""
    rule = STANDING.get(question_code(question) or "")
    return rule is not None and not case.ended and rule(case, target(question["focus"]) or "")


def _benefit_open(case: Case, focus: str) -> bool:
    return focus == "CoverageEligibilityRequest/" + case.benefit_request_id and case.benefit is None


def _claim_unanswered(case: Case, focus: str) -> bool:
    return case.claim is not None and focus == reference(case.claim) and not case.answers_to(case.claim)


def latest_word(case: Case, claim: Resource) -> Resource:
    """What the payer said last of a Claim, or the Claim itself."""
    return next(reversed(case.answers_to(claim)), claim)


def _latest_word_undecided(case: Case, focus: str) -> bool:
    claim = case.claim
    if claim is None or focus != reference(latest_word(case, claim)):
        return False
    return not any(standing(claim, a) in FINAL for a in case.answers_to(claim))


def _claim_pended(case: Case, focus: str) -> bool:
    claim = case.claim
    if claim is None or focus != reference(claim):
        return False
    return {standing(claim, a) for a in case.answers_to(claim)} == {"pended"}


def _claim_current(case: Case, focus: str) -> bool:
    return case.claim is not None and focus == reference(case.claim)


STANDING: Mapping[str, Callable[[Case, str], bool]] = {
    "benefit-refused-by-payer": _benefit_open,
    "benefit-unreadable": _benefit_open,
    "benefit-unsendable": _benefit_open,
    "preauthorization-refused-by-payer": _claim_unanswered,
    "preauthorization-unreadable": _latest_word_undecided,
    "preauthorization-unsendable": _claim_unanswered,
    "payer-late": _claim_pended,
    "payer-contradicts": _claim_current,
}
"""How long a question that came of an event still stands."""
