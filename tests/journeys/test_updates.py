"""What happens after a referral is in: filled gaps, answers, revocations, late and failing partners, scarce chairs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks.cases import Template, placer, roomy_site
from benchmarks.disturbed import Deployment
from benchmarks.truth import faults, gathered, overbooked, quiet, ready, waited
from shared.clock import system_clock
from shared.core import Resource
from tests.journeys.case import Case, booked, case_of, entries, lab, until, without
from tests.journeys.changing import put
from tests.journeys.pushes import all_pushed, pushed

pytestmark = pytest.mark.slow

FERRITIN, SATURATION = "2276-4", "2502-3"


def referral(
    number: int,
    changed: Callable[[dict[str, Any]], None] | None = None,
    case: str = "iron-meets-criteria",
    site: str = "riverside",
) -> bytes:
    return Template(system_clock().date(), case, changed).referral(number, site)


async def push(deployment: Deployment, number: int, body: bytes, path: str = "") -> dict[str, Any]:
    sender = deployment.sender()
    try:
        return (await pushed(sender, placer(number), body, path)).answer
    finally:
        await sender.close()


async def test_a_missing_result_sent_later_fills_the_gap_and_the_case_goes_on_by_itself(embedded: Deployment) -> None:
    await embedded.start()
    await push(embedded, 1, referral(1, lambda b: without(b, [lab(b, FERRITIN)])))
    case = await until(embedded, 1, lambda c: c.task("referral").get("status") == "on-hold")
    assert case.gaps() == {"ferritin-missing"}
    assert not case.of("Claim")
    await push(embedded, 1, referral(1))
    case = await until(embedded, 1, booked)
    assert case.gaps() == set()
    await quiet(embedded, 20)
    assert faults(await gathered(embedded), {placer(1)}) == []


async def test_the_payers_verdict_on_what_we_sent_flips_with_one_laboratory_value(embedded: Deployment) -> None:
    await embedded.start()
    await push(embedded, 1, referral(1, lambda b: lab(b, SATURATION)["valueQuantity"].update(value=30)))
    case = await until(embedded, 1, booked)
    assert case.stage("preauthorization") == "approved"
    sent = json.loads(stored(embedded, "select request from claim")[0])
    [claim] = entries(sent, "Claim")
    claim["identifier"][0]["value"] += "-again"
    assert await submitted(embedded, sent) == ["A1"]
    claim["identifier"][0]["value"] += "-and-again"
    assert lab(sent, FERRITIN)["valueQuantity"]["value"] <= 40
    lab(sent, FERRITIN)["valueQuantity"]["value"] = 41
    assert await submitted(embedded, sent) == ["A3"]


async def submitted(deployment: Deployment, bundle: dict[str, Any]) -> list[str]:
    """Submits a Bundle to the payer; the actions of its answer."""
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"{deployment.partners_url}/payer/prairie-health/Claim/$submit"
        (await http.post(url, json=bundle)).raise_for_status()
    actions: list[str] = (await claims(deployment))[-1]["answers"][-1]["actions"]
    return actions


def stored(deployment: Deployment, sql: str) -> tuple[str, ...]:
    """The first row of what the payer has stored."""
    with sqlite3.connect(deployment.folder / "partners" / "payer-prairie-health.sqlite") as store:
        row: tuple[str, ...] = store.execute(sql).fetchone()
    return row


async def test_an_order_revoked_after_booking_takes_back_what_has_not_happened(deployment: Deployment) -> None:
    deployment.lead_time = 3600
    await deployment.start()
    await push(deployment, 1, referral(1))
    await until(deployment, 1, booked)
    assert await waited(lambda: is_ordered(deployment, ["preparing"] * 2), 30)
    await push(deployment, 1, referral(1, revoked))
    case = await until(deployment, 1, is_over)
    await until(deployment, 1, lambda c: {x["status"] for x in c.of("ChargeItem")} == {"aborted"})
    assert await waited(lambda: is_ordered(deployment, ["cancelled"] * 2), 30)
    assert await waited(lambda: is_told(deployment, case.task("referral")["id"], "cancelled"), 30)
    case = await still(deployment, 1)
    assert [a["status"] for a in case.of("Appointment")] == ["cancelled", "cancelled"]
    assert {c["status"] for c in case.of("ChargeItem")} == {"aborted"}
    assert case.task("referral")["status"] == "cancelled"
    assert case.task("chair")["status"] == "cancelled"
    truth = await gathered(deployment)
    assert truth.seats == set()
    assert {o["status"] for o in truth.pharmacy} == {"cancelled"}
    assert truth.ehr[case.task("referral")["id"]]["status"] == "cancelled"


def is_over(case: Case) -> bool:
    """Whether every service has taken a revoked order back."""
    tasks = {case.task(code).get("status") for code in ("referral", "preauthorization", "chair")}
    return tasks == {"cancelled"} and {a["status"] for a in case.of("Appointment")} == {"cancelled"}


async def is_ordered(deployment: Deployment, statuses: list[str]) -> bool:
    """Whether the pharmacy has these orders and no other."""
    return [o["status"] for o in await deployment.debug("pharmacy/debug/orders")] == statuses


async def is_told(deployment: Deployment, task: str, status: str) -> bool:
    """Whether the EHR has a Task in this status."""
    tasks = await deployment.debug("ehr/mercy/debug/tasks")
    return [t["task"]["status"] for t in tasks if t["id"] == task][-1:] == [status]


def revoked(bundle: dict[str, Any]) -> None:
    """The placer takes his order back."""
    bundle["timestamp"] = system_clock().isoformat()
    for order in entries(bundle, "ServiceRequest"):
        order["status"] = "revoked"


async def still(deployment: Deployment, number: int) -> Case:
    """The case once it has not changed for a second."""
    seen: list[dict[str, str]] = []

    async def unchanged() -> bool:
        seen.append((await case_of(deployment, number)).versions)
        return len(seen) > 1 and seen[-1] == seen[-2]

    assert await waited(unchanged, 30, every=1.0)
    return await case_of(deployment, number)


async def test_an_order_revoked_while_the_payer_decides_is_taken_back_there_and_never_decided(
    embedded: Deployment,
) -> None:
    embedded.release_after = 3600
    await embedded.start()
    await push(embedded, 1, referral(1, case="infliximab-pended"))
    await until(embedded, 1, lambda c: c.stage("preauthorization") == "pended" and c.visits("proposed"))
    await push(embedded, 1, referral(1, revoked, case="infliximab-pended"))
    await until(embedded, 1, is_over)

    async def is_taken_back() -> bool:
        return (await claims(embedded))[0]["answers"][-1]["actions"] == ["C"]

    assert await waited(is_taken_back, 30)
    case = await still(embedded, 1)
    assert sorted(c["status"] for c in case.of("Claim")) == ["active", "cancelled"]
    assert case.stage("preauthorization") == "cancelled"
    assert {a["status"] for a in case.of("Appointment")} == {"cancelled"}
    assert case.task("referral")["status"] == "cancelled"
    assert not case.tasks("authorization-question")
    [claim] = await claims(embedded)
    assert [a["actions"] for a in claim["answers"]] == [["A4"], ["C"]]
    assert [c["received"] for c in claim["cancellations"]] == [1]
    assert claim["notifications"] == []


async def claims(deployment: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await deployment.debug("payer/prairie-health/debug/claims")
    return found


async def test_fifty_simultaneous_pushes_of_one_referral_are_one_case(deployment: Deployment) -> None:
    await deployment.start()
    sender = deployment.sender()
    answers = await all_pushed(sender, [(placer(1), referral(1))] * 50)
    await sender.close()
    assert len({tuple(a.locations) for a in answers}) == 1
    assert sum(a.created for a in answers) == 1
    await until(deployment, 1, booked)
    await quiet(deployment, 30)
    assert faults(await gathered(deployment), {placer(1)}) == []


async def test_a_hundred_simultaneous_bookings_for_scarce_chairs_never_share_one(deployment: Deployment) -> None:
    deployment.site_file = deployment.folder / "site.yaml"
    roomy_site(deployment.site_file, 1, chairs=2, nurses=1)
    await deployment.start()
    sender = deployment.sender()
    await all_pushed(sender, [(placer(n), referral(n, site="site-1")) for n in range(100)])
    await sender.close()

    def settled(case: Case) -> bool:
        return booked(case) or bool(case.tasks("scheduling-question"))

    cases = [await until(deployment, n, settled, seconds=120) for n in range(100)]
    found, seats = await visits_and_seats(deployment)
    visits = [a for a in found if a["status"] == "booked"]
    assert list(overbooked(visits)) == []
    assert seats == {a["id"] for a in found if a["status"] in ("booked", "pending")}
    # Two chairs hold 16 first visits a day (75 minutes in ten hours), and no window has more than six working days.
    assert 100 <= len(visits) < 200
    assert any(c.tasks("scheduling-question") for c in cases), "there was room for all: nothing was scarce"


async def visits_and_seats(deployment: Deployment) -> tuple[list[Resource], set[str]]:
    """Every Appointment and who holds a seat, read at one instant: some may still change."""
    sql = "select body, null from resource where type = 'Appointment' union all select null, holder from capacity"
    rows = await deployment.rows("scheduling", sql)
    return [json.loads(r[0]) for r in rows if r[0]], {str(r[1]) for r in rows if r[1]}


async def test_a_pended_answer_delivered_twice_and_once_more_late_changes_nothing_again(embedded: Deployment) -> None:
    await embedded.start()
    await embedded.fail("payer/prairie-health", operation="notify", kind="duplicate-notification", times=1)
    await push(embedded, 1, referral(1, case="infliximab-pended"))
    await until(embedded, 1, lambda c: c.task("chair").get("status") == "completed")
    await quiet(embedded, 20)
    before = (await case_of(embedded, 1)).versions
    [claim] = await claims(embedded)
    assert claim["notifications"][0]["sent"] == 2
    assert await told_again(embedded) == 200
    assert (await still(embedded, 1)).versions == before


async def told_again(deployment: Deployment) -> int:
    """Posts the payer's last notification once more, as it was; the status it is answered with."""
    (bundle,) = stored(deployment, "select bundle from event order by number desc limit 1")
    headers = {"Authorization": "Bearer demo-notification-secret-prairie", "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"{deployment.base_url}/notifications/pas/prairie-health"
        return (await http.post(url, content=bundle.encode(), headers=headers)).status_code


async def test_whatever_the_payer_does_to_a_submission_it_has_one_claim_and_the_journey_ends(
    embedded: Deployment,
) -> None:
    embedded.site_file = embedded.folder / "site.yaml"
    sites = roomy_site(embedded.site_file, 2)
    await embedded.start()
    kinds = (
        "504-after-store",
        "504-before-store",
        "disconnect-after-store",
        "disconnect-before-store",
        "429",
        "500",
        "timeout",
    )
    for kind in kinds:
        await embedded.fail("payer/prairie-health", operation="submit", kind=kind, times=2)
    await embedded.fail("payer/prairie-health", operation="inquire", kind="500", times=2)
    sender = embedded.sender()
    await all_pushed(sender, [(placer(n), referral(n, site=sites[n % 2])) for n in range(20)])
    await sender.close()
    for number in range(20):
        await until(embedded, number, booked, seconds=90)
    await quiet(embedded, 60)
    assert faults(await gathered(embedded), {placer(n) for n in range(20)}) == []
    assert {c["received"] for c in await claims(embedded)} == {1}, "a Claim was sent again that the payer had"


async def test_a_dispense_of_the_pharmacy_makes_the_drug_be_on_hand(embedded: Deployment) -> None:
    await embedded.start()
    await push(embedded, 1, referral(1))
    await until(embedded, 1, booked)
    case = await until(embedded, 1, lambda c: all(ready(a, "drug-on-hand") == "met" for a in c.visits("booked")))
    assert len(case.of("MedicationDispense")) == 2
    assert [(await since_booked(embedded, a["id"]))[0] for a in case.visits("booked")] == ["unmet", "unmet"]


async def since_booked(deployment: Deployment, visit: str) -> list[str | None]:
    """Whether the drug was on hand in each version of a visit since it is booked."""
    rows = await deployment.rows("scheduling", "select body from history where id = $1 order by version", visit)
    versions = [json.loads(r[0]) for r in rows]
    return [ready(a, "drug-on-hand") for a in versions if a["status"] == "booked"]


async def test_a_pharmacist_who_confirms_the_order_lets_the_visits_be_booked(deployment: Deployment) -> None:
    deployment.site_file = deployment.folder / "site.yaml"
    roomy_site(deployment.site_file, 1, changes={"auto_confirm": []})
    await deployment.start()
    await push(deployment, 1, referral(1, site="site-1"))
    case = await until(deployment, 1, lambda c: c.stage("preauthorization") == "approved")
    case = await still(deployment, 1)
    assert case.visits("proposed")
    assert not case.visits("pending") + case.visits("booked")
    [question] = case.tasks("intake-question")
    assert question["status"] == "requested"
    await answered(deployment, question)
    case = await until(deployment, 1, booked)
    assert case.task("intake-question")["status"] == "completed"
    assert {ready(a, "order-verified") for a in case.visits("booked")} == {"met"}


async def answered(deployment: Deployment, question: Resource) -> None:
    """A person of the practice completes the question: PUT of the Task with its answer."""
    code = {"system": "https://carepod.example/fhir/CodeSystem/answer", "code": "confirmed"}
    output = [{"type": {"coding": [code]}, "valueBoolean": True}]
    await put(deployment, {**question, "status": "completed", "output": output})
