"""Until when an order is authorized, by the periods its Task names."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from shared.visits.authorization import authorized_until
from tests.services.scheduling.patient import CHICAGO, coded

ORDER = {"resourceType": "ServiceRequest", "id": "in-order"}
DAY = date(2026, 11, 23)


def case(*periods: tuple[str, str]) -> Any:
    output = [
        {"type": coded("preauthorization-output", "period"), "valuePeriod": {"start": start, "end": end}}
        for start, end in periods
    ]
    task = {"resourceType": "Task", "code": coded("task-code", "preauthorization"), "output": output}
    named = {**task, "focus": {"reference": "ServiceRequest/in-order"}}
    facts = SimpleNamespace(of=lambda *_: iter([named]))
    return SimpleNamespace(order=ORDER, facts=facts, site=SimpleNamespace(time_zone=CHICAGO))


@pytest.mark.parametrize(
    ("periods", "last"),
    [
        ([("2026-11-23", "2027-02-20")], date(2027, 2, 20)),
        ([("2026-11-23", "2027-02-20"), ("2027-02-21", "2027-05-20")], date(2027, 5, 20)),
        ([("2026-11-23", "2027-02-20"), ("2027-02-22", "2027-05-20")], date(2027, 2, 20)),
        ([("2026-11-23", "2027-05-20"), ("2027-01-01", "2027-02-20")], date(2027, 5, 20)),
        ([("2026-11-23", "9999-12-31"), ("2027-02-01", "2027-03-01")], date.max),
        ([("2026-11-24", "2027-02-20")], None),
    ],
)
def test_periods_that_follow_one_another_count_as_one(periods: list[tuple[str, str]], last: date | None) -> None:
    assert authorized_until(case(*periods), DAY) == last
