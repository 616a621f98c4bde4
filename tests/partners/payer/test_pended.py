"""What a payer pends is decided later, by its timer or by order, and told until somebody listens."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

RELEASE = "/payer/prairie-health/debug/release/"
NOTIFIED = "/notifications/pas/prairie-health"


def status_of(notification: dict[str, Any]) -> dict[str, Any]:
    """name -> value of the subscription status, the event's parts among them."""
    parameters = notification["entry"][0]["resource"]["parameter"]
    parts = [*parameters, *(p for q in parameters for p in q.get("part", ()))]
    return {p["name"]: v for p in parts for k, v in p.items() if k.startswith("value")}


async def test_a_pended_claim_is_decided_by_the_timer_and_told(
    outside: Any, submit: Any, case: Any, review: Any
) -> None:
    pended = await submit(case.infliximab())
    assert review(pended) == {"action": "A4", "number": None, "reasons": []}
    assert pended["entry"][0]["resource"]["outcome"] == "complete"
    assert await outside.after(2.9) == 0
    assert await outside.after(0.2) == 1
    assert await outside.after(0) == 1
    notification = outside.carepod.bodies()[0]
    assert review(notification["entry"][1]["resource"])["action"] == "A1"
    assert await submit(case.infliximab()) == notification["entry"][1]["resource"]


async def test_a_notification_has_the_shape_of_the_backport_guide(outside: Any, submit: Any, case: Any) -> None:
    await submit(case.infliximab())
    await outside.http.post(RELEASE + "claim-1")
    await outside.after(0)
    request, notification = outside.carepod.received[0], outside.carepod.bodies()[0]
    get_fhir_model_class("Bundle").model_validate(notification)
    assert (request.url.path, request.headers["authorization"]) == (
        NOTIFIED,
        "Bearer demo-notification-secret-prairie",
    )
    assert request.headers["content-type"] == "application/fhir+json"
    assert notification["type"] == "history"
    assert all("request" in e and "response" in e for e in notification["entry"])
    status = status_of(notification)
    assert (status["event-number"], status["type"]) == ("1", "event-notification")
    assert status["focus"]["reference"] == notification["entry"][1]["fullUrl"]
    response = notification["entry"][1]["resource"]["entry"][0]["resource"]
    assert response["request"]["identifier"]["value"] == "claim-1"


async def test_event_numbers_count_up(outside: Any, submit: Any, case: Any) -> None:
    for value in ("one", "two", "three"):
        await submit(case.infliximab(value=value))
    await outside.after(3)
    await outside.after(0)
    assert [status_of(n)["event-number"] for n in outside.carepod.bodies()] == ["1", "2", "3"]


async def test_a_notification_is_sent_until_it_is_taken(outside: Any, submit: Any, case: Any) -> None:
    outside.carepod.answers = [httpx.ConnectError("down"), 503, 401, 202]
    await submit(case.infliximab())
    await outside.http.post(RELEASE + "claim-1")
    attempts = [await outside.after(seconds) for seconds in (0, 0.5, 1, 2, 60)]
    assert attempts == [1, 1, 1, 1, 0]
    bodies = outside.carepod.bodies()
    assert len(bodies) == 4
    assert all(b == bodies[0] for b in bodies)


async def test_what_was_not_yet_told_is_told_after_a_restart(start: Any, case: Any) -> None:
    first = start()
    first.carepod.answers = [500]
    await first.http.post("/payer/prairie-health/Claim/$submit", json=case.infliximab().bundle())
    await first.after(3)
    await first.after(0)
    restarted = start()
    await restarted.after(1)
    assert len(restarted.carepod.received) == 2
    claims = (await restarted.http.get("/payer/prairie-health/debug/claims")).json()
    assert [(n["event"], n["sent"], n["settled"] is not None) for n in claims[0]["notifications"]] == [(1, 2, True)]


async def test_a_notification_ordered_twice_comes_twice(outside: Any, submit: Any, case: Any) -> None:
    order = {"operation": "notify", "kind": "duplicate-notification"}
    await outside.http.post("/payer/prairie-health/debug/fail", json=order)
    await submit(case.infliximab())
    await outside.http.post(RELEASE + "claim-1")
    await outside.after(0)
    first, second = outside.carepod.bodies()
    assert first == second


async def test_a_review_that_finds_no_earlier_therapy_denies(outside: Any, submit: Any, case: Any, review: Any) -> None:
    assert review(await submit(case.infliximab().with_(prior=None)))["action"] == "A4"
    await outside.http.post(RELEASE + "claim-1")
    await outside.after(0)
    told = outside.carepod.bodies()[0]["entry"][1]["resource"]
    assert review(told) == {"action": "A3", "number": None, "reasons": [("44", "prior-therapy")]}


async def test_an_answer_after_a_pend_is_a_new_answer_to_the_same_claim(outside: Any, submit: Any, case: Any) -> None:
    pended = (await submit(case.infliximab()))["entry"][0]["resource"]
    await outside.http.post(RELEASE + "claim-1")
    decided = (await submit(case.infliximab()))["entry"][0]["resource"]
    assert pended["identifier"][0] == decided["identifier"][0]
    assert [r["identifier"][1]["value"] for r in (pended, decided)] == ["PH0000001-1", "PH0000001-2"]


async def test_only_what_is_pended_can_be_released(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    assert (await outside.http.post(RELEASE + "claim-1")).status_code == 404
    assert (await outside.http.post(RELEASE + "never-sent")).status_code == 404


async def test_a_release_by_order_stops_the_timer(outside: Any, submit: Any, case: Any) -> None:
    await submit(case.infliximab())
    assert (await outside.http.post(RELEASE + "claim-1")).status_code == 204
    assert await outside.after(10) == 1
    assert await outside.after(10) == 0
    assert len(outside.carepod.received) == 1


async def test_a_mixed_request_is_decided_item_by_item(outside: Any, submit: Any, case: Any) -> None:
    bundle = case.with_(**case.infliximab().chart).bundle()
    claim = bundle["entry"][0]["resource"]
    second = json.loads(json.dumps(claim["item"][0]))
    second["sequence"] = 2
    second["productOrService"]["coding"][0]["code"] = "J1437"
    claim["item"].append(second)
    response = (await submit(bundle))["entry"][0]["resource"]
    assert [i["itemSequence"] for i in response["item"]] == [1, 2]
    listing = (await outside.http.get("/payer/prairie-health/debug/claims")).json()
    assert listing[0]["answers"][0]["actions"] == ["A1", "A3"]


@pytest.mark.parametrize("payer", ["prairie-health", "lakeland-advantage"])
async def test_each_payer_keeps_its_own_numbers(outside: Any, submit: Any, case: Any, payer: str) -> None:
    answer = await submit(case, payer)
    number = answer["entry"][0]["resource"]["preAuthRef"]
    assert number == {"prairie-health": "PH0000001", "lakeland-advantage": "LA0000001"}[payer]
