"""The report says what was broken, what came late, and keeps the rows of faults that did not strike again."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.chaos.__main__ import reported
from benchmarks.chaos.checker import Parked
from benchmarks.chaos.report import as_markdown, is_late, joined, missed, row
from benchmarks.chaos.strike import Fault, Outcome
from benchmarks.truth import Wrong

ABOUT = {"machine": {"cores": 2}}


def made(at: str) -> dict[str, Any]:
    return {"at": at, "command": "python -m benchmarks.chaos", "rate": 1.0, "short": False}


def nothing(_: Any) -> AbstractAsyncContextManager[None]:
    return nullcontext()


def outcome(key: str = "10", recovery: float | None = 3.0, *wrong: Wrong) -> Outcome:
    parked = (Parked("broker", "1 message", "delivery limit"),)
    fault = Fault(key, "broker kill -9", nothing)
    return Outcome(fault, 5.0, recovery, 6.4, 0.75, 2.0, 1.9, 1.5, 0.25, {"503": 2}, 1, parked, wrong, ("a note",), 4.5)


def test_a_fault_that_broke_nothing_and_was_over_in_time_misses_nothing() -> None:
    found = row(outcome(), made("2026-11-22"))
    assert (is_late(found), missed([found])) == (False, [])
    text = as_markdown([found], ABOUT)
    assert (
        "| 10 | broker kill -9 | 5 | 0 | 0 | 0 | 0 | 0 | 3.0 | 75% | 6 | 2.0 → 1.9 | 1.5 → 0.2 | 1 | 4.5 | 1 | 2026-"
        in text
    )
    assert "* 10: a note\n* 10: parked: broker: 1 message: delivery limit" in text
    assert "1 faults struck. An invariant broke in none; recovery came late in none." in text
    assert text.endswith("## Missed\n\nNothing.\n")


def test_a_late_recovery_and_one_that_never_came_are_missed() -> None:
    late, never = row(outcome(recovery=15.1), made("today")), row(outcome("9", None), made("today"))
    assert missed([late, never]) == [
        "fault 10, broker kill -9: recovery 15.1 s, 15 s wanted",
        "fault 9, broker kill -9: recovery not within patience, 15 s wanted",
    ]
    assert not is_late(row(outcome(recovery=15.0), made("today")))


def test_what_was_broken_is_counted_by_kind_and_the_first_are_told() -> None:
    found = row(
        outcome("10", 1.0, *(Wrong("lost", f"referral {n}") for n in range(9)), Wrong("order", "x")), made("today")
    )
    assert {kind: n for kind, n in found["broken"].items() if n} == {"lost": 9, "order": 1}
    assert missed([found])[0] == "fault 10, broker kill -9: lost: referral 0"
    assert missed([found])[-1] == "fault 10, broker kill -9: and 2 more"


def test_a_run_of_one_fault_refreshes_its_row_alone(tmp_path: Path) -> None:
    reported(tmp_path, [row(outcome("10"), made("yesterday")), row(outcome("9"), made("yesterday"))], ABOUT)
    reported(tmp_path, [row(outcome("10", 1.0), made("today"))], ABOUT)
    found = json.loads((tmp_path / "chaos.json").read_text())["faults"]
    told = [(f["fault"], f["at"], f["recovery_seconds"]) for f in found]
    assert told == [("9", "yesterday", 3.0), ("10", "today", 1.0)]
    assert "| 9 |" in (tmp_path / "chaos.md").read_text()


def test_rows_come_in_the_order_of_the_table() -> None:
    rows = [row(outcome(key), made("today")) for key in ("19b", "2", "19")]
    assert [r["fault"] for r in joined([], rows, ("2", "19", "19b"))] == ["2", "19", "19b"]
