"""What a payer says of a benefit stands on the Task, with when and from whom; what it does not say is said as well."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.words import COST_SHARE, EVIDENCE, OUTPUT, code_of
from shared.catalogue import HCPCS
from shared.core import CANONICAL, reference
from tests.services.auth.journey import Journey, benefit_answer
from tests.services.auth.patient import coded, coverage, order, referral

HL7 = "http://terminology.hl7.org/CodeSystem/"
X12 = "https://codesystem.x12.org/005010/"
SYSTEMS = {
    "hl7": (HL7 + "ex-benefitcategory", HL7 + "benefit-type"),
    "x12": (X12 + "1365", X12 + "1390"),
    "pos": ("https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set",) * 2,
    "own": (CANONICAL + "CodeSystem/acquisition-channel",) * 2,
}
KINDS = ("covered", "paid-under", "authorization-needed", "network", "acquisition", "place-of-care")


def cases() -> list[Any]:
    file = Path(__file__).with_name("cases") / "benefits.yaml"
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load(file.read_text(encoding="utf-8"))]


def named(text: str, place: int = 0) -> dict[str, Any]:
    system, code = text.split()
    return coded(SYSTEMS[system][place], code)


def item(said: Mapping[str, Any]) -> dict[str, Any]:
    """An item as its case abbreviates it."""
    made = {k: v for k, v in said.items() if k in ("excluded", "authorizationRequired")}
    if "product" in said:
        made["productOrService"] = coded(HCPCS, said["product"])
    if "category" in said:
        made["category"] = named(said["category"])
    made |= {k: coded(f"{HL7}benefit-{k}", said[k]) for k in ("network", "unit", "term") if k in said}
    made |= {"modifier": [named(m) for m in said["modifier"]]} if "modifier" in said else {}
    return made | ({"benefit": [benefit(b) for b in said["benefit"]]} if "benefit" in said else {})


def benefit(said: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": named(said["type"], 1)}
    if "allowed" in said:
        made["allowedMoney"] = {"value": Decimal(str(said["allowed"])), "currency": "USD"}
    if "used" in said:
        made["usedMoney"] = {"value": Decimal(f"{said['used']:.2f}" if said["used"] % 1 else str(said["used"]))}
        made["usedMoney"]["currency"] = said.get("in", "USD")
    made |= {"allowedUnsignedInt": said["percent"]} if "percent" in said else {}
    return made | ({"allowedString": said["words"]} if "words" in said else {})


def told(*items: dict[str, Any], payer: str = "arkansas-bcbs", **answer: Any) -> Journey:
    """Until the payer gave this answer."""
    journey = Journey()
    journey.hears(*referral(payer_id=payer))
    request = journey.one("CoverageEligibilityRequest")
    given = {**benefit_answer(request), **answer}
    given["insurance"] = [{**given["insurance"][0], "item": list(items)}]
    journey.answered("benefit-answered", request, given)
    return journey


def codes(journey: Journey, kind: str) -> list[str]:
    return [c["code"] for o in journey.outputs(kind) for c in o["coding"]]


@pytest.mark.parametrize("case", cases())
def test_every_finding_is_the_payers_word_or_said_to_be_missing(case: dict[str, Any]) -> None:
    journey = told(*map(item, case["items"]), payer="prairie-health")
    found = {kind: codes(journey, kind) for kind in KINDS}
    policy = {"place-of-care": ["aic", "home"]}
    wanted = {
        kind: [case["found"][kind]] if kind in case["found"] else policy.get(kind, ["not-told"]) for kind in KINDS
    }
    assert found == wanted
    costs = [c["text"] for c in journey.outputs("cost-share")]
    assert costs == case.get("costs", ["The patient's share: not told"])


def test_the_findings_name_the_payer_the_time_and_the_answer() -> None:
    journey = told(item({"product": "J1439", "authorizationRequired": True}), created="2026-11-20T09:30:00Z")
    (output,) = [o for o in journey.task["output"] if code_of(o["type"], OUTPUT) == "benefit-told"]
    note = output["valueAnnotation"]
    assert (note["authorString"], note["time"]) == ("Arkansas-Bcbs", "2026-11-20T09:30:00Z")
    assert "An authorization is needed." in note["text"]
    assert "Network status of the infusion provider: not told." in note["text"]
    answer = journey.one("CoverageEligibilityResponse")
    assert output["extension"] == [{"url": EVIDENCE, "valueReference": {"reference": reference(answer)}}]


def test_sums_are_told_with_their_currency() -> None:
    cost = {"type": "hl7 deductible", "allowed": 1500, "used": 900}
    journey = told(item({"product": "J1439", "unit": "individual", "term": "annual", "benefit": [cost]}))
    (output,) = [o for o in journey.task["output"] if code_of(o["type"], OUTPUT) == "cost-share"]
    ((share),) = output["extension"]
    assert share["url"] == COST_SHARE
    assert {p["url"]: (p["valueMoney"]["value"], p["valueMoney"]["currency"]) for p in share["extension"]} == {
        "allowed": (1500, "USD"), "used": (900, "USD"), "left": (600, "USD"),
    }  # fmt: skip


def test_a_coverage_that_is_not_in_force_says_nothing_else() -> None:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, benefit_answer(request, inforce=False))
    assert codes(journey, "covered") == ["not-in-force"]
    assert [journey.outputs(k) for k in (*KINDS[1:], "cost-share")] == [[]] * 6


def test_a_drug_the_pharmacy_benefit_alone_pays_is_not_asked_of_the_medical_one() -> None:
    medical = item({"product": "J1439", "modifier": ["x12 1"], "excluded": True})
    journey = told(medical, item({"product": "J1439", "modifier": ["x12 88"]}))
    assert journey.status == ("not-covered", "rejected")
    assert "pharmacy benefit alone" in journey.task["statusReason"]["text"]
    assert journey.of("Claim") == []


@pytest.mark.parametrize(("drug", "channel"), [("infliximab", "white-bag"), ("infliximab-dyyb", "not-told")])
def test_where_the_payer_is_silent_its_policy_says_how_a_drug_is_acquired(drug: str, channel: str) -> None:
    code = {"infliximab": "J1745", "infliximab-dyyb": "Q5103"}[drug]
    journey = Journey().benefit_known(order((drug, code)), *referral()[1:])
    assert codes(journey, "acquisition") == [channel]


def test_original_medicare_pays_a_chair_for_a_drug_the_practice_bought() -> None:
    """Row 1 of table B1: given incident to a practitioner, Part B, buy and bill; nothing of the home is told."""
    journey = Journey().benefit_known(*referral(payer_id="original-medicare"), required=False)
    assert codes(journey, "acquisition") == ["buy-and-bill"]
    assert journey.outputs("benefit-drug") == []


def test_the_payers_word_on_the_place_stands_before_its_policy() -> None:
    journey = told(item({"product": "J1439", "modifier": ["pos 22"]}))
    assert codes(journey, "place-of-care") == ["hopd"]
    assert codes(told(item({"product": "J1439"})), "place-of-care") == ["aic", "home"]


@pytest.mark.parametrize(
    ("starts", "until"), [("2026-11-23", "2027-01-06"), ("2026-12-31", "2027-02-13"), ("2028-01-16", "2028-02-29")]
)
def test_the_days_a_hospital_is_paid_without_an_exception_are_told_with_their_last(starts: str, until: str) -> None:
    """The invented plan's 45 days: of the therapy's first day on, that one included."""
    journey = Journey().benefit_known(order(occurrencePeriod={"start": starts}), *referral()[1:])
    assert f"a hospital for the first 45 days, until {until}," in journey.outputs("place-of-care")[0]["text"]


def test_a_policy_without_such_days_pays_a_hospital_by_exception() -> None:
    journey = Journey().benefit_known(order(), *referral(payer_id="arkansas-bcbs")[1:], coverage("arkansas-bcbs"))
    assert "a hospital by exception" in journey.outputs("place-of-care")[0]["text"]


def test_a_policy_that_does_not_count_yet_on_the_date_of_service_says_nothing() -> None:
    """Arkansas BCBS 2018030 is in force from 2026-02-15."""
    for day, found in (("2026-02-14", ["not-told"]), ("2026-02-15", ["aic", "home"])):
        journey = Journey().benefit_known(
            order(occurrencePeriod={"start": day}), *referral(payer_id="arkansas-bcbs")[1:], coverage("arkansas-bcbs")
        )
        assert codes(journey, "place-of-care") == found


def test_a_revoked_order_has_no_benefit() -> None:
    journey = told(item({"product": "J1439"}))
    journey.hears(order(status="revoked"))
    assert journey.outputs("covered") == []


def test_the_published_example_of_a_whole_plan_is_read() -> None:
    """Shape of the R4 example E2501 (benefits): plan terms by category, no product; the drug itself is not named."""
    plan = item({"category": "hl7 30", "network": "in", "unit": "individual", "term": "annual", "benefit": [
        {"type": "hl7 benefit", "allowed": 500000}, {"type": "hl7 copay-maximum", "allowed": 100},
        {"type": "hl7 copay-percent", "percent": 20},
    ]})  # fmt: skip
    dental = item({"category": "hl7 F3", "benefit": [{"type": "hl7 benefit", "allowed": 2000}]})
    journey = told(plan, dental, payer="prairie-health")
    assert codes(journey, "covered") == ["not-told"]
    assert codes(journey, "cost-share") == ["benefit-maximum", "copay-maximum", "coinsurance"]
    assert journey.of("Claim"), "a payer that is silent about the drug is asked"
