"""Until when a denial may be appealed at each level, and when the reviewer must have decided, by line of business."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.decision.deadlines import decided_by, last_day
from tests.services.auth.patient import CHICAGO, payer, policy

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("appeals.yaml").read_text(encoding="utf-8"))


def level_of(case: dict[str, Any], on: Any) -> dict[str, Any]:
    figure = policy().clocks.appeal_level(payer("a-payer", case["line"]), case.get("level", 1), on)
    return {} if figure is None else dict(figure.value)


FILED = [pytest.param(c, id=f"{c['line']} {c.get('level', 1)} {c['notice']}") for c in CASES["file"]]


@pytest.mark.parametrize("case", FILED)
def test_the_days_to_appeal_run_from_the_date_of_the_notice(case: dict[str, Any]) -> None:
    assert last_day(level_of(case, case["notice"]), case["notice"]) == case["last"]


@pytest.mark.parametrize("case", CASES["decide"], ids=str)
def test_the_reviewer_decides_by_its_own_clock(case: dict[str, Any]) -> None:
    filed = datetime.fromisoformat(case["filed"])
    level = level_of(case, filed.date())
    assert decided_by(level, case["item"], case["urgency"], filed, CHICAGO) == case["by"]


@pytest.mark.parametrize("case", CASES["figures"], ids=str)
def test_amounts_in_dispute_and_benefits_that_go_on_are_figures_of_their_level(case: dict[str, Any]) -> None:
    assert level_of(case, case["notice"]).get(case["figure"]) == case["is"]
