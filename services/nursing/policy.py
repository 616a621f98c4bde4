"""What nursing decides by: the practice's configuration and the figures in force on a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.nursing.planner import Roads
from services.nursing.roads import roads_of
from shared.policy import load_figures
from shared.settings import Site
from shared.visits import practice

FOLDER = Path(__file__).with_name("policies")


@dataclass(frozen=True, slots=True)
class Practice(practice.Practice):
    """A practice as nursing sees it."""

    def words(self, figure: str, on: date) -> frozenset[str]:
        """A list of words in force on a day."""
        return frozenset(self.figures.value(figure, on))

    def competencies(self, kinds: Iterable[str], therapy: str, on: date, *, first_dose: bool) -> frozenset[str]:
        """What a nurse must be competent in for a visit of these kinds."""
        kinds = tuple(kinds)
        by_kind = self.figures.value("competencies", on)
        drug = {"infusion", "teach"} & set(kinds)
        more = self.figures.value("competencies_by_therapy", on).get(therapy, ()) if drug else ()
        first = ("first-dose",) if first_dose else ()
        return frozenset(c for kind in kinds for c in by_kind[kind]).union(more, first)

    def roads(self, on: date) -> Roads:
        """The figures of the road in force on a day."""
        return roads_of(self.figures, on)


def practice_of(site: Site) -> Practice:
    """Reads the figures beside this module. Raises PolicyError naming file and figure that is wrong."""
    return Practice("nursing", site, load_figures("nursing", FOLDER, (a.policy for a in site.adopted)))
