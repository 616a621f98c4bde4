"""What was authorized by weight, or for a prescriber, is looked at again when that is another one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from services.auth.words import question_code
from shared.core import Resource
from tests.services.auth.journey import Journey
from tests.services.auth.patient import medication, order, referral, weight


def by_weight(kilograms: Any = 80, action: bool = True) -> Journey:
    """An approved request whose doses are counted by a weight."""
    rest = [r for r in referral() if r["resourceType"] != "MedicationRequest"]
    resources = [*rest, medication(10, 2, "mg/kg"), weight(kilograms)]
    return Journey().approved(*resources) if action else Journey().benefit_known(*resources)


def weighed(kilograms: Any, key: str = "in-weighed", days_ago: int = 1) -> dict[str, Any]:
    day = weight(kilograms)["effectiveDateTime"]
    return {**weight(kilograms), "id": key, "effectiveDateTime": day[:-2] + f"{int(day[-2:]) + 5 - days_ago:02}"}


def asked(journey: Journey) -> list[Resource]:
    found = (q for q in journey.tasks("authorization-question") if question_code(q) == "order-changed")
    return [q for q in found if q["status"] == "requested"]


@pytest.mark.parametrize("kilograms", ["72", "88"])
def test_a_weight_that_moved_by_a_tenth_is_a_question_that_names_the_weighing(kilograms: str) -> None:
    journey = by_weight()
    journey.hears(weighed(int(kilograms)))
    (question,) = asked(journey)
    assert question["reasonReference"] == {"reference": "Observation/in-weighed"}
    assert "10 %" in question["input"][0]["valueString"]
    assert journey.status == ("question", "on-hold")


@pytest.mark.parametrize("kilograms", [72.1, 80, 87.9])
def test_a_weight_that_moved_by_less_than_a_tenth_is_none(kilograms: float) -> None:
    journey = by_weight()
    journey.hears(weighed(Decimal(str(kilograms))))
    assert asked(journey) == []
    assert journey.status == ("approved", "completed")


def test_a_weight_says_nothing_of_a_dose_that_is_not_counted_by_it() -> None:
    journey = Journey().approved(*referral(), weight(80))
    journey.hears(weighed(40))
    assert asked(journey) == []


def test_a_weight_that_is_kept_is_what_the_next_one_is_measured_from() -> None:
    journey = by_weight()
    journey.hears(weighed(72))
    journey.person(asked(journey)[0], "keep")
    assert journey.status == ("approved", "completed")
    journey.hears(weighed(70, "in-third", 0))
    assert asked(journey) == []
    journey.hears(weighed(64, "in-third", 0))
    assert [q["reasonReference"]["reference"] for q in asked(journey)] == ["Observation/in-third"]


def test_a_weight_back_where_it_was_needs_no_answer_any_more() -> None:
    journey = by_weight()
    journey.hears(weighed(72))
    journey.hears(weighed(80))
    assert asked(journey) == []
    assert journey.status == ("approved", "completed")


def test_asked_again_the_payer_is_told_the_new_weight_and_its_units() -> None:
    journey = by_weight()
    journey.hears(weighed(100))
    journey.person(asked(journey)[0], "resubmit")
    first, second = journey.of("Claim")
    assert [c["item"][0]["quantity"]["value"] for c in (first, second)] == [1600, 2000]
    cited = {i["valueReference"]["reference"] for i in second["supportingInfo"]}
    assert "Observation/in-weighed" in cited
    assert asked(journey) == []


def test_a_weight_that_was_written_down_wrong_is_a_question_when_it_is_corrected() -> None:
    journey = by_weight()
    journey.hears(weight(88))
    assert len(asked(journey)) == 1
    journey.hears(weight(80))
    assert asked(journey) == []


def prescriber(npi: str) -> tuple[Resource, Resource]:
    """Another record of a role, and of who has it."""
    role = {"resourceType": "PractitionerRole", "id": "in-other", "practitioner": {"reference": "Practitioner/in-b"}}
    named = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}]
    return role, {"resourceType": "Practitioner", "id": "in-b", "identifier": named}


def test_a_new_record_of_the_same_prescriber_is_no_question() -> None:
    journey = Journey().approved()
    journey.hears(order(requester={"reference": "PractitionerRole/in-other"}), *prescriber("1548302763"))
    assert asked(journey) == []
    assert journey.status == ("approved", "completed")


def test_another_prescriber_than_the_payer_was_told_is_a_question() -> None:
    journey = Journey().approved()
    journey.hears(order(requester={"reference": "PractitionerRole/in-other"}), *prescriber("1679576722"))
    (question,) = asked(journey)
    assert question["reasonReference"] == {"reference": "PractitionerRole/in-other"}
    journey.person(question, "keep")
    assert journey.status == ("approved", "completed")


def test_two_changes_are_asked_about_one_after_the_other() -> None:
    journey = by_weight()
    journey.hears(order(requester={"reference": "PractitionerRole/in-other"}), *prescriber("1679576722"), weighed(60))
    (first,) = asked(journey)
    journey.person(first, "keep")
    (second,) = asked(journey)
    assert second["id"] != first["id"]
    journey.person(second, "keep")
    assert journey.status == ("approved", "completed")


def test_an_update_after_a_weighing_is_measured_from_that_weighing() -> None:
    journey = by_weight()
    journey.hears(weighed(100))
    journey.person(asked(journey)[0], "update")
    assert journey.status[0] == "submitted"
    assert asked(journey) == []


def test_a_weight_of_nothing_stops_nobody() -> None:
    journey = by_weight(0, action=False)
    journey.hears(weighed(81))
    assert len(asked(journey)) == 1
