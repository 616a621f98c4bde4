"""Benefits end to end: what a payer said of them, two Coverages, a Coverage that changes while the payer decides."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from services.auth.words import OCCASION, extension
from tests.journeys.case import Case, entries, outputs, until
from tests.journeys.changing import answered, coverage_is, push
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()
Changed = Callable[[dict[str, Any]], None]
SECOND = "urn:uuid:0000000b-5d10-4c1e-9a3b-0000000000bb"


def with_medicare(bundle: dict[str, Any]) -> None:
    """A Medicare Advantage plan is listed after the plan of the patient's group, and nothing says which pays first."""
    entry = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == "Coverage")
    entry["resource"].pop("order", None)
    second = copy.deepcopy(entry)
    second["fullUrl"] = SECOND
    payor = [{"identifier": {"system": "https://carepod.example/id/payer", "value": "lakeland-advantage"}}]
    identifier = [{**second["resource"]["identifier"][0], "value": "LKA100424242"}]
    second["resource"].update(subscriberId="LKA100424242", payor=payor, identifier=identifier)
    second["resource"].pop("class", None)
    bundle["entry"].append(second)
    (order,) = entries(bundle, "ServiceRequest")
    order["insurance"] = [*order["insurance"], {"reference": SECOND}]


def with_medicare_and_retired(bundle: dict[str, Any]) -> None:
    with_medicare(bundle)
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "RETIRE"}
    entries(bundle, "Coverage")[0]["type"] = {"coding": [kind]}


async def referred(standing: Deployment, number: int, case: str, changed: Changed | None = None) -> None:
    await pushed(standing.sender(), str(number), Template(TODAY, case, changed).referral(number))


def occasions(case: Case) -> list[str]:
    requests = sorted(case.of("CoverageEligibilityRequest"), key=lambda r: str(r["created"]))
    said = (extension(extension(r, OCCASION) or {}, "reason") or {} for r in requests)
    return [s["valueString"] for s in said]


async def test_what_the_payer_said_of_the_benefit_stands_on_the_task(standing: Deployment) -> None:
    await referred(standing, 310, "iron-meets-criteria")
    case = await until(standing, 310, lambda c: len(c.visits("booked")) == 2)
    (told,) = outputs(case, "benefit-told")
    (answer,) = case.of("CoverageEligibilityResponse")
    assert (told["authorString"], told["time"]) == ("Prairie Health Plan", answer["created"])
    kinds = ("covered", "paid-under", "authorization-needed", "network")
    found = [outputs(case, kind)[0]["coding"][0]["code"] for kind in kinds]
    assert found == ["covered", "medical", "authorization-required", "in-network"]
    shares = {c["coding"][0]["code"] for c in outputs(case, "cost-share")}
    assert shares == {"deductible", "coinsurance", "out-of-pocket-maximum"}


def asked_of(case: Case) -> list[str]:
    return [r["insurer"]["identifier"]["value"] for r in case.of("CoverageEligibilityRequest")]


async def test_of_two_coverages_the_one_that_pays_first_is_asked_and_books(standing: Deployment) -> None:
    await referred(standing, 311, "iron-meets-criteria", with_medicare_and_retired)
    case = await until(standing, 311, lambda c: len(c.visits("booked")) == 2)
    assert asked_of(case) == ["lakeland-advantage"]
    (first,) = outputs(case, "pays-first")
    (claim,) = case.of("Claim")
    assert first["reference"] == claim["insurance"][0]["coverage"]["reference"]
    assert first["display"] == "First of 2: Medicare pays before a retiree's or continued plan"


async def test_where_nothing_documents_which_pays_first_a_person_says_it(standing: Deployment) -> None:
    await referred(standing, 312, "iron-meets-criteria", with_medicare)
    case = await until(standing, 312, lambda c: c.stage("preauthorization") == "question")
    (question,) = case.tasks("authorization-question")
    assert question["input"][0]["type"]["coding"][0]["code"] == "coverage-order"
    assert asked_of(case) == []
    await answered(standing, question, "group-first")
    case = await until(standing, 312, lambda c: len(c.visits("booked")) == 2)
    assert asked_of(case) == ["prairie-health"]


async def test_a_coverage_that_changes_while_the_payer_decides_is_asked_about_again(standing: Deployment) -> None:
    await referred(standing, 313, "iron-meets-criteria", grouped("REVIEW"))
    case = await until(standing, 313, lambda c: c.stage("preauthorization") in ("pended", "approved"))
    (claim,) = case.of("Claim")
    await push(standing, 313, grouped("REVIEW-2"))
    case = await until(standing, 313, lambda c: len(c.of("CoverageEligibilityResponse")) == 2)
    assert occasions(case) == ["initial", "coverage-changed"]
    case = await until(standing, 313, lambda c: len(c.visits("booked")) == 2)
    assert [(c["id"], c["status"]) for c in case.of("Claim")] == [(claim["id"], "active")]


async def test_one_that_ends_meanwhile_takes_the_authorization_with_it(standing: Deployment) -> None:
    await referred(standing, 314, "iron-meets-criteria", grouped("REVIEW"))
    await until(standing, 314, lambda c: c.stage("preauthorization") in ("pended", "approved"))
    await push(standing, 314, grouped("REVIEW"), coverage_is(status="cancelled"))
    case = await until(standing, 314, lambda c: c.gaps("preauthorization") == {"coverage"})
    assert case.task("preauthorization")["status"] == "on-hold"


def grouped(group: str) -> Changed:
    """The patient belongs to a group of the plan; one of them is reviewed by a person there."""
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    return coverage_is(**{"class": [{"type": kind, "value": group}]})
