"""Doses and billing units, with the unit values the codes are published with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from services.auth.criteria.findings import Chart
from services.auth.criteria.regimen import Regimen, fingerprint, regimen_of
from shared.catalogue import drug
from tests.services.auth.patient import START, TODAY, medication, patient, weight

CHART = Chart(patient(), (), TODAY)


def doses(
    instruction: dict[str, Any], chart: Chart = CHART, days: int = 365, **order: Any
) -> tuple[Decimal, ...] | str:
    found = regimen_of({"dosageInstruction": [instruction], **order}, chart, days)
    return found if isinstance(found, str) else found.amounts


def dose(value: Any, unit: str = "mg", **timing: Any) -> dict[str, Any]:
    return {"doseAndRate": [{"doseQuantity": {"value": value, "code": unit}}], "timing": timing}


@pytest.mark.parametrize(
    ("key", "milligrams", "units"),
    [
        ("ferric-carboxymaltose", "750", {"J1439": 750}),
        ("ferric-derisomaltose", "1000", {"J1437": 100}),
        ("ferric-derisomaltose", "1001", {"J1437": 101}),
        ("iron-sucrose", "200", {"J1756": 200}),
        ("infliximab", "357.5", {"J1745": 36}),
        ("infliximab-dyyb", "320", {"Q5103": 32}),
    ],
)
def test_a_dose_is_billed_in_units_of_its_code_rounded_up(key: str, milligrams: str, units: dict[str, int]) -> None:
    known = drug(key)
    assert known is not None
    assert Regimen((Decimal(milligrams),)).units(known, 1, START) == {c: Decimal(u) for c, u in units.items()}


def test_all_doses_together_are_each_rounded_up() -> None:
    known = drug("infliximab")
    assert known is not None
    assert Regimen((Decimal("357.5"),) * 3).all_units(known, START) == {"J1745": Decimal(108)}


def test_no_code_in_force_gives_no_units() -> None:
    known = drug("ferric-derisomaltose")
    assert known is not None
    regimen = Regimen((Decimal(1000),))
    before = START.replace(year=2019)
    assert regimen.units(known, 1, before) is None
    assert regimen.all_units(known, before) is None


def test_a_count_or_its_events_say_how_many_doses() -> None:
    assert doses(dose(750, repeat={"count": 2})) == (Decimal(750),) * 2
    assert doses(dose(320, event=["2026-11-24", "2026-12-08", "2027-01-05"])) == (Decimal(320),) * 3


@pytest.mark.parametrize(("weeks", "number"), [(8, 1), (9, 2), (16, 2), (17, 3)])
def test_a_period_gives_as_many_doses_as_begin_within_its_bounds(weeks: int, number: int) -> None:
    bounds = {"value": weeks, "code": "wk"}
    found = doses(dose(300, repeat={"period": 8, "periodUnit": "wk", "frequency": 1, "boundsDuration": bounds}))
    assert len(found) == number


def test_an_open_period_is_counted_within_the_authorization() -> None:
    assert len(doses(dose(300, repeat={"period": 8, "periodUnit": "wk"}), days=168)) == 3


def test_repeats_count_where_nothing_else_does() -> None:
    assert len(doses(dose(300), dispenseRequest={"numberOfRepeatsAllowed": 2})) == 3
    assert len(doses(dose(300))) == 1


def test_a_dose_by_weight_takes_the_latest_weight_and_the_most_allowed() -> None:
    chart = Chart(patient(), (weight(Decimal("71.5")),), TODAY)
    assert doses(dose(5, "mg/kg"), chart) == (Decimal("357.5"),)
    capped = dose(15, "mg/kg") | {"maxDosePerAdministration": {"value": 1000, "code": "mg"}}
    assert doses(capped, chart) == (Decimal(1000),)


def test_a_weight_is_cited_only_where_a_dose_needs_it() -> None:
    chart = Chart(patient(), (weight(70),), TODAY)
    plain, weighed = regimen_of(medication(), chart, 90), regimen_of(medication(5, 1, "mg/kg"), chart, 90)
    assert isinstance(plain, Regimen)
    assert isinstance(weighed, Regimen)
    assert (plain.weight, weighed.weight) == (None, weight(70))


@pytest.mark.parametrize(
    ("instruction", "gap"),
    [
        ({"text": "as usual"}, "dose-missing"),
        (dose(5, "mL"), "dose-missing"),
        (dose(5, "mg/m2"), "dose-missing"),
        (dose(5, "mg/kg"), "weight-not-documented"),
    ],
)
def test_a_dose_that_cannot_be_counted_names_its_gap(instruction: dict[str, Any], gap: str) -> None:
    assert doses(instruction) == gap


def test_no_medication_request_is_a_missing_dose() -> None:
    assert regimen_of(None, CHART, 90) == "dose-missing"


def test_a_fingerprint_changes_with_drug_dose_diagnosis_and_site_and_not_with_spelling() -> None:
    iron, other = drug("ferric-carboxymaltose"), drug("iron-sucrose")
    first = fingerprint(iron, medication(750), ("D50.0", "N92.0"), "aic")
    assert first == fingerprint(iron, medication(Decimal("750.0")), ("N92.0", "D50.0"), "aic")
    assert first != fingerprint(other, medication(750), ("D50.0", "N92.0"), "aic")
    assert first != fingerprint(iron, medication(750, 3), ("D50.0", "N92.0"), "aic")
    assert first != fingerprint(iron, medication(750), ("D50.9",), "aic")
    assert first != fingerprint(iron, medication(750), ("D50.0", "N92.0"), "home")


@pytest.mark.parametrize(
    "unread",
    [
        dose(0), dose(-5), dose(5, "mg/kg") | {"maxDosePerAdministration": {"value": 10, "code": "mL"}},
        dose(5, repeat={"count": 401}), dose(5, repeat={"count": 2147483647}),
        dose(5, repeat={"period": 1, "periodUnit": "s"}), dose(5, repeat={"period": 0, "periodUnit": "d"}),
    ],
)  # fmt: skip
def test_a_dose_nobody_can_have_meant_is_missing_and_never_counted(unread: dict[str, Any]) -> None:
    chart = Chart(patient(), (weight(70),), TODAY)
    assert doses(unread, chart) == "dose-missing"


def test_the_most_doses_are_still_counted() -> None:
    assert len(doses(dose(5, repeat={"count": 400}))) == 400


@pytest.mark.parametrize(("hours", "number"), [(8, 42), (12, 28), (24, 14)])
def test_a_dose_every_few_hours_is_counted_by_the_hour(hours: int, number: int) -> None:
    bounds = {"value": 14, "code": "d"}
    assert len(doses(dose(1000, repeat={"period": hours, "periodUnit": "h", "boundsDuration": bounds}))) == number


@pytest.mark.parametrize(("days", "number"), [(89, 13), (91, 13), (92, 14)])
def test_doses_beyond_the_authorization_asked_for_are_not_counted(days: int, number: int) -> None:
    bounds = {"value": 52, "code": "wk"}
    weekly = dose(300, repeat={"period": 1, "periodUnit": "wk", "boundsDuration": bounds})
    assert len(doses(weekly, days=days)) == number


def test_instructions_count_in_their_own_sequence() -> None:
    later, first = dose(300) | {"sequence": 2}, dose(500) | {"sequence": 1}
    found = regimen_of({"dosageInstruction": [later, first]}, CHART, 90)
    assert isinstance(found, Regimen)
    assert found.amounts == (Decimal(500), Decimal(300))


def test_a_weight_that_is_only_bounded_is_no_weight() -> None:
    heavy = weight(70)
    heavy["valueQuantity"]["comparator"] = ">"
    assert doses(dose(5, "mg/kg"), Chart(patient(), (heavy,), TODAY)) == "weight-not-documented"
