"""Which of two FHIR dates comes later, as far as their precision can tell."""

from __future__ import annotations

from datetime import datetime
from typing import Any

_CLOCK = 11


def later(one: Any, other: Any) -> bool:
    """Whether the first date, dateTime or instant is certainly after the second; False where nobody can tell."""
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    if len(one) > _CLOCK and len(other) > _CLOCK:
        return _after(one, other)
    shared = min(len(one), len(other), 10)
    return one[:shared] > other[:shared]


def _after(one: str, other: str) -> bool:
    try:
        return _instant(one) > _instant(other)
    except (ValueError, TypeError):
        return False  # not legal dates: their own check says so


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(":60", ":59", 1) if text[16:19] == ":60" else text)
