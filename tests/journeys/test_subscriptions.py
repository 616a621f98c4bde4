"""Decisions come by a Subscription of our own at each payer, in the spelling it takes; what is lost is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from benchmarks.truth import waited
from services.auth.subscribing.watching import last_number, subscription_id
from services.auth.words import AT_PAYER, part
from shared.core import Resource
from tests.journeys.case import until
from tests.journeys.changing import claims, coverage_is
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()
PRAIRIE, LAKELAND = "prairie-health", "lakeland-advantage"


def practice(site: dict[str, Any], deployment: Deployment) -> None:
    """Two payers take Subscriptions, each spells the filter in its own way; they decide when they are told to."""
    deployment.release_after = 3600
    for payer in site["payers"]:
        payer["subscribes"] = payer["id"] in (PRAIRIE, LAKELAND)


async def subscribed(standing: Deployment, payer: str, wanted: Callable[[Resource], bool]) -> Resource:
    """Our Subscription at a payer, once it is as wanted."""
    found: list[Resource] = []

    async def is_wanted() -> bool:
        sql = "select body from resource where id = $1"
        found[:] = [json.loads(r[0]) for r in await standing.rows("auth", sql, subscription_id(payer))]
        return any(map(wanted, found))

    assert await waited(is_wanted, 30), "our Subscription never became what was wanted"
    return found[0]


async def shaken(standing: Deployment, subscription: Resource) -> None:
    """Waits until the payer knows that we answered its handshake, and tells us from then on."""
    name = part(subscription, AT_PAYER, "address").rpartition("/")[2]

    async def is_known() -> bool:
        told = await standing.debug(f"payer/{PRAIRIE}/Subscription/{name}")
        return bool(told["status"] == "active")

    assert await waited(is_known, 30)


async def decided(standing: Deployment, number: int) -> None:
    """The payer decides what it pended, and we know that it did."""
    await until(standing, number, lambda c: c.stage("preauthorization") == "pended")
    (claim,) = await claims(standing, number)
    await standing.release(PRAIRIE, claim["identifier"]["value"])


def is_active(subscription: Resource) -> bool:
    return bool(subscription["status"] == "active" and part(subscription, AT_PAYER, "address"))


def of_lakeland(bundle: dict[str, Any]) -> None:
    payor = [{"identifier": {"system": "https://carepod.example/id/payer", "value": LAKELAND}}]
    coverage_is(payor=payor, subscriberId="LKA100424242")(bundle)


async def test_a_payer_tells_of_its_decision_by_the_subscription_it_was_given(standing: Deployment) -> None:
    await pushed(standing.sender(), "420", Template(TODAY, "infliximab-pended").referral(420))
    found = await subscribed(standing, PRAIRIE, is_active)
    assert "header" not in found["channel"]
    await shaken(standing, found)
    await decided(standing, 420)
    case = await until(standing, 420, lambda c: c.stage("preauthorization") == "approved")
    assert len(case.of("ClaimResponse")) == 2
    await subscribed(standing, PRAIRIE, lambda s: last_number(s) == 1)


async def test_a_payer_that_spells_the_filter_otherwise_has_it_too(standing: Deployment) -> None:
    await pushed(standing.sender(), "421", Template(TODAY, "iron-meets-criteria", of_lakeland).referral(421))
    assert is_active(await subscribed(standing, LAKELAND, is_active))


async def is_lost(standing: Deployment, number: int) -> bool:
    """Whether the payer takes its decision for told."""
    (claim,) = await claims(standing, number)
    return [n["sent"] for n in claim["notifications"]] == [1]


async def test_a_decision_that_never_came_is_seen_by_the_next_one(standing: Deployment) -> None:
    await standing.fail(f"payer/{PRAIRIE}", operation="lose", kind="lost-notification")
    await pushed(standing.sender(), "422", Template(TODAY, "infliximab-pended").referral(422))
    await decided(standing, 422)
    assert await waited(lambda: is_lost(standing, 422), 30)
    await pushed(standing.sender(), "423", Template(TODAY, "infliximab-pended").referral(423))
    await decided(standing, 423)
    await until(standing, 423, lambda c: c.stage("preauthorization") == "approved")
    found = await subscribed(standing, PRAIRIE, lambda s: last_number(s) == 3)
    assert part(found, AT_PAYER, "missed") == "2"
