"""Reads what may be had of whom: assistance programmes and the federal poverty level, each a dated figure of policy.

Law of this file: a figure says everything about a programme; a copay card bars federal payers whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from services.auth.assistance.insurance import CLASSES, FEDERAL
from services.auth.words import days_after
from shared.catalogue import drug
from shared.policy import Figure, Figures, PolicyError

PROGRAMME, LEVEL = "assistance_programme", "poverty_level"
HOUSEHOLD_DAYS, REENROL_DAYS = "household_valid_days", "reenrol_ahead_days"
COPAY, FOUNDATION, PAP, HUB = KINDS = ("copay", "foundation", "pap", "hub")
"""A manufacturer's copay card; a charity's grant; a manufacturer's free drug; a hub, which asks and pays nothing."""
CALENDAR_YEAR, ENROLMENT = PERS = ("calendar-year", "enrolment")
CHANNELS = ("buy-and-bill", "white-bag", "brown-bag", "clear-bag")
"""Ways in which a drug comes to the patient (acquisition-channel)."""
DOCUMENTS = ("denial-letter", "insurance-card", "prescriber-form", "proof-of-income")
REGIONS = ("contiguous", "alaska", "hawaii")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a programme pays, in US dollars: at most in all by calendar year or by enrolment, and at most of one dose.

    `first_pays` and `next_pays` stay the patient's own of the first dose of an enrolment and of each later one.
    """

    maximum: Decimal | None = None
    per: str = CALENDAR_YEAR
    dose_maximum: Decimal | None = None
    first_pays: Decimal = Decimal(0)
    next_pays: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Programme:
    """One programme: for whom it is, which documents it wants, what it pays, and how long an enrolment stands.

    recipient   names it in a patient's Consent: programmes of one hub may share it.
    limits      None where it pays no share of a dose (a hub, free drug).
    """

    id: str
    name: str
    kind: str
    recipient: str
    drugs: frozenset[str]
    insurance: frozenset[str]
    figure: Figure
    income_percent: int | None = None
    age_from: int | None = None
    icd10: tuple[str, ...] = ()
    channels: frozenset[str] = frozenset()
    not_with: frozenset[str] = frozenset()
    documents: tuple[str, ...] = ()
    limits: Limits | None = None
    valid: Mapping[str, Any] | None = None

    @property
    def bars_federal(self) -> bool:
        """Whether any federal payer, first or second, keeps the patient out."""
        return self.kind == COPAY or not self.insurance & FEDERAL

    def ends(self, start: date) -> date | None:
        """The last day of an enrolment that begins on a day; None where the programme does not say."""
        match self.valid:
            case {"days": int(days)}:
                return days_after(start, days - 1)
            case {"until": "year-end"}:
                return date(start.year, 12, 31)
        return None


def offered(figures: Figures, drug_key: str, on: date) -> tuple[Programme, ...]:
    """The programmes for one drug that are in force and that this practice may decide by."""
    found = (programme(f) for f in figures.all(PROGRAMME, on) if drug_key in f.applies_to["drugs"])
    return tuple(sorted(found, key=lambda p: p.id))


def poverty_level(figures: Figures, region: str, size: int, on: date) -> Decimal | None:
    """The federal poverty level of a household of this size in dollars a year; None where none is in force."""
    table = next((f.value for f in figures.all(LEVEL, on) if f.applies_to["region"] == region), None)
    return None if table is None else Decimal(table["first"]) + (size - 1) * Decimal(table["each_more"])


def programme(figure: Figure) -> Programme:
    """What a figure says."""
    said: Mapping[str, Any] = figure.value
    return Programme(
        id=said["programme"],
        name=said["name"],
        kind=said["kind"],
        recipient=said.get("recipient", said["programme"]),
        drugs=frozenset(figure.applies_to["drugs"]),
        insurance=frozenset(said["insurance"]),
        figure=figure,
        income_percent=said.get("income_percent"),
        age_from=said.get("age_from"),
        icd10=tuple(said.get("icd10", ())),
        channels=frozenset(said.get("channels", ())),
        not_with=frozenset(said.get("not_with", ())),
        documents=tuple(said.get("documents", ())),
        limits=_limits(said["pays"]) if "pays" in said else None,
        valid=said.get("valid"),
    )


def _limits(pays: Mapping[str, Any]) -> Limits:
    own = pays.get("patient_pays_usd", {"first": 0, "next": 0})
    return Limits(
        maximum=_usd(pays.get("maximum_usd")),
        per=pays["per"],
        dose_maximum=_usd(pays.get("dose_maximum_usd")),
        first_pays=Decimal(str(own["first"])),
        next_pays=Decimal(str(own["next"])),
    )


def _usd(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


# The schema


def check_programmes(figures: Iterable[Figure]) -> None:
    """Every programme and poverty level against the schema. Raises PolicyError with policy, place, what is right."""
    problems = {PROGRAMME: _of_programme, LEVEL: _of_level}
    for figure in figures:
        for place, right in problems[figure.id](figure) if figure.id in problems else ():
            raise PolicyError(f"{figure.policy}: {figure.id}: {place}: {right} would be right")


def _of_level(figure: Figure) -> Iterator[tuple[str, str]]:
    if figure.applies_to.get("region") not in REGIONS:
        yield "applies_to.region", f"one of {', '.join(REGIONS)}"
    if not isinstance(figure.value, Mapping) or set(figure.value) != {"first", "each_more"}:
        yield "value", "`first` and `each_more` in dollars a year"


def _of_programme(figure: Figure) -> Iterator[tuple[str, str]]:
    said = figure.value
    if not isinstance(said, Mapping) or set(said) - set(KEYS) or set(NEEDED) - set(said):
        yield "value", f"{', '.join(NEEDED)} and nothing but {', '.join(KEYS)}"
        return
    if unknown := [d for d in figure.applies_to.get("drugs", ("",)) if drug(d) is None]:
        yield "applies_to.drugs", f"drugs of the catalogue (not {', '.join(unknown)})"
    for place, right, holds in _VALUES:
        if place in said and not holds(said[place]):
            yield f"value.{place}", right
    if said["kind"] == COPAY and set(said["insurance"]) & FEDERAL:
        yield "value.insurance", "no federal payer for a copay card"


NEEDED = ("programme", "name", "kind", "insurance")
KEYS = (
    *NEEDED, "recipient", "income_percent", "age_from", "icd10", "channels", "not_with", "documents", "pays", "valid",
)  # fmt: skip


def _among(known: Iterable[str]) -> Callable[[Any], bool]:
    return lambda said: isinstance(said, list) and bool(said) and set(said) <= set(known)


def _is_terms(said: Any) -> bool:
    known = {"maximum_usd", "per", "dose_maximum_usd", "patient_pays_usd"}
    own = said.get("patient_pays_usd", {"first": 0, "next": 0}) if isinstance(said, Mapping) else {}
    return (
        isinstance(said, Mapping) and set(said) <= known and said.get("per") in PERS and set(own) == {"first", "next"}
    )


def _is_validity(said: Any) -> bool:
    return said == {"until": "year-end"} or (isinstance(said, Mapping) and set(said) == {"days"} and said["days"] > 0)


_VALUES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("kind", f"one of {', '.join(KINDS)}", lambda said: said in KINDS),
    ("insurance", f"a list of {', '.join(CLASSES)}", _among(CLASSES)),
    ("channels", f"a list of {', '.join(CHANNELS)}", _among(CHANNELS)),
    ("not_with", f"a list of {', '.join(KINDS)}", _among(KINDS)),
    ("documents", f"a list of {', '.join(DOCUMENTS)}", _among(DOCUMENTS)),
    ("income_percent", "a whole percentage of the federal poverty level", lambda said: isinstance(said, int)),
    ("age_from", "a whole number of years", lambda said: isinstance(said, int)),
    ("pays", "`per` calendar-year or enrolment, with maxima and the patient's own part in dollars", _is_terms),
    ("valid", "`days`, or `until: year-end`", _is_validity),
)
