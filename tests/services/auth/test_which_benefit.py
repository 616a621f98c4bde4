"""Where medical and pharmacy benefit could both pay, both stand side by side and a person says which is gone by."""

from __future__ import annotations

from typing import Any

import pytest

from services.auth.service import declared
from shared.core import Resource
from shared.settings import Site
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import PRACTICE, coded, referral
from tests.services.auth.pharmacy import ELECTRONIC, FAXING, SERVICE_TYPE, open_question

TYPE = "http://terminology.hl7.org/CodeSystem/benefit-type"
CHANNEL = "https://carepod.example/fhir/CodeSystem/acquisition-channel"


def by_both(request: Resource, medical: bool = True, pharmacy: bool = True) -> dict[str, Any]:
    """Both benefits pay; each says whether it wants an authorization, and what the patient pays."""
    answer = benefit_answer(request)
    (item,) = answer["insurance"][0]["item"]
    percent = {"type": coded(TYPE, "copay-percent"), "allowedUnsignedInt": 20}
    copay = {"type": coded(TYPE, "copay"), "allowedMoney": {"value": 150, "currency": "USD"}}
    bag = coded(CHANNEL, "white-bag")
    answer["insurance"][0]["item"] = [
        item | {"modifier": [coded(SERVICE_TYPE, "1")], "authorizationRequired": medical, "benefit": [percent]},
        item | {"modifier": [coded(SERVICE_TYPE, "88"), bag], "authorizationRequired": pharmacy, "benefit": [copay]},
    ]
    return answer


def both_pay(site: Site = ELECTRONIC, **needed: bool) -> Journey:
    journey = Journey(service=declared(site))
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, by_both(request, **needed))
    return journey


def chosen(benefit: str, site: Site = ELECTRONIC, **needed: bool) -> Journey:
    journey = both_pay(site, **needed)
    journey.person(open_question(journey, "which-benefit"), benefit)
    return journey


def test_both_are_told_side_by_side_with_share_channel_and_who_is_asked() -> None:
    journey = both_pay()
    medical, pharmacy = journey.outputs("benefit-compared")
    assert [c["coding"][0]["code"] for c in (medical, pharmacy)] == ["medical", "pharmacy"]
    for words in ("Coinsurance: 20 %", "An authorization is needed", "asked of Prairie-Health", "on 2026-11-21"):
        assert words in medical["text"], words
    for words in ("Copay: 150 USD", "specialty pharmacy", "asked of Prairie-Rx", "Told by Prairie-Health"):
        assert words in pharmacy["text"], words


def test_a_person_is_asked_with_both_in_the_question_and_nothing_goes_out_before() -> None:
    journey = both_pay()
    assert journey.status == ("question", "on-hold")
    text = open_question(journey, "which-benefit")["input"][0]["valueString"]
    assert "Coinsurance: 20 %" in text
    assert "Copay: 150 USD" in text
    assert journey.of("Claim") == []


def test_by_medical_it_is_asked_for_as_ever() -> None:
    journey = chosen("medical")
    assert journey.one("Claim")["insurer"]["identifier"]["value"] == "prairie-health"
    assert journey.of("QuestionnaireResponse") == []


@pytest.mark.parametrize(("site", "status"), [(ELECTRONIC, "investigating"), (FAXING, "question")])
def test_by_pharmacy_its_question_set_is_had(site: Site, status: str) -> None:
    journey = chosen("pharmacy", site)
    assert journey.status[0] == status
    assert journey.one("QuestionnaireResponse")["identifier"]["assigner"]["identifier"]["value"] == "prairie-rx"


@pytest.mark.parametrize(
    ("benefit", "medical", "pharmacy", "needed"),
    [
        ("medical", False, True, False),
        ("medical", True, False, True),
        ("pharmacy", True, False, False),
        ("pharmacy", False, True, True),
    ],
)
def test_whether_an_authorization_is_needed_is_that_benefits_word(
    benefit: str, medical: bool, pharmacy: bool, needed: bool
) -> None:
    journey = chosen(benefit, medical=medical, pharmacy=pharmacy)
    assert (journey.status[0] != "not-required") is needed


def test_the_choice_holds_once_it_was_asked_for() -> None:
    journey = chosen("medical")
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.status == ("approved", "completed")


def test_a_practice_without_a_way_to_ask_the_pharmacy_benefit_goes_by_medical() -> None:
    journey = both_pay(PRACTICE)
    assert journey.status == ("submitted", "in-progress")
    assert "There is no way to ask it." in journey.outputs("benefit-compared")[1]["text"]
