"""Says which benefit pays an infusion at home, and what is claimed for it besides the drug: visits, days, infusions.

Source of the rows: `policies/home-benefits.yaml`; of the courses: `shared/catalogue/home.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from services.auth.benefit.billed_by import billed_by
from services.auth.case import Case
from services.auth.criteria.regimen import Regimen
from services.auth.words import BENEFIT, EVIDENCE, OUTPUT, PROGNOSIS, X12_PROGNOSIS, code_of, concept
from shared.catalogue import Drug
from shared.catalogue.home import HomeCourse, home_course
from shared.core import Resource, reference
from shared.policy import Figure

PARTS = ("drug", "nursing", "supplies")
NOBODY = "none"
VISIT, PER_DIEM = "visit", "per-diem"
HOUR = 60
WORDS = {
    "medical": "the plan's medical benefit",
    "part-b-ivig": "Medicare Part B, immune globulin at home",
    "part-b-dme": "Medicare Part B, durable medical equipment",
    "part-b-home-infusion": "Medicare Part B, home infusion therapy services",
    "part-b-prosthetic": "Medicare Part B, prosthetic devices",
    "part-b-immunosuppressive": "Medicare Part B, drugs against rejection of a transplant",
    "part-d": "Medicare Part D",
    "supplemental": "the plan's supplemental benefit",
    NOBODY: "not paid under this coverage",
}


@dataclass(frozen=True, slots=True)
class Course:
    """One order's course at home, with all it takes to count what is claimed for it."""

    plan: HomeCourse
    drug: Drug
    regimen: Regimen
    bills: Mapping[str, str]
    visit_codes: Mapping[str, Any]

    def asked(self) -> dict[str, Decimal]:
        """Billing code -> units of the whole course, besides the drug."""
        doses = len(self.regimen.amounts)
        total = self._days(self.regimen.days if self.plan.administered_by == "patient" else doses)
        visits = Decimal(self.plan.nursing_visits(self.regimen.days, doses))
        by_nurse = range(1, doses + 1) if self.plan.administered_by == "nurse" else ()
        further = sum((self._further("infusion", n) for n in by_nurse), Decimal(0))
        return total | self._nursing(visits, further) | self._each_infusion(doses)

    def of_visit(self, kind: str, number: int) -> dict[str, Decimal]:
        """Billing code -> units of one visit, besides the drug; of an infusion, `number` is its dose."""
        if kind != "infusion":
            return self._nursing(Decimal(1), self._further(kind, 1))
        by_nurse = self.plan.administered_by == "nurse"
        return (
            self._days(1 if by_nurse else 0)
            | self._nursing(Decimal(1), self._further(kind, number))
            | self._each_infusion(1)
        )

    def _days(self, days: int) -> dict[str, Decimal]:
        code = self.plan.per_diem_code(self.regimen.every) if self.bills.get("supplies") == PER_DIEM else None
        return {code: Decimal(days)} if code and days else {}

    def _nursing(self, visits: Decimal, further: Decimal) -> dict[str, Decimal]:
        if self.bills.get("nursing") != VISIT or not self.visit_codes:
            return {}
        first = {self.visit_codes["first"]: visits}
        return first | ({self.visit_codes["further"]: further} if further else {})

    def _further(self, kind: str, number: int) -> Decimal:
        """Hours of a visit beyond those its first code covers."""
        covered = HOUR * int(self.visit_codes.get("first_hours", 0))
        minutes = self.plan.minutes(kind, self.drug, number) - covered
        return max(Decimal(0), (Decimal(minutes) / HOUR).to_integral_value(ROUND_CEILING))

    def _each_infusion(self, infusions: int) -> dict[str, Decimal]:
        code = self.bills.get("nursing")
        return {code: Decimal(infusions)} if code and code != VISIT else {}


def course_of(case: Case) -> Course | None:
    """The course of an order for the home; None elsewhere, or where nothing besides the drug can be counted."""
    figure, drug, regimen = case.home_benefit, case.drug, case.regimen
    plan = home_course(drug) if drug else None
    if figure is None or drug is None or plan is None or isinstance(regimen, str):
        return None
    return Course(plan, drug, regimen, figure.value["bills"], case.policy.visit_codes(case.starts))


def units_asked(case: Case) -> dict[str, Decimal] | None:
    """Billing code -> units of everything an order takes; None where its doses cannot be counted."""
    if isinstance(case.regimen, str) or case.drug is None:
        return None
    units = case.regimen.all_units(case.drug, case.starts)
    course = course_of(case)
    return units if units is None or course is None else units | course.asked()


def units_of_visit(case: Case, kind: str, number: int, on: date) -> dict[str, Decimal] | None:
    """Billing code -> units of one visit at home on a day; None where its dose cannot be counted."""
    course = course_of(case)
    extra = course.of_visit(kind, number) if course else {}
    if kind != "infusion":
        return extra
    regimen = case.whole_regimen
    if isinstance(regimen, str) or case.drug is None:
        return None
    units = regimen.units(case.drug, number, on)
    return None if units is None else units | extra


# What is told of it


def unpaid(case: Case) -> tuple[str, ...]:
    """Which parts of an infusion at home nobody pays under this coverage."""
    figure = case.home_benefit
    return tuple(p for p in PARTS if figure and not case.policy.pays(case.payer, figure.value[p], case.starts))


def benefits(case: Case) -> list[dict[str, Any]]:
    """One output a part: which benefit pays it, who is billed, and the payer's answer by which it is known."""
    figure = case.home_benefit
    if figure is None:
        return []
    proof = [{"url": EVIDENCE, "valueReference": {"reference": reference(case.benefit)}}] if case.benefit else []
    return [{**({"extension": proof} if proof else {}), **_output(case, figure, part)} for part in PARTS]


def _output(case: Case, figure: Figure, part: str) -> dict[str, Any]:
    code = figure.value[part]
    paid = f", billed to {figure.value['to']}{_codes(case, code, part)}"
    text = f"{part.capitalize()}: {WORDS[code]}{_unpaid(figure, code) if part in unpaid(case) else paid}"
    return {"type": concept(OUTPUT, f"benefit-{part}"), "valueCodeableConcept": concept(BENEFIT, code, text)}


def _unpaid(figure: Figure, code: str) -> str:
    """Why nobody pays a part, where the row says it."""
    if "why" in figure.value:
        return f": {figure.value['why']}"
    return "" if code == NOBODY else " (not under this coverage)"


def _codes(case: Case, benefit: str, part: str) -> str:
    """By which codes a part is billed, where Medicare asks for certain ones."""
    if case.drug is None or case.hcpcs is None:
        return ""
    words = billed_by(benefit, part, case.drug, case.hcpcs, case.starts)
    return f": {words}" if words else ""


def refused(figure: Figure) -> str:
    """What is told where no benefit of this coverage pays the drug at home."""
    benefit, why = figure.value["drug"], figure.value.get("why")
    if benefit == NOBODY:
        return f"At home this drug is {WORDS[NOBODY]}" + (f": {why}." if why else ": another site of care is needed.")
    return f"At home this drug is paid by {WORDS[benefit]}: a Coverage that has it, or another site of care, is needed."


def prognosis(case: Case) -> Mapping[str, Any] | None:
    """What the referrer says of the prognosis, in X12's code: PAS asks for it with home health care."""
    said = [o.get("valueCodeableConcept") for o in case.chart.of("Observation") if _is_prognosis(o)]
    return next((s for s in reversed(said) if code_of(s, X12_PROGNOSIS)), None)


def _is_prognosis(observation: Resource) -> bool:
    codes = {c.get("code") for c in observation.get("code", {}).get("coding", ())}
    return PROGNOSIS in codes and observation.get("status") in ("final", "amended", "corrected")
