"""A day of parenteral nutrition: its codes, what its order holds, how much is supplied."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalogue import drug, nutrition

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("nutrition.yaml").read_text(encoding="utf-8"))


def number(said: Any) -> Decimal:
    return Decimal(str(said))


@pytest.mark.parametrize("case", [pytest.param(c, id=" ".join(map(str, c.values()))) for c in CASES])
def test_a_day_of_nutrition_goes_by_its_figures(case: dict[str, Any]) -> None:
    match case:
        case {"protein": grams, "code": code}:
            assert nutrition.protein_code(number(grams)) == code
        case {"lipids": grams, "units": units}:
            assert nutrition.lipid_units(number(grams)) == units
        case {"litres": litres, "code": code}:
            assert nutrition.per_diem_code(None if litres is None else number(litres)) == code
        case {"order": order, "explained": explained}:
            said = {name: number(value) for name, value in order.items()}
            assert [*nutrition.to_be_explained(said)] == explained
        case {"kits": code, "days": days, "most": most}:
            assert nutrition.most_units(code, days) == most
        case {"first": first, "until": until}:
            assert nutrition.supplied_until(first) == until
        case _:
            pytest.fail("a case of no kind")


@pytest.mark.parametrize(
    ("key", "grams"),
    [
        ("parenteral-nutrition-10-51", 30),
        ("parenteral-nutrition-52-73", 60),
        ("parenteral-nutrition", 90),
        ("parenteral-nutrition-over-100", 120),
    ],
)
def test_each_code_by_protein_is_a_product_of_the_catalogue(key: str, grams: int) -> None:
    found = drug(key)
    assert found is not None
    assert nutrition.protein_code(Decimal(grams)) == found.billing[-1].code
