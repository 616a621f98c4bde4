"""On 1 January every benefit of a whole practice is verified again, once, and its payers answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from services.auth.words import OCCASION, ORDER, extension, target
from shared.core import reference
from shared.settings import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """30 December to 1 January, in a process of its own: its time is simulated."""
    folder = tmp_path_factory.mktemp("new-year")
    run = subprocess.run(
        [sys.executable, "-m", "tests.journeys.new_year", str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=True, timeout=240,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def occasion(request: dict[str, Any], part: str) -> str:
    said = extension(extension(request, OCCASION) or {}, part)
    return str(said["valueString"]) if said else ""


def asked(lived: dict[str, Any], reason: str) -> dict[str | None, dict[str, Any]]:
    """Order -> its benefit request of this reason; each has one."""
    found = [r for r in lived["CoverageEligibilityRequest"] if occasion(r, "reason") == reason]
    by_order = {target((extension(r, ORDER) or {}).get("valueReference")): r for r in found}
    assert len(by_order) == len(found)
    return by_order


def test_each_order_of_the_old_year_is_verified_once_in_the_new_one(lived: dict[str, Any]) -> None:
    first, again = asked(lived, "initial"), asked(lived, "new-year")
    old = {order for order, request in first.items() if request["created"] < "2027-01-01T06:00"}
    assert old
    assert set(again) == old
    assert {occasion(r, "period") for r in again.values()} == {"2027"}
    assert all(r["created"].startswith("2027-01-01") for r in again.values())


def test_the_payers_answer_and_the_tasks_say_so(lived: dict[str, Any]) -> None:
    answers = {target(r["request"]): reference(r) for r in lived["CoverageEligibilityResponse"]}
    again = asked(lived, "new-year")
    wanted = {order: answers[reference(request)] for order, request in again.items()}
    told = {}
    for task in lived["Task"]:
        for output in task.get("output", ()):
            if output["type"]["coding"][0]["code"] == "benefit-told":
                told[task["focus"]["reference"]] = output["extension"][0]["valueReference"]["reference"]
    assert {order: told[order] for order in wanted if order} == wanted


def test_nothing_that_must_hold_was_broken(lived: dict[str, Any]) -> None:
    assert lived["wrong"] == []
