"""Days of home infusion as a commercial plan is billed for them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalogue.home import courses
from shared.catalogue.per_diem import exclude_each_other, modifiers, monthly_lines

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("per-diem.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(c, id=" ".join(map(str, c.values()))) for c in CASES])
def test_a_day_is_billed_by_its_therapy_and_what_stands_beside_it(case: dict[str, Any]) -> None:
    match case:
        case {"therapy": therapy, "hours": hours, "code": code}:
            assert courses()[therapy].per_diem_code(None if hours is None else Decimal(hours)) == code
        case {"nth": nth, "modifiers": expected}:
            assert [*modifiers(nth, case.get("suite", False))] == expected
        case {"first": first, "last": last, "lines": expected}:
            assert monthly_lines(first, last) == tuple(map(tuple, expected))
        case {"codes": codes, "exclude": expected}:
            assert exclude_each_other(codes) is expected
        case _:
            pytest.fail("a case of no kind")
