"""The deficit a reviewer compares an iron dose with: published figures, and the row of the paper that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.facts import facts_of
from services.auth.papers.iron import deficit, deficit_row
from services.auth.viewing import case_of
from shared.core import Resource
from tests.services.auth.patient import NOW, lab, order, policy, referral, weight

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("iron-deficit.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(c, id=" ".join(map(str, c.values()))) for c in CASES])
def test_the_iron_that_is_missing(case: Mapping[str, Any]) -> None:
    exact = {k: Decimal(str(v)) for k, v in case.items()}
    found = deficit(exact["kg"], exact["hemoglobin"], exact["target"], Decimal("2.4"), Decimal(500))
    assert found == exact["mg"]


def rows(*resources: Resource) -> list[tuple[str, ...]]:
    facts = facts_of(resources)
    return list(deficit_row(case_of(facts.orders[0], facts, policy(), NOW)))


def test_the_paper_tells_it_with_what_it_was_computed_from() -> None:
    ((name, milligrams, _, source),) = rows(*referral(), weight(70), lab("hemoglobin", 8))
    assert (name, milligrams) == ("Iron deficit (Ganzoni, target hemoglobin 15 g/dL)", "1676 mg")
    assert source.startswith("computed from Observation/in-weight and Observation/in-hemoglobin; ")


def test_it_is_told_of_an_iron_with_weight_and_hemoglobin_alone() -> None:
    assert rows(*referral()) == []
    assert rows(*[r for r in referral() if r["id"] != "in-hemoglobin"], weight(70)) == []
    infliximab = order(("infliximab", "J1745"))
    assert rows(*[r for r in referral() if r["id"] != "in-order"], weight(70), infliximab) == []
