"""Places where a test may kill the process: `CAREPOD_FAILPOINT=<name>[:<n>]`, refused unless under test."""

from __future__ import annotations

import os
import signal

POINTS = (
    "loop.before_commit",
    "relay.before_publish",
    "relay.before_mark",
    "consumer.before_ack",
    "delivery.before_send",
    "delivery.before_store",
)


class Failpoints:
    """Kills this process with SIGKILL when the n-th time comes that a point is reached (n is 1 where not given)."""

    def __init__(self, spec: str | None) -> None:
        name, _, count = (spec or "").partition(":")
        if name and name not in POINTS:
            raise ValueError(f"CAREPOD_FAILPOINT: one of {', '.join(POINTS)} would be right")
        self._name, self._left = name, int(count or "1")

    def reach(self, point: str) -> None:
        """Says that the process is at this point now."""
        if point != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
