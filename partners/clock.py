"""What time it is for a partner: its own clock, replaceable by a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def clock() -> datetime:
    """The instant now, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def instant(at: datetime) -> str:
    """A FHIR instant to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
