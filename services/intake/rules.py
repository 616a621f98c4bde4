"""What each therapy still needs: every rule looks at one referral and names one gap, or none.

Law of this file: no rule stops another; the placer gets every gap in one answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.intake.codes import ICD_10_CM, SITE_OF_CARE, SITES_OF_CARE, code_of
from services.intake.facts import Case
from services.intake.paper import being_read
from services.intake.records import day, denies, member_id
from services.intake.requirements.gap import Gap, Rule, limit
from services.intake.requirements.prescriptions import (
    end_date,
    formula,
    gi_indication,
    indication_proof,
    lab_orders,
    protocol,
    route,
)
from services.intake.requirements.results import (
    ferritin,
    hemoglobin,
    hemoglobin_for_support,
    hepatitis_b,
    igg,
    neutrophils,
    neutrophils_before_course,
    renal_function,
    renal_function_before_course,
    tb_screen,
    tsat,
    weight,
)
from services.intake.requirements.safeguards import (
    access_device,
    allergies,
    cardiology,
    caregiver,
    jcv_where_asked,
    meningococcal_vaccination,
    rems_enrolled,
    spill_kit,
)
from services.intake.requirements.treatments import (
    chemotherapy_dates,
    first_dose,
    oral_iron,
    prior_product,
    prior_therapy,
)
from shared.policy import Figures

ICD_10_CM_SHAPE = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?")
NPI_SHAPE = re.compile(r"[12][0-9]{9}")
NPI_PREFIX = "80840"


def order(case: Case, _: Figures) -> Gap | None:
    """A referral needs a ServiceRequest that is an order in force, and so is its prescription (BSeR referral)."""
    if not case.request:
        return Gap("order-missing", "Task.focus", "The ServiceRequest that orders the infusion, as Task.focus")
    asked = [r for r in (case.request, case.medication) if r]
    if any(r.get("doNotPerform") for r in asked):
        return Gap("order-forbids", "ServiceRequest.doNotPerform", "An order to give the infusion, not one against it")
    if any(not str(r.get("intent")).endswith("order") or r.get("status") in NOT_IN_FORCE for r in asked):
        return Gap("order-not-active", "ServiceRequest.status", "Order and prescription with intent order, active")
    return None


NOT_IN_FORCE = frozenset({"draft", "unknown"})


def patient(case: Case, _: Figures) -> Gap | None:
    """The patient lives, and his record is the one in use."""
    deceased = case.patient.get("deceasedBoolean") or "deceasedDateTime" in case.patient
    if deceased:
        return Gap("patient-deceased", "Patient.deceased", "A patient who lives, or his record corrected")
    merged = any(link.get("type") == "replaced-by" for link in case.patient.get("link", ()))
    if case.patient.get("active") is False and not merged:
        return Gap("patient-inactive", "Patient.active", "The patient's record in use")
    return None


def drug(case: Case, _: Figures) -> Gap | None:
    """The drug is one this practice infuses, named by RxNorm, NDC or HCPCS."""
    if len(case.infused) > 1 and case.drug is not None:
        return Gap("medication-ambiguous", "MedicationRequest", "One prescription of the drug, with all its doses")
    if case.drug is not None:
        return None
    where = "MedicationRequest.medicationCodeableConcept"
    return Gap("drug-unrecognised", where, "One infused drug by RxNorm, NDC or HCPCS code that this practice gives")


def dose(case: Case, _: Figures) -> Gap | None:
    """Each dose has an amount and a timing; intake never chooses either."""
    instructions = case.medication.get("dosageInstruction", ())
    if instructions and all(i.get("timing") and _amount(i) for i in instructions):
        return None
    return Gap("dose-missing", "MedicationRequest.dosageInstruction", "Dose with unit, and timing of every dose")


def _amount(instruction: Mapping[str, Any]) -> Mapping[str, Any]:
    doses = (d.get("doseQuantity", {}) for d in instruction.get("doseAndRate", ()))
    return next((d for d in doses if _is_exact(d)), {})


def _is_exact(quantity: Mapping[str, Any]) -> bool:
    unit = quantity.get("code") or quantity.get("unit")
    return bool(unit) and quantity.get("value", 0) > 0


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
    """An active Coverage is known, in force on the date of service; without one the order still goes on."""
    if case.coverages and not case.covers(case.coverages[0]):
        text = "A Coverage in force on the start date"
        return Gap("coverage-not-in-force", "Coverage.period", text, clinical=False)
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
    """The patient's latest word on treatment is a consent; scheduling waits for it, the order does not."""
    latest = next(iter(case.consents()), None)
    if latest is not None and denies(latest):
        text = "The patient's consent: the latest word on file is a refusal"
        return Gap("consent-refused", "Consent.provision.type", text, clinical=False)
    if latest is not None:
        return None
    return Gap("consent-missing", "Consent", "The patient's active Consent to treatment", clinical=False)


def weight_for_dose(case: Case, figures: Figures) -> Gap | None:
    """A weight is needed where the dose is by weight (unit per kg)."""
    amounts = [_amount(i) for i in case.medication.get("dosageInstruction", ())]
    by_weight = any("/kg" in str(a.get("code") or a.get("unit") or "") for a in amounts)
    return weight(case, figures) if by_weight else None


def immunoglobulin_proof(case: Case, figures: Figures) -> Gap | None:
    """An immunoglobulin is needed for a low IgG, or for what a document shows."""
    return None if indication_proof(case, figures) else igg(case, figures)


def gaps(case: Case, figures: Figures) -> tuple[Gap, ...]:
    """Every gap of one referral, in the order of the rules."""
    if being_read(case):
        return ()
    rules = RULES[case.drug.therapy if case.drug and case.drug.therapy in RULES else ANY]
    return tuple(gap for rule in rules if (gap := rule(case, figures)) is not None)


ANY = ""
ALWAYS: tuple[Rule, ...] = (
    order, patient, drug, dose, diagnosis, prescriber, start_date, coverage, member, payer, site_of_care, consent,
)  # fmt: skip
BIOLOGIC: tuple[Rule, ...] = (weight, tb_screen, hepatitis_b, prior_therapy)
RULES: Mapping[str, tuple[Rule, ...]] = {
    ANY: ALWAYS,
    "opat": (*ALWAYS, access_device, end_date, allergies, renal_function, lab_orders, first_dose),
    "iv-iron": (*ALWAYS, weight_for_dose, hemoglobin, ferritin, tsat, oral_iron),
    "immunoglobulin": (*ALWAYS, weight, immunoglobulin_proof, prior_product, route),
    "anti-tnf": (*ALWAYS, *BIOLOGIC),
    "anti-integrin": (*ALWAYS, *BIOLOGIC, rems_enrolled, jcv_where_asked),
    "anti-cd20": (*ALWAYS, *BIOLOGIC),
    "complement-inhibitor": (*ALWAYS, meningococcal_vaccination, rems_enrolled),
    "growth-factor": (*ALWAYS, neutrophils, chemotherapy_dates),
    "esa": (*ALWAYS, hemoglobin_for_support, chemotherapy_dates),
    "parenteral-nutrition": (*ALWAYS, access_device, weight, formula, gi_indication, caregiver),
    "chemotherapy": (
        *ALWAYS,
        access_device,
        protocol,
        neutrophils_before_course,
        renal_function_before_course,
        spill_kit,
    ),
    "inotrope": (*ALWAYS, access_device, protocol, renal_function_before_course, cardiology),
}
"""Therapy (key of the catalogue) -> everything a referral for it must bring (`messages.md`, required at intake)."""
