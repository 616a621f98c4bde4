"""The drugs of the practice: each known by one of its codes alone, billed in whole units, its figures marked."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import catalogue
from shared.catalogue import CPT, HCPCS, MEASURES, billed, billing_system, drug, drugs, known, products, recognised

THERAPIES = {
    "opat", "iv-iron", "immunoglobulin", "anti-tnf", "anti-integrin", "anti-cd20", "complement-inhibitor",
    "growth-factor", "esa", "parenteral-nutrition", "chemotherapy", "inotrope",
}  # fmt: skip
IRON = yaml.safe_load(Path(__file__).with_name("cases").joinpath("iron.yaml").read_text(encoding="utf-8"))
IN_2026, IN_2024 = date(2026, 12, 1), date(2024, 6, 1)
BILLED = [
    ("vancomycin", "1250", IN_2026, "J3373", 125),
    ("vancomycin", "1250", IN_2024, "J3370", 3),
    ("eculizumab", "900", IN_2026, "J1299", 450),
    ("eculizumab", "900", IN_2024, "J1300", 90),
    ("gamunex-c", "30000", IN_2026, "J1561", 60),
    ("ferric-derisomaltose", "1000", IN_2026, "J1437", 100),
    ("pegfilgrastim", "6", IN_2026, "J2506", 12),
    ("darbepoetin-alfa", "0.1", IN_2026, "J0881", 100),
    ("epoetin-alfa", "40000", IN_2026, "J0885", 40),
    ("ceftriaxone", "2000", IN_2026, "J0696", 8),
    ("parenteral-nutrition", "1", IN_2026, "B4197", 1),
]


@pytest.mark.parametrize(("key", "amount", "on", "code", "units"), BILLED)
def test_a_dose_is_billed_by_the_code_in_force_in_whole_units(
    key: str, amount: str, on: date, code: str, units: int
) -> None:
    found = drug(key)
    assert found is not None
    in_force = found.billing_on(on)
    assert in_force is not None
    assert (in_force.code, found.units(Decimal(amount), on)) == (code, Decimal(units))


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['drug']} {c['doses']}") for c in IRON])
def test_an_iron_is_timed_and_counted_as_the_table_has_it(case: dict[str, Any]) -> None:
    found = drug(case["drug"])
    assert found is not None
    first = found.minutes(1)
    assert (found.min_gap_days, found.min_gap_days + found.window_days) == (case["gap"], case["latest"])
    assert (first.infusion, first.observation) == (case["infusion"], case["observation"])
    assert sum(found.units(Decimal(dose), IN_2026) or 0 for dose in case["doses"]) == case["units"]


@pytest.mark.parametrize(("day", "code"), [(30, "J3370"), (1, "J3373")])
def test_a_code_ends_on_the_day_before_the_next_begins(day: int, code: str) -> None:
    found = drug("vancomycin")
    in_force = found.billing_on(date(2025, 6 if day == 30 else 7, day)) if found else None
    assert in_force is not None
    assert in_force.code == code


def test_every_therapy_has_a_drug() -> None:
    assert {d.therapy for d in drugs()} == THERAPIES


def test_no_code_names_two_drugs() -> None:
    counted = Counter(code for d in drugs() for code in d.codes)
    assert [code for code, times in counted.items() if times > 1] == []


def test_every_drug_is_recognised_by_each_of_its_codes_alone() -> None:
    for each in drugs():
        assert all(recognised([{"system": s, "code": c}]) is each for s, c in each.codes)


def test_every_unit_is_one_doses_are_counted_in_and_the_same_measure_throughout() -> None:
    for each in drugs():
        assert {MEASURES[b.unit][0] for b in each.billing} == {each.measure}


def test_every_row_says_which_of_its_figures_are_verified() -> None:
    rows = yaml.safe_load(Path(catalogue.__file__).with_name("drugs.yaml").read_text(encoding="utf-8"))
    assert [r["key"] for r in rows if not r.get("verified")] == []


@pytest.mark.parametrize(("code", "system"), [("J3373", HCPCS), ("S9501", HCPCS), ("99601", CPT), ("B4197", HCPCS)])
def test_a_billing_code_says_its_system(code: str, system: str) -> None:
    assert billing_system(code) == system
    assert billed({"coding": [{"system": "urn:other", "code": "x"}, {"system": system, "code": code}]}) == code


def test_the_catalogue_holds_forty_drugs_each_with_source_date_and_marks() -> None:
    rows = yaml.safe_load(Path(catalogue.__file__).with_name("drugs.yaml").read_text(encoding="utf-8"))
    assert len(rows) >= 40
    for row in rows:
        assert row["source"]["title"], row["key"]
        assert isinstance(row["source"]["date"], date), row["key"]
        assert {"codes", "first_days", "minutes", "container"} <= set(row["verified"]), row["key"]
        assert set(row["verified"].values()) <= {"V", "V2", "K", "PD"}, row["key"]
        assert row["container"] in ("single-dose", "multi-dose", "none"), row["key"]


def test_a_package_is_a_multiple_of_what_one_billing_unit_holds() -> None:
    assert drug("ferric-carboxymaltose").packages["00517-0650-01"] == 750  # type: ignore[union-attr]
    assert drug("rituximab").packages == {"50242-0051-21": 10, "50242-0053-06": 50}  # type: ignore[union-attr]
    assert drug("vedolizumab").packages == {"64764-0300-20": 300}  # type: ignore[union-attr]
    for each in products():
        assert all(units > 0 for units in each.packages.values())


def test_what_the_practice_does_not_give_is_known_and_not_recognised() -> None:
    hemlibra = [{"system": HCPCS, "code": "J7170"}]
    assert recognised(hemlibra) is None
    assert known(hemlibra) is drug("emicizumab")
    assert drug("emicizumab") not in drugs()


def test_no_code_names_two_products() -> None:
    counted = Counter(code for d in products() for code in d.codes)
    assert [code for code, times in counted.items() if times > 1] == []


def test_biosimilars_stand_in_one_group_with_what_they_are_like() -> None:
    groups = Counter(d.biosimilar_group for d in products() if d.biosimilar_group)
    assert groups >= Counter({"infliximab": 4, "rituximab": 4, "pegfilgrastim": 5, "epoetin": 2})


def test_a_safety_program_says_who_must_be_enrolled() -> None:
    programs = {d.key: d.rems for d in products() if d.rems}
    assert set(programs) == {"natalizumab", "natalizumab-sztn", "eculizumab", "eculizumab-aeeb", "ravulizumab"}
    touch = programs["natalizumab"]
    assert touch is not None
    assert (touch.program, touch.renew_days) == ("TOUCH", 180)
    assert touch.enrolled == ("prescriber", "patient", "site", "pharmacy")
