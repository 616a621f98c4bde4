"""Billing lines of a dose on a date of service, with what was discarded."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalogue import drug
from shared.catalogue.wastage import ClaimLine, claim_lines, in_vials

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("billing.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['drug']} {c['amount']} on {c['served']}") for c in CASES])
def test_a_dose_is_billed_with_what_was_discarded_of_it(case: dict[str, Any]) -> None:
    known, amount = drug(case["drug"]), Decimal(str(case["amount"]))
    assert known is not None
    if "rounded" in case:
        assert in_vials(known, amount) == case["rounded"]
        return
    opened = Decimal(str(case["opened"])) if "opened" in case else None
    lines = claim_lines(known, amount, case["served"], case.get("giver", "practice"), opened)
    assert lines == tuple(ClaimLine(code, Decimal(units), *modifier) for code, units, *modifier in case["lines"])
