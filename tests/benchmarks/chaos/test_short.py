"""A few of the faults on real engines, briefly: part of every run of the tests (`make chaos` runs them all)."""

from __future__ import annotations

import pytest

from benchmarks.chaos.__main__ import chosen, run
from benchmarks.chaos.report import missed, row
from benchmarks.chaos.table import FAULTS

RATE = 1.0
WANTED = {str(n) for n in (*range(1, 26), 27, 28, 30, 31, 32, 34, 35, 36)}
ALSO = {"34b", "34c", "38", "payer", "restored"}


def test_every_fault_of_the_table_has_a_row_of_its_own() -> None:
    keys = [fault.key for fault in FAULTS]
    assert len(set(keys)) == len(keys)
    assert set(keys) >= WANTED | ALSO
    assert {f.key for f in chosen("", short=False)} >= WANTED | ALSO
    assert [f.key for f in chosen("10, 9", short=True)] == ["9", "10"]
    assert 3 <= len(chosen("", short=True)) < 12
    with pytest.raises(SystemExit):
        chosen("77", short=False)


@pytest.mark.slow
@pytest.mark.engines
async def test_a_few_faults_under_load_lose_double_and_disorder_nothing() -> None:
    outcomes, _ = await run(chosen("", short=True), RATE, short=True)
    assert [(o.fault.key, w) for o in outcomes for w in o.wrong] == []
    assert all(o.recovery is not None for o in outcomes), "every referral taken before a fault's end was booked"
    assert sum(o.taken_before for o in outcomes) > 0
    assert missed([row(o, {"at": "today", "rate": RATE}) for o in outcomes if o.recovery < o.fault.within]) == []
