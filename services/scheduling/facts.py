"""What scheduling decides from: the resources of one patient and the capacity around the visits that need a time."""

from __future__ import annotations

from dataclasses import dataclass

from services.scheduling.planner import Place
from shared.settings import InfusionSite
from shared.visits import case
from shared.visits.case import Dose, Facts, Hold

__all__ = ["Case", "Dose", "Facts", "Hold", "Visit"]


@dataclass(frozen=True, slots=True)
class Visit(case.Visit[Place]):
    """One dose in a chair."""


@dataclass(frozen=True, slots=True)
class Case(case.Case[InfusionSite, Visit]):
    """One order for chairs."""
