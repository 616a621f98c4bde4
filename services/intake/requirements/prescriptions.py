"""What an order and its prescription must say beyond drug and dose: end, route, formula, protocol, lab orders, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from services.intake.codes import ICD_10_CM
from services.intake.facts import Case
from services.intake.records import literal
from services.intake.requirements.gap import Gap, limit
from services.intake.requirements.written import codes, says
from shared.core import Resource
from shared.policy import Figures

_HOUR = Decimal(1) / 24
DAYS: Mapping[str, Decimal] = {
    "s": _HOUR / 3600, "min": _HOUR / 60, "h": _HOUR, "d": Decimal(1), "wk": Decimal(7), "mo": Decimal(30),
    "a": Decimal(365),
}  # fmt: skip
"""Days in a unit of time (UCUM)."""
_BOUNDS = ("boundsPeriod", "boundsDuration", "boundsRange", "count")


def end_date(case: Case, _: Figures) -> Gap | None:
    """A course of antibiotics has an end: a date, a duration or a number of doses."""
    repeats = [r for d in case.medication.get("dosageInstruction", ()) if (r := d.get("timing", {}).get("repeat"))]
    bounded = repeats and all(_bounded(r) for r in repeats)
    validity = case.medication.get("dispenseRequest", {}).get("validityPeriod", {})
    if bounded or validity.get("end") or case.request.get("occurrencePeriod", {}).get("end"):
        return None
    text = "The last day of the course: occurrencePeriod.end, or bounds in MedicationRequest.dosageInstruction.timing"
    return Gap("end-date-missing", "ServiceRequest.occurrencePeriod.end", text)


def _bounded(repeat: Mapping[str, Any]) -> bool:
    period = repeat.get("boundsPeriod")
    return bool(period.get("end")) if period is not None else any(name in repeat for name in _BOUNDS)


def route(case: Case, _: Figures) -> Gap | None:
    """How the drug is given is said: into a vein or under the skin are different treatments."""
    routes = [d.get("route") for d in case.medication.get("dosageInstruction", ())]
    if routes and all(routes):
        return None
    where = "MedicationRequest.dosageInstruction.route"
    return Gap("route-missing", where, "The route of every dose: intravenous or subcutaneous")


def formula(case: Case, _: Figures) -> Gap | None:
    """A parenteral nutrition has its ingredients with their amounts (Medication.ingredient)."""
    element = case.medication.get("medicationReference") or {}
    contained = {f"#{c.get('id')}": c for c in case.medication.get("contained", ())}
    medication = contained.get(element.get("reference", "")) or case.facts.at(element) or {}
    ingredients = medication.get("ingredient", ())
    if ingredients and all(i.get("strength") for i in ingredients):
        return None
    text = "The formula: a Medication with each ingredient and its strength, by medicationReference"
    return Gap("formula-missing", "Medication.ingredient", text)


def protocol(case: Case, _: Figures) -> Gap | None:
    """Chemotherapy and inotropes follow a protocol the order names."""
    named = ("instantiatesCanonical", "instantiatesUri", "orderDetail")
    if any(r.get(name) for r in (case.request, case.medication) for name in named):
        return None
    text = "The protocol: instantiatesUri, instantiatesCanonical, or words in orderDetail"
    return Gap("protocol-missing", "ServiceRequest.instantiatesUri", text)


def gi_indication(case: Case, figures: Figures) -> Gap | None:
    """A diagnosis of the gut is the ground for feeding past it."""
    known = tuple(limit(figures, "gi_indication_icd10", case) or ())
    written = [str(c.get("code", "")) for c in case.diagnoses if c.get("system") == ICD_10_CM]
    if not known or any(code.startswith(known) for code in written):
        return None
    text = "The disease of the gut for which feeding by mouth or tube does not do, as a Condition"
    return Gap("gi-indication-missing", "ServiceRequest.reasonReference", text)


def indication_proof(case: Case, figures: Figures) -> bool:
    """Whether a document shows why an immunoglobulin is needed."""
    known = set(limit(figures, "indication_proof_loinc", case) or ())
    documents = (d for d in case.facts.of("DocumentReference") if d.get("status") == "current")
    return any(
        known & set(codes(d, "http://loinc.org")) or says(d, "indication_proof_words", case, figures) for d in documents
    )


def lab_orders(case: Case, figures: Figures) -> Gap | None:
    """Laboratory tests are ordered at least weekly while an antibiotic runs (IDSA 2018)."""
    most = limit(figures, "lab_orders_every_days", case)
    orders = list(_lab_orders(case, figures))
    where = "ServiceRequest.where(category.coding.code = '108252007')"
    if not orders:
        text = "The laboratory orders for the course: ServiceRequest of category laboratory, with their timing"
        return Gap("lab-orders-missing", where, text)
    gaps = [days for o in orders if (days := _every_days(o)) is not None]
    if most is None or any(days <= most for days in gaps):
        return None
    return Gap("lab-orders-too-rare", f"{where}.occurrence", f"A laboratory order every {most} days or more often")


def _lab_orders(case: Case, figures: Figures) -> Iterator[Resource]:
    known = set(limit(figures, "lab_order_category_snomed", case) or ())
    for order in case.facts.of("ServiceRequest"):
        ours = (
            order.get("intent") == "filler-order"
            or literal(case.referral.get("focus")) == f"ServiceRequest/{order['id']}"
        )
        named = known & set(codes(order.get("category", []), "http://snomed.info/sct"))
        if order.get("status") == "active" and not ours and named:
            yield order


def _every_days(order: Resource) -> Decimal | None:
    """Days from one test to the next; None where the timing does not say."""
    repeat = order.get("occurrenceTiming", {}).get("repeat", {})
    unit = DAYS.get(str(repeat.get("periodUnit")))
    if unit is None or not repeat.get("period"):
        return None
    return Decimal(repeat["period"]) * unit / Decimal(repeat.get("frequency", 1))
