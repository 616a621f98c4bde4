"""Reads what of an order decides who pays it at home beside drug and diagnosis: its equipment, and a transplant.

Equipment is what the placer's request or ours names by HCPCS in `orderDetail`; a transplant a Condition of the status
after it (ICD-10-CM Z94), whose onset is its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.auth.criteria.findings import is_refuted
from services.auth.facts import Facts
from services.auth.words import ICD_10_CM, target
from shared.catalogue import HCPCS
from shared.core import Resource
from shared.dates import day_range

TRANSPLANTED = ("Z94.0", "Z94.1", "Z94.2", "Z94.3", "Z94.4", "Z94.81", "Z94.82", "Z94.84")
"""Status after a transplant of kidney, heart, lung, liver, marrow, intestine or stem cells (CMS Article A52474,
criterion I); after one of the pancreas alone it takes more than a code says."""


@dataclass(frozen=True, slots=True)
class Particulars:
    """equipment     HCPCS codes of what the drug is to be given by, where the order says it.
    transplanted  whether a transplant is documented on a day on which this Coverage was in force.
    """

    equipment: frozenset[str] = frozenset()
    transplanted: bool = False


NOTHING_SAID = Particulars()


def particulars_of(order: Resource, facts: Facts, coverage: Resource | None) -> Particulars:
    """What an order for the home says beside drug and diagnosis, under one Coverage."""
    placers = (facts.at(target(b)) or {} for b in order.get("basedOn", ()))
    asked = [detail for said in (order, *placers) for detail in said.get("orderDetail", ())]
    return Particulars(frozenset(_coded(asked, HCPCS)), _is_transplanted(facts, coverage or {}))


def _is_transplanted(facts: Facts, coverage: Mapping[str, Any]) -> bool:
    """Whether one is documented that was, on whichever day a coarse date means, not before the Coverage began."""
    begins = (coverage.get("period") or {}).get("start")
    known = (c for c in facts.of("Condition") if not is_refuted(c) and "onsetDateTime" in c)
    status = (c for c in known if set(_coded([c.get("code") or {}], ICD_10_CM)) & set(TRANSPLANTED))
    days = [day_range(c["onsetDateTime"][:10])[0] for c in status]
    return begins is not None and any(day_range(begins[:10])[1] <= on for on in days)


def _coded(concepts: Iterable[Mapping[str, Any]], system: str) -> Iterable[str]:
    return (c["code"] for said in concepts for c in said.get("coding", ()) if c.get("system") == system and "code" in c)
