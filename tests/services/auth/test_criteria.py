"""Payer criteria on both sides of every threshold, and the smallest set that is missing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.auth.criteria.criteria import judged
from services.auth.criteria.findings import VERIFICATION, Chart
from services.auth.criteria.history import days_taken
from services.auth.criteria.schema import check_criteria
from shared.catalogue import drug
from shared.policy import Figure, PolicyError
from tests.services.auth.home import note
from tests.services.auth.patient import CHICAGO, TODAY, coded, condition, lab, oral_iron, patient, policy

CASES = Path(__file__).with_name("cases")
DEFAULTS = {
    "arkansas-bcbs-iron": {"payer": "arkansas-bcbs", "drug": "iron-sucrose"},
    "prairie-health-iron": {"payer": "prairie-health", "drug": "ferric-carboxymaltose"},
    "lakeland-advantage-iron": {"payer": "lakeland-advantage", "drug": "ferric-carboxymaltose"},
    "infliximab": {},
    "home": {},
}
FERRITIN = {
    "id": "f",
    "text": "t",
    "lab": {"loinc": ["2276-4"], "units": {"ng/mL": 1}, "at_most": 40, "within_days": 90},
}


def cases() -> list[Any]:
    rows = [(file, row) for file in DEFAULTS for row in yaml.safe_load((CASES / f"{file}.yaml").read_text())]
    return [pytest.param(DEFAULTS[f] | row, id=f"{f}: {row['name']}") for f, row in rows]


def chart_of(case: dict[str, Any]) -> Chart:
    days_ago = case.get("days_ago", 5)
    resources = [lab(a, Decimal(str(case[a])), days_ago) for a in ("hemoglobin", "ferritin", "tsat") if a in case]
    resources += [condition(f"c{n}", *c) for n, c in enumerate(case.get("conditions", ()))]
    resources += [_screen(name, loinc, *case[name]) for name, loinc in SCREENS.items() if name in case]
    resources += [_measured(name, *given, *case[name]) for name, given in MEASURED.items() if name in case]
    if "note" in case:
        resources.append(note() | {"type": coded("http://loinc.org", case["note"])})
    if "oral" in case:
        taken = oral_iron(0 if case["oral"] == "unknown" else case["oral"])
        resources.append({k: v for k, v in taken.items() if case["oral"] != "unknown" or k != "effectivePeriod"})
    if "tried" in case:
        resources.append(oral_iron() | {"id": "in-tried", "medicationCodeableConcept": {"text": case["tried"]}})
    if "intolerance" in case:
        resources.append(_intolerance(case["intolerance"]))
    return Chart(patient(gender=case.get("gender", "female")), tuple(resources), TODAY)


MEASURED = {"creatinine": ("2160-0", "mg/dL"), "igg": ("2465-3", "mg/dL")}


def _measured(name: str, loinc: str, unit: str, value: Any, days_ago: int) -> dict[str, Any]:
    quantity = {"value": Decimal(str(value)), "unit": unit, "code": unit}
    code = coded("http://loinc.org", loinc)
    return lab("ferritin", 0, days_ago, id=f"in-{name}", code=code, valueQuantity=quantity)


SCREENS = {"tb": "71773-6", "hbv": "5196-1"}


def _screen(name: str, loinc: str, said: str, days_ago: int) -> dict[str, Any]:
    screen = lab("ferritin", 0, days_ago, id=f"in-{name}", code=coded("http://loinc.org", loinc))
    del screen["valueQuantity"]
    return screen | ({"valueCodeableConcept": {"text": said}} if said else {})


def _intolerance(verification: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
    return {
        "resourceType": "AllergyIntolerance",
        "id": "in-intolerance",
        "verificationStatus": coded(system, verification),
        "code": {"text": "Ferrous sulfate"},
        "patient": {"reference": "Patient/in-p"},
    }


@pytest.mark.parametrize("case", cases())
def test_a_published_criterion_is_judged_on_each_side_of_its_threshold(case: dict[str, Any]) -> None:
    known, payer = drug(case["drug"]), policy().payer(case["payer"])
    assert known is not None
    assert payer is not None
    figure = policy().criteria(payer, known, (), TODAY)
    assert figure is not None
    judgement = judged(figure.value["rule"], chart_of(case))
    assert {v.criterion: v.gap for v in judgement.missing} == case.get("missing", {})
    assert judgement.met == case.get("met", False)


@pytest.mark.parametrize(
    ("payer_id", "key", "preferred"),
    [
        ("arkansas-bcbs", "ferric-carboxymaltose", ["iron-sucrose"]),
        ("arkansas-bcbs", "ferric-derisomaltose", ["iron-sucrose"]),
        ("prairie-health", "ferric-derisomaltose", ["ferric-carboxymaltose", "iron-sucrose"]),
    ],
)
def test_a_non_covered_product_routes_to_the_preferred_one(payer_id: str, key: str, preferred: list[str]) -> None:
    known, payer = drug(key), policy().payer(payer_id)
    assert known is not None
    assert payer is not None
    figure = policy().criteria(payer, known, (), TODAY)
    assert figure is not None
    assert figure.value == {"covered": False, "preferred": preferred}


def only(observation: dict[str, Any]) -> tuple[str, str | None, str | None]:
    (verdict,) = judged(FERRITIN, Chart(patient(), (observation,), TODAY)).verdicts
    return verdict.verdict, verdict.gap, verdict.evidence


def test_a_verdict_names_the_resource_that_proved_it() -> None:
    assert only(lab("ferritin", 40)) == ("met", None, "Observation/in-ferritin")
    assert only(lab("ferritin", 41)) == ("not-met", "threshold-not-met", "Observation/in-ferritin")


@pytest.mark.parametrize("status", ["preliminary", "cancelled", "entered-in-error", "registered"])
def test_a_value_that_is_not_reported_counts_for_nothing(status: str) -> None:
    assert only(lab("ferritin", 9, status=status))[:2] == ("not-documented", "lab-not-documented")


def test_a_value_of_tomorrow_counts_for_nothing() -> None:
    assert only(lab("ferritin", 9, -1))[1] == "lab-not-documented"
    assert only(lab("ferritin", 9, 0))[0] == "met"


@pytest.mark.parametrize(
    ("value", "comparator", "verdict"),
    [(40, "<", "met"), (41, "<", "not-documented"), (40, ">", "not-met"), (39, ">", "not-documented")],
)
def test_a_bounded_value_decides_only_where_its_bound_does(value: int, comparator: str, verdict: str) -> None:
    observation = lab("ferritin", value)
    observation["valueQuantity"]["comparator"] = comparator
    assert only(observation)[0] == verdict


def test_a_unit_nobody_named_is_not_guessed() -> None:
    observation = lab("ferritin", 9)
    observation["valueQuantity"] |= {"unit": "pmol/L", "code": "pmol/L"}
    assert only(observation)[1] == "lab-unit-unknown"


def test_another_unit_is_converted_exactly() -> None:
    rule = FERRITIN | {"lab": FERRITIN["lab"] | {"units": {"g/dL": 1, "g/L": "0.1"}, "at_most": 12}}  # type: ignore[operator]
    observation = lab("ferritin", 120)
    observation["valueQuantity"] |= {"unit": "g/L", "code": "g/L"}
    assert judged(rule, Chart(None, (observation,), TODAY)).met
    observation["valueQuantity"]["value"] = Decimal("120.1")
    assert not judged(rule, Chart(None, (observation,), TODAY)).met


def test_the_latest_value_decides() -> None:
    older, newer = lab("ferritin", 9, 20), lab("ferritin", 90, 3, id="in-newer")
    for observations in ((older, newer), (newer, older)):
        assert not judged(FERRITIN, Chart(None, observations, TODAY)).met


def test_a_medicine_still_taken_counts_until_today() -> None:
    assert days_taken({"effectivePeriod": {"start": "2026-11-01"}}, TODAY) == 20
    assert (
        days_taken({"dispenseRequest": {"validityPeriod": {"start": "2026-11-01", "end": "2026-11-11"}}}, TODAY) == 10
    )
    bounds = {"boundsDuration": {"value": 4, "code": "wk"}}
    assert days_taken({"dosageInstruction": [{"timing": {"repeat": bounds}}]}, TODAY) == 28
    assert days_taken({}, TODAY) is None


def test_a_criterion_of_an_unknown_kind_is_a_mistake_in_the_policy() -> None:
    with pytest.raises(ValueError, match="one of"):
        judged({"id": "x", "text": "t", "horoscope": {}}, Chart(None, (), TODAY))


RULES = st.recursive(
    st.sampled_from("abcde").map(lambda i: {"id": i, "text": i, "condition": {"icd10": [i.upper()]}}),
    lambda r: st.lists(r, min_size=1, max_size=3).flatmap(lambda b: st.sampled_from([{"all": b}, {"any": b}])),
    max_leaves=8,
)


def met(rule: dict[str, Any], true: set[str]) -> bool:
    match rule:
        case {"all": branches}:
            return all(met(b, true) for b in branches)
        case {"any": branches}:
            return any(met(b, true) for b in branches)
        case _:
            return rule["id"] in true


@given(RULES, st.sets(st.sampled_from("abcde")))
def test_the_missing_set_completes_the_request_and_no_smaller_one_does(rule: dict[str, Any], true: set[str]) -> None:
    chart = Chart(None, tuple(condition(c, c.upper()) for c in true), TODAY)
    judgement = judged(rule, chart)
    missing = {v.criterion for v in judgement.missing}
    assert judgement.met == met(rule, true)
    assert met(rule, true | missing)
    assert all(not met(rule, true | (missing - {one})) for one in missing)


@pytest.mark.parametrize(
    ("comparator", "limits", "verdict"),
    [
        ("<", {"below": 40}, "met"), ("<=", {"below": 40}, "not-documented"), ("<=", {"at_most": 40}, "met"),
        (">", {"at_most": 40}, "not-met"), (">=", {"at_most": 40}, "not-documented"), (">=", {"below": 40}, "not-met"),
        (">=", {"at_least": 40}, "met"), (">=", {"above": 40}, "not-documented"), (">", {"above": 40}, "met"),
        ("<=", {"at_least": 40}, "not-documented"), ("<", {"at_least": 40}, "not-met"),
    ],
)  # fmt: skip
def test_a_bound_on_the_threshold_itself_decides_only_what_it_says(
    comparator: str, limits: dict[str, int], verdict: str
) -> None:
    observation = lab("ferritin", 40)
    observation["valueQuantity"]["comparator"] = comparator
    rule = {"loinc": ["2276-4"], "units": {"ng/mL": 1}, "within_days": 90, **limits}
    assert (
        judged({"id": "f", "text": "t", "lab": rule}, Chart(None, (observation,), TODAY)).verdicts[0].verdict == verdict
    )


CHICAGO_CHART = partial(Chart, None, on=date(2026, 11, 21), zone=CHICAGO)


def ferritin(value: int, when: dict[str, Any], key: str = "in-f") -> dict[str, Any]:
    kept = {k: v for k, v in lab("ferritin", value, id=key).items() if not k.startswith("effective")}
    return kept | when


def test_a_value_of_this_evening_counts_though_its_stamp_says_tomorrow() -> None:
    tonight = ferritin(9, {"effectiveDateTime": "2026-11-22T02:05:00Z"})
    assert judged(FERRITIN, CHICAGO_CHART((tonight,))).met
    assert not judged(FERRITIN, CHICAGO_CHART((ferritin(9, {"effectiveDateTime": "2026-11-22T06:00:00Z"}),))).met


def test_the_latest_value_is_the_latest_instant_not_the_latest_text() -> None:
    first = ferritin(9, {"effectiveDateTime": "2026-11-21T01:00:00Z"}, "in-first")
    last = ferritin(90, {"effectiveDateTime": "2026-11-20T23:30:00-06:00"}, "in-last")
    for observations in ((first, last), (last, first)):
        assert not judged(FERRITIN, CHICAGO_CHART(observations)).met


@pytest.mark.parametrize(
    "when",
    [
        {"effectiveInstant": "2026-11-20T08:00:00Z"}, {"effectivePeriod": {"end": "2026-11-20"}},
        {"effectiveDateTime": "2026-11", "issued": "2026-11-20T08:00:00Z"},
    ],
)  # fmt: skip
def test_a_value_is_dated_by_whatever_says_its_day(when: dict[str, Any]) -> None:
    assert judged(FERRITIN, CHICAGO_CHART((ferritin(9, when),))).met


def test_a_lab_is_known_by_any_of_its_codes() -> None:
    observation = lab("ferritin", 9)
    observation["code"] = {"coding": [{"system": "http://loinc.org", "code": "local"}, *observation["code"]["coding"]]}
    assert only(observation)[0] == "met"


SCREEN = {"id": "s", "text": "t", "result": {"name": "screen", "loinc": ["71773-6"], "within_days": 365}}


@pytest.mark.parametrize(
    ("value", "interpretation", "verdict"),
    [
        ("Positive", "NEG", "not-met"), ("Negative", "POS", "met"), (None, "NEG", "met"), (None, "POS", "not-met"),
        (None, None, "not-documented"),
    ],
)  # fmt: skip
def test_a_result_counts_before_its_interpretation(value: str | None, interpretation: str | None, verdict: str) -> None:
    screen = {k: v for k, v in lab("ferritin", 0).items() if k != "valueQuantity"}
    screen["code"] = coded("http://loinc.org", "71773-6")
    screen |= {"valueString": value} if value else {}
    screen |= {"interpretation": [coded("urn:v3", interpretation)]} if interpretation else {}
    assert judged(SCREEN, Chart(None, (screen,), TODAY)).verdicts[0].verdict == verdict


@pytest.mark.parametrize("said", ["unconfirmed", "provisional", "differential", "refuted", "entered-in-error"])
def test_a_diagnosis_that_is_not_confirmed_proves_nothing(said: str) -> None:
    rule = {"id": "d", "text": "t", "condition": {"icd10": ["K50"]}}
    doubtful = condition("crohn", "K50.00") | {"verificationStatus": coded(VERIFICATION, said)}
    assert not judged(rule, Chart(None, (doubtful,), TODAY)).met
    assert judged(rule, Chart(None, (condition("crohn", "K50.00"),), TODAY)).met


def test_a_refuted_pregnancy_sets_no_threshold() -> None:
    limits = {"male": 13, "female": 12, "pregnant": 11}
    hemoglobin = {"loinc": ["718-7"], "units": {"g/dL": 1}, "below": limits, "within_days": 90}
    rule = {"id": "h", "text": "t", "lab": hemoglobin}
    pregnant = condition("pregnancy", "Z33.1")
    mistaken = pregnant | {"verificationStatus": coded(VERIFICATION, "refuted")}
    for known, met_ in ((pregnant, False), (mistaken, True)):
        assert judged(rule, Chart(patient(), (lab("hemoglobin", Decimal("11.5")), known), TODAY)).met is met_


ORAL = {"name": "oral", "days": 28, "words": ["ferrous"]}


@pytest.mark.parametrize(
    ("changes", "met_"),
    [({"intent": "order"}, True), ({"intent": "plan"}, False), ({"intent": "proposal"}, False),
     ({"intent": "order", "doNotPerform": True}, False)],
)  # fmt: skip
def test_only_what_was_really_ordered_was_tried(changes: dict[str, Any], met_: bool) -> None:
    ordered = {
        "resourceType": "MedicationRequest", "id": "in-o", "status": "completed",
        "medicationReference": {"reference": "#iron"},
        "contained": [{"resourceType": "Medication", "id": "iron", "code": {"text": "Ferrous sulfate"}}],
        "dispenseRequest": {"validityPeriod": {"start": "2026-08-01", "end": "2026-10-01"}},
    } | changes  # fmt: skip
    assert judged({"id": "o", "text": "t", "trial": ORAL}, Chart(None, (ordered,), TODAY)).met is met_


def criteria(drugs: list[str], rule: Any) -> Figure:
    source = "a policy (2026)"
    value, scope = {"covered": True, "initial_days": 90, "rule": rule}, {"payer": "prairie-health", "drugs": drugs}
    return Figure("auth/new", "criteria", value, "rule", scope, source, "V", "payer", date(2026, 1, 1), None)


def test_a_policy_for_a_drug_we_do_not_know_is_told_at_the_start() -> None:
    with pytest.raises(PolicyError, match=r"auth/new: applies_to.drugs: keys .* which \['feric-carboxymaltose'\]"):
        check_criteria([criteria(["iron-sucrose", "feric-carboxymaltose"], None)])


def test_a_criterion_that_looks_at_nothing_we_know_is_told_at_the_start() -> None:
    odd = {"id": "c", "text": "t", "conditionn": {"icd10": ["D50"]}}
    with pytest.raises(PolicyError, match=r"auth/new: value.rule.all\[0\].any\[0\] \(c\): one of"):
        check_criteria([criteria(["iron-sucrose"], {"all": [{"any": [odd]}]})])


def test_a_right_policy_passes() -> None:
    fine = {"id": "c", "text": "t", "condition": {"icd10": ["D50"]}}
    assert check_criteria([criteria(["iron-sucrose"], {"all": [fine]}), criteria(["infliximab"], None)]) is None
