"""Notifications of payers: authenticated, matched, decided; everything else refused with the right status."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from services.auth.api import router
from shared.core import Decision, Event, Resource, reference
from shared.fhir.json import encode
from shared.fhir.outcomes import Issue
from shared.ports import Reader
from shared.settings import Partner, Site
from shared.web.errors import add_errors
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import NOW, PRACTICE, SECRET

AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}


@dataclass(slots=True)
class Handle:
    journey: Journey
    site: Site = PRACTICE
    events: list[Event] = field(default_factory=list)
    quarantined: list[tuple[str, list[str]]] = field(default_factory=list)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        yield self.journey.store

    def now(self) -> datetime:
        return NOW

    async def take(self, event: Event) -> Decision:
        self.events.append(event)
        return self.journey.take(event)

    async def quarantine(self, client: str, place: str, issues: Iterable[Issue], body: bytes) -> None:
        self.quarantined.append((client, [i.code for i in issues]))


def notification(*resources: Any, kind: str = "event-notification") -> dict[str, Any]:
    status = {"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": kind}]}
    answer = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}
    entries = [status, *([answer] if resources else [])]
    done = {"request": {"method": "GET", "url": "Bundle/1"}, "response": {"status": "200"}}
    told = [{"fullUrl": f"urn:uuid:{UUID(int=n)}", "resource": r, **done} for n, r in enumerate(entries)]
    return {"resourceType": "Bundle", "type": "history", "entry": told}


async def told(
    handle: Handle, body: Any, headers: dict[str, str] = AUTHORIZED, payer: str = "prairie-health"
) -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json"} | headers
    app = FastAPI()
    add_errors(app, lambda: NOW)
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
    assert handle.quarantined == []


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
    assert [client for client, _ in handle.quarantined] == ["payer-prairie-health"]


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
async def test_a_handshake_is_welcome_and_changes_nothing(kind: str) -> None:
    handle, _ = pended()
    assert (await told(handle, notification(kind=kind))).status_code == 200
    assert handle.events == []


async def test_an_illegal_answer_is_refused_with_every_issue_and_becomes_a_question() -> None:
    journey = Journey().benefit_known()
    handle, claim = Handle(journey), journey.one("Claim")
    response = await told(handle, notification(claim_answer(claim, status="banana")))
    assert response.status_code == 422
    assert response.json()["issue"][0]["expression"][0].endswith("status")
    assert "banana" not in response.text
    assert journey.status == ("question", "on-hold")
    assert handle.quarantined == [("payer-prairie-health", ["code-invalid"])]


async def test_an_illegal_answer_to_a_pended_claim_asks_a_person_at_once_and_once() -> None:
    handle, claim = pended()
    for _ in range(2):
        assert (await told(handle, notification(claim_answer(claim, "A1", "ph2", outcome="banana")))).status_code == 422
    (question,) = handle.journey.tasks("authorization-question")
    assert question["status"] == "requested"
    assert handle.journey.status == ("pended", "in-progress")
    assert (await told(handle, notification(claim_answer(claim, "A1", "ph3")))).status_code == 200
    assert handle.journey.status == ("approved", "completed")
    assert handle.journey.tasks("authorization-question")[0]["status"] == "cancelled"


async def test_a_payer_says_nothing_about_a_claim_that_went_to_another() -> None:
    handle, claim = pended()
    other = Partner("payer-lakeland-advantage", "http://lakeland.test", notification_secret="another-secret")
    handle.site = replace(PRACTICE, partners={**PRACTICE.partners, other.id: other})
    body = notification(claim_answer(claim, "A1", "ph2"))
    response = await told(handle, body, {"Authorization": "Bearer another-secret"}, "lakeland-advantage")
    assert response.status_code == 404
    assert handle.events == []
    assert handle.journey.status == ("pended", "in-progress")


@pytest.mark.parametrize(
    "odd",
    [
        {"identifier": "x"}, {"identifier": [1, None, {"system": 1}]}, {"request": "Claim/1"}, {"item": "none"},
        {"item": [{"itemSequence": "1"}]}, {"item": [None]}, {"patient": []},
    ],
)  # fmt: skip
async def test_no_shape_of_an_answer_is_an_error_of_ours(odd: dict[str, Any]) -> None:
    handle, claim = pended()
    for body in (notification(claim_answer(claim) | odd), notification(None, "x", {"entry": 1})):
        assert (await told(handle, body)).status_code in (400, 422)
    assert handle.journey.status == ("pended", "in-progress")


async def test_a_body_too_large_or_of_another_kind_is_refused() -> None:
    handle, _ = pended()
    assert (await told(handle, b" " * (5 * 1024 * 1024 + 1))).status_code == 413
    assert (await told(handle, notification(), AUTHORIZED | {"Content-Type": "text/html"})).status_code == 415
