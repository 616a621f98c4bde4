"""How a day of parenteral nutrition is billed, what an order of it holds, and how much of it is supplied at once.

A pharmacy plans by it, and whoever writes the claims. Source: `nutrition.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.dates import months_later
from shared.yaml_files import read_yaml


def protein_code(grams: Decimal) -> str | None:
    """The HCPCS code of a premixed day with so much protein; None where it is too little for any."""
    whole = grams.to_integral_value(ROUND_HALF_UP)
    rows = (r for r in _rules()["protein"] if r["from"] <= whole and (r["to"] is None or whole <= r["to"]))
    return next((str(r["code"]) for r in rows), None)


def lipid_units(grams: Decimal) -> Decimal:
    """Billing units of lipids."""
    return (grams / int(_rules()["lipids"]["grams"])).to_integral_value(ROUND_CEILING)


def per_diem_code(litres: Decimal | None) -> str:
    """The HCPCS code of a day's pharmacy services and supplies, by the litres of a day where they are known."""
    if litres is None:
        return str(_rules()["per_diem_unsaid"]["code"])
    return next(str(r["code"]) for r in _rules()["per_diem"] if r["most"] is None or litres <= r["most"])


def to_be_explained(order: Mapping[str, Decimal]) -> tuple[str, ...]:
    """Which of energy, protein and dextrose lie outside what needs no word; the unsaid is not judged."""
    return tuple(
        r["of"]
        for r in _rules()["order"]
        if r["of"] in order
        and (order[r["of"]] < Decimal(str(r["least"])) or (r["most"] and order[r["of"]] > Decimal(str(r["most"]))))
    )


def most_units(code: str, days: int) -> int | None:
    """How many kits of a code, or pumps, a course of so many days may be claimed with; None for other codes."""
    if code in _rules()["pumps"]["codes"]:
        return int(_rules()["pumps"]["most"])
    return next((int(r["most"]) * days for r in _rules()["daily"] if code in r["codes"]), None)


def supplied_until(first: date) -> date:
    """The last day for which it may be dispensed at once."""
    return months_later(first, _rules()["dispensed"]["months"]) - timedelta(days=1)


@cache
def _rules() -> Mapping[str, Any]:
    rules: Mapping[str, Any] = read_yaml(Path(__file__).with_name("nutrition.yaml").read_text(encoding="utf-8"))
    return rules
