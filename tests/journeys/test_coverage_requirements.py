"""A payer whose own rules are asked by CDS Hooks before anything is asked for, and one that does not answer in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.borders import kind_of
from shared.core import Resource
from tests.journeys.case import Case, outputs, until
from tests.journeys.changing import coverage_is
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()
PAYER = "payer/prairie-health"


def practice(site: dict[str, Any], deployment: Deployment) -> None:
    """One payer has CDS services, and the practice knows where."""
    payer = next(p for p in site["payers"] if p["id"] == "prairie-health")
    payer["coverage_requirements"] = payer["partner"]


def grouped(group: str) -> Callable[[dict[str, Any]], None]:
    """The patient belongs to a group of which the payer's rules say something of their own."""
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    return coverage_is(**{"class": [{"type": kind, "value": group}]})


async def referred(standing: Deployment, number: int, group: str) -> None:
    template = Template(TODAY, "iron-meets-criteria", grouped(group))
    await pushed(standing.sender(), str(number), template.referral(number))


def said(case: Case) -> list[Resource]:
    return [
        r
        for r in case.of("CoverageEligibilityResponse")
        if kind_of(r) == "CoverageEligibilityResponse#coverage-requirements"
    ]


def notes(case: Case) -> list[str]:
    found = (n["text"] for n in case.task("preauthorization").get("note", ()))
    return [n for n in found if n.startswith("Coverage requirements")]


async def test_an_authorization_that_counts_as_given_is_not_asked_for_and_its_number_is_kept(
    standing: Deployment,
) -> None:
    await referred(standing, 410, "GOLD-CARD")
    case = await until(standing, 410, lambda c: len(c.visits("booked")) == 2)
    assert case.stage("preauthorization") == "not-required"
    assert outputs(case, "number") == ["PH-GC-20441"]
    assert case.of("Claim") == []
    (finding,) = said(case)
    assert (finding["outcome"], finding["preAuthRef"]) == ("complete", "PH-GC-20441")
    (note,) = notes(case)
    assert note.startswith("Coverage requirements, Prairie Health Plan, 20")
    assert "satisfied" in note


@pytest.mark.parametrize(("number", "group"), [(411, "PERFORMER"), (412, "UNDECIDED")])
async def test_one_that_is_needed_or_undecided_is_asked_for(standing: Deployment, number: int, group: str) -> None:
    await referred(standing, number, group)
    case = await until(standing, number, lambda c: len(c.visits("booked")) == 2)
    assert case.stage("preauthorization") == "approved"
    assert [f["outcome"] for f in said(case)] == ["complete"]


async def test_a_payer_that_answers_late_keeps_nothing_waiting(standing: Deployment) -> None:
    await standing.fail(PAYER, operation="requirements", kind="slow", seconds=9)
    await referred(standing, 413, "GOLD-CARD")
    case = await until(standing, 413, lambda c: len(c.visits("booked")) == 2)
    assert case.stage("preauthorization") == "approved"
    (finding,) = said(case)
    assert (finding["outcome"], finding["disposition"][:26]) == ("error", "No answer within 5 seconds")
    assert "No answer within 5 seconds" in notes(case)[0]


@pytest.mark.parametrize(("number", "kind"), [(414, "malformed"), (415, "401"), (416, "disconnect-before-store")])
async def test_an_answer_of_which_nothing_can_be_made_keeps_nothing_waiting(
    standing: Deployment, number: int, kind: str
) -> None:
    await standing.fail(PAYER, operation="requirements", kind=kind)
    await referred(standing, number, "GOLD-CARD")
    case = await until(standing, number, lambda c: len(c.visits("booked")) == 2)
    assert case.stage("preauthorization") == "approved"
    assert [f["outcome"] for f in said(case)] == ["error"]
    assert len(notes(case)) == 1
