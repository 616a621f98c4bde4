"""What authorization asks a person: Task `authorization-question`, owned by the authorization-coordinator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.auth.benefit.coordination import GROUP_FIRST, LISTED, MEDICARE_FIRST
from services.auth.case import Case
from services.auth.wire.responses import FINAL, standing
from services.auth.words import (
    ANSWER,
    COORDINATOR,
    PREFIX,
    QUESTION,
    ROLE_ID,
    TASK_CODE,
    code_of,
    concept,
    question_code,
    target,
)
from shared.core import Resource, derived_id, reference

OPEN = ("requested", "received", "accepted", "in-progress", "on-hold")


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its code, what it is about (`Type/id`), its text, and what keeps it apart from others like it.

    due     the last day on which its answer counts, where there is one.
    reason  `Type/id` of what it rests on, where that is another thing.
    """

    code: str
    focus: str
    text: str
    key: str = ""
    due: str = ""
    reason: str = ""

    def id_for(self, order: Resource) -> str:
        """Derived from order, question and what it is about."""
        return derived_id(PREFIX, "authorization-question", order["id"], self.code, self.key or self.focus)


UNKNOWN = "verify it, then answer `confirmed` where it counts, or `rejected` to ask the payer anew."

TEXTS: Mapping[str, str] = {
    "held-authorization-unknown": f"The payer does not know the authorization the referral names: {UNKNOWN}",
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
    "decision-due": "Answer `inquire` and the payer is asked where the request stands, or ask it another way whether "
    "anything is missing and answer `inquired`; where it approves by telephone, `verbally-approved` with number, "
    "period, who said it and when.",
    "attachment-refused": "The payer did not take what it had asked for: send it another way, then answer `told`.",
    "payer-late": "The payer's decision is overdue: answer `inquire` and it is asked where the request stands, or "
    "inquire another way and answer `inquired`.",
    "payer-keeps": "The payer did not take back a request we withdrew: tell it another way, then answer `told`.",
    "payer-contradicts": "The payer sent another final decision after the first: answer `keep` where the first holds, "
    "or `resubmit`.",
}
"""Questions that come of an event and stay until they are answered or overtaken."""

INQUIRED = ("inquire", "inquired")
"""Answers after which a late payer has been inquired with: by us, by a person."""

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "coverage-order": (LISTED, GROUP_FIRST, MEDICARE_FIRST),
    "attachment-refused": ("told",),
    "appeal-outcome": ("overturned", "upheld"),
    "benefit-refused-by-payer": ("resubmit", "required"),
    "benefit-unreadable": ("resubmit", "required"),
    "benefit-unsendable": ("resubmit", "required"),
    "decision-due": (*INQUIRED, "extended", "verbally-approved"),
    "expedited-unsupported": ("expedited", "standard"),
    "held-authorization-differs": ("confirmed", "rejected"),
    "held-authorization-unknown": ("confirmed", "rejected"),
    "home-partly-paid": ("accepted",),
    "information-requested": ("attached", "told"),
    "no-criteria": ("submit",),
    "order-changed": ("keep", "resubmit", "update"),
    "partly-authorized": ("accepted",),
    "payer-answer": ("resubmit",),
    "peer-to-peer": ("overturned", "upheld"),
    "payer-contradicts": ("keep", "resubmit"),
    "payer-keeps": ("told",),
    "payer-late": (*INQUIRED, "extended", "verbally-approved"),
    "preauthorization-refused-by-payer": ("resubmit",),
    "preauthorization-unreadable": ("resubmit",),
    "preauthorization-unsendable": ("resubmit",),
    "question-set": ("answered",),
    "question-set-expired": ("resubmit",),
    "question-set-unavailable": ("submit", "resubmit"),
    "request-by-hand": ("approved", "denied"),
    "which-benefit": ("medical", "pharmacy"),
}
"""What a question may be answered; one that is not listed is closed by what corrects it, never by an answer."""


BESIDE = ("letter-date", "letter-deadline", "spoken-at", "spoken-with", "talk-at")
"""What may be said beside an answer, and is none by itself."""


def answer_first(outputs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What a person said of a question, the answer before what goes with it, in whatever order it was said."""
    return sorted(outputs, key=lambda o: code_of(o.get("type"), ANSWER) in BESIDE)


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
        **({"reasonReference": {"reference": question.reason}} if question.reason else {}),
        **({"restriction": {"period": {"end": question.due}}} if question.due else {}),
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
        for q in case.own_questions
        if q["status"] in OPEN and q["id"] not in kept and not stands(case, q)
    ]


def stands(case: Case, question: Resource) -> bool:
    """Whether a question that came of an event is still one."""
    code = question_code(question) or ""
    rule = STANDING.get(code)
    over = case.ended and code not in OUTLASTING
    return rule is not None and not over and rule(case, target(question["focus"]) or "")


def _benefit_open(case: Case, focus: str) -> bool:
    latest = case.latest_request
    return latest is not None and focus == reference(latest) and case.answer_to(latest) is None


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


def _pended_in_time(case: Case, focus: str) -> bool:
    late = any(question_code(q) == "payer-late" and q["status"] in OPEN for q in case.own_questions)
    return _claim_pended(case, focus) and not late


def _claim_current(case: Case, focus: str) -> bool:
    return case.claim is not None and focus == reference(case.claim)


def _not_taken_back(case: Case, focus: str) -> bool:
    request = case.facts.at(focus)
    return request is not None and all(standing(request, a) != "cancelled" for a in case.answers_to(request))


OUTLASTING = ("payer-keeps",)
"""Questions that matter although the order has ended."""

STANDING: Mapping[str, Callable[[Case, str], bool]] = {
    "attachment-refused": _claim_pended,
    "benefit-refused-by-payer": _benefit_open,
    "benefit-unreadable": _benefit_open,
    "benefit-unsendable": _benefit_open,
    "held-authorization-unknown": _claim_unanswered,
    "preauthorization-refused-by-payer": _claim_unanswered,
    "preauthorization-unreadable": _latest_word_undecided,
    "preauthorization-unsendable": _claim_unanswered,
    "decision-due": _pended_in_time,
    "payer-late": _claim_pended,
    "payer-contradicts": _claim_current,
    "payer-keeps": _not_taken_back,
}
"""How long a question that came of an event still stands."""
