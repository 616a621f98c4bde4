"""Asks a person by which benefit a drug is asked for, where both could pay: software chooses none."""

from __future__ import annotations

from collections.abc import Iterator

from services.auth.benefit.benefits import BOTH, PHARMACY, must_authorize, sides_paying
from services.auth.benefit.verified import in_full
from services.auth.case import WHICH_BENEFIT, Case
from services.auth.questions import Question
from services.auth.stage import Stage, asking
from shared.core import Resource, reference


def which_benefit(case: Case) -> Stage | None:
    """Both benefits could pay and the practice has a way to ask each: a person says which, both side by side."""
    chooses = case.payer is not None and bool(case.payer.pharmacy_benefit)
    if case.claim is not None or not chooses or not sides_paying(case.benefits) >= BOTH or case.chosen_benefit:
        return None
    text = (
        f"{' '.join(_told(case))} By which is the drug asked for? Answer `medical`, or `pharmacy`. A patient pays by "
        "the one chosen, and it says who buys the drug."
    )
    return asking(Question(WHICH_BENEFIT, reference(case.order), text, reference(case.coverage or case.order)))


def _told(case: Case) -> Iterator[str]:
    """Each benefit that pays, with who would be asked, and what is known of it, from whom and when."""
    for benefit in (b for b in case.benefits if not b.excluded and b.side in BOTH and case.benefit):
        yield in_full(case, benefit, case.benefit or {})


def is_needed(case: Case, response: Resource) -> bool:
    """Whether the benefit that is gone by wants an authorization; only the payer's plain no says otherwise."""
    if case.manager is None:
        return must_authorize(response, case.hcpcs)
    return all(b.authorization is not False for b in case.benefits if b.side == PHARMACY)
