"""What one billing unit and one package of a product hold, and how an NDC may be written."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalogue import HCPCS, NDC, known, products


def cases(name: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name("cases").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['hcpcs']} {c['ndc']}") for c in cases("packages")])
def test_a_package_holds_so_many_units_of_its_code(case: dict[str, Any]) -> None:
    found = known([{"system": NDC, "code": case["ndc"]}])
    assert found is not None
    assert found is known([{"system": HCPCS, "code": case["hcpcs"]}])
    assert found.packages[case["ndc"]] == Decimal(str(case["units"]))
    (billed,) = [b for b in found.billing if b.code == case["hcpcs"]]
    assert f"{billed.amount} {billed.unit}" == case["one"]


@pytest.mark.parametrize("case", [pytest.param(c, id=c["ndc"]) for c in cases("ndc")])
def test_an_ndc_names_its_drug_in_each_way_it_may_be_written(case: dict[str, Any]) -> None:
    found = known([{"system": NDC, "code": case["ndc"]}])
    assert (found.key if found else None) == case["drug"]


def test_every_drug_with_packages_has_one_among_the_cases() -> None:
    shown = {c["hcpcs"] for c in cases("packages")}
    listed = {b.code for d in products() if d.packages for b in d.billing if b.effective_to is None}
    assert listed - shown <= UNLISTED


UNLISTED = {"J1566", "Q5108", "Q5111", "Q5120", "Q5122"}
"""In the crosswalk, and not in the domain table."""
