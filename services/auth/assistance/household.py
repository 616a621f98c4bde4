"""Gathers of one case what programmes judge: every coverage in force, household, age, diagnoses and papers.

Income and size come as Observations (LOINC 63586-2, 63512-8: PRAPARE) or as a person entered them; the later counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import MAXYEAR, MINYEAR, date
from decimal import Decimal
from typing import Any

from services.auth.assistance.eligibility import Applicant, Insured
from services.auth.assistance.entered import INCOME, SIZE, Said, amount_of, latest
from services.auth.assistance.insurance import class_of
from services.auth.assistance.programmes import DOCUMENTS, HOUSEHOLD_DAYS, poverty_level
from services.auth.benefit.benefits import benefits_in, deciding
from services.auth.benefit.coverages import in_force
from services.auth.benefit.verified import policy_on
from services.auth.case import Case
from services.auth.criteria.thresholds import completed_years
from services.auth.decision.appeals import denial_of
from services.auth.words import code_of, day, days_after, local_day, number, target
from shared.core import Resource, reference

LOINC = "http://loinc.org"
ASKED = {INCOME: "63586-2", SIZE: "63512-8"}
"""What is known of a household -> its LOINC code."""
TOLD = ("final", "amended", "corrected")
CURRENCY = "urn:iso:std:iso:4217"
DOLLARS = ((CURRENCY, "USD"), ("http://unitsofmeasure.org", "{USD}/a"), ("http://unitsofmeasure.org", "{USD}"))
STATES = {"AK": "alaska", "HI": "hawaii"}
TERRITORIES = ("AS", "GU", "MP", "PR", "VI")
"""Where no federal poverty level is published."""


def applicant(case: Case, tasks: Sequence[Resource], enrolled: Iterable[str]) -> Applicant:
    """What is known of the patient on the day of the event; `tasks` are every enrolment of his."""
    income, size = (known_of(case, tasks, kind) for kind in (INCOME, SIZE))
    persons = None if size is None else int(size.value)
    region = _region(case)
    figures = case.policy.figures
    return Applicant(
        insurance=insured(case, case.on),
        income=None if income is None else Decimal(income.value),
        size=persons,
        lives_in=region,
        level=poverty_level(figures, region, persons, case.on) if region and persons else None,
        evidence={name: said.task for name, said in ((INCOME, income), (SIZE, size)) if said is not None},
        age=_age(case),
        diagnoses=case.diagnoses,
        documents={**_denied(case), **_papers(tasks)},
        enrolled=frozenset(enrolled),
        channel=_channel(case),
    )


def _papers(tasks: Sequence[Resource]) -> dict[str, str]:
    return {d: target(said.value) or "" for d in DOCUMENTS if (said := latest(tasks, d))}


def _denied(case: Case) -> dict[str, str]:
    """The payer's own denial of the request that stands, where it gave one: no letter needs to be entered."""
    denial = denial_of(case, case.claim) if case.claim else None
    return {"denial-letter": reference(denial)} if denial else {}


def _channel(case: Case) -> str | None:
    """How the payer wants the drug acquired: as it said, else as its policy does."""
    benefit = deciding(benefits_in(case.benefit, case.hcpcs)) if case.benefit else None
    if benefit is not None and benefit.channel:
        return benefit.channel
    figure = policy_on(case, "acquisition")
    return None if figure is None else str(figure.value)


def insured(case: Case, on: date) -> tuple[Insured, ...]:
    """Every Coverage of the patient in force on a day, with its class."""
    return tuple(Insured(reference(c), class_of(c, _line(case, c))) for c in in_force(case.order, case.facts, on))


def _line(case: Case, coverage: Resource) -> str:
    payors = (case.facts.at(target(p)) for p in coverage.get("payor", ()))
    payer = case.policy.payer_of(coverage, [p for p in payors if p is not None])
    return payer.line_of_business if payer else ""


def changes_of_coverage(case: Case) -> Iterable[date]:
    """The first days, and the first days after the last, of every active Coverage."""
    for coverage in case.facts.of("Coverage"):
        period = coverage.get("period") or {}
        start, end = day(period.get("start")), day(period.get("end"))
        if coverage.get("status") == "active":
            yield from (d for d in (start, days_after(end, 1) if end else None) if d is not None)


# The household


def known_of(case: Case, tasks: Iterable[Resource], kind: str) -> Said | None:
    """Income or size, as observed or entered last, where that is not too old; of one day what was entered."""
    said = [*_observed(case, kind)]
    if given := latest(tasks, kind):
        said.append(Said(amount_of(given.value) if kind == INCOME else given.value, given.on, given.task))
    fresh = [s for s in said if s.on <= case.on < lapses(case, s)]
    return max(fresh, key=lambda s: (s.on, s.task.startswith("Task/")), default=None)


def lapses(case: Case, said: Said) -> date:
    """The first day on which what was said of a household counts no more."""
    days = case.policy.verification(HOUSEHOLD_DAYS, case.on)
    return days_after(said.on, days) if days is not None else said.on


def _observed(case: Case, kind: str) -> Iterable[Said]:
    for observation in case.facts.of("Observation"):
        on = local_day(observation.get("effectiveDateTime"), case.zone)
        asked = code_of(observation.get("code"), LOINC) == ASKED[kind] and observation.get("status") in TOLD
        value = _value(observation, kind) if asked else None
        if on is not None and value is not None:
            yield Said(value, on, reference(observation))


def _value(observation: Resource, kind: str) -> Any:
    """Dollars a year, or persons: a whole number as PRAPARE has it, or a Quantity; None for anything else."""
    quantity = observation.get("valueQuantity") or {}
    value = number(observation.get("valueInteger", quantity.get("value")))
    if value is None or "comparator" in quantity:
        return None
    if kind == SIZE:
        return int(value) if value >= 1 and value == int(value) else None
    unit = (quantity.get("system"), quantity.get("code"))
    return value if value >= 0 and (not quantity or unit in DOLLARS) else None


def _region(case: Case) -> str | None:
    """The region of the federal poverty level in which the patient lives now; None where his state is not known."""
    addresses = (case.patient or {}).get("address", ())
    states = (a.get("state") for a in addresses if a.get("use") not in ("old", "billing"))
    state = next((s.strip().upper() for s in states if s), None)
    if state is None or len(state) != 2 or state in TERRITORIES:
        return None
    return STATES.get(state, "contiguous")


def comes_of_age(case: Case, years: int) -> date | None:
    """The day on which the patient is so many years old; who is born on 29 February is in common years on 1 March."""
    born = day((case.patient or {}).get("birthDate"))
    if born is None or not MINYEAR <= born.year + years <= MAXYEAR:
        return None
    first = date(born.year + years, born.month, 1)
    return days_after(first, born.day - 1)


def _age(case: Case) -> int | None:
    born = day((case.patient or {}).get("birthDate"))
    return None if born is None else completed_years(born, case.on)
