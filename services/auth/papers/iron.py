"""Computes the iron deficit a reviewer compares the ordered dose with; it decides no dose.

Source: Ganzoni's formula, body weight x (target - actual hemoglobin) x 2.4 + iron stores; figures in
`policies/practice.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.criteria.findings import latest_value
from services.auth.criteria.regimen import KILOGRAMS, WEIGHT
from shared.core import reference

THERAPY = "iv-iron"
HEMOGLOBIN = ("718-7", "20509-6", "30313-1")
GRAMS_PER_DECILITER: dict[str, Any] = {"g/dL": 1, "g/L": "0.1"}


def deficit(kilograms: Decimal, hemoglobin: Decimal, target: Decimal, factor: Decimal, stores: Decimal) -> Decimal:
    """Milligrams of iron that are missing: weight in kg, hemoglobin and its target in g/dL; none above the target."""
    return kilograms * max(target - hemoglobin, Decimal(0)) * factor + stores


def deficit_row(case: Case) -> Iterator[tuple[str, str, str, str]]:
    """The row of the paper's results, for an iron whose patient's weight and hemoglobin are known."""
    figure = case.policy.iron_deficit(case.on)
    weight = latest_value(case.chart, WEIGHT, KILOGRAMS)
    blood = latest_value(case.chart, HEMOGLOBIN, GRAMS_PER_DECILITER)
    if case.drug is None or case.drug.therapy != THERAPY or figure is None or weight is None or blood is None:
        return
    target, factor, stores = (Decimal(str(figure.value[k])) for k in ("target", "factor", "stores"))
    missing = deficit(weight[0], blood[0], target, factor, stores)
    name = f"Iron deficit (Ganzoni, target hemoglobin {target} g/dL)"
    source = f"computed from {reference(weight[1])} and {reference(blood[1])}; {figure.source}"
    yield name, f"{missing.normalize():f} mg", case.on.isoformat(), source
