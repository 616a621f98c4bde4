"""The table of bad inputs names tests there are, and each of its rows at least one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.settings import ROOT
from tests.shared.web.test_bad_inputs import CASES

ROWS = {
    int(number): rest
    for number, rest in re.findall(
        r"^\| (\d+) \|(.*)\|$", (ROOT / "docs" / "bad-inputs.md").read_text("utf-8"), re.MULTILINE
    )
}
NUMBERED = {int(case[0].split()[0]) for case in CASES}


def _tests() -> set[str]:
    texts = (path.read_text("utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"def (test_\w+)", text)}


def test_every_row_is_there() -> None:
    assert sorted(ROWS) == [*range(1, 42), *range(62, 68)]
    assert set(ROWS) >= NUMBERED


@pytest.mark.parametrize("number", sorted(ROWS))
def test_the_tests_of_a_row_are_there(number: int) -> None:
    column = ROWS[number].rpartition("|")[2]
    named = set(re.findall(r"test_\w+", column))
    assert named or number in NUMBERED
    assert bool(re.match(r" case \d", column)) == (number in NUMBERED)
    assert named <= _tests()
