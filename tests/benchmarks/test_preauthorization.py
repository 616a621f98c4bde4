"""The benchmark of criteria: every iron policy on a chart of the size it says, and what was missed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rich.console import Console

from benchmarks import preauthorization
from benchmarks.preauthorization import OTHER_RESULTS, Extent
from benchmarks.submission import Pushes, submission

TINY = Extent(repeats=1, seconds=0.0)
ON_THE_WAY = {"accepted": 10, "answered": 10, "p50_seconds": 0.5, "p99_seconds": 2.5}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return preauthorization.measured(TINY, ON_THE_WAY)


def test_every_payer_with_criteria_for_an_iron_is_measured(report: dict[str, Any]) -> None:
    payers = {name.removeprefix("auth/").partition("-iv-iron")[0] for name in report["checks"]["policies"]}
    assert len(payers) >= 8
    assert report["checks"]["resources"] > OTHER_RESULTS
    assert all(rate > 0 for rate in report["checks"]["policies"].values())


def test_the_large_referral_is_larger_and_judged_alike(report: dict[str, Any]) -> None:
    assert report["operation"]["large_bytes"] > 5 * report["operation"]["bytes"]
    known, at = preauthorization.policy(), preauthorization.AT
    answers = [preauthorization.precheck(preauthorization.referral(n), {}, known, at) for n in (0, OTHER_RESULTS)]
    small, large = ([p for p in a["parameter"] if p["name"] in ("status", "criterion")] for a in answers)
    assert small == large


def test_a_report_names_what_it_missed(report: dict[str, Any]) -> None:
    assert report["missed"] == [t["figure"] for t in report["targets"] if not t["met"]]
    console = Console(width=200)
    with console.capture() as shown:
        console.print(preauthorization.table(report))
    assert "arkansas-bcbs-iv-iron" in shown.get()
    assert "p99 2.50 s" in " ".join(shown.get().split())
    assert "submission.p99_seconds" in report["missed"]


@pytest.mark.engines
def test_the_way_to_the_payer_is_measured_on_the_deployed_services(engines: Any) -> None:
    took = asyncio.run(submission(engines, Pushes(per_second=2, seconds=2)))
    assert (took["accepted"], took["answered"]) == (4, 4)
    assert 0 < took["p50_seconds"] <= took["p99_seconds"]
