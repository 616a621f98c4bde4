"""The nine referrals of the demo end as `contracts/examples/referrals/README.md` says, in both modes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from benchmarks.disturbed import Deployment
from shared.cli.demo import CASES, LONGEST, REFERRALS, WRITTEN_ON
from shared.cli.journeys import Journey, followed, judged
from shared.cli.push import Sender, shifted
from shared.clock import system_clock
from shared.core import Resource
from tests.journeys.pushes import heard

pytestmark = pytest.mark.slow

EXPECTED = {
    "iron-meets-criteria": "scheduled",
    "iron-criteria-not-met": "needs-information",
    "infliximab-pended": "scheduled",
    "denied": "not-authorized",
    "incomplete": "needs-information",
    "duplicate": "duplicate",
    "broken": "invalid",
    "opat-vancomycin-home": "scheduled",
    "ivig-pidd-medicare-home": "scheduled",
}


async def test_the_nine_referrals_end_as_expected(deployment: Deployment) -> None:
    await deployment.start()
    sender = deployment.sender()
    loop = asyncio.get_running_loop()
    journeys = []
    for case in CASES:
        body = (REFERRALS / f"{case}.json").read_bytes()
        sent = body if case == "broken" else shifted(body, WRITTEN_ON, system_clock().date())
        journeys.append(Journey(await heard(sender, case, sent), loop.time()))
    await followed(sender, journeys, LONGEST, lambda: None)
    booked = await sender.get("Appointment", patient=_patient(journeys), status="booked")
    visit, readiness = await _read(sender, f"Appointment/{booked['entry'][0]['resource']['id']}")
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await sender.get(f"Appointment/{booked['entry'][0]['resource']['id']}/$unheard-of")
    await sender.close()
    found = {j.pushed.file: j.outcome for j in journeys}
    assert found == EXPECTED, {j.pushed.file: (j.stage, j.reasons) for j in journeys}
    by_file = {j.pushed.file: j for j in journeys}
    iron = by_file["iron-meets-criteria"]
    assert [a["status"] for a in iron.appointments] == ["booked", "booked"]
    assert iron.appointments[0]["readiness"]["authorized"] == "met"
    said = {p["part"][0]["valueCode"]: p["part"][1]["valueCode"] for p in readiness["parameter"][1:]}
    needed = {requirement: status for requirement, status in said.items() if status != "not-needed"}
    judged(told := Journey(iron.pushed, 0.0), (), (visit,))
    assert needed == told.appointments[0]["readiness"]
    assert iron.authorization["units"][0]["value"] == "1500"
    assert len(by_file["incomplete"].reasons) >= 3
    assert len(by_file["broken"].reasons) >= 4
    assert any(t["code"] == "appeal" for t in by_file["denied"].open_tasks)
    refused = by_file["iron-criteria-not-met"]
    asked = await deployment.rows(
        "auth", "select count(*) from resource where type = 'Claim' and lane = $1", _lane(refused)
    )
    assert asked[0][0] == 0, "what the payer would refuse was sent to it"
    claims = await deployment.debug("payer/prairie-health/debug/claims")
    assert len(claims) == 4
    opat, ivig = by_file["opat-vancomycin-home"], by_file["ivig-pidd-medicare-home"]
    assert {u["code"]: u["value"] for u in opat.authorization["units"]} == {
        "J3373": "10500", "S9501": "42", "99601": "11",
    }  # fmt: skip
    assert ivig.authorization == {"status": "not-required"}
    for journey in (opat, ivig):
        booked_at_home = [v for v in journey.appointments if v["status"] == "booked"]
        assert len(booked_at_home) >= 3
        assert all("drug-delivered" in v["readiness"] or "supplies-delivered" in v["readiness"] for v in booked_at_home)


async def _read(sender: Sender, place: str) -> tuple[Resource, Resource]:
    """A visit and what it says of its readiness when asked, both of one version."""
    async with asyncio.timeout(30):
        while True:
            visit, readiness = await sender.get(place), await sender.get(f"{place}/$readiness")
            if (await sender.get(place))["meta"]["versionId"] == visit["meta"]["versionId"]:
                return visit, readiness


def _patient(journeys: Sequence[Journey]) -> str:
    """The patient whose referral should be scheduled."""
    found = next(j for j in journeys if j.pushed.file == "iron-meets-criteria")
    return (found.patient or "").partition("/")[2]


def _lane(journey: Journey) -> str:
    return f"patient/{(journey.patient or '').partition('/')[2]}"
