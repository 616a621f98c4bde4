"""What a referral lacks, as a rule or a profile says it: a gap; and the figures rules may decide by."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.intake.facts import Case
from shared.policy import Figures

_FILTER = re.compile(r"\.where\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing missing: its code, where it would stand (FHIRPath), and what would be right.

    `clinical` gaps keep the order a draft, the others withhold nothing. All are told to the placer; `formal` ones do
    not put the referral on hold: everything needed is there, only not as our profiles ask for it.
    """

    code: str
    expression: str
    text: str
    clinical: bool = True
    formal: bool = False

    @property
    def element(self) -> tuple[str, ...]:
        """Type and element of its place: `Observation`, `effective`."""
        return tuple(_FILTER.sub("", self.expression).split(".")[:2])


Rule = Callable[[Case, Figures], Gap | None]


def limit(figures: Figures, figure_id: str, case: Case) -> Any | None:
    """The value of a figure in force and adopted, else None: a draft nobody adopted decides nothing."""
    found = figures.all(figure_id, case.on)
    return found[0].value if found else None
