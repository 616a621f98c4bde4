"""The validation benchmark: its inputs have the sizes they say and are valid, and its report says what was met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import resources, validation
from benchmarks.referrals import rounded
from benchmarks.validation import Extent
from shared.fhir.json import encode
from shared.fhir.profiles import carepod

TINY = Extent(repeats=1, seconds=0.0, starts=1)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return validation.measured(TINY)


@pytest.mark.parametrize("size", [500, 600, 601, 1000])
def test_an_order_has_exactly_the_bytes_asked_for(size: int) -> None:
    assert len(encode(resources.service_request(size))) == size


@pytest.mark.parametrize("size", [4000, 5000, 5001])
def test_a_task_grows_by_its_outputs_to_exactly_the_bytes_asked_for(size: int) -> None:
    task = resources.task(size)
    assert len(encode(task)) == size
    assert len(task["output"]) > 5


def test_a_size_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes more than 100"):
        resources.service_request(100)


def test_the_message_has_twenty_entries_each_with_a_url_of_its_own() -> None:
    entries = resources.bundle()["entry"]
    assert len({entry["fullUrl"] for entry in entries}) == len(entries) == 20


@pytest.mark.parametrize("name", validation.INPUTS)
def test_every_input_is_the_same_each_time_and_holds_its_profile(name: str) -> None:
    made = validation.INPUTS[name]()
    assert encode(made) == encode(validation.INPUTS[name]())
    wrong = carepod().check(made, made["meta"]["profile"], claimed=True)
    assert [issue for issue in wrong if issue.severity == "error"] == []


@pytest.mark.parametrize("name", validation.INPUTS)
def test_no_two_variants_are_the_same_but_all_are_as_long_and_hold_the_profile(name: str) -> None:
    made = resources.variants(validation.INPUTS[name](), 5)
    assert len({encode(variant) for variant in made}) == 5
    assert {len(encode(variant)) for variant in made} == {len(encode(validation.INPUTS[name]()))}
    found = [issue for variant in made for issue in carepod().check(variant, claimed=True)]
    assert [issue for issue in found if issue.severity == "error"] == []


def test_an_input_that_breaks_its_profile_is_not_measured() -> None:
    broken = {**resources.service_request(), "status": "perhaps"}
    with pytest.raises(ValueError, match=r"ServiceRequest\.status"):
        validation.compared(broken, TINY, carepod())


@pytest.mark.slow
def test_the_report_compares_each_input_and_judges_each_target(report: dict[str, Any]) -> None:
    for name in validation.INPUTS:
        figures = report[name]
        assert all(figures[key] > 0 for key in ("base_us", "profile_us", "fhir_resources_us", "bytes"))
        assert figures["times_faster"] == pytest.approx(figures["fhir_resources_us"] / figures["profile_us"])
    assert report["compile"]["profiles"] > 40
    assert [t["figure"] for t in report["targets"]] == [t.figure for t in validation.TARGETS]
    assert report["missed"] == [t["figure"] for t in report["targets"] if not t["met"]]
    json.dumps(rounded(report), allow_nan=False)


@pytest.mark.slow
def test_people_see_a_row_for_each_input(report: dict[str, Any]) -> None:
    console = Console(width=120, record=True, quiet=True)
    console.print(validation.table(report))
    assert validation.table(report).row_count == len(validation.INPUTS)


@pytest.mark.slow
def test_a_missed_target_fails_the_check_and_is_named(
    report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = {"figure": "Task.profile_us", "wanted": "<= 80", "measured": 1234.56, "met": False}
    found = {**report, "targets": [missed], "missed": ["Task.profile_us"]}
    monkeypatch.setattr(validation, "measured", lambda extent, show: found)
    assert validation.main(["--check", "--report", str(tmp_path / "r.json")]) == 1
    printed = capsys.readouterr()
    assert printed.err.endswith("missed: Task.profile_us: 1235, <= 80\n")
    assert json.loads(printed.out) == json.loads((tmp_path / "r.json").read_text())
    assert validation.main([]) == 0
