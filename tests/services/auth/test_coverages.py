"""Of several Coverages the request goes to the one that pays first, and the Task says why; the rest a person says."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.benefit.coordination import (
    COVERAGE_CLASS,
    COVERAGE_TYPE,
    RELATIONSHIP,
    Circumstances,
    Plan,
    Precedence,
    precedence,
)
from services.auth.benefit.coverages import FIGURES
from tests.services.auth.journey import Journey, benefit_answer
from tests.services.auth.patient import START, coded, coverage, order, patient, policy, referral


def rows() -> list[Any]:
    file = Path(__file__).with_name("cases") / "coverage-order.yaml"
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load(file.read_text(encoding="utf-8"))]


def plan(key: str, said: dict[str, Any]) -> Plan:
    made = coverage(id=key)
    made |= {"relationship": coded(RELATIONSHIP, said["relation"])} if "relation" in said else {}
    made |= {"type": coded(COVERAGE_TYPE, said["type"])} if "type" in said else {}
    made |= {"order": said["told"]} if "told" in said else {}
    made |= {"period": {"start": str(said["begins"])}} if "begins" in said else {}
    kind = "group" if said.get("group") else "plan"
    made |= {"class": [{"type": coded(COVERAGE_CLASS, kind), "value": "1", "name": said.get("named", "")}]}
    return Plan(made, said["line"], said.get("parent"))


def decided(case: dict[str, Any], *, reversed_: bool = False) -> Precedence:
    on: date = case.get("day", START)
    answers = frozenset({case["answer"]} if "answer" in case else ())
    figures = {name: policy().figures.value(name, on) for name in FIGURES}
    who = Circumstances(on, case.get("born", date(1981, 4, 9)), case.get("renal", False), answers, figures)
    plans = [plan("one", case["one"]), plan("two", case["two"])]
    return precedence(plans[::-1] if reversed_ else plans, who)


@pytest.mark.parametrize("case", rows())
def test_which_pays_first_follows_from_what_is_documented_or_is_asked(case: dict[str, Any]) -> None:
    for reversed_ in {False, "answer" not in case}:
        found = decided(case, reversed_=reversed_)
        if "ask" in case:
            assert case["ask"] in found.unknown
            assert found.why == ""
        else:
            assert found.plans[0].coverage["id"] == case["first"]
            assert (case["why"] in found.why, found.unknown) == (True, "")


def test_of_three_the_first_is_before_each_other() -> None:
    plans = [
        plan("last", {"line": "medicaid"}), plan("mine", {"line": "commercial", "relation": "self"}),
        plan("theirs", {"line": "commercial", "relation": "spouse"}),
    ]  # fmt: skip
    found = precedence(plans, Circumstances(START, None, False, frozenset(), {}))
    assert [p.coverage["id"] for p in found.plans] == ["mine", "last", "theirs"]
    assert found.why == "Medicaid pays last; the patient's own plan pays before one he depends on"


# On the Task


def both(**second: Any) -> list[dict[str, Any]]:
    """A referral with a plan of the patient's own, listed after another one."""
    named = [{"reference": "Coverage/in-second"}, {"reference": "Coverage/in-coverage"}]
    own = coverage(relationship=coded(RELATIONSHIP, "self"))
    other = coverage("arkansas-bcbs", id="in-second", **second)
    return [order(insurance=named), patient(), own, other, *referral()[3:]]


def asked_of(journey: Journey) -> list[str]:
    return [r["insurance"][0]["coverage"]["reference"] for r in journey.of("CoverageEligibilityRequest")]


def test_the_request_goes_to_the_coverage_the_rule_names_and_the_task_says_why() -> None:
    journey = Journey().benefit_known(*both(relationship=coded(RELATIONSHIP, "spouse")))
    assert asked_of(journey) == ["Coverage/in-coverage"]
    assert journey.one("Claim")["insurance"][0]["coverage"]["reference"] == "Coverage/in-coverage"
    (first,) = journey.outputs("pays-first")
    assert first["reference"] == "Coverage/in-coverage"
    assert first["display"] == "First of 2: the patient's own plan pays before one he depends on"


def test_where_nothing_documents_it_a_person_is_asked_and_no_payer() -> None:
    journey = Journey()
    journey.hears(*both())
    assert journey.status == ("question", "on-hold")
    assert asked_of(journey) == []
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "as-listed")
    assert asked_of(journey) == ["Coverage/in-second"]
    assert journey.outputs("pays-first")[0]["display"].endswith("as a person verified")


def test_the_referrer_who_corrects_it_closes_the_question() -> None:
    journey = Journey()
    journey.hears(*both())
    journey.hears(coverage(order=1), coverage("arkansas-bcbs", id="in-second", order=2))
    (question,) = journey.tasks("authorization-question")
    assert question["status"] == "cancelled"
    assert asked_of(journey) == ["Coverage/in-coverage"]


def test_a_coverage_the_order_does_not_name_does_not_compete() -> None:
    journey = Journey()
    journey.hears(*referral(), coverage("arkansas-bcbs", id="in-second"))
    assert asked_of(journey) == ["Coverage/in-coverage"]
    assert journey.outputs("pays-first") == []


def test_what_the_placers_own_request_names_is_what_he_wants_billed() -> None:
    received = order(id="in-received", intent="order", basedOn=[])
    journey = Journey()
    journey.hears(*both(), received)
    assert asked_of(journey) == ["Coverage/in-coverage"]


def test_two_numbers_with_one_payer_are_one_plan() -> None:
    journey = Journey()
    named = [{"reference": "Coverage/in-second"}, {"reference": "Coverage/in-coverage"}]
    journey.hears(order(insurance=named), *referral()[1:], coverage(id="in-second", subscriberId="PHP-2"))
    assert asked_of(journey) == ["Coverage/in-second"]


def test_a_drug_plan_alone_pays_no_infusion_in_a_chair() -> None:
    named = [{"reference": "Coverage/in-part-d"}, {"reference": "Coverage/in-coverage"}]
    journey = Journey()
    journey.hears(order(insurance=named), *referral()[1:], coverage("silver-drugs", id="in-part-d"))
    assert asked_of(journey) == ["Coverage/in-coverage"]


def test_a_coverage_that_comes_once_the_payer_was_asked_takes_nothing_back() -> None:
    journey = Journey().approved()
    named = [{"reference": "Coverage/in-coverage"}, {"reference": "Coverage/in-second"}]
    journey.hears(order(insurance=named), coverage("arkansas-bcbs", id="in-second"))
    assert journey.status == ("approved", "completed")


def test_what_both_benefits_of_a_plan_would_pay_stands_side_by_side() -> None:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    answer = benefit_answer(request)
    sides = [coded("https://codesystem.x12.org/005010/1365", code) for code in ("1", "88")]
    (item,) = answer["insurance"][0]["item"]
    answer["insurance"][0]["item"] = [
        {**item, "modifier": [sides[0]], "authorizationRequired": True},
        {**item, "modifier": [sides[1]], "authorizationRequired": False},
    ]
    journey.answered("benefit-answered", request, answer)
    medical, pharmacy = journey.outputs("benefit-compared")
    assert [c["coding"][0]["code"] for c in (medical, pharmacy)] == ["medical", "pharmacy"]
    assert "An authorization is needed." in medical["text"]
    assert "No authorization is needed." in pharmacy["text"]
    assert journey.status == ("submitted", "in-progress")
