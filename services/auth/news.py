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

REASONS = frozenset(
    {
        "benefit-asked", "benefit-known", "coverage-missing", "dose-administered", "dose-not-needing", "dose-refused",
        "dose-released", "dose-reserved", "preauthorization-approved", "preauthorization-asked",
        "preauthorization-cancelled", "preauthorization-denied", "preauthorization-incomplete",
        "preauthorization-not-covered", "preauthorization-not-required", "preauthorization-opened",
        "preauthorization-pended", "preauthorization-questioned", "preauthorization-recorded",
        "preauthorization-unanswered", "question-answered",
    }
)  # fmt: skip


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
