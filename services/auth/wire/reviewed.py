"""Writes a payer's decision on one item as PAS has it, where it came as a letter, a call or another's record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from services.auth.wire.claims import PAS, TERMINOLOGY
from services.auth.wire.responses import APPROVED, DENIED
from services.auth.words import X12_REVIEW_ACTION, concept


def approved(item: Mapping[str, Any], number: str, period: Mapping[str, str], units: Decimal | int) -> dict[str, Any]:
    """An item of a Claim, approved under a number from `start` to `end` for so many billing units."""
    quantity = [{"url": "quantity", "valueQuantity": {"value": units}}]
    review = [{"url": "number", "valueString": number}, _action(APPROVED)]
    return {
        "extension": [
            {"url": PAS + "extension-itemPreAuthPeriod", "valuePeriod": {k: period[k] for k in ("start", "end")}},
            {"url": PAS + "extension-itemAuthorizedDetail", "extension": quantity},
        ],
        **_reviewed(item, review),
    }


def denied(item: Mapping[str, Any], reasons: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """An item of a Claim, denied for these reasons."""
    told = ({"url": "reasonCode", "valueCodeableConcept": dict(r)} for r in reasons)
    return _reviewed(item, [_action(DENIED), *told])


def _action(code: str) -> dict[str, Any]:
    return {"url": PAS + "extension-reviewActionCode", "valueCodeableConcept": concept(X12_REVIEW_ACTION, code)}


def _reviewed(item: Mapping[str, Any], review: list[dict[str, Any]]) -> dict[str, Any]:
    adjudication = {
        "extension": [{"url": PAS + "extension-reviewAction", "extension": review}],
        "category": concept(TERMINOLOGY + "adjudication", "submitted"),
    }
    return {"itemSequence": item["sequence"], "adjudication": [adjudication]}
