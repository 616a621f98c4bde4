"""What was under way when a fault ended is what had been taken by then and was not over: also what ended soon after."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from benchmarks.chaos.history import Told
from benchmarks.chaos.load import Load


def test_what_ended_after_an_instant_was_under_way_at_it() -> None:
    deployment: Any = SimpleNamespace(sender=lambda: None)
    load = Load(deployment, lambda n: b"", 1.0)
    load.history.told += [Told(n, 0.0, taken, 201) for n, taken in ((1, 1.0), (2, 2.0), (3, 3.0), (4, 6.0))]
    load.ended.update({1: 4.0, 2: 5.5})
    assert load.under_way(5.0) == {2, 3}
