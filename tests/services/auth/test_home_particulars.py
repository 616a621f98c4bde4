"""What an order for the home says beside drug and diagnosis, and what is then told of who pays and by which codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.benefit.billed_by import billed_by
from services.auth.benefit.particulars import Particulars, particulars_of
from services.auth.facts import facts_of
from shared.catalogue import HCPCS, drug
from tests.services.auth.home import HOME, benefits
from tests.services.auth.journey import Journey
from tests.services.auth.patient import START, coded, condition, coverage, medication, order, patient

MILRINONE, FLUOROURACIL = ("milrinone", "J2260"), ("fluorouracil", "J9190")
CASES = yaml.safe_load((Path(__file__).with_name("cases") / "home-particulars.yaml").read_text(encoding="utf-8"))
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def details(codes: list[str]) -> list[Any]:
    return [coded(HCPCS, code) for code in codes]


def placers(codes: list[str], words: str = "") -> dict[str, Any]:
    """The order as the placer wrote it."""
    said = details(codes) + ([{"text": words}] if words else [])
    return {**order(MILRINONE, intent="order"), "id": "in-received", "basedOn": [], "orderDetail": said}


def conditions(rows: list[list[Any]]) -> list[dict[str, Any]]:
    found = []
    for at, (icd10, onset, *verified) in enumerate(rows):
        said = {"onsetDateTime": str(onset)} if onset else {}
        status = {"verificationStatus": coded(VERIFICATION, verified[0])} if verified else {}
        found.append({**condition(f"c{at}", icd10), **said, **status})
    return found


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in CASES])
def test_what_an_order_says_beside_drug_and_diagnosis(case: dict[str, Any]) -> None:
    ours = order(MILRINONE, orderDetail=details(case.get("ours", [])))
    period = {"period": {"start": str(case["begins"])}} if "begins" in case else {}
    known = [ours, placers(case.get("placers", []), case.get("words", "")), *conditions(case.get("conditions", []))]
    found = particulars_of(ours, facts_of(known), {**coverage("original-medicare"), **period})
    assert found == Particulars(frozenset(case.get("equipment", ())), case.get("transplanted", False))


def inotrope(*device: str, site: Any = HOME, ordered: tuple[str, str] = MILRINONE) -> list[Any]:
    """A referral under original Medicare by such a device."""
    found = order(ordered, locationCode=site) if site else order(ordered)
    known = [patient(), coverage("original-medicare"), condition("anemia", "I50.84"), medication(20)]
    return [found, placers([*device]), *known]


def texts(journey: Journey) -> list[str]:
    """What is told of drug, nursing and supplies."""
    return [journey.outputs(f"benefit-{part}")[0]["text"] for part in ("drug", "nursing", "supplies")]


def test_a_pump_at_home_is_told_with_the_codes_medicare_is_billed_by() -> None:
    journey = Journey().benefit_known(*inotrope("E0781"), required=False)
    assert benefits(journey) == ["part-b-dme", "part-b-home-infusion", "part-b-dme"]
    drug_, nursing, supplies = texts(journey)
    assert drug_.endswith(": J2260")
    assert nursing.endswith(": G0088 for the first visit, G0068 for others")
    assert supplies.endswith("pump E0779 or E0780 or E0781 or E0791 or K0455, supplies A4221, A4222, K0552")


def test_a_disposable_device_takes_the_benefit_away_before_anybody_is_asked() -> None:
    journey = Journey()
    decision = journey.hears(*inotrope("A4305"))
    assert journey.status == ("not-covered", "rejected")
    assert decision.refusals == ("home-not-covered",)
    assert benefits(journey) == ["none"] * 3
    assert "modifier GY" in journey.task["statusReason"]["text"]
    assert "modifier GY" in texts(journey)[0]
    assert journey.of("CoverageEligibilityRequest") == []


def test_an_infusion_begun_in_a_chair_has_no_benefit_of_the_home() -> None:
    """Row 3: it is claimed as begun there, whatever pump the patient carries home."""
    journey = Journey().benefit_known(*inotrope("E0781", site=None, ordered=FLUOROURACIL), required=False)
    assert journey.outputs("benefit-drug") == []


@pytest.mark.parametrize(
    ("hcpcs", "part", "benefit", "words"),
    [
        ("J1559", "drug", "part-b-dme", "J1559 with modifier JB"),
        ("J1559", "supplies", "part-b-dme", "pump E0779 with modifier JB, supplies A4221, A4222, K0552"),
        ("J1558", "supplies", "part-b-dme", "pump E0779 or E0781 with modifier JB, supplies A4221, A4222, K0552"),
        ("J1559", "nursing", "part-b-home-infusion", "G0089 for the first visit, G0069 for others"),
        ("J3285", "supplies", "part-b-dme", "pump K0455, supplies A4221, A4222, K0552"),
        ("J9190", "nursing", "part-b-home-infusion", "G0090 for the first visit, G0070 for others"),
        ("J1817", "supplies", "part-b-dme", "pump E0784, supplies A4224, A4225"),
        ("J1559", "drug", "part-d", ""),
    ],
)
def test_each_part_is_told_with_its_codes(hcpcs: str, part: str, benefit: str, words: str) -> None:
    known = drug("fluorouracil" if hcpcs == "J9190" else "milrinone")
    assert known is not None
    assert billed_by(benefit, part, known, hcpcs, START) == words
