"""Makes of what a person entered the payer's answer it tells of: by letter, by fax, in a portal or by telephone.

Law of this file: an answer that was entered is kept as if the payer had written it, and stands as one of the payer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from services.auth.wire.receiving import received
from services.auth.wire.reviewed import approved, denied
from services.auth.words import ANSWER, OUTPUT, answer_of, code_of, day, number
from shared.catalogue import billed
from shared.core import Resource

DECISIONS = ("approved", "denied")
LETTER_DATE = "letter-date"


def entered(claim: Resource, task: Resource) -> Resource | None:
    """The ClaimResponse a completed Task's outputs make; None where they do not say all a decision has to.

    Outputs: answer#approved or answer#denied; answer#letter-date valueDate, the date on the payer's letter;
    preauthorization-output#number valueString, #period valuePeriod and, where other than asked for, #units
    valueQuantity by billing code; #denial-reason valueCodeableConcept. Where units are said and reasons as well, a code
    without units was denied.
    """
    decision, told = answer_of(task), _Told(task.get("output", ()))
    if decision not in DECISIONS or not told.is_whole(decision):
        return None
    items = [_item(decision, i, told) for i in claim["item"]]
    said = {
        "resourceType": "ClaimResponse",
        "id": task["id"],
        "status": "active",
        "type": claim["type"],
        "use": "preauthorization",
        "created": told.letter,
        "outcome": "complete",
        **({"preAuthRef": told.number} if told.number else {}),
        "item": items,
    }
    return received(claim, said, "")


class _Told:
    """What the outputs of a Task say."""

    def __init__(self, outputs: Iterable[Mapping[str, Any]]) -> None:
        self._outputs = list(outputs)
        letters = (o.get("valueDate") for o in self._outputs if code_of(o.get("type"), ANSWER) == LETTER_DATE)
        self.letter: str | None = next((d for d in letters if d), None)
        self.number: str | None = next(iter(self._of("number", "valueString")), None)
        self.period: Mapping[str, Any] = next(iter(self._of("period", "valuePeriod")), {})
        self.reasons: list[Mapping[str, Any]] = self._of("denial-reason", "valueCodeableConcept")
        self.units: dict[str, Decimal] = {
            q["code"]: units
            for q in self._of("units", "valueQuantity")
            if (units := number(q.get("value"))) is not None
        }

    def _of(self, code: str, element: str) -> list[Any]:
        return [o[element] for o in self._outputs if code_of(o.get("type"), OUTPUT) == code and element in o]

    def is_whole(self, decision: str) -> bool:
        """Whether the letter is dated, an approval has number and dates, a denial its reason."""
        dated = bool(day(self.letter))
        granted = bool(self.number and day(self.period.get("start")) and day(self.period.get("end")))
        return dated and (granted if decision == "approved" else bool(self.reasons))


def _item(decision: str, item: Mapping[str, Any], told: _Told) -> dict[str, Any]:
    code = billed(item["productOrService"]) or ""
    left_out = bool(told.units) and bool(told.reasons) and code not in told.units
    if decision == "denied" or left_out:
        return denied(item, told.reasons)
    return approved(item, told.number or "", told.period, told.units.get(code, Decimal(item["quantity"]["value"])))
