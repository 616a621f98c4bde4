"""What each therapy still needs: every rule looks at one referral and names one gap, or none.

Law of this file: no rule stops another; the placer gets every gap in one answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.intake.codes import (
    BODY_WEIGHT,
    FERRITIN,
    HEMOGLOBIN,
    HEPATITIS_B,
    ICD_10_CM,
    SITE_OF_CARE,
    SITES_OF_CARE,
    TB_SCREEN,
    TSAT,
    code_of,
)
from services.intake.facts import Case, day, member_id, taken_on
from shared.core import Resource
from shared.policy import Figures

ICD_10_CM_SHAPE = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?")
NPI_SHAPE = re.compile(r"[12][0-9]{9}")
NPI_PREFIX = "80840"


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing missing: its code, where it would stand (FHIRPath), and what would be right.

    `clinical` gaps keep the order a draft; the others are told to the placer and withhold nothing.
    """

    code: str
    expression: str
    text: str
    clinical: bool = True


Rule = Callable[[Case, Figures], Gap | None]


def limit(figures: Figures, figure_id: str, case: Case) -> Any | None:
    """The value of a figure in force and adopted, else None: a draft nobody adopted decides nothing."""
    found = figures.all(figure_id, case.on)
    return found[0].value if found else None


def order(case: Case, _: Figures) -> Gap | None:
    """A referral needs a ServiceRequest that is an order, not a draft (BSeR referral)."""
    if not case.request:
        return Gap("order-missing", "Task.focus", "The ServiceRequest that orders the infusion, as Task.focus")
    if case.request.get("status") in ("draft", "unknown"):
        return Gap("order-not-active", "ServiceRequest.status", "An order with status active")
    return None


def drug(case: Case, _: Figures) -> Gap | None:
    """The drug is one this practice infuses, named by RxNorm, NDC or HCPCS."""
    if case.drug is not None:
        return None
    where = "MedicationRequest.medicationCodeableConcept"
    return Gap("drug-unrecognised", where, "One infused drug by RxNorm, NDC or HCPCS code that this practice gives")


def dose(case: Case, _: Figures) -> Gap | None:
    """Each dose has an amount and a timing; intake never chooses either."""
    instructions = case.medication.get("dosageInstruction", ())
    if any(i.get("timing") and _amount(i) for i in instructions):
        return None
    return Gap("dose-missing", "MedicationRequest.dosageInstruction", "Dose with unit, and timing of every dose")


def _amount(instruction: Mapping[str, Any]) -> Mapping[str, Any]:
    doses = (d.get("doseQuantity", {}) for d in instruction.get("doseAndRate", ()))
    return next((d for d in doses if "value" in d), {})


def diagnosis(case: Case, _: Figures) -> Gap | None:
    """The reason for the infusion is coded in ICD-10-CM: a letter, a digit, a letter or digit, then up to four more."""
    codes = [str(c.get("code", "")) for c in case.diagnoses if c.get("system") == ICD_10_CM]
    if any(ICD_10_CM_SHAPE.fullmatch(c) for c in codes):
        return None
    where = "ServiceRequest.reasonReference"
    if codes:
        return Gap("diagnosis-code-implausible", where, "A diagnosis code of the shape of ICD-10-CM, such as A00.0")
    return Gap("diagnosis-missing", where, "The diagnosis as a Condition with an ICD-10-CM code")


def prescriber(case: Case, _: Figures) -> Gap | None:
    """The prescriber has a National Provider Identifier whose check digit holds (CMS, Luhn over 80840 + number)."""
    if any(npi_holds(n) for n in case.prescriber_npis):
        return None
    where = "ServiceRequest.requester"
    if case.prescriber_npis:
        return Gap("prescriber-npi-check-digit", where, "A National Provider Identifier with a right check digit")
    return Gap("prescriber-npi-missing", where, "The prescriber with his National Provider Identifier")


def npi_holds(npi: str) -> bool:
    """Whether an NPI has ten digits and a right check digit."""
    if not NPI_SHAPE.fullmatch(npi):
        return False
    digits = [int(d) for d in reversed(NPI_PREFIX + npi)]
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def start_date(case: Case, figures: Figures) -> Gap | None:
    """The first infusion has a wanted date, neither long past nor absurdly far ahead (site's figures)."""
    start = day(case.start) if case.start else None
    where = "ServiceRequest.occurrencePeriod.start"
    if start is None:
        return Gap("start-date-missing", where, "The date from which the infusion is wanted")
    ago = limit(figures, "start_no_earlier_than_days_ago", case)
    ahead = limit(figures, "start_no_later_than_days_ahead", case)
    late = ago is not None and start < case.on - timedelta(days=ago)
    if late or (ahead is not None and start > case.on + timedelta(days=ahead)):
        return Gap("start-date-implausible", where, f"A date from {ago} days ago to {ahead} days ahead")
    return None


def coverage(case: Case, _: Figures) -> Gap | None:
    """An active Coverage is known; without one the order still goes on."""
    if case.coverages:
        return None
    return Gap("coverage-missing", "ServiceRequest.insurance", "An active Coverage of the patient", clinical=False)


def member(case: Case, _: Figures) -> Gap | None:
    """The first Coverage names the member's number."""
    if not case.coverages or member_id(case.coverages[0]):
        return None
    where = "Coverage.subscriberId"
    return Gap("member-id-missing", where, "The member id: subscriberId or an identifier of type MB", clinical=False)


def payer(case: Case, _: Figures) -> Gap | None:
    """The first Coverage is of a payer this practice works with."""
    known = {i for p in case.site.payers for i in p.identifiers}
    if not case.coverages or case.payer_identifiers(case.coverages[0]) & known:
        return None
    return Gap("payer-unknown", "Coverage.payor", "A payer this practice works with, by its identifier", clinical=False)


def site_of_care(case: Case, _: Figures) -> Gap | None:
    """Where the infusion is to be given is said: one of our sites, or the kind of place."""
    unknown = [s for s in case.performer_sites if case.site.site(s) is None]
    if unknown:
        return Gap("site-unknown", "ServiceRequest.performer", "An infusion site of this practice, by its identifier")
    kinds = {code_of(c, SITE_OF_CARE) for c in case.request.get("locationCode", ())}
    if case.performer_sites or kinds & SITES_OF_CARE:
        return None
    return Gap("site-of-care-missing", "ServiceRequest.locationCode", "The site of care: aic, hopd or home")


def consent(case: Case, _: Figures) -> Gap | None:
    """The patient's consent is on file; scheduling waits for it, the order does not."""
    if any(c.get("status") == "active" for c in case.facts.of("Consent")):
        return None
    return Gap("consent-missing", "Consent", "The patient's active Consent to treatment", clinical=False)


def result(name: str, codes: frozenset[str], figure_id: str) -> Rule:
    """A rule: a result of these codes is there, dated, and not older than the figure's days."""

    def result_current(case: Case, figures: Figures) -> Gap | None:
        found = case.results(codes)
        dated = [d for o in found if (d := taken_on(o)) is not None and d <= case.on + timedelta(days=1)]
        where = f"Observation.where(code.coding.code = '{sorted(codes)[0]}')"
        if not found:
            return Gap(f"{name}-missing", where, f"A final {name} result with value and date")
        if not dated:
            return Gap(f"{name}-undated", f"{where}.effective", f"The date of the {name} result, not in the future")
        days = limit(figures, figure_id, case)
        if days is not None and dated[0] < case.on - timedelta(days=days):
            return Gap(f"{name}-out-of-date", f"{where}.effective", f"A {name} result of the last {days} days")
        return None

    result_current.__name__ = name
    return result_current


weight = result("weight", BODY_WEIGHT, "weight_valid_for_days")
hemoglobin = result("hemoglobin", HEMOGLOBIN, "labs_valid_for_days")
ferritin = result("ferritin", FERRITIN, "labs_valid_for_days")
tsat = result("tsat", TSAT, "labs_valid_for_days")
tb_screen = result("tb-screen", TB_SCREEN, "screening_valid_for_days")
hepatitis_b = result("hepatitis-b", HEPATITIS_B, "screening_valid_for_days")


def weight_for_dose(case: Case, figures: Figures) -> Gap | None:
    """A weight is needed where the dose is by weight (unit per kg)."""
    amounts = [_amount(i) for i in case.medication.get("dosageInstruction", ())]
    by_weight = any("/kg" in str(a.get("code") or a.get("unit") or "") for a in amounts)
    return weight(case, figures) if by_weight else None


def oral_iron(case: Case, figures: Figures) -> Gap | None:
    """Oral iron was tried, or a reason against it is written: MedicationStatement, or AllergyIntolerance to it."""
    tried = any(_told(s) for s in case.facts.of("MedicationStatement") if _is_oral_iron(s, case, figures))
    intolerant = any(_is_oral_iron(a, case, figures) for a in case.facts.of("AllergyIntolerance"))
    if tried or intolerant:
        return None
    text = "Oral iron tried (MedicationStatement with period), or not-taken with the reason, or an intolerance"
    return Gap("oral-iron-undocumented", "MedicationStatement", text)


def _told(statement: Resource) -> bool:
    """Whether a statement says when the drug was taken, or why not."""
    period = statement.get("effectivePeriod") or statement.get("effectiveDateTime")
    match statement.get("status"):
        case "active" | "completed" | "stopped" | "on-hold":
            return period is not None
        case "not-taken":
            return bool(statement.get("statusReason"))
    return False


def _is_oral_iron(resource: Resource, case: Case, figures: Figures) -> bool:
    concept = resource.get("medicationCodeableConcept") or resource.get("code") or {}
    codings = concept.get("coding", ())
    written = " ".join([concept.get("text", ""), *(c.get("display", "") for c in codings)]).lower()
    words: Iterable[str] = limit(figures, "oral_iron_words", case) or ()
    codes = limit(figures, "oral_iron_rxnorm", case) or ()
    return any(w in written for w in words) or any(c.get("code") in codes for c in codings)


def prior_therapy(case: Case, _: Figures) -> Gap | None:
    """What was taken before an anti-TNF, or why nothing was, is written as MedicationStatement."""
    if any(_told(s) for s in case.facts.of("MedicationStatement")):
        return None
    text = "Earlier treatment of the disease (MedicationStatement with period), or not-taken with the reason"
    return Gap("prior-therapy-undocumented", "MedicationStatement", text)


def gaps(case: Case, figures: Figures) -> tuple[Gap, ...]:
    """Every gap of one referral, in the order of the rules."""
    rules = RULES[case.drug.therapy if case.drug and case.drug.therapy in RULES else ANY]
    return tuple(gap for rule in rules if (gap := rule(case, figures)) is not None)


ANY = ""
ALWAYS: tuple[Rule, ...] = (
    order, drug, dose, diagnosis, prescriber, start_date, coverage, member, payer, site_of_care, consent,
)  # fmt: skip
RULES: Mapping[str, tuple[Rule, ...]] = {
    ANY: ALWAYS,
    "iv-iron": (*ALWAYS, weight_for_dose, hemoglobin, ferritin, tsat, oral_iron),
    "anti-tnf": (*ALWAYS, weight, tb_screen, hepatitis_b, prior_therapy),
}
