"""How held times are answered and the ledger moves, through the coordinator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.core import reference
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import (
    NOW,
    appointment,
)


def test_a_hold_is_answered_once_with_a_reservation() -> None:
    journey = Journey().approved()
    decision = journey.hears(appointment(hold=1))
    charge = journey.one("ChargeItem")
    assert (decision.reason, decision.focus) == ("dose-reserved", reference(charge))
    assert (charge["status"], charge["quantity"]["value"]) == ("planned", 750)
    proof = [i["reference"] for i in charge["supportingInformation"]]
    assert proof == ["Appointment/sc-1-1", reference(journey.one("ClaimResponse"))]
    assert journey.outputs("units-left")[0]["value"] == 750
    assert journey.outputs("hold-answer") == [{"reference": "Appointment/sc-1-1"}]


def test_a_hold_needs_no_units_where_no_authorization_is_needed() -> None:
    journey = Journey().benefit_known(required=False)
    assert journey.hears(appointment()).reason == "dose-not-needing"
    assert journey.of("ChargeItem") == []


def test_a_hold_before_the_approval_is_refused_and_a_new_number_after_it_is_reserved() -> None:
    journey = Journey().benefit_known()
    refused = journey.hears(appointment(hold=1))
    assert (refused.reason, refused.refusals) == ("dose-refused", ("not-authorized",))
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim))
    assert journey.of("ChargeItem") == []
    assert journey.hears(appointment(hold=2)).reason == "dose-reserved"


@pytest.mark.parametrize(("days", "answer"), [(90, "dose-reserved"), (8, "dose-reserved"), (7, "dose-refused")])
def test_the_last_authorized_day_counts(days: int, answer: str) -> None:
    journey = Journey().approved(days=days)
    assert journey.hears(appointment(2)).reason == answer


def test_a_hold_without_units_left_is_refused() -> None:
    journey = Journey().approved(units=750)
    journey.hears(appointment(1))
    refused = journey.hears(appointment(2))
    assert (refused.reason, refused.refusals) == ("dose-refused", ("no-units-left",))
    journey.hears(appointment(1, "cancelled"))
    assert journey.hears(appointment(2, hold=2)).reason == "dose-reserved"


def test_a_booked_time_keeps_its_units_and_a_cancelled_one_gives_them_back() -> None:
    journey = Journey().approved()
    journey.hears(appointment())
    assert journey.hears(appointment(status="booked")).saves == ()
    assert journey.hears(appointment(status="noshow")).reason == "dose-released"
    assert journey.one("ChargeItem")["status"] == "aborted"
    assert journey.outputs("units-left")[0]["value"] == 1500


def test_a_move_carries_the_reservation_to_the_new_time() -> None:
    journey = Journey().approved(units=750)
    journey.hears(appointment())
    journey.hears(appointment(status="booked"))
    moved = appointment(occurrence=2, on=NOW.date() + timedelta(days=9))
    assert journey.hears(moved).reason == "dose-reserved"
    assert journey.one("ChargeItem")["supportingInformation"][0] == {"reference": "Appointment/sc-1-1"}
    journey.hears({**moved, "status": "booked"}, appointment(status="cancelled"))
    charge = journey.one("ChargeItem")
    assert (charge["status"], charge["supportingInformation"][0]) == ("planned", {"reference": "Appointment/sc-1-2"})


def test_a_given_dose_counts_its_units_for_good() -> None:
    journey = Journey().approved(units=750)
    journey.hears(appointment())
    assert journey.hears(appointment(status="fulfilled")).reason == "dose-administered"
    assert journey.one("ChargeItem")["status"] == "billable"
    assert journey.hears(appointment(2)).refusals == ("no-units-left",)
