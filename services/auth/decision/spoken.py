"""Keeps what a payer said by telephone: number, who and when, with where it comes from, and whether it counts already.

Law of this file: only the payer's written answer ends the wait; where policy says so a spoken one stands until then.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.auth.case import Case
from services.auth.decision.clocks import DUE, LATE, is_pended, urgency_asked
from services.auth.decision.granting import VERBAL, granted, overturning, spoken_at, spoken_with
from services.auth.words import PREFIX, answer_of, concept, is_entered, question_code, target
from shared.core import Resource, derived_id, reference

WORDS = "verbal approval"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def spoken(case: Case) -> Resource | None:
    """The question a person answered with a spoken approval of the Claim that stands, the latest."""
    about = "Claim/" + case.claim_id
    said = [q for q in case.questions if answer_of(q) == VERBAL and target(q["focus"]) == about]
    return next(reversed([q for q in said if question_code(q) in (DUE, LATE)]), None)


def entered_instead(case: Case, claim: Resource) -> Resource | None:
    """What a person entered that stands instead of the payer's written answer."""
    return overturning(case, claim) or said_so_far(case, claim)


def is_spoken(response: Resource) -> bool:
    """Whether an answer is what a payer said by telephone."""
    return is_entered(response) and str(response.get("disposition", "")).startswith(WORDS)


def counts(case: Case, claim: Resource) -> bool:
    """Whether policy lets a spoken approval stand before the letter."""
    figure = case.policy.clocks.verbal_approval(case.payer, urgency_asked(claim), case.on) if case.payer else None
    return figure is not None and bool(figure.value["counts"])


def said_so_far(case: Case, claim: Resource) -> Resource | None:
    """What the payer approved by telephone, where that counts and its letter has not come."""
    task = spoken(case)
    if task is None or not is_pended(case) or not counts(case, claim):
        return None
    return granted(case, claim, case.answers_to(claim)[-1], task, f"{WORDS}: {spoken_with(task)}")


def told_of(case: Case) -> Iterable[Resource]:
    """Where a spoken approval comes from: who said it when, and on which question it was entered."""
    for question in case.questions:
        if answer_of(question) == VERBAL:
            provenance_id = derived_id(PREFIX, "Provenance", question["id"])
            yield case.facts.at("Provenance/" + provenance_id) or {
                "resourceType": "Provenance",
                "id": provenance_id,
                "target": [{"reference": reference(question)}],
                "occurredDateTime": spoken_at(question),
                "recorded": case.at.isoformat(),
                "activity": concept(DATA_OPERATION, "CREATE"),
                "reason": [{"text": WORDS}],
                "agent": [{"type": {"text": "said by"}, "who": {"display": spoken_with(question)}}],
                "entity": [{"role": "source", "what": {"reference": target(question["focus"])}}],
            }


def notes(case: Case) -> list[str]:
    """That the payer approved by telephone, while its letter has not come."""
    task = spoken(case)
    if task is None or case.claim is None or not is_pended(case):
        return []
    worth = "it counts until then" if counts(case, case.claim) else "it does not count before"
    return [f"{NOTE}of {spoken_at(task)}; the payer's letter has not come, and {worth}."]


NOTE = "Verbal approval "
