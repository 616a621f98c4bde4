"""An urgent visit goes ahead of the payer's decision where the payer allows it, and the decision counts its units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import Template, placer
from shared.clock import system_clock
from tests.journeys.case import entries, outputs, until
from tests.journeys.changing import answered
from tests.journeys.conftest import site_file_of
from tests.journeys.pushes import pushed
from tests.journeys.test_hold import Clock, Inside, ended, serving

pytestmark = pytest.mark.slow


def urgent(bundle: dict[str, Any]) -> None:
    """The order asks for haste."""
    entries(bundle, "ServiceRequest")[0]["priority"] = "urgent"


def never_closed(document: dict[str, Any]) -> None:
    """No holiday lies between the first day a chair may be had and the last that needs no decision."""
    for site in document["sites"]:
        site["closed_on"] = []


async def test_an_urgent_visit_is_booked_while_the_payer_reviews_and_counted_when_it_has_decided(
    tmp_path: Path,
) -> None:
    deployment, clock = Inside(tmp_path, release_after=3600), Clock()
    deployment.site_file = site_file_of(tmp_path / "site.yaml", never_closed)
    async with ended(deployment), serving(deployment, clock) as (_, deaf):
        deaf.is_deaf = False
        sender = deployment.sender()
        await pushed(sender, placer(1), Template(system_clock().date(), "infliximab-pended", urgent).referral(1))
        await sender.close()
        case = await until(deployment, 1, lambda c: c.stage("preauthorization") == "question")
        await answered(deployment, case.task("authorization-question"), "expedited")
        case = await until(deployment, 1, lambda c: c.visits("booked") and c.stage("preauthorization") == "pended")
        (allowed,) = outputs(case, "allowed-until")
        assert allowed["start"] <= case.visits("booked")[0]["start"][:10] <= allowed["end"]
        assert case.of("ChargeItem") == []
        (claim,) = await deployment.debug("payer/prairie-health/debug/claims")
        await deployment.release("prairie-health", claim["identifier"]["value"])
        case = await until(deployment, 1, lambda c: len(c.visits("booked")) == 3)
        assert case.stage("preauthorization") == "approved"
        assert outputs(case, "allowed-until") == []
        assert "planned" in {c["status"] for c in case.of("ChargeItem")}
