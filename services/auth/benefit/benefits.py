"""Reads what a payer says of a benefit: whether it pays, by which benefit, on what terms, and what the patient pays.

Source: FHIR R4 CoverageEligibilityResponse.insurance.item; code systems HL7 benefit-type, -network, -unit, -term and
ex-benefitcategory, X12 1365 (service type) and 1390 (kind of benefit information).
Law of this file: what the payer does not say is None, and never concluded from what it says of another drug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.auth.words import CHANNEL, PLACE_OF_SERVICE, SITE_OF_CARE, code_of, number
from shared.catalogue import billed
from shared.core import Resource

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
CATEGORY = TERMINOLOGY + "ex-benefitcategory"
NETWORK, UNIT, TERM = (TERMINOLOGY + "benefit-" + name for name in ("network", "unit", "term"))
TYPE = TERMINOLOGY + "benefit-type"
X12_SERVICE, X12_BENEFIT = "https://codesystem.x12.org/005010/1365", "https://codesystem.x12.org/005010/1390"

MEDICAL, PHARMACY = "medical", "pharmacy"
BOTH = frozenset({MEDICAL, PHARMACY})

SIDES: Mapping[tuple[str, str], tuple[str, ...]] = {
    (CATEGORY, "1"): (MEDICAL,), (CATEGORY, "F1"): (MEDICAL,), (CATEGORY, "30"): (MEDICAL, PHARMACY),
    (X12_SERVICE, "1"): (MEDICAL,), (X12_SERVICE, "42"): (MEDICAL,), (X12_SERVICE, "30"): (MEDICAL, PHARMACY),
    (X12_SERVICE, "88"): (PHARMACY,), (X12_SERVICE, "90"): (PHARMACY,), (X12_SERVICE, "91"): (PHARMACY,),
    (X12_SERVICE, "92"): (PHARMACY,),
}  # fmt: skip
"""Category of an item, or modifier of a product -> the benefits it speaks of; 30 is the plan as a whole."""

COSTS: Mapping[tuple[str, str], str] = {
    (TYPE, "deductible"): "deductible", (X12_BENEFIT, "C"): "deductible",
    (TYPE, "copay"): "copay", (X12_BENEFIT, "B"): "copay",
    (TYPE, "copay-percent"): "coinsurance", (X12_BENEFIT, "A"): "coinsurance",
    (TYPE, "copay-maximum"): "copay-maximum",
    (X12_BENEFIT, "G"): "out-of-pocket-maximum",
    (TYPE, "benefit"): "benefit-maximum",
}  # fmt: skip
"""Type of a benefit -> what of the patient's share it is. Only X12 has a code for the most a patient pays in a term."""

SITES: Mapping[str, str] = {"49": "aic", "22": "hopd", "19": "hopd", "12": "home"}
"""CMS place of service -> site of care."""

Amount = Mapping[str, Any] | Decimal | str
"""Money (`value`, `currency`), a number (of a coinsurance: percent), or the payer's own words."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One part of what the patient pays: for whom and for which time, allowed and used so far."""

    kind: str
    allowed: Amount | None
    used: Amount | None
    unit: str | None = None
    term: str | None = None

    @property
    def left(self) -> Mapping[str, Any] | None:
        """What is left of a sum, at least nothing; None where one of the two is not told, or in another currency."""
        match self.allowed, self.used:
            case {"value": allowed, "currency": one}, {"value": used, "currency": other} if one == other:
                return {"value": max(Decimal(0), Decimal(allowed) - Decimal(used)), "currency": one}
        return None


@dataclass(frozen=True, slots=True)
class Benefit:
    """One benefit by which a drug is, or is not, paid.

    side           medical or pharmacy; None where the payer does not say.
    excluded       FHIR R4: missing or false says that the drug is included.
    authorization  whether one is needed.
    network        in or out: the infusion provider's standing with the payer.
    channel        buy-and-bill, white-bag, brown-bag or clear-bag.
    places         sites of care at which it is paid.
    """

    side: str | None
    excluded: bool
    authorization: bool | None
    network: str | None
    channel: str | None
    places: tuple[str, ...]
    costs: tuple[Cost, ...]


def in_force(response: Resource) -> bool:
    """Whether the coverage is in force; only the payer's plain no says otherwise."""
    return all(i.get("inforce") is not False for i in response.get("insurance", ()))


def benefits_in(response: Resource, hcpcs: str | None) -> tuple[Benefit, ...]:
    """The benefits a payer names for this drug, medical first; none where it says nothing of this drug."""
    items = [i for insurance in response.get("insurance", ()) for i in insurance.get("item", ())]
    own = [i for i in items if hcpcs is not None and billed(i.get("productOrService")) == hcpcs]
    plan = [i for i in items if "productOrService" not in i]
    found = (_benefit(side, [i for i in own if side in _sides(i)], plan) for side in (MEDICAL, None, PHARMACY))
    return tuple(b for b in found if b is not None)


def costs_of_plan(response: Resource) -> tuple[Cost, ...]:
    """What the patient pays by the plan as a whole, where nothing is said of the drug itself."""
    items = [i for insurance in response.get("insurance", ()) for i in insurance.get("item", ())]
    plan = [i for i in items if "productOrService" not in i and MEDICAL in _sides(i)]
    return _once(c for i in plan if _concerns(i, "in") for b in i.get("benefit", ()) if (c := _cost(i, b)))


def deciding(benefits: Iterable[Benefit]) -> Benefit | None:
    """The benefit the practice goes by: the first that pays, medical before pharmacy; else the first that does not."""
    known = list(benefits)
    return next((b for b in known if not b.excluded), known[0] if known else None)


def sides_paying(benefits: Iterable[Benefit]) -> frozenset[str | None]:
    """The benefits that pay; None among them where the payer does not say by which it does."""
    return frozenset(b.side for b in benefits if not b.excluded)


def excluded(response: Resource, hcpcs: str | None) -> bool:
    """Whether the benefit a practice bills does not cover this drug: all exclude it, or pharmacy alone does not."""
    benefit = deciding(benefits_in(response, hcpcs))
    return benefit is not None and (benefit.excluded or benefit.side == PHARMACY)


def pharmacy_only(response: Resource, hcpcs: str | None) -> bool:
    """Whether the payer pays this drug, but by the pharmacy benefit alone."""
    benefit = deciding(benefits_in(response, hcpcs))
    return benefit is not None and benefit.side == PHARMACY and not benefit.excluded


def must_authorize(response: Resource, hcpcs: str | None) -> bool:
    """Whether this drug must be authorized first; only the payer's plain no for it says otherwise."""
    benefit = deciding(benefits_in(response, hcpcs))
    return benefit is None or benefit.authorization is not False


def _benefit(side: str | None, own: list[Mapping[str, Any]], plan: list[Mapping[str, Any]]) -> Benefit | None:
    if not own:
        return None
    network = _agreed(code_of(i.get("network"), NETWORK) for i in own)
    told = [*own, *(i for i in plan if side in _sides(i) or (side is None and _sides(i)))]
    costs = (c for i in told if _concerns(i, network) for b in i.get("benefit", ()) if (c := _cost(i, b)))
    return Benefit(
        side=side,
        excluded=all(i.get("excluded") is True for i in own),
        authorization=_authorization(own),
        network=network,
        channel=_agreed(code_of(m, CHANNEL) for i in own for m in i.get("modifier", ())),
        places=tuple(dict.fromkeys(p for i in own for m in i.get("modifier", ()) if (p := _place(m)))),
        costs=_once(costs),
    )


def _once(costs: Iterable[Cost]) -> tuple[Cost, ...]:
    """Each cost once; the drug's own come first and stand before the plan's of the same kind, unit and term."""
    found: dict[tuple[str | None, ...], Cost] = {}
    for cost in costs:
        found.setdefault((cost.kind, cost.unit, cost.term), cost)
    return tuple(found.values())


def _sides(item: Mapping[str, Any]) -> tuple[str | None, ...]:
    """The benefits an item speaks of: of a product by its modifiers, for R4 allows it no category (ces-1)."""
    said = item.get("modifier", ()) if "productOrService" in item else (item.get("category") or {},)
    codings = [c for concept in said for c in concept.get("coding", ())]
    found = (SIDES.get((c.get("system", ""), c.get("code", ""))) for c in codings)
    of_plan = "productOrService" not in item
    named = next((s for s in found if s), ())
    return (None,) if not of_plan and len(named) != 1 else named


def _concerns(item: Mapping[str, Any], network: str | None) -> bool:
    """Whether costs are those of the provider's standing; of another network they are somebody else's."""
    return network is None or code_of(item.get("network"), NETWORK) in (None, network)


def _authorization(items: list[Mapping[str, Any]]) -> bool | None:
    """Needed where one of a drug's items says so, not needed where all say that; else not told."""
    said = [i.get("authorizationRequired") for i in items]
    return True if True in said else None if None in said else False


def _cost(item: Mapping[str, Any], benefit: Mapping[str, Any]) -> Cost | None:
    codings = (benefit.get("type") or {}).get("coding", ())
    kind = next((k for c in codings if (k := COSTS.get((c.get("system", ""), c.get("code", ""))))), None)
    if kind is None:
        return None
    unit, term = code_of(item.get("unit"), UNIT), code_of(item.get("term"), TERM)
    return Cost(kind, _amount(benefit, "allowed"), _amount(benefit, "used"), unit, term)


def _amount(benefit: Mapping[str, Any], name: str) -> Amount | None:
    money = benefit.get(f"{name}Money")
    if money is not None:
        return money if "value" in money and "currency" in money else None
    counted = number(benefit.get(f"{name}UnsignedInt"))
    words: str | None = benefit.get(f"{name}String")
    return words if counted is None else counted


def _place(modifier: Mapping[str, Any]) -> str | None:
    return code_of(modifier, SITE_OF_CARE) or SITES.get(code_of(modifier, PLACE_OF_SERVICE) or "")


def _agreed(said: Iterable[str | None]) -> str | None:
    """The one thing said; None where nothing is, or two different things are."""
    found = {s for s in said if s}
    return found.pop() if len(found) == 1 else None
