"""Which threshold of a criterion is this patient's: by sex, pregnancy, age and diagnosis group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
"""One line of a threshold: its `limit`, and for whom: `sex`, `pregnant`, `age_below`, `age_from` (years), `icd10`."""

WHOM = ("sex", "pregnant", "age_below", "age_from", "icd10")
SEXES = ("male", "female")


@dataclass(frozen=True, slots=True)
class Group:
    """What decides which line is a patient's. `sex` is Patient.gender; `born` None where not known to the day."""

    sex: str | None
    born: date | None
    pregnant: bool
    diagnoses: tuple[str, ...]
    on: date

    @property
    def years(self) -> int | None:
        """Completed years of age."""
        return None if self.born is None else completed_years(self.born, self.on)


def limit(threshold: Any, group: Group, *, lowest: bool) -> Decimal:
    """The threshold of the first line that is surely the patient's.

    Of those before it that may be his (sex or age not known) the strictest holds: the lowest where a value must lie
    below it, else the highest.
    """
    limits: list[Decimal] = []
    for row in rows(threshold):
        fits = _fits(row, group)
        if fits is not False:
            limits.append(Decimal(str(row["limit"])))
        if fits:
            break
    return min(limits) if lowest else max(limits)


def rows(threshold: Any) -> Sequence[Row]:
    """A number is one line for everybody; `{male, female, pregnant}` is a line for each, pregnancy first."""
    if isinstance(threshold, Mapping):
        pregnant = [{"pregnant": True, "limit": threshold["pregnant"]}] if "pregnant" in threshold else []
        return [*pregnant, *({"sex": s, "limit": threshold[s]} for s in SEXES if s in threshold)]
    return threshold if isinstance(threshold, list) else [{"limit": threshold}]


def _fits(row: Row, group: Group) -> bool | None:
    """Whether a line is this patient's; None where it cannot be known."""
    answers = [FITS[word](row[word], group) for word in WHOM if word in row]
    return False if False in answers else None if None in answers else True


def _of_sex(wanted: str, group: Group) -> bool | None:
    return group.sex == wanted if group.sex in SEXES else None


def _younger(years: int, group: Group) -> bool | None:
    return None if group.years is None else group.years < years


def _aged(years: int, group: Group) -> bool | None:
    return None if group.years is None else group.years >= years


FITS: Mapping[str, Callable[[Any, Group], bool | None]] = {
    "sex": _of_sex,
    "pregnant": lambda wanted, group: group.pregnant is wanted,
    "age_below": _younger,
    "age_from": _aged,
    "icd10": lambda prefixes, group: any(d.startswith(tuple(prefixes)) for d in group.diagnoses),
}


def completed_years(born: date, on: date) -> int:
    """Birthdays up to a day, that day included; who is born on 29 February has them on 1 March in common years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
