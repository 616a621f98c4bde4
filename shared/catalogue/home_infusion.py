"""How Medicare pays the professional services of a home infusion therapy supplier: codes, visits, days, units.

auth tells the codes of a drug beside the benefit; whoever writes claims takes the rest. Source: `home_infusion.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shared.yaml_files import read_yaml

Route = Literal["intravenous", "subcutaneous"]


@dataclass(frozen=True, slots=True)
class Category:
    """A payment category with the codes of its visits; a higher one is paid higher."""

    category: int
    initial: str
    subsequent: str


def category_of(route: Route, is_complex: bool, on: date) -> Category | None:
    """The category of a drug; None before there was the benefit."""
    rows = (r for r in _rules()["categories"] if r["effective_from"] <= on and r["route"] == route)
    row = next((r for r in rows if r.get("complex", is_complex) == is_complex), None)
    return row and Category(row["category"], row["initial"], row["subsequent"])


def visit_code(category: Category, on: date, last: date | None = None, discharged: bool = False) -> str:
    """The code of a visit: an initial one where none went before, or long ago and the patient was discharged since."""
    again = last is not None and discharged and (on - last).days > _rules()["initial"]["more_than"]
    return category.initial if last is None or again else category.subsequent


def units(minutes: int) -> int:
    """Billing units of a visit of so many minutes."""
    rule = _rules()["units"]
    whole, rest = divmod(minutes, int(rule["minutes"]))
    further = 1 if rest >= _rules()["rounding"]["from_minutes"] else 0
    return max(int(rule["least"]), whole + further)


def paid_visits(visits: Iterable[tuple[date, Category]]) -> Mapping[date, Category]:
    """The one visit of each day that is paid: of several the one of the highest category."""
    paid: dict[date, Category] = {}
    for on, category in visits:
        paid[on] = max(category, paid.get(on, category), key=lambda c: c.category)
    return paid


def is_home_infusion_drug(
    route: Route, minutes: int, pumped: bool, insulin: bool = False, self_administered: bool = False
) -> bool:
    """Whether a drug, given in this way by a durable pump, is one whose visits are paid."""
    long_enough = route == "intravenous" or minutes >= _rules()["drugs"]["subcutaneous_minutes"]
    return pumped and long_enough and not insulin and not self_administered


def hospital_status(code: str, on: date) -> str | None:
    """How a hospital's outpatient claim for a code is treated; None where no table of that day is at hand."""
    known = (r for r in _rules()["hospital"] if code in r["codes"] and r["effective_from"] <= on)
    return next((str(r["status"]) for r in known), None)


@cache
def _rules() -> Mapping[str, Any]:
    rules: Mapping[str, Any] = read_yaml(Path(__file__).with_name("home_infusion.yaml").read_text(encoding="utf-8"))
    return rules
