"""Names a decision: after the stage that is new, what became of a dose, or what was stored; and sets a pend's wake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.case import Case, answer_of, question_code
from services.auth.facts import Facts
from services.auth.ledger import Ledger
from services.auth.questions import OPEN
from services.auth.stage import Stage
from services.auth.words import OUTPUT, STATUS, code_of, task_code, unversioned
from shared.core import Event, Resource, reference

PENDED = "pended:"
"""Wake of a pended Claim: `pended:<Claim id>`."""

REASONS: Mapping[str, str] = {
    "benefit-asked": "Task#preauthorization: the payer is asked whether the drug is covered and must be authorized.",
    "benefit-known": "CoverageEligibilityResponse or Task#preauthorization: the payer's benefit answer came, "
    "and no request follows from it yet.",
    "coverage-missing": "Task#preauthorization: no active Coverage is known, and the authorization waits for one.",
    "dose-administered": "ChargeItem: a visit took place, and its reserved units are used.",
    "dose-not-needing": "Task#preauthorization: a held visit needs no authorization.",
    "dose-refused": "Task#preauthorization: nothing can be reserved for a held visit; the answer says why.",
    "dose-released": "ChargeItem: a visit fell away, and its reserved units are free again.",
    "dose-reserved": "ChargeItem or Task#preauthorization: the units of a held visit are reserved.",
    "preauthorization-approved": "Task#preauthorization: the payer approved the request, in whole or in part.",
    "preauthorization-asked": "Task#preauthorization: the request is complete and goes to the payer.",
    "preauthorization-cancelled": "Task#preauthorization: the order was revoked; nothing is authorized any more.",
    "preauthorization-denied": "Task#preauthorization: the payer denied the request, and an appeal is asked about.",
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
    "preauthorization-unanswered": "Task#authorization-question or Task#preauthorization: "
    "the payer's decision is overdue, and a person is asked to inquire.",
    "question-answered": "Task#authorization-question or Task#appeal or Task#preauthorization: "
    "a person answered a question, and the authorization stands as before.",
}
"""Every name a decision may have that saves something: `<kinds of its focus>: <when it is said>`."""


@dataclass(frozen=True, slots=True)
class Worked:
    """One order worked out: its stage, every resource that follows, and its ledger before and after."""

    case: Case
    stage: Stage
    saves: tuple[Resource, ...]
    before: Ledger
    after: Ledger


def reason(event: Event, news: Worked | None, saves: tuple[Resource, ...], facts: Facts) -> str:
    """A new stage names it; else what became of a dose; else what was stored."""
    if news is None:
        return "preauthorization-recorded"
    stored = facts.at(reference(_task(news)))
    if stored is None or _without_ledger(stored) != _without_ledger(_task(news)):
        return news.stage.reason
    if event.kind == "command":
        return "question-answered"
    moves = _moves(news)
    if moves:
        return moves[0]
    return next((r for kind, r in STORED if any(kind(s) for s in saves)), "preauthorization-recorded")


STORED = (
    (lambda s: s["resourceType"] == "CoverageEligibilityResponse", "benefit-known"),
    (lambda s: question_code(s) == "payer-late", "preauthorization-unanswered"),
    (lambda s: task_code(s) == "authorization-question", "preauthorization-questioned"),
)
"""What a decision that moves neither stage nor ledger is named after."""


def _task(news: Worked) -> Resource:
    return next(r for r in news.saves if task_code(r) == "preauthorization")


def _without_ledger(task: Resource) -> Mapping[str, object]:
    kept = [o for o in task.get("output", ()) if code_of(o.get("type"), OUTPUT) not in ("hold-answer", "units-left")]
    return {**unversioned(task), "output": kept}


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
    return news.stage.refusals if reason == news.stage.reason else ()


def focus(news: Worked | None, saves: tuple[Resource, ...], reason: str) -> str:
    """The ChargeItem of a moved dose, the benefit's answer, else the Task `preauthorization`."""
    wanted = FOCUS.get(reason, "Task")
    preferred = [s for s in saves if s["resourceType"] == wanted]
    own = [s for s in preferred if task_code(s) == "preauthorization"] if wanted == "Task" else preferred
    return reference(next(iter((*own, *preferred, *saves))))


FOCUS = {
    "benefit-known": "CoverageEligibilityResponse",
    "dose-reserved": "ChargeItem",
    "dose-released": "ChargeItem",
    "dose-administered": "ChargeItem",
}


def wakes(worked: Worked, facts: Facts) -> dict[str, datetime | None]:
    """A pend sets the day on which a person is asked to inquire, and so does each inquiry; its end clears that."""
    case, claim = worked.case, worked.case.claim
    stored = facts.at(reference(_task(worked)))
    was = code_of((stored or {}).get("businessStatus"), STATUS)
    now = worked.stage.status
    inquired = any(facts.status(reference(q)) in OPEN and answer_of(q) == "inquired" for q in case.questions)
    if claim is None or ((was == "pended") == (now == "pended") and not (now == "pended" and inquired)):
        return {}
    days = case.policy.inquire_after_days(case.on)
    return {PENDED + claim["id"]: case.at + timedelta(days=days) if now == "pended" else None}
