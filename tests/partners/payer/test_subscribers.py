"""Whom a payer tells of its decisions: Subscriptions it takes, in the one spelling its topic knows."""

from __future__ import annotations

from typing import Any

import pytest

from partners.payer.notifications import BACKPORT, TOPIC

Json = dict[str, Any]
ENDPOINT = "http://carepod.test/notifications/pas/prairie-health"


def subscription(spelling: str = "org-identifier", **changed: Any) -> Json:
    content = {"url": BACKPORT + "backport-payload-content", "valueCode": "full-resource"}
    filtered = {
        "url": BACKPORT + "backport-filter-criteria",
        "valueString": f"{spelling}=http://hl7.org/fhir/sid/us-npi|1234567893",
    }
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Decisions",
        "criteria": TOPIC,
        "_criteria": {"extension": [filtered]},
        "channel": {
            "type": "rest-hook",
            "endpoint": ENDPOINT,
            "payload": "application/fhir+json",
            "_payload": {"extension": [content]},
            "header": ["Authorization: Bearer our-secret"],
        },
    } | changed


async def test_one_that_is_taken_is_shaken_hands_with_and_then_active(outside: Any) -> None:
    response = await outside.http.post("/payer/prairie-health/Subscription", json=subscription())
    assert (response.status_code, response.json()["status"]) == (201, "requested")
    assert "header" not in response.json()["channel"]
    await outside.partners.tick()
    (shaken,) = outside.carepod.received
    assert (str(shaken.url), shaken.headers["authorization"]) == (ENDPOINT, "Bearer our-secret")
    kinds = {p["name"]: next(v for k, v in p.items() if k != "name")
             for p in outside.carepod.bodies()[0]["entry"][0]["resource"]["parameter"]}  # fmt: skip
    assert (kinds["type"], kinds["events-since-subscription-start"]) == ("handshake", "0")
    found = (await outside.http.get("/payer/prairie-health/Subscription", params={"url": ENDPOINT})).json()
    assert [e["resource"]["status"] for e in found["entry"]] == ["active"]


async def test_a_handshake_that_is_refused_ends_in_error(outside: Any) -> None:
    outside.carepod.answers.append(401)
    made = (await outside.http.post("/payer/prairie-health/Subscription", json=subscription())).json()
    await outside.partners.tick()
    assert (await outside.http.get(f"/payer/prairie-health/Subscription/{made['id']}")).json()["status"] == "error"


SPELLED = [
    ("prairie-health", "org-identifier", 201),
    ("prairie-health", "orgIdentifier", 422),
    ("lakeland-advantage", "org-identifier", 422),
    ("lakeland-advantage", "orgIdentifier", 201),
]


@pytest.mark.parametrize(("payer", "spelling", "status"), SPELLED)
async def test_each_payer_takes_one_spelling_of_the_filter(
    outside: Any, payer: str, spelling: str, status: int
) -> None:
    response = await outside.http.post(f"/payer/{payer}/Subscription", json=subscription(spelling))
    assert response.status_code == status


UNFILTERED = {"extension": [{"url": BACKPORT + "backport-additional-criteria", "valueString": "everything"}]}


@pytest.mark.parametrize("changed", [{"criteria": "http://somewhere.test/topic"}, {"_criteria": UNFILTERED}])
async def test_another_topic_or_no_filter_is_refused(outside: Any, changed: Json) -> None:
    response = await outside.http.post("/payer/prairie-health/Subscription", json=subscription(**changed))
    assert response.status_code == 422


async def test_one_that_is_not_there_cannot_be_changed(outside: Any) -> None:
    response = await outside.http.put("/payer/prairie-health/Subscription/sub-9", json=subscription())
    assert response.status_code == 404
