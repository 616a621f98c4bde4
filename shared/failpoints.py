"""Places where a test may kill the process: `CAREPOD_FAILPOINT=<name>[:<n>]`, refused unless under test.

`lane.kills:<lane>` and `lane.fails:<lane>` make every message of one lane a poison: deciding it kills, or fails.
"""

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


POISONS = ("lane.kills", "lane.fails")


class Poisoned(Exception):
    """The message of a lane that a test has made a poison."""


class Failpoints:
    """Kills this process with SIGKILL when the n-th time comes that a point is reached (n is 1 where not given)."""

    def __init__(self, spec: str | None) -> None:
        name, _, rest = (spec or "").partition(":")
        if name and name not in (*POINTS, *POISONS):
            raise ValueError(f"CAREPOD_FAILPOINT: one of {', '.join((*POINTS, *POISONS))} would be right")
        self._name, self._lane = name, rest if name in POISONS else ""
        self._left = 0 if self._lane else int(rest or "1")

    def reach(self, point: str) -> None:
        """Says that the process is at this point now."""
        if point != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def decides(self, lane: str) -> None:
        """Says that a message of this lane is decided now. Raises Poisoned where a test wants it to fail."""
        if not self._lane or lane != self._lane:
            return
        if self._name == "lane.kills":
            os.kill(os.getpid(), signal.SIGKILL)
        raise Poisoned("a failpoint makes every message of this lane fail")
