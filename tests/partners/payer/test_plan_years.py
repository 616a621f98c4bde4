"""What a plan says changes with the day: a member's last day, an authorization newly needed, sums that begin anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from partners.payer.eligibility import eligibility
from partners.payer.verdicts import rules_of
from tests.partners.payer.test_eligibility import member, request


def said(member_id: str, hcpcs: str, day: str) -> dict[str, Any]:
    at = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
    insurance: dict[str, Any] = eligibility(rules_of("prairie-health"), request(member(member_id), hcpcs), at)[
        "insurance"
    ][0]
    return insurance


@pytest.mark.parametrize(("day", "insured"), [("2026-12-31", True), ("2027-01-01", False)])
def test_a_plan_counts_to_the_members_last_day(day: str, insured: bool) -> None:
    assert said("PHP980000001", "J1439", day)["inforce"] is insured


@pytest.mark.parametrize(("day", "needed"), [("2026-12-31", False), ("2027-01-01", True)])
def test_a_plan_may_want_an_authorization_from_a_day_on(day: str, needed: bool) -> None:
    assert said("PHP100000001", "J2916", day)["item"][0]["authorizationRequired"] is needed


@pytest.mark.parametrize(("day", "used"), [("2026-12-31", 1500), ("2027-01-01", 0), ("2027-02-01", 150)])
def test_what_was_used_begins_anew_on_the_first_of_january(day: str, used: int) -> None:
    assert said("PHP100000001", "J1439", day)["item"][0]["benefit"][0]["usedMoney"]["value"] == used
