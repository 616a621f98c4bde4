"""Asks a person about an urgent order without a statement; software never says that a case is worth more haste."""

from __future__ import annotations

from dataclasses import replace

from services.auth.case import Case
from services.auth.criteria.completeness import complete
from services.auth.decision.urgency import UNSUPPORTED, statement, urgency
from services.auth.questions import Question
from services.auth.stage import Stage, asking
from shared.core import reference

TEXT = (
    "The order is urgent, and no statement says that the standard clock could seriously jeopardize life, health or "
    "maximum function: answer `expedited` where the prescriber states it, or `standard`."
)


def hastened(case: Case) -> Stage:
    """A complete request goes out; an urgent one only once it is known whether it is asked for as expedited."""
    stage = complete(case)
    if stage.status != "submitted":
        return stage
    if urgency(case) is None:
        question = asking(Question(UNSUPPORTED, reference(case.order), TEXT))
        return replace(question, outputs=stage.outputs, evidence=stage.evidence, note=stage.note, judged=True)
    return replace(stage, evidence=tuple(dict.fromkeys([*stage.evidence, *_stated(case)])))


def _stated(case: Case) -> list[str]:
    found = statement(case)
    return [reference(found)] if found is not None else []
