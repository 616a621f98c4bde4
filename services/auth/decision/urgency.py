"""Says whether a payer is asked for an expedited decision: the order says so, and the reason for it is documented.

Law of this file: only the prescriber's own statement, or a person who has it, makes a request expedited; nothing else
in a chart does.
"""

from __future__ import annotations

from services.auth.case import Case
from services.auth.criteria.kinds import document
from services.auth.words import answer_of, question_code
from shared.core import Resource
from shared.policy import Figure

URGENT = ("urgent", "asap", "stat")
"""Priorities of an order that ask for haste."""

UNSUPPORTED = "expedited-unsupported"
EXPEDITED, STANDARD = "expedited", "standard"


def statement_rule(case: Case) -> Figure | None:
    """What documents that the standard clock could harm, in force for this payer."""
    return case.policy.clocks.expedited_statement(case.payer, case.on)


def statement(case: Case) -> Resource | None:
    """The prescriber's statement in the chart."""
    figure = statement_rule(case)
    if figure is None or case.order.get("priority") not in URGENT:
        return None
    finding, found, _ = document(figure.value["rule"]["document"], case.chart)
    return found if finding == "met" else None


def said(case: Case) -> str | None:
    """What a person answered to the question whether an urgent order is asked for as expedited."""
    answers = (answer_of(q) for q in case.questions if question_code(q) == UNSUPPORTED)
    return next((a for a in answers if a), None)


def urgency(case: Case) -> str | None:
    """`standard` or `expedited`; None where the order is urgent and nobody has said why yet."""
    if case.order.get("priority") not in URGENT:
        return STANDARD
    return said(case) or (EXPEDITED if statement(case) is not None else None)
