"""Says of an answer what it counts as among what a payer has decided of a drug: approved, denied, overturned."""

from __future__ import annotations

from collections.abc import Sequence

from services.auth.wire.responses import DENIED, GRANTING, reviews
from services.auth.words import REGIMEN, extension
from shared.core import Resource

DECISIONS = ("approved", "denied", "overturned")
OVERTURNED_BY = "overturned: "
"""How the disposition begins of an answer a person entered after an appeal or a conversation."""


def decision(response: Resource) -> Sequence[str]:
    """`payer|drug|decision`, by which an answer is counted; nothing while it is not final, or of an unknown drug."""
    actions = {r.action for r in reviews(response)}
    drug = str((extension(response, REGIMEN) or {}).get("valueString", "")).partition(";")[0]
    if not drug or not actions or not actions <= {*GRANTING, DENIED}:
        return ()
    granted = "overturned" if str(response.get("disposition", "")).startswith(OVERTURNED_BY) else "approved"
    return (f"{response['insurer']['identifier']['value']}|{drug}|{granted if actions & GRANTING else 'denied'}",)
