"""What scheduling decides by: the practice's configuration and the figures in force on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import lcm
from pathlib import Path

from services.scheduling.planner import Staffing
from shared.policy import load_figures
from shared.settings import Site
from shared.visits import practice

FOLDER = Path(__file__).with_name("policies")


@dataclass(frozen=True, slots=True)
class Practice(practice.Practice):
    """A practice as scheduling sees it."""

    def staffing(self, on: date) -> Staffing:
        """The nurse ratio as shares of one nurse: the least number every ratio divides, and each acuity's share."""
        ratios = {int(acuity): int(n) for acuity, n in self.figures.value("patients_per_nurse", on).items()}
        whole = lcm(*ratios.values())
        shares = {acuity: whole // patients for acuity, patients in ratios.items()}
        return Staffing(whole, shares, self.number("minutes_between_starts", on))


def practice_of(site: Site) -> Practice:
    """Reads the figures beside this module. Raises PolicyError naming file and figure that is wrong."""
    return Practice("scheduling", site, load_figures("scheduling", FOLDER, (a.policy for a in site.adopted)))
