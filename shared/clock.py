"""The one place the runtime reads the time, and how an instant is written down."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def stamp(at: datetime) -> str:
    """An instant as stored: UTC, microseconds, sortable as text."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def instant(text: str) -> datetime:
    """The instant a stamp (or a FHIR instant or dateTime with a zone) stands for."""
    return datetime.fromisoformat(text)


def uuid7(at: datetime) -> str:
    """A UUID of version 7 (RFC 9562): milliseconds of `at`, then 74 random bits, so ids sort by time."""
    value = int(at.timestamp() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def first_uuid7(at: datetime) -> str:
    """The text that every UUID of version 7 made after the millisecond of `at` sorts behind, and none from before."""
    value = int(at.timestamp() * 1000 + 1) << 80
    return str(UUID(int=value))


def minted(uuid: str) -> datetime | None:
    """When a UUID of version 7 was made, to the millisecond; None for anything else."""
    try:
        parsed = UUID(uuid)
    except ValueError:
        return None
    return datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC) if parsed.version == 7 else None
