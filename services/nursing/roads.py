"""Reads the figures of the road, and the states of the Nurse Licensure Compact, in force on a day."""

from __future__ import annotations

from datetime import date

from services.nursing.planner import Roads
from shared.policy import Figures


def roads_of(figures: Figures, on: date) -> Roads:
    """Raises PolicyError naming the figure that is not in force and adopted."""
    return Roads(
        detour_factor=float(figures.value("detour_factor", on)),
        miles_per_hour=float(figures.value("miles_per_hour", on)),
        least_minutes_per_leg=int(figures.value("least_minutes_per_leg", on)),
        most_minutes_per_leg=int(figures.value("most_minutes_per_leg", on)),
        most_visits_per_day=int(figures.value("most_visits_per_day", on)),
        compact=frozenset(figures.value("compact_states", on)),
    )
