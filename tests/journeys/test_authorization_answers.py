"""What a payer answers, end to end: modified, lost, told twice; and the drug it prefers to the one ordered."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cases import Template, placer
from benchmarks.disturbed import Deployment
from shared.clock import system_clock
from tests.journeys.case import Case, booked, case_of, entries, outputs, until
from tests.journeys.changing import Change, answered, claims, dose_is, push
from tests.journeys.pushes import pushed
from tests.journeys.test_home import OPAT, referred, settled

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAYER = "payer/prairie-health"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def practice(_: dict[str, Any], deployment: Deployment) -> None:
    """Payers decide what they pended when they are told to."""
    deployment.release_after = 3600


def asked(case: Case) -> list[str]:
    return [t["input"][0]["type"]["coding"][0]["code"] for t in case.tasks("authorization-question")]


def drug_is(code: str, name: str) -> Change:
    """The order asks for another product."""

    def changed(bundle: dict[str, Any]) -> None:
        coding = {"system": HCPCS, "code": code, "display": name}
        entries(bundle, "MedicationRequest")[0]["medicationCodeableConcept"] = {"coding": [coding], "text": name}

    return changed


async def test_a_modified_request_goes_ahead_with_the_units_the_payer_authorized(standing: Deployment) -> None:
    await push(standing, 290, dose_is(1000))
    case = await until(standing, 290, lambda c: c.visits("booked"))
    (claim,) = await claims(standing, 290)
    assert [a["actions"] for a in claim["answers"]] == [["A6"]]
    assert case.stage("preauthorization") == "partly-approved"
    assert [q["value"] for q in outputs(case, "units")] == [1500]
    assert asked(case) == ["partly-authorized"]
    case = await until(standing, 290, lambda c: [q["value"] for q in outputs(c, "units-left")] == [500])
    assert len(case.visits("booked")) == 1


def member_of(group: str) -> Change:
    """The member is in a plan group of the payer."""

    def changed(bundle: dict[str, Any]) -> None:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
        entries(bundle, "Coverage")[0]["class"] = [{"type": kind, "value": group}]

    return changed


async def test_of_several_services_the_approved_go_ahead_and_the_denied_one_has_its_appeal(
    standing: Deployment,
) -> None:
    await referred(standing, 298, OPAT, member_of("NODIEM"))
    case = await until(standing, 298, settled)
    (claim,) = await claims(standing, 298)
    assert sorted(*[a["actions"] for a in claim["answers"]]) == ["A1", "A1", "A3"]
    assert case.stage("preauthorization") == "partly-approved"
    (reason,) = outputs(case, "denial-reason")
    assert "per diem" in reason["text"]
    assert sorted(q["code"] for q in outputs(case, "units")) == ["99601", "J3373"]
    reserved = {c["code"]["coding"][0]["code"] for c in case.of("ChargeItem") if c["status"] == "planned"}
    assert reserved == {"99601"}
    (appeal,) = case.tasks("appeal")
    assert appeal["status"] == "requested"


@pytest.mark.parametrize(
    ("number", "kind"), [(291, "504-after-store"), (292, "504-before-store"), (293, "disconnect-after-store")]
)
async def test_a_request_whose_answer_was_lost_is_inquired_after_and_never_asked_twice(
    standing: Deployment, number: int, kind: str
) -> None:
    await standing.fail(PAYER, operation="submit", kind=kind)
    await push(standing, number)
    await until(standing, number, booked)
    (claim,) = await claims(standing, number)
    assert (claim["received"], len(claim["answers"])) == (1, 1)


async def test_a_payer_that_is_down_is_left_alone_as_long_as_it_says(standing: Deployment) -> None:
    await standing.fail(PAYER, operation="submit", kind="503", retry_after=2)
    await push(standing, 294)
    await until(standing, 294, booked)
    (claim,) = await claims(standing, 294)
    assert claim["received"] == 1


async def test_a_notification_that_comes_twice_decides_once(standing: Deployment) -> None:
    await standing.fail(PAYER, operation="notify", kind="duplicate-notification")
    sender = standing.sender()
    body = Template(system_clock().date(), "infliximab-pended").referral(295)
    await pushed(sender, placer(295), body)
    await sender.close()
    await until(standing, 295, lambda c: c.stage("preauthorization") == "pended")
    (claim,) = await claims(standing, 295)
    await standing.release("prairie-health", claim["identifier"]["value"])
    case = await until(standing, 295, lambda c: c.stage("preauthorization") == "approved")
    (claim,) = await claims(standing, 295)
    assert [a["actions"] for a in claim["answers"]] == [["A4"], ["A1"]]
    assert len(case.of("ClaimResponse")) == 2
    assert asked(await case_of(standing, 295)) == []


async def test_an_order_switched_to_the_product_the_payer_prefers_is_authorized_and_booked(
    standing: Deployment,
) -> None:
    await push(standing, 296, drug_is("J1437", "Ferric derisomaltose (Monoferric)"))
    case = await until(standing, 296, lambda c: c.stage("preauthorization") == "not-covered")
    preferred = [c["coding"][0]["code"] for c in outputs(case, "preferred")]
    assert preferred == ["ferric-carboxymaltose", "iron-sucrose"]
    assert await claims(standing, 296) == []
    await push(standing, 296)
    case = await until(standing, 296, booked)
    assert case.stage("preauthorization") == "approved"
    (claim,) = await claims(standing, 296)
    assert claim["received"] == 1


async def test_a_changed_dose_changes_the_request_the_payer_has_and_the_chain_stays_one(standing: Deployment) -> None:
    await push(standing, 297)
    case = await until(standing, 297, booked)
    (first,) = await claims(standing, 297)
    await push(standing, 297, dose_is(500))
    case = await until(standing, 297, lambda c: "order-changed" in asked(c))
    (question,) = case.tasks("authorization-question")
    await answered(standing, question, "update")
    case = await until(standing, 297, lambda c: [q["value"] for q in outputs(c, "units")] == [1000])
    assert case.stage("preauthorization") == "approved"
    (update,) = [c for c in await claims(standing, 297) if c["updates"]]
    assert update["updates"] == [first["identifier"]["value"]]
    assert [c["cancellations"] for c in await claims(standing, 297)] == [[], []]
