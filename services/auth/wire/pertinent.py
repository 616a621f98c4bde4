"""Says what a payer that names a record gets by itself: what belongs to this request. Anything else a person sends.

A payer may name any LOINC code. By itself it gets what its own criteria for the drug name, the notes that every review
asks for, and what the request shows it anyway (minimum necessary: 45 CFR 164.502(b)).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from services.auth.case import Case
from services.auth.wire.standing import EVIDENCE_KINDS, is_the_practices, stands
from services.auth.wire.wanted import NOTES
from shared.core import Resource, reference


def pertains(case: Case, resource: Resource, code: str, shown: Collection[str | None]) -> bool:
    """Whether a record under this LOINC code belongs to the request; `shown`: `Type/id` of what goes with it anyway."""
    is_note = code in NOTES and resource["resourceType"] == "DocumentReference"
    return is_note or reference(resource) in shown or code in _criteria_codes(case)


def _criteria_codes(case: Case) -> set[str]:
    """The LOINC codes in the criteria for this drug of the payer, and of who decides its pharmacy benefit."""
    asked = [p for p in (case.payer, case.reviewer) if p is not None]
    drug = case.drug
    found = [case.policy.criteria(p, drug, case.diagnoses, case.on) for p in asked] if drug else []
    return {code for figure in found if figure is not None for code in _loinc(figure.value)}


def _loinc(value: Any) -> Iterator[str]:
    """The LOINC codes that stand anywhere in criteria, of a first request or a renewal."""
    match value:
        case Mapping():
            yield from value.get("loinc", ())
            for inner in value.values():
                yield from _loinc(inner)
        case list() | tuple():
            for inner in value:
                yield from _loinc(inner)


def may_be_named(resource: Resource) -> bool:
    """Whether a person may name a record to be sent: it stands, and is not for the practice alone."""
    return resource["resourceType"] in EVIDENCE_KINDS and stands(resource) and not is_the_practices(resource)
