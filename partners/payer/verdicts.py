"""What a payer decides about each requested product: certified, modified, not certified or pended, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from partners.payer.criteria import Criterion, judge
from partners.payer.facts import Facts, Requested

CERTIFIED, NOT_CERTIFIED, PENDED, MODIFIED, CANCELLED = "A1", "A3", "A4", "A6", "C"
"""X12 code source 306."""

_RULES = Path(__file__).with_name("rules")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not certified: X12 code source 886, the payer's own code, and words for a reader."""

    x12: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one Claim.item. `units` are those authorized; `days` how long from the first of them."""

    sequence: int
    action: str
    hcpcs: str
    units: str | None = None
    days: int | None = None
    reasons: tuple[Reason, ...] = ()

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restored(cls, row: Mapping[str, Any]) -> Verdict:
        return cls(**{**row, "reasons": tuple(Reason(**r) for r in row["reasons"])})


@cache
def rules_of(payer: str) -> Mapping[str, Any]:
    """The rules of one payer, as its file says them."""
    rules: Mapping[str, Any] = yaml.safe_load((_RULES / f"{payer}.yaml").read_text(encoding="utf-8"))
    return rules


def in_force(rules: Mapping[str, Any], member: str | None, on: date | None = None) -> bool:
    """Whether this member id looks like one of this payer and is not terminated; on a day, where one is given."""
    members = rules["members"]
    ends = members.get("ends", {}).get(member)
    over = on is not None and ends is not None and on > ends
    return bool(member and re.fullmatch(members["shape"], member)) and member not in members["terminated"] and not over


def verdicts(rules: Mapping[str, Any], facts: Facts, *, reviewed: bool = False) -> tuple[Verdict, ...]:
    """One verdict per Claim.item; `reviewed` says that the payer's reviewer has now looked at a pended one."""
    return tuple(_verdict(rules, facts, item, reviewed) for item in facts.items)


def held_verdict(item: Requested, given: Mapping[str, Any]) -> Verdict:
    """What an authorization given before says of one item: its units for its days, or nothing."""
    units = given["units"].get(item.hcpcs)
    if units is None:
        reason = Reason("0F", "not-in-authorization", "The authorization does not name this service.")
        return Verdict(item.sequence, NOT_CERTIFIED, item.hcpcs, reasons=(reason,))
    return Verdict(item.sequence, CERTIFIED, item.hcpcs, str(units), given["days"])


def _verdict(rules: Mapping[str, Any], facts: Facts, item: Requested, reviewed: bool) -> Verdict:
    if item.cancelled:
        return Verdict(item.sequence, CANCELLED, item.hcpcs)
    product = next((p for p in rules["products"] if item.hcpcs in p["hcpcs"]), None)
    if product is None or not in_force(rules, facts.member):
        key = "product-unknown" if product is None else "member-not-in-force"
        return Verdict(item.sequence, NOT_CERTIFIED, item.hcpcs, reasons=(Reason(**rules["refusals"][key]),))
    product = _terms(product, facts, item)
    failed = [c for c in _criteria(product, facts) if judge(c, facts, item) != "met"]
    final = [c for c in failed if reviewed or not c.get("reviewed")]
    if final:
        reasons = tuple(_reason(c, judge(c, facts, item)) for c in final)
        return Verdict(item.sequence, NOT_CERTIFIED, item.hcpcs, reasons=reasons)
    if not reviewed and (failed or _always_reviewed(rules, product, facts)):
        return Verdict(item.sequence, PENDED, item.hcpcs)
    return _authorized(product, item)


def _terms(product: Mapping[str, Any], facts: Facts, item: Requested) -> Mapping[str, Any]:
    """What this plan wants and grants of a product: of a renewal its own terms, of a plan group its own days."""
    own = product.get("renewal", {}) if item.renews else {}
    days = [d for group, d in product.get("days_of_groups", {}).items() if group in facts.groups and not item.renews]
    return {**product, **own, **({"authorized_days": days[0]} if days else {})}


def _criteria(product: Mapping[str, Any], facts: Facts) -> list[Criterion]:
    """The criteria of a product that hold for this plan group."""
    return [c for c in product["criteria"] if "groups" not in c or facts.groups & set(c["groups"])]


def _always_reviewed(rules: Mapping[str, Any], product: Mapping[str, Any], facts: Facts) -> bool:
    return bool(product.get("always_reviewed")) or bool(facts.groups & set(rules["reviewed_groups"]))


def _reason(criterion: Criterion, finding: str) -> Reason:
    """A missing document is a reason of its own, unless the criterion's reason is that very document."""
    missing = finding == "not-documented"
    text = criterion["text"] + (" (not documented in the request)" if missing else "")
    return Reason(criterion.get("x12", "0U" if missing else "0F"), criterion["id"], text)


def _authorized(product: Mapping[str, Any], item: Requested) -> Verdict:
    most = Decimal(str(product["most_units"]))
    asked = item.units if item.units is not None else most
    action = CERTIFIED if asked <= most else MODIFIED
    return Verdict(item.sequence, action, item.hcpcs, f"{min(asked, most).normalize():f}", product["authorized_days"])
