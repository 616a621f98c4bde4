"""Says by which codes Medicare is billed for a drug by a pump at home: drug, pump and supplies, a supplier's visits.

Source: `shared/catalogue/pumps.yaml` and `home_infusion.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from shared.catalogue import Drug
from shared.catalogue.home_infusion import category_of
from shared.catalogue.pumps import general, pumps_of, route, supplies_of

COMPLEX = ("chemotherapy",)
"""Therapies whose visits are paid as those of drugs that are hard to give."""


def billed_by(benefit: str, part: str, drug: Drug, hcpcs: str, on: date) -> str:
    """The codes of one part under one benefit, in words; empty where nothing is to be said of them."""
    words = WORDS.get((benefit, part))
    return words(drug, hcpcs, on) if words else ""


def _drug(_: Drug, hcpcs: str, on: date) -> str:
    modifier = route(hcpcs, hcpcs, on)
    return hcpcs + (f" with modifier {modifier}" if modifier else "")


def _pump(_: Drug, hcpcs: str, on: date) -> str:
    pumps = pumps_of(hcpcs, on) or general()
    modifier = route(pumps[0], hcpcs, on)
    by = f" with modifier {modifier}" if modifier else ""
    return f"pump {' or '.join(pumps)}{by}, supplies {', '.join(supplies_of(pumps[0], on))}"


def _visits(drug: Drug, hcpcs: str, on: date) -> str:
    under_the_skin = route(hcpcs, hcpcs, on) is not None
    category = category_of("subcutaneous" if under_the_skin else "intravenous", drug.therapy in COMPLEX, on)
    return f"{category.initial} for the first visit, {category.subsequent} for others" if category else ""


WORDS: Mapping[tuple[str, str], Callable[[Drug, str, date], str]] = {
    ("part-b-dme", "drug"): _drug,
    ("part-b-dme", "supplies"): _pump,
    ("part-b-home-infusion", "nursing"): _visits,
}
