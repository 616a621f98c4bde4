"""Visits of a home infusion therapy supplier as Medicare pays them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalogue.home_infusion import (
    Category,
    category_of,
    hospital_status,
    is_home_infusion_drug,
    paid_visits,
    units,
    visit_code,
)

FILE = Path(__file__).with_name("cases") / "home-infusion.yaml"
CASES = yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['name']} {c.get('day', '')}".strip()) for c in CASES])
def test_a_visit_is_paid_as_the_manual_says(case: dict[str, Any]) -> None:
    match case:
        case {"given": [route, is_complex], "day": on, "category": expected}:
            found = category_of(route, is_complex, on)
            assert (found.category if found else None) == expected
            code = visit_code(found, on, case.get("last"), case.get("discharged", False)) if found else None
            assert code == case.get("code")
        case {"minutes": minutes, "units": expected}:
            assert units(minutes) == expected
        case {"visits": visits, "paid": expected}:
            found_days = paid_visits((on, Category(number, "", "")) for on, number in visits)
            assert {on: c.category for on, c in found_days.items()} == expected
        case {"drug": said, "is": expected}:
            assert is_home_infusion_drug(*said) is expected
        case {"name": code, "status": expected, "day": on}:
            assert hospital_status(code, on) == expected
        case _:
            pytest.fail("a case of no kind")
