"""Which results a therapy needs: each rule looks for one kind of Observation, valid, dated and current."""

from __future__ import annotations

from datetime import timedelta

from services.intake.codes import (
    BODY_WEIGHT,
    FERRITIN,
    HEMOGLOBIN,
    HEPATITIS_B,
    IGG,
    JCV_ANTIBODY,
    NEUTROPHILS,
    RENAL_FUNCTION,
    TB_SCREEN,
    TSAT,
    UCUM,
)
from services.intake.facts import Case
from services.intake.records import taken_on
from services.intake.requirements.gap import Gap, Rule, limit
from shared.core import Resource
from shared.policy import Figures


def result(name: str, codes: tuple[str, ...], figure_id: str, *units: str) -> Rule:
    """A rule: a result of these codes is there, a number in one of the units if any, dated, and not too old.

    Its age is counted to the day the referral is judged by; it may come later, but not from the future.
    """

    def result_current(case: Case, figures: Figures) -> Gap | None:
        found = case.results(codes)
        readable = [o for o in found if not units or measured(o, units)]
        dated = [d for o in readable if (d := taken_on(o)) is not None and d <= case.at + timedelta(days=1)]
        where = f"Observation.where(code.coding.code = '{codes[0]}')"
        if not found:
            return Gap(f"{name}-missing", where, f"A final {name} result with value and date")
        if not readable:
            return Gap(f"{name}-unreadable", f"{where}.value", f"A {name} above zero, in {' or '.join(units)} (UCUM)")
        if not dated:
            return Gap(f"{name}-undated", f"{where}.effective", f"The date of the {name} result, not in the future")
        days = limit(figures, figure_id, case)
        if days is not None and dated[0] < case.on - timedelta(days=days):
            return Gap(f"{name}-out-of-date", f"{where}.effective", f"A {name} result of the last {days} days")
        return None

    result_current.__name__ = name
    return result_current


def measured(observation: Resource, units: tuple[str, ...]) -> bool:
    """Whether a result is a number above zero in one of these UCUM units."""
    quantity = observation.get("valueQuantity", {})
    unit = quantity.get("code") if quantity.get("system") == UCUM else quantity.get("unit")
    return unit in units and quantity.get("value", 0) > 0


weight = result("weight", BODY_WEIGHT, "weight_valid_for_days", "kg", "g", "[lb_av]")
hemoglobin = result("hemoglobin", HEMOGLOBIN, "labs_valid_for_days", "g/dL", "g/L")
ferritin = result("ferritin", FERRITIN, "labs_valid_for_days", "ng/mL", "ug/L")
tsat = result("tsat", TSAT, "labs_valid_for_days", "%")
tb_screen = result("tb-screen", TB_SCREEN, "screening_valid_for_days")
hepatitis_b = result("hepatitis-b", HEPATITIS_B, "screening_valid_for_days")
igg = result("igg", IGG, "igg_valid_for_days", "mg/dL", "g/L")
jcv_antibody = result("jcv-antibody", JCV_ANTIBODY, "jcv_antibody_valid_for_days")

CELLS = ("10*3/uL", "10*9/L", "/uL", "{cells}/uL", "K/uL")
RENAL = ("mg/dL", "umol/L", "mL/min", "mL/min/{1.73_m2}", "mL/min/1.73.m2")

renal_function = result("renal-function", RENAL_FUNCTION, "renal_function_valid_for_days", *RENAL)
neutrophils = result("neutrophils", NEUTROPHILS, "blood_count_valid_for_days", *CELLS)
hemoglobin_for_support = result("hemoglobin", HEMOGLOBIN, "blood_count_valid_for_days", "g/dL", "g/L")

neutrophils_before_course = result("neutrophils", NEUTROPHILS, "labs_before_course_valid_for_days", *CELLS)
renal_function_before_course = result("renal-function", RENAL_FUNCTION, "labs_before_course_valid_for_days", *RENAL)
