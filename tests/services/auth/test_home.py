"""Which benefit pays an infusion at home, what is asked of the payer for it, and how its visits are answered."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.benefit.particulars import Particulars
from services.auth.wire.bundles import request_bundle
from services.auth.wire.claims import PAS
from shared.catalogue import drug
from tests.services.auth.home import (
    answers,
    asked,
    benefits,
    creatinine,
    ivig,
    opat,
    prognosis,
    units,
    vancomycin,
    visit,
)
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.outward import broken_request
from tests.services.auth.patient import PRACTICE, START, coverage, order, payer, policy

PER_DIEM = {24: "S9500", 12: "S9501", 8: "S9502", 6: "S9503", 4: "S9504"}


def approved_at_home(*resources: Any, granted: Any = None, days: int = 90) -> Journey:
    return Journey().approved(*(resources or opat()), units=granted, days=days)


# The benefit


def rows() -> list[Any]:
    file = Path(__file__).with_name("cases") / "home-benefits.yaml"
    return [pytest.param(row, id=row["name"]) for row in yaml.safe_load(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", rows())
def test_the_first_row_that_fits_says_who_pays_at_home(case: dict[str, Any]) -> None:
    known, on = drug(case["drug"]), case.get("day", START)
    assert known is not None
    billing = known.billing_on(on)
    code = case.get("hcpcs", billing and billing.code)
    assert code is not None
    said = Particulars(frozenset(case.get("equipment", ())), case.get("transplanted", False))
    found = policy().home_benefit(payer("any", case["line"]), known, code, (case["icd10"],), on, said)
    assert (found.applies_to["row"] if found else None) == case["row"]
    assert "pays" not in case or (found and found.value["drug"]) == case["pays"]


def test_a_commercial_plan_pays_drug_days_and_visits_as_medical_benefit() -> None:
    journey = Journey().benefit_known(*opat())
    assert journey.status == ("submitted", "in-progress")
    assert benefits(journey) == ["medical"] * 3
    proof = journey.one("CoverageEligibilityResponse")["id"]
    outputs = [o for o in journey.task["output"] if o["type"]["coding"][0]["code"] == "benefit-drug"]
    assert outputs[0]["extension"][0]["valueReference"]["reference"].endswith(proof)


def test_a_chair_has_no_benefit_of_the_home() -> None:
    aic = order(("vancomycin", "J3373"))
    journey = Journey().benefit_known(*opat()[1:], aic)
    assert journey.outputs("benefit-drug") == []
    assert asked(journey) == {"J3373": 10500}


@pytest.mark.parametrize("diagnosis", ["D83.9", "D80.0", "D80.2", "D80.7", "G11.3", "D81.89", "D82.1"])
def test_medicare_pays_immune_globulin_at_home_for_primary_immune_deficiency_without_asking(diagnosis: str) -> None:
    journey = Journey().benefit_known(*ivig(diagnosis=diagnosis), required=False)
    assert journey.status == ("not-required", "completed")
    assert benefits(journey) == ["part-b-ivig"] * 3
    assert "Q2052" in journey.outputs("benefit-nursing")[0]["text"]
    assert journey.of("Claim") == []


@pytest.mark.parametrize("diagnosis", ["D80.1", "D80.8", "D81.3", "D82.3", "G61.81", "D69.3"])
def test_medicare_pays_immune_globulin_at_home_for_nothing_else(diagnosis: str) -> None:
    """Row 2a: G61.81 is CIDP, D69.3 ITP."""
    journey = Journey()
    decision = journey.hears(*ivig(diagnosis=diagnosis))
    assert journey.status == ("not-covered", "rejected")
    assert decision.refusals == ("home-not-covered",)
    assert benefits(journey) == ["part-d", "none", "none"]
    assert journey.of("CoverageEligibilityRequest") == []


def test_no_authorization_is_asked_of_original_medicare_even_where_its_answer_is_silent_about_it() -> None:
    journey = Journey().benefit_known(*ivig(), required=True)
    assert journey.status == ("not-required", "completed")


def test_a_medicare_advantage_plan_may_ask_for_authorization_of_the_same() -> None:
    journey = Journey().benefit_known(*ivig("lakeland-advantage"))
    assert journey.status == ("submitted", "in-progress")
    assert asked(journey) == {"J1561": 360, "Q2052": 6}


def test_original_medicare_does_not_pay_an_antibiotic_at_home() -> None:
    journey = Journey()
    journey.hears(*opat("original-medicare"))
    assert journey.status == ("not-covered", "rejected")
    assert "Part D" in journey.task["statusReason"]["text"]


def test_beside_original_medicare_the_part_d_plan_is_asked_and_a_person_agrees_who_pays_the_nursing() -> None:
    plan = {**coverage("silver-drugs"), "id": "in-part-d"}
    both = [{"reference": "Coverage/in-coverage"}, {"reference": "Coverage/in-part-d"}]
    journey = Journey().benefit_known(*opat("original-medicare", insurance=both), plan, required=False)
    assert journey.one("CoverageEligibilityRequest")["insurance"][0]["coverage"]["reference"] == "Coverage/in-part-d"
    assert journey.status == ("question", "on-hold")
    (question,) = journey.tasks("authorization-question")
    assert question["input"][0]["type"]["coding"][0]["code"] == "home-partly-paid"
    journey.person(question, "accepted")
    assert journey.status == ("not-required", "completed")


def test_a_plan_with_supplemental_home_infusion_is_asked_for_days_and_visits_too() -> None:
    journey = Journey().benefit_known(*opat("lakeland-advantage"))
    assert benefits(journey) == ["part-d", "supplemental", "supplemental"]
    assert asked(journey) == {"J3373": 10500, "S9501": 42, "99601": 11}
    assert any("home-benefits, a draft adopted by" in n["text"] for n in journey.task["note"])


# What is asked for


@pytest.mark.parametrize("hours", PER_DIEM)
def test_the_per_diem_code_hangs_on_the_hours_between_two_doses(hours: int) -> None:
    journey = Journey().benefit_known(*opat(prescribed=vancomycin(14, hours)))
    assert asked(journey)[PER_DIEM[hours]] == 14


@pytest.mark.parametrize(("days", "visits"), [(13, 7), (14, 7), (15, 8), (42, 11)])
def test_visits_are_asked_for_by_the_week(days: int, visits: int) -> None:
    """One assessment, two teachings, one each week begun, two unscheduled."""
    assert asked(Journey().benefit_known(*opat(prescribed=vancomycin(days))))["99601"] == visits


def test_a_nurse_who_infuses_is_asked_for_by_the_dose_with_the_hours_beyond_two() -> None:
    """300 minutes the first time, 230 later: three and two hours beyond the first two."""
    found = asked(Journey().benefit_known(*ivig("prairie-health")))
    assert found == {"J1561": 360, "S9338": 6, "99601": 8, "99602": 3 + 5 * 2}


@pytest.mark.parametrize(("value", "days", "status"), [(9.9, 14, "submitted"), (10, 14, "needs-information")])
def test_the_criteria_of_the_antibiotic_hold_at_the_threshold(value: Any, days: int, status: str) -> None:
    given = [*opat()[:-1], creatinine(Decimal(str(value)))]
    assert Journey().benefit_known(*given).status[0] == status


async def test_the_request_keeps_pas_with_prognosis_and_start_of_home_health_care() -> None:
    journey = Journey().benefit_known(*opat(), prognosis())
    claim = journey.one("Claim")
    (told,) = [e for e in claim["extension"] if e["url"] == PAS + "extension-homeHealthCareInformation"]
    assert [e["url"] for e in told["extension"]] == ["prognosis", "date"]
    assert told["extension"][1]["valueDate"] == START.isoformat()
    bundle = request_bundle(claim, await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    assert broken_request(bundle) == []
    systems = [i["productOrService"]["coding"][0]["system"] for i in bundle["entry"][0]["resource"]["item"]]
    assert [s.rpartition("/")[2] for s in systems] == ["HCPCSReleaseCodeSets", "cpt", "HCPCSReleaseCodeSets"]


async def test_without_a_prognosis_nothing_is_said_of_home_health_care() -> None:
    claim = Journey().benefit_known(*opat()).one("Claim")
    assert not any("homeHealth" in e["url"] for e in claim["extension"])


# Visits


def test_a_visit_that_infuses_nothing_reserves_a_visit_and_no_drug() -> None:
    journey = approved_at_home()
    journey.hears(visit("teach", 1))
    charge = journey.one("ChargeItem")
    assert charge["identifier"][0]["value"] == "in-order|teach-1|99601"
    assert charge["code"]["coding"][0]["system"] == "http://www.ama-assn.org/go/cpt"
    assert units(journey, "units-left") == {"J3373": 10500, "S9501": 42, "99601": 10}
    assert list(answers(journey)) == ["reserved"]


def test_visits_of_two_kinds_with_the_same_number_each_take_their_own() -> None:
    journey = approved_at_home()
    for kind in ("assessment", "teach", "dressing"):
        journey.hears(visit(kind, 1))
    assert units(journey, "units-left")["99601"] == 8


def test_an_infusion_at_home_takes_drug_day_and_hours_all_or_none() -> None:
    journey = approved_at_home(*ivig("prairie-health"))
    journey.hears(visit("infusion", 1))
    assert units(journey, "units-left") == {"J1561": 300, "S9338": 5, "99601": 7, "99602": 10}
    refused = journey.hears(visit("infusion", 2, on=START + timedelta(days=120)))
    assert refused.refusals == ("outside-period",)
    assert len(journey.of("ChargeItem")) == 4


def test_a_chair_and_a_home_visit_of_the_same_dose_share_its_units() -> None:
    journey = approved_at_home(*ivig("prairie-health"))
    journey.hears(visit("infusion", 1))
    chair = {**visit("infusion", 1, key="chair"), "serviceCategory": []}
    journey.hears(chair)
    assert units(journey, "units-left")["J1561"] == 300


def test_a_visit_the_authorization_does_not_name_needs_nothing() -> None:
    journey = approved_at_home(*ivig("lakeland-advantage"))
    journey.hears(visit("assessment", 1))
    assert (list(answers(journey)), journey.of("ChargeItem")) == (["not-needed"], [])
    journey.hears(visit("infusion", 1))
    assert units(journey, "units-left") == {"J1561": 300, "Q2052": 5}


def test_where_nothing_is_to_be_authorized_every_visit_needs_nothing() -> None:
    journey = Journey().benefit_known(*ivig(), required=False)
    journey.hears(visit("assessment", 1), visit("infusion", 1))
    assert (list(answers(journey)), journey.of("ChargeItem")) == (["not-needed"] * 2, [])


def test_a_visit_before_the_approval_is_refused() -> None:
    journey = Journey().benefit_known(*opat())
    assert journey.hears(visit("teach", 1)).refusals == ("not-authorized",)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.hears(visit("teach", 1, hold=2)).reason == "dose-reserved"


@pytest.mark.parametrize(("granted", "answer"), [(2, "reserved"), (1, "refused")])
def test_visits_are_refused_once_those_authorized_are_used(granted: int, answer: str) -> None:
    journey = Journey().benefit_known(*opat())
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, units=granted))
    journey.hears(visit("dressing", 1))
    journey.hears(visit("dressing", 2))
    assert list(answers(journey)) == ["reserved", answer]


def test_a_moved_visit_carries_its_unit_along_and_a_cancelled_one_gives_it_back() -> None:
    journey = approved_at_home()
    journey.hears(visit("dressing", 1))
    journey.hears(visit("dressing", 1, "booked"))
    moved = visit("dressing", 1, on=START + timedelta(days=1), key="later")
    journey.hears(moved)
    assert units(journey, "units-left")["99601"] == 10
    journey.hears(visit("dressing", 1, "cancelled"), {**moved, "status": "booked"})
    assert units(journey, "units-left")["99601"] == 10
    journey.hears({**moved, "status": "cancelled"})
    assert units(journey, "units-left")["99601"] == 11


def test_a_visit_made_counts_as_given() -> None:
    journey = approved_at_home()
    journey.hears(visit("assessment", 1))
    journey.hears(visit("assessment", 1, "fulfilled"))
    assert journey.one("ChargeItem")["status"] == "billable"
