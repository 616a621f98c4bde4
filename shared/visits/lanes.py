"""Says which days of a place a decision must lock before it may give times of them away."""

from __future__ import annotations

from datetime import date


def lane(site: str, on: date) -> str:
    """The lane of one day of one place."""
    return f"site/{site}/{on}"


def needed(found: frozenset[str], searched: frozenset[str], held: frozenset[str]) -> tuple[str, ...]:
    """The lanes still to lock: first those of the places found, and when these turned out taken, every day searched.

    So a decision asks twice at the most for the same windows.
    """
    if found <= held or not any(key.startswith("site/") for key in held):
        return tuple(sorted(found - held))
    return tuple(sorted((found | searched) - held))
