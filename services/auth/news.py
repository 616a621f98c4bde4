"""Names a decision: after the stage that is new, what became of a dose, or what was stored; and sets a pend's wake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.auth.benefit.verified import FINDINGS, TOLD
from services.auth.case import Case
from services.auth.decision.clocks import DUE, LATE, awaits_payer, looked_at, next_look
from services.auth.decision.ledger import Ledger
from services.auth.discovery import findings
from services.auth.facts import Facts
from services.auth.pharmacy.answering import is_waiting
from services.auth.renewal.periods import Renewal
from services.auth.stage import Stage
from services.auth.subscribing import watching
from services.auth.wire.information import REQUESTED
from services.auth.wire.responses import cancels
from services.auth.words import OUTPUT, STATUS, code_of, question_code, task_code, unversioned
from shared.borders import kind_of
from shared.core import Event, Resource, reference

PENDED = "pended:"
"""Wake of a pended Claim: `pended:<Claim id>`."""

REASONS: Mapping[str, str] = {
    "benefit-asked": "Task#preauthorization: the payer is asked whether the drug is covered and must be authorized.",
    "benefit-asked-again": "CoverageEligibilityRequest: the benefit is verified again: after a month, in a new year, "
    "because the Coverage changed, or before a visit.",
    "benefit-known": "CoverageEligibilityResponse or Task#preauthorization: the payer's benefit answer came, "
    "and no request follows from it yet.",
    "coverage-missing": "Task#preauthorization: no active Coverage is known, and the authorization waits for one.",
    findings.TOLD: "CoverageEligibilityResponse#coverage-requirements: the payer's own rules said what this order "
    "needs, or did not answer.",
    "dose-administered": "ChargeItem: a visit took place, and its reserved units are used.",
    "dose-not-needing": "Task#preauthorization: a held visit needs no authorization.",
    "dose-refused": "Task#preauthorization: nothing can be reserved for a held visit; the answer says why.",
    "dose-released": "ChargeItem: a visit fell away, and its reserved units are free again.",
    "dose-reserved": "ChargeItem or Task#preauthorization: the units of a held visit are reserved.",
    "hub-enrolment-moved": "Task#hub-enrolment: where an enrolment in a programme stands, or its balance, changed.",
    "information-requested": "Task#preauthorization or Task#authorization-question: the payer wants more before it "
    "decides, and a person is asked for what is not there.",
    "information-sent": "Task#authorization-question: what the payer asked for besides is there, and goes to it.",
    "preauthorization-approved": "Task#preauthorization: the payer approved the request, in whole or in part.",
    "preauthorization-asked": "Task#preauthorization: the request is complete and goes to the payer.",
    "preauthorization-cancelled": "Task#preauthorization: the order was revoked; nothing is authorized any more.",
    "preauthorization-denied": "Task#preauthorization: the payer denied the request, and an appeal is asked about.",
    "preauthorization-due": "Task#authorization-question or Task#preauthorization: "
    "the payer's clock runs out soon, and a person looks before that.",
    "preauthorization-incomplete": "Task#preauthorization: what the payer demands is missing; "
    "the smallest set of it is named, and nothing is sent.",
    "preauthorization-not-covered": "Task#preauthorization: the payer does not cover this product.",
    "preauthorization-not-required": "Task#preauthorization: the payer wants no authorization for this drug.",
    "preauthorization-opened": "Task#preauthorization: an authorization is opened for a draft order "
    "whose drug has no billing code yet.",
    "preauthorization-pended": "Task#preauthorization: the payer took the request and will decide later.",
    "preauthorization-questioned": "Task#preauthorization or Task#authorization-question: "
    "the authorization goes no further without a person's answer.",
    "preauthorization-recorded": "any: something was stored that moves neither an authorization nor a dose.",
    "preauthorization-taken-back": "Claim: the payer holds a request that was withdrawn, and is told so.",
    "preauthorization-unanswered": "Task#authorization-question or Task#preauthorization: "
    "the payer's decision is overdue, and a person is asked to inquire.",
    watching.ASKED: "Subscription#at-payer: a payer is to notify of decisions, at first, for longer, or again.",
    watching.WATCHED: "Subscription#at-payer: a payer has it, refused it, or told by it; what did not come.",
    "question-set-asked": "QuestionnaireResponse or Task#preauthorization: the pharmacy benefit alone pays, and "
    "its question set is asked for.",
    "question-set-opened": "Task#preauthorization: a question set is answered from the chart as far as that goes, "
    "and a person is asked the rest.",
    "renewal-answered": "Task#renewal: the payer answered the request for the next period.",
    "renewal-asked": "Task#renewal: the request for the next period is complete, due, and goes to the payer.",
    "renewal-due": "Task#renewal: a next period will be needed, and the Task says when its request is due, what of the "
    "response is missing and which doses nothing covers.",
    "renewal-questioned": "Task#renewal: the next period goes no further without a person's answer.",
    "question-answered": "Task#authorization-question or Task#appeal or Task#hub-enrolment or Task#preauthorization: "
    "a person answered a question, and the authorization stands as before.",
}
"""Every name a decision may have that saves something: `<kinds of its focus>: <when it is said>`."""


@dataclass(frozen=True, slots=True)
class Worked:
    """One period of an order worked out: its stage, every resource that follows, and the ledger before and after."""

    case: Case
    stage: Stage
    saves: tuple[Resource, ...]
    before: Ledger
    after: Ledger
    renewal: Renewal | None = None


def reason(event: Event, news: Worked | None, saves: tuple[Resource, ...], facts: Facts) -> str:
    """A new stage names it; else what became of a dose; else what was stored."""
    if news is None:
        return "preauthorization-recorded"
    stored = facts.at(reference(told_in(news)))
    if stored is None or _without_ledger(stored) != _without_ledger(told_in(news)):
        return named(news)
    if event.kind == "command":
        return "question-answered"
    moves = _moves(news)
    if moves:
        return moves[0]
    return next((r for kind, r in STORED if any(kind(s) for s in saves)), "preauthorization-recorded")


def named(news: Worked) -> str:
    """What a new stage is named: of a later period by where its request has come."""
    if news.case.period == 1:
        return news.stage.reason
    return RENEWED.get(news.stage.status, "renewal-answered")


RENEWED = {
    "investigating": "renewal-due",
    "needs-information": "renewal-due",
    "submitted": "renewal-asked",
    "question": "renewal-questioned",
}


def is_moved(news: Worked, facts: Facts) -> bool:
    """Whether a period stands elsewhere than before, or a dose does."""
    task = told_in(news)
    stored = facts.at(reference(task)) or {}
    return bool(_moves(news)) or code_of(stored.get("businessStatus"), STATUS) != code_of(
        task["businessStatus"], STATUS
    )


STORED: Sequence[tuple[Callable[[Resource], bool], str]] = (
    (lambda s: s["resourceType"] == "QuestionnaireResponse" and is_waiting(s), "question-set-asked"),
    (lambda s: kind_of(s) == "CoverageEligibilityResponse", "benefit-known"),
    (lambda s: kind_of(s) == "CoverageEligibilityResponse#coverage-requirements", findings.TOLD),
    (lambda s: s["resourceType"] == "CoverageEligibilityRequest", "benefit-asked-again"),
    (lambda s: question_code(s) == LATE, "preauthorization-unanswered"),
    (lambda s: question_code(s) == DUE, "preauthorization-due"),
    (lambda s: question_code(s) == REQUESTED and s["status"] == "completed", "information-sent"),
    (lambda s: question_code(s) == REQUESTED, "information-requested"),
    (lambda s: s["resourceType"] == "Claim" and cancels(s), "preauthorization-taken-back"),
    (lambda s: task_code(s) == "authorization-question", "preauthorization-questioned"),
    (lambda s: task_code(s) == "hub-enrolment", "hub-enrolment-moved"),
)
"""What a decision that moves neither stage nor ledger is named after."""


def told_in(news: Worked) -> Resource:
    """The Task that tells of the period worked."""
    return next(r for r in news.saves if r["id"] == news.case.task_id)


TOLD_APART = ("hold-answer", "units-left", TOLD, *FINDINGS)
"""Outputs that may change while the stage stays."""


def _without_ledger(task: Resource) -> Mapping[str, object]:
    kept = [o for o in task.get("output", ()) if code_of(o.get("type"), OUTPUT) not in TOLD_APART]
    notes = [n for n in task.get("note", ()) if not n["text"].startswith(findings.NOTE)]
    return {**unversioned(task), "output": kept, "note": notes}


def _moves(news: Worked) -> list[str]:
    """What became of doses, answers to holds first."""
    told = [ANSWERS[a.answer] for v, a in news.after.answers.items() if news.before.answers.get(v) != a]
    moved = [
        MOVES[c.status]
        for k, c in news.after.charges.items()
        if (b := news.before.charges.get(k)) and b.status != c.status
    ]
    return [*told, *moved] or (["dose-reserved"] if news.before.charges != news.after.charges else [])


ANSWERS = {"reserved": "dose-reserved", "not-needed": "dose-not-needing", "refused": "dose-refused"}
MOVES = {"planned": "dose-reserved", "billable": "dose-administered", "aborted": "dose-released"}


def refusals(news: Worked | None, reason: str) -> tuple[str, ...]:
    if news is None:
        return ()
    if reason.startswith("dose-"):
        answers = (a for v, a in news.after.answers.items() if news.before.answers.get(v) != a)
        return tuple(dict.fromkeys(a.reason for a in answers if a.reason))
    return news.stage.refusals if reason == named(news) else ()


def focus(news: Worked | None, saves: tuple[Resource, ...], reason: str) -> str:
    """The ChargeItem of a moved dose, the benefit's answer, else the Task of the period."""
    wanted = FOCUS.get(reason, "Task")
    preferred = [s for s in saves if s["resourceType"] == wanted]
    own = [s for s in preferred if news and s["id"] == news.case.task_id] if wanted == "Task" else preferred
    return reference(next(iter((*own, *preferred, *saves))))


FOCUS = {
    "benefit-known": "CoverageEligibilityResponse",
    "question-set-asked": "QuestionnaireResponse",
    "benefit-asked-again": "CoverageEligibilityRequest",
    findings.TOLD: "CoverageEligibilityResponse",
    "preauthorization-taken-back": "Claim",
    "dose-reserved": "ChargeItem",
    "dose-released": "ChargeItem",
    "dose-administered": "ChargeItem",
}


def wakes(worked: Worked, facts: Facts) -> dict[str, datetime | None]:
    """A pend sets when a person looks, and so does each look; its end clears that."""
    case, claim = worked.case, worked.case.claim
    stored = facts.at(reference(told_in(worked))) or {}
    was = "restriction" in stored or code_of(stored.get("businessStatus"), STATUS) == "pended"
    now = awaits_payer(case, worked.stage.status)
    if claim is None or (was == now and not (now and looked_at(case, facts))):
        return {}
    return {PENDED + claim["id"]: next_look(case) if now else None}
