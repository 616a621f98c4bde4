"""Which of the dated figures of clocks, allowances and appeals decide: the row that says most of what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from shared.policy import Figure, Figures
from shared.settings import Payer

WEIGHTS = {"payer": 100, "lines_of_business": 10}
"""What a row says of whom it is for counts before everything else it says."""


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """The figures of clocks, allowances, appeals and renewals, and of the practice around them."""

    figures: Figures

    def decision(self, payer: Payer, benefit: str, item: str, urgency: str, on: date) -> Figure | None:
        """The clock of one item by payer, benefit (medical, pharmacy), item (drug, service), urgency and date."""
        said = {"benefit": benefit, "item": item, "urgency": urgency}
        return self._most_of("decision_clock", payer, said, on)

    def expedited_statement(self, payer: Payer | None, on: date) -> Figure | None:
        """What documents that a request must be decided faster."""
        return self._most_of("expedited_statement", payer, {}, on)

    def verbal_approval(self, payer: Payer, urgency: str, on: date) -> Figure | None:
        """Whether an approval by telephone counts before the letter."""
        return self._most_of("verbal_approval", payer, {"urgency": urgency}, on)

    def allowance(self, kind: str, payer: Payer, on: date) -> Figure | None:
        """Until when a visit needs no decision yet, by kind: the payer's own row before its line of business's."""
        return self._most_of("allowance", payer, {"kind": kind}, on)

    def appeal_level(self, payer: Payer, level: int, notice: date) -> Figure | None:
        """One level of appeal, on the date of the notice; None where there is no such level, or nothing says."""
        rows = (f for f in self.figures.all("appeal_level", notice) if f.applies_to["level"] == level)
        return next((f for f in rows if _applies(f.applies_to, payer, {})), None)

    def talk(self, on: date) -> Figure | None:
        """Minutes a talk from peer to peer takes; None where nothing says."""
        return next(iter(self.figures.all("peer_to_peer_minutes", on)), None)

    def lead(self, clock: str, urgency: str, on: date) -> timedelta:
        """How long before the end of a clock of hours or days a person looks; not before it where nothing says."""
        return self._hours("decision_lead", {"clock": clock, "urgency": urgency}, on)

    def inquire_again(self, urgency: str, on: date) -> timedelta:
        """How long after an inquiry a late payer is asked again; at once where nothing says."""
        return self._hours("inquire_again", {"urgency": urgency}, on)

    def renewal(self, figure_id: str, payer: Payer | None, on: date) -> int | None:
        """Days of one figure of `renewals.yaml`; None where no row is for this payer."""
        found = self._most_of(figure_id, payer, {}, on)
        return int(found.value) if found else None

    def _hours(self, figure_id: str, said: Mapping[str, str], on: date) -> timedelta:
        found = self._most_of(figure_id, None, said, on)
        return timedelta(hours=found.value["hours"]) if found else timedelta()

    def _most_of(self, figure_id: str, payer: Payer | None, said: Mapping[str, str], on: date) -> Figure | None:
        rows = [f for f in self.figures.all(figure_id, on) if _applies(f.applies_to, payer, said)]
        return max(rows, key=lambda f: sum(WEIGHTS.get(k, 1) for k in f.applies_to), default=None)


def _applies(scope: Mapping[str, Any], payer: Payer | None, said: Mapping[str, str]) -> bool:
    named = "payer" not in scope or (payer is not None and scope["payer"] == payer.id)
    line = payer.line_of_business if payer else ""
    of_line = "lines_of_business" not in scope or line in scope["lines_of_business"]
    return named and of_line and all(scope.get(k, v) == v for k, v in said.items())
