"""What a course at home takes: visits by the week or by the dose, and the per-diem code of its rhythm."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.catalogue import drug
from shared.catalogue.home import HomeCourse, courses, home_course


def course(therapy: str) -> HomeCourse:
    return courses()[therapy]


@pytest.mark.parametrize(("days", "visits"), [(1, 6), (7, 6), (8, 7), (42, 11)])
def test_visits_of_a_patient_who_infuses_himself_go_by_the_week(days: int, visits: int) -> None:
    assert course("opat").nursing_visits(days, 84) == visits


@pytest.mark.parametrize("doses", [1, 6])
def test_visits_of_a_nurse_who_infuses_go_by_the_dose(doses: int) -> None:
    assert course("immunoglobulin").nursing_visits(28 * doses, doses) == doses + 2


@pytest.mark.parametrize(
    ("hours", "code"),
    [(24, "S9500"), (12, "S9501"), (4, "S9504"), (5, "S9494"), (None, "S9494"), (Decimal("7.5"), "S9494")],
)
def test_the_per_diem_code_goes_by_the_hours_between_doses(hours: int | Decimal | None, code: str) -> None:
    assert course("opat").per_diem_code(None if hours is None else Decimal(hours)) == code


def test_an_infusion_lasts_as_long_as_the_drug_takes() -> None:
    gamunex = drug("gamunex-c")
    assert gamunex is not None
    plan = home_course(gamunex)
    assert plan is not None
    assert [plan.minutes("infusion", gamunex, n) for n in (1, 2)] == [300, 230]
    assert plan.minutes("assessment", gamunex) == 120


def test_what_is_not_given_at_home_has_no_course() -> None:
    rituximab = drug("rituximab")
    assert rituximab is not None
    assert home_course(rituximab) is None
