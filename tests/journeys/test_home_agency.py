"""A home no nurse of the practice reaches: agencies are asked in turn, and their visit is a visit like any other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.core import Resource
from shared.visits.elements import code_of, identified
from tests.journeys.case import Case, until
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()
NORTH_PLATTE = "69101"
"""A ZIP code of Nebraska 200 miles from every nurse of the demo, in the territory of the second agency alone."""


def moved(bundle: dict[str, Any]) -> None:
    """The patient lives where only an agency goes."""
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    for address in patient["address"]:
        address["postalCode"] = NORTH_PLATTE


async def referred(standing: Deployment, number: int) -> None:
    await pushed(standing.sender(), str(number), Template(TODAY, "opat-vancomycin-home", moved).referral(number))


async def arranged(standing: Deployment, agency: str, path: str, **body: str) -> int:
    """Tells a stand-in what to do; the status it answers with."""
    async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
        url = f"{standing.partners_url}/agency/{agency}/debug/{path}"
        return (await http.post(url, json=body or None)).status_code


def asked(case: Case, agency: str) -> list[Resource]:
    """The Tasks one agency was asked by, oldest first."""
    found = (t for t in case.tasks("agency-visit") if identified(t["owner"], "agency") == agency)
    return sorted(found, key=lambda t: str(t["authoredOn"]))


async def taken_on(standing: Deployment, number: int) -> tuple[Case, Resource, Resource]:
    """A referral out of every nurse's range, once an agency makes its first visit: the visit, and the Task for it."""
    await referred(standing, number)
    case = await until(standing, number, lambda c: sent_by(c, "plains-visiting"))
    visit = sent_by(case, "plains-visiting")[0]
    task = next(t for t in asked(case, "plains-visiting") if t["focus"]["reference"] == f"Appointment/{visit['id']}")
    return case, visit, task


def sent_by(case: Case, agency: str) -> list[Resource]:
    """The booked visits an agency makes."""
    booked = case.visits("booked")
    return [a for a in booked if any(identified(p["actor"], "agency") == agency for p in a["participant"])]


async def test_a_home_out_of_range_is_visited_by_the_agency_that_takes_it_on(standing: Deployment) -> None:
    case, visit, task = await taken_on(standing, 230)
    nearer = [t for t in asked(case, "valley-home") if t["focus"] == task["focus"]]
    assert {t["status"] for t in nearer} == {"rejected"}, "out of its territory"
    assert task["status"] == "accepted"
    assert task["partOf"] == [{"reference": f"Task/{case.task('home-nursing')['id']}"}]
    period = task["output"][0]["valuePeriod"]
    assert [_at(visit["start"]), _at(visit["end"])] == [_at(period["start"]), _at(period["end"])]


async def test_a_visit_an_agency_has_made_is_kept(standing: Deployment) -> None:
    _, visit, task = await taken_on(standing, 231)
    assert await arranged(standing, "plains-visiting", f"report/{task['id']}") == 204
    made = await until(standing, 231, lambda c: any(a["id"] == visit["id"] for a in c.visits("fulfilled")))
    assert {t["status"] for t in made.tasks("agency-visit") if t["id"] == task["id"]} == {"completed"}


async def test_a_visit_an_agency_calls_off_goes_and_another_is_found(standing: Deployment) -> None:
    _, visit, task = await taken_on(standing, 232)
    assert await arranged(standing, "plains-visiting", f"call-off/{task['id']}") == 204
    after = await until(standing, 232, lambda c: any(a["id"] == visit["id"] for a in c.visits("cancelled")))
    ended = next(t for t in after.tasks("agency-visit") if t["id"] == task["id"])
    assert (ended["status"], code_of(ended["statusReason"], "agency-visit-reason")) == ("cancelled", "called-off")
    errand = visit["serviceType"]
    await until(standing, 232, lambda c: any(a["serviceType"] == errand for a in sent_by(c, "plains-visiting")))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
