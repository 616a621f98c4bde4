"""Every fault of the run, in the order in which they strike."""

from __future__ import annotations

import re

from benchmarks.chaos.faults import broker, clocks, engines, messages, partners, processes, queues, restored
from benchmarks.chaos.strike import Fault

_MODULES = (processes, partners, broker, queues, messages, engines, clocks, restored)


def _order(fault: Fault) -> tuple[int, str]:
    """By number; what has none comes last."""
    number = re.match(r"\d+", fault.key)
    return (int(number[0]) if number else 1000, fault.key)


FAULTS: tuple[Fault, ...] = tuple(sorted((f for m in _MODULES for f in m.FAULTS), key=_order))
