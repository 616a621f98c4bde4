"""What a Part B claim says of the part of a drug that was discarded: modifier JW with its units, or JZ for none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shared.catalogue import MEASURES, Drug
from shared.yaml_files import read_yaml

Giver = Literal["practice", "supplier"]


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """Billing units of one code under one modifier, or none."""

    code: str
    units: Decimal
    modifier: str | None = None


def claim_lines(
    drug: Drug, amount: Decimal, on: date, giver: Giver = "practice", opened: Decimal | None = None
) -> tuple[ClaimLine, ...]:
    """The lines of one dose in the drug's measure on a date of service; () without a code that day.

    `opened` is what was in the containers it came from, whole vials where not said. A billing unit that holds dose and
    waste together is billed whole, as administered (CMS Article A52507).
    """
    code, administered = drug.billing_on(on), drug.units(amount, on)
    if code is None or administered is None:
        return ()
    if drug.container != "single-dose":
        return (ClaimLine(code.code, administered),)
    whole = in_vials(drug, amount) if opened is None else opened
    discarded = int(whole / (code.amount * MEASURES[code.unit][1])) - administered
    asked = modifiers(on, giver)
    if discarded <= 0:
        return (ClaimLine(code.code, administered, "JZ" if "JZ" in asked else None),)
    lines = (ClaimLine(code.code, administered), ClaimLine(code.code, discarded, "JW"))
    return lines if "JW" in asked else lines[:1]


def in_vials(drug: Drug, amount: Decimal) -> Decimal:
    """A dose rounded up to whole vials."""
    vial = drug.vial * MEASURES[drug.vial_unit][1]
    return (amount / vial).to_integral_value(ROUND_CEILING) * vial


def modifiers(on: date, giver: Giver) -> frozenset[str]:
    """Which modifiers a claim is asked for on a date of service."""
    return frozenset(r["modifier"] for r in _rules() if r["giver"] == giver and r["effective_from"] <= on)


@cache
def _rules() -> tuple[Mapping[str, Any], ...]:
    return tuple(read_yaml(Path(__file__).with_name("wastage.yaml").read_text(encoding="utf-8")))
