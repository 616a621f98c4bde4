"""How a payer is asked for our Subscription: found, changed or made, in either spelling, whatever comes back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import respx

from services.auth.subscribing.asking import SPELLINGS, deliver_subscription
from services.auth.subscribing.watching import (
    NOTIFIED,
    REFUSED,
    RENEW,
    STANDS,
    TAKEN,
    last_number,
    missing,
)
from services.auth.words import AT_PAYER, part
from shared.core import Answer, TryLater
from tests.services.auth.journey import Store
from tests.services.auth.patient import BASE, NOW, SECRET
from tests.services.auth.test_deliver import Outside
from tests.services.auth.test_subscribing import ADDRESS, ENDPOINT, Lane, event, status, subscribing


def outside() -> Outside:
    return Outside(site=subscribing())


def taken(**said: Any) -> dict[str, Any]:
    channel = {"type": "rest-hook", "endpoint": ENDPOINT}
    return {"resourceType": "Subscription", "id": "s1", "status": "requested", "reason": "r", "criteria": "c",
            "channel": channel, **said}  # fmt: skip


def filters(route: respx.Route) -> list[str]:
    """How the filter was spelled in each call."""
    bodies = [httpx.Response(200, content=c.request.content).json() for c in route.calls]
    return [b["_criteria"]["extension"][0]["valueString"].partition("=")[0] for b in bodies]


def nothing_there() -> None:
    respx.get(f"{BASE}/Subscription").respond(200, json={"resourceType": "Bundle", "type": "searchset"})


@respx.mock
async def test_it_is_made_with_the_secret_in_its_header_and_nowhere_else() -> None:
    nothing_there()
    route = respx.post(f"{BASE}/Subscription").respond(201, json=taken())
    answer = await deliver_subscription(Lane().asked().now, Store(), outside())
    body = httpx.Response(200, content=route.calls.last.request.content).json()
    assert body["channel"]["header"] == [f"Authorization: Bearer {SECRET}"]
    assert (
        body["_criteria"]["extension"][0]["valueString"] == "org-identifier=http://hl7.org/fhir/sid/us-npi|1234567893"
    )
    assert "extension" not in body
    assert (answer.reason, part(answer.resources[0], AT_PAYER, "address")) == (TAKEN, ADDRESS)
    assert SECRET not in str(answer)


@respx.mock
async def test_a_renewal_goes_out_though_a_heartbeat_came_before_it() -> None:
    lane = Lane().active()
    lane.take("wake", RENEW)
    lane.take("answer", NOTIFIED, status("heartbeat", 0))
    route = respx.put(ADDRESS).respond(200, json=taken(status="active"))
    assert (await deliver_subscription(lane.now, Store(), outside())).reason == TAKEN
    body = httpx.Response(200, content=route.calls.last.request.content).json()
    assert (body["status"], body["end"]) == ("requested", (NOW + STANDS).isoformat())


@respx.mock
@pytest.mark.parametrize("status_code", [400, 404, 422])
async def test_a_spelling_the_payer_refuses_is_followed_by_the_other(status_code: int) -> None:
    nothing_there()
    route = respx.post(f"{BASE}/Subscription")
    route.side_effect = [httpx.Response(status_code), httpx.Response(201, json=taken())]
    assert (await deliver_subscription(Lane().asked().now, Store(), outside())).reason == TAKEN
    assert filters(route) == list(SPELLINGS)


@respx.mock
async def test_one_that_refuses_both_is_asked_no_third_time() -> None:
    nothing_there()
    route = respx.post(f"{BASE}/Subscription").respond(422)
    assert await deliver_subscription(Lane().asked().now, Store(), outside()) == Answer(REFUSED)
    assert filters(route) == list(SPELLINGS)


@respx.mock
async def test_one_that_is_there_already_is_changed_and_not_made_twice() -> None:
    found = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": taken()}]}
    respx.get(f"{BASE}/Subscription").respond(200, json=found)
    route = respx.put(ADDRESS).respond(200, json=taken(status="active"))
    answer = await deliver_subscription(Lane().asked().now, Store(), outside())
    assert (len(route.calls), answer.resources[0]["status"]) == (1, "active")


ODD: list[Any] = [{"entry": 5}, {"entry": None}, {"entry": [None, {"resource": "x"}, {"resource": {"channel": "x"}}]}]


@respx.mock
@pytest.mark.parametrize("body", ODD)
async def test_a_search_answered_in_any_shape_has_found_none(body: Any) -> None:
    respx.get(f"{BASE}/Subscription").respond(200, json=body)
    route = respx.post(f"{BASE}/Subscription").respond(201, json=taken())
    assert (await deliver_subscription(Lane().asked().now, Store(), outside())).reason == TAKEN
    assert route.called


@respx.mock
async def test_one_the_payer_has_lost_is_made_again() -> None:
    respx.put(ADDRESS).respond(404)
    respx.post(f"{BASE}/Subscription").respond(201, json=taken(id="s2"))
    lane = Lane().active()
    lane.take("answer", NOTIFIED, event(3))
    lane.take("wake", RENEW)
    answer = await deliver_subscription(lane.now, Store(), outside())
    assert part(answer.resources[0], AT_PAYER, "address") == f"{BASE}/Subscription/s2"
    lane.take("answer", TAKEN, *answer.resources)
    assert (last_number(lane.now), missing(lane.now)) == (0, ())


@respx.mock
@pytest.mark.parametrize("status_code", [429, 503])
async def test_a_payer_that_is_busy_is_asked_later(status_code: int) -> None:
    nothing_there()
    respx.post(f"{BASE}/Subscription").respond(status_code)
    with pytest.raises(TryLater):
        await deliver_subscription(Lane().asked().now, Store(), outside())


@respx.mock
@pytest.mark.parametrize("name", ["..", ".", "../Claim/1", "http://elsewhere.test/s1", "", 7])
async def test_no_address_a_payer_names_is_ever_called(name: Any) -> None:
    nothing_there()
    respx.post(f"{BASE}/Subscription").respond(201, json=taken(id=name))
    assert await deliver_subscription(Lane().asked().now, Store(), outside()) == Answer(REFUSED)
