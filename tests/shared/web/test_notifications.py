"""Notifications of referrers' Subscriptions: who may tell, that each event counts once, and that gaps are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client

PATH = "/notifications/ehr/mercy-ehr"
SECRET = "demo-notification-secret-mercy"
BASE = "http://127.0.0.1:8000/partners/ehr/mercy"


def told(*numbers: int, kind: str = "event-notification", count: int | None = None) -> dict[str, Any]:
    """An id-only notification of one order for each number."""
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": f"{BASE}/Subscription/referrals"}},
        {"name": "status", "valueCode": "active"},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(count or max(numbers, default=0))},
    ]
    for number in numbers:
        parts = [
            {"name": "event-number", "valueString": str(number)},
            {"name": "timestamp", "valueInstant": "2026-11-21T10:00:00Z"},
            {"name": "focus", "valueReference": {"reference": f"{BASE}/ServiceRequest/{number}"}},
        ]
        parameters.append({"name": "notification-event", "part": parts})
    status = {
        "fullUrl": "urn:uuid:292d3c72-edc1-4d8a-afaa-d85e19c7f563",
        "resource": {"resourceType": "Parameters", "parameter": parameters},
        "request": {"method": "GET", "url": f"{BASE}/Subscription/referrals/$status"},
        "response": {"status": "200"},
    }
    return {"resourceType": "Bundle", "type": "history", "entry": [status]}


async def wanted(carepod: Carepod) -> list[str]:
    """Every address that is to be read, in the order of the Tasks' ids."""
    found = (await carepod.client("office").get("/fhir/Task?code=pull")).json()
    inputs = (i for e in found.get("entry", ()) for i in e["resource"]["input"])
    return sorted(i["valueUrl"].removeprefix(BASE) for i in inputs if "valueUrl" in i)


async def test_a_client_tells_by_its_token_or_by_the_secret_agreed_with_it(client: Client, carepod: Carepod) -> None:
    secret = f"Bearer {SECRET}"
    assert (await client.send("POST", PATH, told(1))).status_code == 200
    assert (await client.send("POST", PATH, told(2), Authorization=secret)).status_code == 200
    assert (await client.push(told(3))).status_code == 200
    assert await wanted(carepod) == ["/ServiceRequest/1", "/ServiceRequest/2", "/ServiceRequest/3"]


@pytest.mark.parametrize("said", ["", "Bearer ", "Bearer wrong", f"Bearer {SECRET}x", SECRET])
async def test_nobody_else_is_heard(client: Client, carepod: Carepod, said: str) -> None:
    assert (await client.send("POST", PATH, told(1), Authorization=said)).status_code == 401
    assert (await carepod.client("other-ehr").send("POST", PATH, told(1))).status_code == 401
    unknown = await client.send("POST", "/notifications/ehr/nobody", told(1), Authorization=f"Bearer {SECRET}")
    assert unknown.status_code == 401
    assert await wanted(carepod) == []


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
async def test_a_handshake_and_a_heartbeat_change_nothing(client: Client, carepod: Carepod, kind: str) -> None:
    assert (await client.send("POST", PATH, told(kind=kind))).status_code == 200
    assert await carepod.count("select count(*) from resource") == 0


async def test_an_event_told_twice_counts_once(client: Client, carepod: Carepod) -> None:
    await client.send("POST", PATH, told(1))
    before = await carepod.count("select count(*) from history")
    decisions = await carepod.count("select count(*) from decision")
    assert (await client.send("POST", PATH, told(1))).status_code == 200
    assert await carepod.count("select count(*) from history") == before
    assert await carepod.count("select count(*) from decision") == decisions


async def test_numbers_that_were_missed_are_asked_for_once(client: Client, carepod: Carepod) -> None:
    await client.send("POST", PATH, told(1))
    await client.send("POST", PATH, told(4))
    gap = "/Subscription/referrals/$events?eventsSinceNumber=2&eventsUntilNumber=3"
    assert await wanted(carepod) == ["/ServiceRequest/1", "/ServiceRequest/4", gap]
    await client.send("POST", PATH, told(5))
    await client.send("POST", PATH, told(3))
    expected = ["/ServiceRequest/1", "/ServiceRequest/3", "/ServiceRequest/4", "/ServiceRequest/5", gap]
    assert await wanted(carepod) == expected


async def test_a_heartbeat_that_counts_further_shows_a_gap_and_the_first_of_all_shows_none(
    client: Client, carepod: Carepod
) -> None:
    await client.send("POST", PATH, told(kind="heartbeat", count=9))
    assert await wanted(carepod) == []
    await client.send("POST", PATH, told(10))
    await client.send("POST", PATH, told(kind="heartbeat", count=11))
    gap = "/Subscription/referrals/$events?eventsSinceNumber=11&eventsUntilNumber=11"
    assert await wanted(carepod) == ["/ServiceRequest/10", gap]


@pytest.mark.parametrize(
    "body", [b"{", b'{"resourceType": "Patient"}', b'{"resourceType": "Bundle", "type": "history"}']
)
async def test_what_is_no_notification_is_refused_and_kept(client: Client, carepod: Carepod, body: bytes) -> None:
    assert (await client.send("POST", PATH, body)).status_code in (400, 422)
    assert len(await carepod.quarantined()) == 1


async def test_an_event_of_another_system_is_refused_and_nothing_is_read(client: Client, carepod: Carepod) -> None:
    body = told(1)
    part = body["entry"][0]["resource"]["parameter"][-1]["part"][2]
    part["valueReference"] = {"reference": "http://169.254.169.254/fhir/ServiceRequest/1"}
    assert (await client.send("POST", PATH, body)).status_code == 422
    assert await carepod.count("select count(*) from resource") == 0
