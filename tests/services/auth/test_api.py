"""Notifications of payers: authenticated, matched, decided; everything else refused with the right status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.auth.api import router
from shared.core import Decision, Event, Resource, reference
from shared.fhir.json import encode
from shared.ports import Reader
from shared.settings import Site
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import NOW, PRACTICE, SECRET

AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}


@dataclass(slots=True)
class Handle:
    journey: Journey
    site: Site = PRACTICE
    events: list[Event] = field(default_factory=list)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        yield self.journey.store

    def now(self) -> datetime:
        return NOW

    async def take(self, event: Event) -> Decision:
        self.events.append(event)
        return self.journey.take(event)


def notification(*resources: Any, kind: str = "event-notification") -> dict[str, Any]:
    status = {"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": kind}]}
    answer = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}
    return {
        "resourceType": "Bundle",
        "type": "history",
        "entry": [{"resource": status}, *([{"resource": answer}] if resources else [])],
    }


async def told(
    handle: Handle, body: Any, headers: dict[str, str] = AUTHORIZED, payer: str = "prairie-health"
) -> httpx.Response:
    app = FastAPI()
    app.include_router(router(handle))
    content = body if isinstance(body, bytes) else encode(body)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ours.test") as client:
        return await client.post(f"/notifications/pas/{payer}", content=content, headers=headers)


def pended() -> tuple[Handle, Resource]:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    return Handle(journey), claim


async def test_a_notified_approval_is_decided_and_told_twice_changes_nothing_more() -> None:
    handle, claim = pended()
    body = notification(claim_answer(claim, "A1", "ph2"))
    assert (await told(handle, body)).status_code == 200
    assert handle.journey.status == ("approved", "completed")
    event = handle.events[0]
    assert (event.kind, event.focus, event.lane) == ("answer", reference(claim), "patient/in-p")
    assert event.source == "payer-prairie-health"
    assert (await told(handle, body)).status_code == 200
    assert handle.journey.decisions[-1].saves == ()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": SECRET}, {"Authorization": "Bearer "}]
)
async def test_a_wrong_secret_is_turned_away_before_anything_is_read(headers: dict[str, str]) -> None:
    handle, _ = pended()
    response = await told(handle, b"not even json", headers)
    assert response.status_code == 401
    assert response.json()["resourceType"] == "OperationOutcome"
    assert handle.events == []


@pytest.mark.parametrize("payer", ["unheard-of", "lakeland-advantage"])
async def test_a_payer_without_an_agreed_secret_is_turned_away(payer: str) -> None:
    handle, _ = pended()
    for headers in (AUTHORIZED, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        assert (await told(handle, notification(), headers, payer)).status_code == 401


async def test_an_answer_to_a_claim_that_is_not_ours_is_not_found() -> None:
    handle, claim = pended()
    stranger = claim_answer(claim, identifier=[{"system": "s", "value": "v"}])
    response = await told(handle, notification(stranger))
    assert response.status_code == 404
    assert response.json()["issue"][0]["expression"] == ["ClaimResponse.identifier"]
    assert handle.events == []


@pytest.mark.parametrize(
    "body", [b"{", b"[]", {"resourceType": "Bundle", "type": "collection", "entry": []}, {"resourceType": "Patient"}]
)
async def test_what_is_no_notification_is_refused(body: Any) -> None:
    handle, _ = pended()
    assert (await told(handle, body)).status_code == 400


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
async def test_a_handshake_is_welcome_and_changes_nothing(kind: str) -> None:
    handle, _ = pended()
    assert (await told(handle, notification(kind=kind))).status_code == 200
    assert handle.events == []


async def test_an_answer_nobody_can_read_becomes_a_question() -> None:
    journey = Journey().benefit_known()
    handle, claim = Handle(journey), journey.one("Claim")
    assert (await told(handle, notification(claim_answer(claim, status="banana")))).status_code == 200
    assert journey.status == ("question", "on-hold")
