"""Asks a payer without an interface by hand: a packet on paper, a person who sends it and enters what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.auth.case import Case
from services.auth.decision.entered import DECISIONS, entered
from services.auth.papers.packet import name_of, packet, way
from services.auth.questions import Question
from services.auth.stage import Stage
from services.auth.wire.contents import is_held
from services.auth.wire.held import held_number
from services.auth.words import PREFIX, question_code, target
from shared.core import Resource, derived_id, reference

BY_HAND = "request-by-hand"


def by_hand(case: Case, stage: Stage) -> Stage:
    """The stage of a request that waits for its answer, with packet and question where the payer is asked by hand."""
    payer = case.reviewer
    claim = next((r for r in stage.saves if r["resourceType"] == "Claim"), None)
    if stage.status != "submitted" or claim is None or payer is None or payer.pathway == "pas" or held_number(claim):
        return stage
    return replace(
        stage,
        saves=(*stage.saves, *packet(case, claim, stage)),
        questions=(*stage.questions, _question(case, claim)),
    )


def _question(case: Case, claim: Resource) -> Question:
    payer = case.reviewer
    assert payer is not None, "nobody is asked where the payer is unknown"
    text = (
        f"{payer.name} takes requests by {way(payer)}: send the packet{_with(case, claim)}. When the payer has "
        f"answered, answer `{DECISIONS[0]}` with number, period and, where other than asked for, units, or "
        f"`{DECISIONS[1]}` with its reason; both with the date of the payer's letter."
    )
    document = derived_id(PREFIX, "DocumentReference", claim["id"], "packet")
    return Question(BY_HAND, reference(claim), text, reason=f"DocumentReference/{document}")


def _with(case: Case, claim: Resource) -> str:
    """The documents cited whose bytes are at hand: the packet names them, and they are sent beside it."""
    cited = (case.facts.at(target(i.get("valueReference"))) for i in claim.get("supportingInfo", ()))
    held = [d for d in cited if d is not None and d["resourceType"] == "DocumentReference" and is_held(d)]
    return f", and with it {', '.join(f'{name_of(d)} ({reference(d)})' for d in held)}" if held else ""


def answered_by_hand(case: Case, claim: Resource) -> Resource | None:
    """What a person entered of the payer's answer to a request made by hand."""
    asked = Question(BY_HAND, reference(claim), "")
    task = case.facts.at("Task/" + asked.id_for(case.order))
    return entered(claim, task) if task is not None and task["status"] == "completed" else None


def enters_nothing(task: Resource, known: Mapping[str, Resource]) -> bool:
    """Whether an answer to such a question lacks what a decision has to say."""
    claim = known.get(target(task.get("focus")) or "")
    return question_code(task) == BY_HAND and (claim is None or entered(claim, task) is None)
