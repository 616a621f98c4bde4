"""Judges who may have a programme's help: each of its criteria met, not met or not documented, with the reason.

Law of this file: what nobody documented is never taken as met; a federal payer keeps a copay card away, also as second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.auth.assistance.insurance import FEDERAL
from services.auth.assistance.programmes import COPAY, Programme

MET, NOT_MET, NOT_DOCUMENTED = "met", "not-met", "not-documented"
FEDERAL_PAYER = "federal-payer"


@dataclass(frozen=True, slots=True)
class Insured:
    """One Coverage in force: `Coverage/id` and its class, None where it shows none."""

    coverage: str
    kind: str | None


@dataclass(frozen=True, slots=True)
class Applicant:
    """What is known of the patient and his household.

    income     dollars a year of the whole household, `size` its persons, `evidence` what shows either.
    level      federal poverty level of that size where he lives; None where size, state or table is unknown.
    documents  document -> `DocumentReference/id`.
    enrolled   kinds of the other programmes he is enrolled in for this order.
    channel    how the payer wants the drug acquired (acquisition-channel); None where nobody said.
    """

    insurance: tuple[Insured, ...] = ()
    income: Decimal | None = None
    size: int | None = None
    lives_in: str | None = None
    level: Decimal | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    age: int | None = None
    diagnoses: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    enrolled: frozenset[str] = frozenset()
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one criterion, why, what shows it (`Type/id`), and what would document it."""

    criterion: str
    verdict: str
    why: str
    evidence: str = ""
    missing: tuple[str, ...] = ()


def judged(programme: Programme, applicant: Applicant) -> tuple[Verdict, ...]:
    """A verdict on every criterion the programme has."""
    found = (rule(programme, applicant) for rule in RULES)
    return (*(v for v in found if v is not None), *_papers(programme, applicant))


def overall(verdicts: Iterable[Verdict]) -> str:
    """Met where every criterion is; not met where one is not."""
    said = {v.verdict for v in verdicts}
    return NOT_MET if NOT_MET in said else NOT_DOCUMENTED if NOT_DOCUMENTED in said else MET


# The criteria


def no_federal_payer(programme: Programme, applicant: Applicant) -> Verdict | None:
    """No payer of the patient, first or second, is federal: Medicare, Medicaid, TRICARE, VA or another government's."""
    if not programme.bars_federal:
        return None
    federal = next((i for i in applicant.insurance if i.kind in FEDERAL), None)
    if federal is not None:
        card = "a copay card is" if programme.kind == COPAY else "this programme is"
        why = f"a federal payer ({federal.kind}) is in force: {card} never used beside one, first or second"
        return Verdict(FEDERAL_PAYER, NOT_MET, why, federal.coverage)
    unknown = next((i for i in applicant.insurance if i.kind is None), None)
    if unknown is not None or not applicant.insurance:
        why = "not every coverage shows whether its payer is federal" if unknown else "no coverage is on file"
        return Verdict(FEDERAL_PAYER, NOT_DOCUMENTED, why, unknown.coverage if unknown else "", ("insurance",))
    return Verdict(FEDERAL_PAYER, MET, "no payer is federal", applicant.insurance[0].coverage)


def insurance(programme: Programme, applicant: Applicant) -> Verdict | None:
    """One coverage in force is of a class the programme is for."""
    allowed = ", ".join(sorted(programme.insurance))
    fits = next((i for i in applicant.insurance if i.kind in programme.insurance), None)
    if fits is not None:
        return Verdict("insurance", MET, f"insured as the programme wants it ({fits.kind})", fits.coverage)
    if not applicant.insurance or any(i.kind is None for i in applicant.insurance):
        return Verdict("insurance", NOT_DOCUMENTED, f"one of {allowed} is wanted", missing=("insurance",))
    return Verdict("insurance", NOT_MET, f"one of {allowed} is wanted", applicant.insurance[0].coverage)


def income(programme: Programme, applicant: Applicant) -> Verdict | None:
    """The household's income a year is at most so many percent of the federal poverty level of its size and state."""
    percent = programme.income_percent
    if percent is None:
        return None
    shown = next(iter(applicant.evidence.values()), "")
    level = applicant.level
    if applicant.income is None or level is None:
        known = {"household-income": applicant.income, "household-size": applicant.size, "state": applicant.lives_in}
        missing = tuple(name for name, value in known.items() if value is None) or ("poverty-level",)
        return Verdict("income", NOT_DOCUMENTED, f"unknown: {', '.join(missing)}", shown, missing)
    limit = level * percent / 100
    verdict = MET if applicant.income <= limit else NOT_MET
    return Verdict("income", verdict, f"at most {limit:.2f} USD a year: {percent} % of the poverty level", shown)


def age(programme: Programme, applicant: Applicant) -> Verdict | None:
    """The patient is so many years old."""
    if programme.age_from is None:
        return None
    why = f"{programme.age_from} years or older"
    if applicant.age is None:
        return Verdict("age", NOT_DOCUMENTED, why, missing=("birth-date",))
    return Verdict("age", MET if applicant.age >= programme.age_from else NOT_MET, why)


def diagnosis(programme: Programme, applicant: Applicant) -> Verdict | None:
    """A diagnosis of the order is one the programme is for."""
    if not programme.icd10:
        return None
    why = f"one of {', '.join(programme.icd10)}"
    if not applicant.diagnoses:
        return Verdict("diagnosis", NOT_DOCUMENTED, why, missing=("diagnosis",))
    fits = any(d.startswith(programme.icd10) for d in applicant.diagnoses)
    return Verdict("diagnosis", MET if fits else NOT_MET, why)


def acquisition(programme: Programme, applicant: Applicant) -> Verdict | None:
    """The payer wants the drug to come in a way the programme is for: sent by its specialty pharmacy (white-bag)."""
    if not programme.channels:
        return None
    why = f"the drug comes by {', '.join(sorted(programme.channels))}"
    if applicant.channel is None:
        return Verdict("acquisition", NOT_DOCUMENTED, why, missing=("acquisition",))
    return Verdict("acquisition", MET if applicant.channel in programme.channels else NOT_MET, why)


def not_combined(programme: Programme, applicant: Applicant) -> Verdict | None:
    """The patient has no help that the programme does not go together with."""
    if not programme.not_with:
        return None
    both = sorted(programme.not_with & applicant.enrolled)
    if both:
        return Verdict("not-combined", NOT_MET, f"not together with the help he has: {', '.join(both)}")
    return Verdict("not-combined", MET, f"no help of the kinds {', '.join(sorted(programme.not_with))} is on file")


def _papers(programme: Programme, applicant: Applicant) -> Iterable[Verdict]:
    """Each document the programme wants is there."""
    for document in programme.documents:
        if found := applicant.documents.get(document):
            yield Verdict(document, MET, "on file", found)
        else:
            yield Verdict(document, NOT_DOCUMENTED, "the programme wants it", missing=(document,))


RULES: tuple[Callable[[Programme, Applicant], Verdict | None], ...] = (
    no_federal_payer,
    insurance,
    income,
    age,
    diagnosis,
    acquisition,
    not_combined,
)
