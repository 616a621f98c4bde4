"""Takes back what no longer stands: Claims the payer has not decided, and at the payer what it holds of them.

Source: Da Vinci PAS 2.2.1, specification 63-72, profile-claim-update: a request that names the earlier one, every item
kept with its sequence, and certification type 3 on the whole. Single items are cancelled by an update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.auth.case import Case
from services.auth.wire.claims import CERTIFICATION, CLAIM_ID, PRIOR
from services.auth.wire.held import held_number
from services.auth.wire.responses import FINAL, cancels, prior_of, standing
from services.auth.wire.updating import CANCEL, is_replaced, is_updated
from services.auth.words import ORDER, PREFIX, extension, period_of, target, unversioned
from shared.core import Resource, derived_id, reference

GRANTED = ("approved", "partly-approved")


def withdrawn(case: Case, *, over: bool = False) -> Iterable[Resource]:
    """Claims that are over, cancelled; and for each of those the payer holds, the request that takes it back."""
    for claim in _claims(case):
        if claim["status"] == "active" and _is_over(case, claim, over or case.ended):
            claim = {**claim, "status": "cancelled"}
            yield claim
        if claim["status"] == "cancelled" and _is_held_by_payer(case, claim):
            yield taking_back(case, claim)


def _claims(case: Case) -> Iterable[Resource]:
    """The Claims of this order and period that ask for something."""
    for claim in case.facts.of("Claim"):
        order = target((extension(claim, ORDER) or {}).get("valueReference"))
        if order == reference(case.order) and period_of(claim) == case.period and takes_back(claim) is None:
            yield claim


def _is_over(case: Case, claim: Resource, ended: bool) -> bool:
    """Undecided, and its order ended or another Claim took its place; what was granted waits for the order's return."""
    if not ended and is_updated(case, claim):
        return False
    decided = any(standing(claim, a) in FINAL for a in case.answers_to(claim))
    return not decided and (ended or (case.payer is not None and claim["id"] != case.claim_id))


def _is_held_by_payer(case: Case, claim: Resource) -> bool:
    """Whether the payer, by its latest word, has this open or granted; what others hold is not ours to take back."""
    answers = case.answers_to(claim)
    if is_replaced(case, claim):
        return False
    return bool(answers) and held_number(claim) is None and standing(claim, answers[-1]) in (*GRANTED, "pended")


def taking_back(case: Case, claim: Resource) -> Resource:
    """The request that takes a whole Claim back, made once."""
    request_id = derived_id(PREFIX, "Claim", claim["id"], "cancel")
    stored = case.facts.at("Claim/" + request_id)
    return stored if stored is not None else {
        **unversioned(claim),
        "id": request_id,
        "extension": [*claim["extension"], CANCEL],
        "identifier": [{"system": CLAIM_ID, "value": request_id}],
        "status": "active",
        "created": case.at.isoformat(),
        "related": [{"claim": {"reference": reference(claim)}, "relationship": PRIOR}],
        "item": [_cancelled(item) for item in claim["item"]],
    }  # fmt: skip


def _cancelled(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = [e for e in item["extension"] if e["url"] != CERTIFICATION]
    return {**item, "extension": [*kept, CANCEL]}


def takes_back(claim: Resource) -> str | None:
    """`Claim/id` of the Claim this request takes back; None for one that asks, be it as an update."""
    return prior_of(claim) if cancels(claim) else None
