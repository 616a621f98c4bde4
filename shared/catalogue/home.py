"""How a therapy is given at home: by whom, in which visits of a nurse, how long they last, what a day is billed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shared.catalogue import Drug
from shared.yaml_files import read_yaml


@dataclass(frozen=True, slots=True)
class HomeCourse:
    """One therapy at home. `visits`: kind -> how many a course; `every_days`: kind -> days from one to the next.

    `per_diem`: hours between two doses (0: however many) -> HCPCS code of a day's pharmacy services and supplies.
    """

    therapy: str
    administered_by: Literal["patient", "nurse"]
    visits: Mapping[str, int]
    every_days: Mapping[str, int]
    unscheduled: int
    lasting: Mapping[str, int]
    per_diem: Mapping[int, str]

    def minutes(self, kind: str, drug: Drug, treatment: int = 1) -> int:
        """Minutes of one visit of a kind; of an infusion, the n-th dose's besides."""
        own = drug.minutes(treatment).total if kind == "infusion" else 0
        return own + self.lasting.get(kind, 0)

    def nursing_visits(self, days: int, doses: int) -> int:
        """Visits of a nurse in a course of so many days and doses, as many as may become necessary."""
        regular = [-(-days // every) for every in self.every_days.values()]
        infusions = doses if self.administered_by == "nurse" else 0
        return sum(self.visits.values()) + max(regular, default=0) + infusions + self.unscheduled

    def per_diem_code(self, hours: Decimal | None) -> str | None:
        """The code of one day, by the hours between two doses."""
        exact = self.per_diem.get(int(hours)) if hours is not None and hours == int(hours) else None
        return exact or self.per_diem.get(0)


def home_course(drug: Drug) -> HomeCourse | None:
    """How a drug's therapy is given at home, or None where the practice does not give it there."""
    return courses().get(drug.therapy)


@cache
def courses() -> Mapping[str, HomeCourse]:
    """Therapy -> its course at home."""
    path = Path(__file__).with_name("home.yaml")
    return {row["therapy"]: _course(row) for row in read_yaml(path.read_text(encoding="utf-8"))}


def _course(row: Mapping[str, Any]) -> HomeCourse:
    return HomeCourse(
        therapy=row["therapy"],
        administered_by=row["administered_by"],
        visits=row["visits"],
        every_days=row.get("every_days", {}),
        unscheduled=row["unscheduled"],
        lasting=row["minutes"],
        per_diem={0 if hours == "any" else hours: code for hours, code in row["per_diem"].items()},
    )
