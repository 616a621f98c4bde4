"""What was taken or given before: each rule looks for a MedicationStatement with dates, or the reason against it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.intake.codes import ICD_10_CM
from services.intake.facts import Case
from services.intake.records import holds
from services.intake.requirements.gap import Gap, limit
from services.intake.requirements.written import order_says, says
from shared.catalogue import Drug, recognised
from shared.core import Resource
from shared.policy import Figures


def told(statement: Resource) -> bool:
    """Whether a statement says when the drug was taken, or why not."""
    period = statement.get("effectivePeriod") or statement.get("effectiveDateTime")
    match statement.get("status"):
        case "active" | "completed" | "stopped" | "on-hold":
            return period is not None
        case "not-taken":
            return bool(statement.get("statusReason"))
    return False


def drug_of(record: Resource, case: Case) -> Drug | None:
    """The drug of the practice's catalogue that a statement or a prescription names."""
    return recognised(case.codings(record))


def oral_iron(case: Case, figures: Figures) -> Gap | None:
    """Oral iron was tried, or a reason against it is written: MedicationStatement, or AllergyIntolerance to it."""
    tried = any(told(s) for s in case.facts.of("MedicationStatement") if _is_oral_iron(s, case, figures))
    intolerant = any(holds(a) and _is_oral_iron(a, case, figures) for a in case.facts.of("AllergyIntolerance"))
    if tried or intolerant:
        return None
    text = "Oral iron tried (MedicationStatement with period), or not-taken with the reason, or an intolerance"
    return Gap("oral-iron-undocumented", "MedicationStatement", text)


def _is_oral_iron(resource: Resource, case: Case, figures: Figures) -> bool:
    concept: dict[str, Any] = resource.get("medicationCodeableConcept") or resource.get("code") or {}
    known: Iterable[str] = limit(figures, "oral_iron_rxnorm", case) or ()
    named = any(c.get("code") in known for c in concept.get("coding", ()))
    return named or says(concept, "oral_iron_words", case, figures)


def prior_therapy(case: Case, _: Figures) -> Gap | None:
    """What was taken before a biologic, or why nothing was, is written as MedicationStatement."""
    if any(told(s) for s in case.facts.of("MedicationStatement")):
        return None
    text = "Earlier treatment of the disease (MedicationStatement with period), or not-taken with the reason"
    return Gap("prior-therapy-undocumented", "MedicationStatement", text)


def prior_product(case: Case, figures: Figures) -> Gap | None:
    """Which immunoglobulin was given before, and when, or that none was."""
    for statement in case.facts.of("MedicationStatement"):
        drug = drug_of(statement, case)
        same = drug is not None and drug.therapy == "immunoglobulin"
        if told(statement) and (same or says(statement, "immunoglobulin_words", case, figures)):
            return None
    text = "The immunoglobulin given before (MedicationStatement with period), or not-taken with the reason"
    return Gap("prior-product-undocumented", "MedicationStatement", text)


def first_dose(case: Case, figures: Figures) -> Gap | None:
    """Where the first dose is or was given: the drug taken already, or said in the order."""
    statements = (s for s in case.facts.of("MedicationStatement") if told(s) and s["status"] != "not-taken")
    begun = any(case.drug is not None and drug_of(s, case) == case.drug for s in statements)
    if begun or order_says("first_dose_words", case, figures):
        return None
    text = "Where the first dose is given: MedicationStatement of doses had, or words in ServiceRequest.orderDetail"
    return Gap("first-dose-place-missing", "ServiceRequest.orderDetail", text)


def chemotherapy_dates(case: Case, figures: Figures) -> Gap | None:
    """When chemotherapy is or was given; not asked where the diagnosis is not one of chemotherapy."""
    apart = tuple(limit(figures, "diagnoses_without_chemotherapy", case) or ())
    written = [str(c.get("code", "")) for c in case.diagnoses if c.get("system") == ICD_10_CM]
    if any(code.startswith(apart) for code in written if apart):
        return None
    if any(told(s) and _is_chemotherapy(s, case, figures) for s in case.facts.of("MedicationStatement")):
        return None
    text = "Chemotherapy with its dates (MedicationStatement with effectivePeriod)"
    return Gap("chemotherapy-dates-missing", "MedicationStatement.effective", text)


def _is_chemotherapy(statement: Resource, case: Case, figures: Figures) -> bool:
    drug = drug_of(statement, case)
    by_catalogue = drug is not None and drug.therapy == "chemotherapy"
    return by_catalogue or says(statement, "chemotherapy_words", case, figures)
