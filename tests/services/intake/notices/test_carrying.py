"""Notices on their way: what each answer of gateway and mail server means; no retry breaks a quiet hour."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
import respx

from benchmarks.harness import free_port
from partners.mailbox import Mailbox
from services.intake.notices.carrying import DROPPED, notice_channels
from services.intake.notices.sending import REFUSED, SENT
from services.intake.service import POLICIES
from shared.core import Channel, Doubtful, Resource, TryLater
from shared.mail import sent
from shared.messaging import Messaging
from shared.policy import load_figures
from shared.settings import Site

NOON = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
OPENS = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
GATEWAY = "http://partners.test/gateway/messages"
PATIENT = {
    "resourceType": "Patient",
    "id": "in-1",
    "telecom": [
        {"system": "phone", "use": "mobile", "value": "402-555-0173"},
        {"system": "email", "value": "denise@home.example"},
    ],
}


def notice(medium: str = "text", **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "CommunicationRequest",
        "id": "in-n1",
        "status": "active",
        "category": [
            {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/patient-notice", "code": "welcome"}]}
        ],
        "medium": [{"coding": [{"code": medium}]}],
        "subject": {"reference": "Patient/in-1"},
        "recipient": [{"reference": "Patient/in-1"}],
        "payload": [{"contentString": "Your referral\n\nYour doctor has referred you.\nYou need to do nothing."}],
        **elements,
    }


class Store:
    """What is stored, by id."""

    def __init__(self, *resources: Resource) -> None:
        self._by_id = {r["id"]: r for r in resources}

    async def read(self, resource_id: str) -> Resource | None:
        return self._by_id.get(resource_id)


class World:
    """One practice at one instant, with a real HTTP client and a real mail server."""

    def __init__(self, site: Site, at: datetime) -> None:
        self.site, self._at = site, at
        self.http = httpx.AsyncClient()

    def now(self) -> datetime:
        return self._at

    async def mail(self, message: EmailMessage) -> None:
        assert self.site.messaging is not None
        assert self.site.messaging.server is not None
        await sent(self.site.messaging.server, message)


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, str]]:
    port = free_port()
    box = Mailbox("127.0.0.1", port)
    await box.start()
    yield box, f"smtp://127.0.0.1:{port}"
    await box.stop()


@pytest.fixture
def world(site: Site, mailbox: tuple[Mailbox, str]) -> World:
    messaging = Messaging("hello@practice.example", mailbox[1], "texts-prairie")
    return World(replace(site, messaging=messaging), NOON)


def channel(name: str) -> Channel:
    figures = load_figures("intake", POLICIES, ["intake/notice-hours"])
    return next(c for c in notice_channels(figures) if c.name == name)


async def carried(world: Any, sending: Resource, *stored: Resource, name: str = "text") -> str:
    held: Any = Store(*(stored or (sending, PATIENT)))
    return (await channel(name).send(sending, held, world)).reason


@respx.mock
async def test_a_text_goes_with_its_key_and_with_whose_reply_it_will_be(world: World) -> None:
    route = respx.post(GATEWAY).respond(201)
    assert await carried(world, notice()) == SENT
    request = route.calls[0].request
    assert request.headers["Idempotency-Key"] == "in-n1"
    assert request.headers["Authorization"] == "Bearer demo-gateway-key"
    said = json.loads(request.content)
    assert (said["to"], said["reply_as"]["sender"]) == ("402-555-0173", "Patient/in-1")


@respx.mock
@pytest.mark.parametrize("status, reason", [(200, SENT), (201, SENT), (400, REFUSED), (401, REFUSED), (422, REFUSED)])
async def test_the_gateways_word_is_the_answer(world: World, status: int, reason: str) -> None:
    respx.post(GATEWAY).respond(status)
    assert await carried(world, notice()) == reason


@respx.mock
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_busy_gateway_is_asked_later(world: World, status: int) -> None:
    respx.post(GATEWAY).respond(status, headers={"Retry-After": "7"})
    with pytest.raises(TryLater) as later:
        await carried(world, notice())
    assert later.value.after_seconds == 7


@respx.mock
@pytest.mark.parametrize(
    "error, meaning", [(httpx.ConnectError, TryLater), (httpx.ReadTimeout, Doubtful), (httpx.ReadError, Doubtful)]
)
async def test_a_gateway_that_does_not_answer_leaves_what_it_leaves(
    world: World, error: type[Exception], meaning: type[Exception]
) -> None:
    respx.post(GATEWAY).mock(side_effect=error)
    with pytest.raises(meaning):
        await carried(world, notice())


async def test_a_retry_in_quiet_hours_waits_for_the_morning(world: World) -> None:
    world._at = NIGHT
    with pytest.raises(TryLater) as later:
        await carried(world, notice())
    assert later.value.after_seconds == (OPENS - NIGHT).total_seconds()


@pytest.mark.parametrize(
    "now", [notice(status="revoked"), notice(status="completed"), notice("mail"), notice(status="on-hold")]
)
async def test_a_late_attempt_sends_nothing_nobody_wants_any_more(world: World, now: Resource) -> None:
    assert await carried(world, notice(), now, PATIENT) == DROPPED


async def test_an_address_that_is_gone_is_a_refusal(world: World) -> None:
    assert await carried(world, notice(), notice(), {**PATIENT, "telecom": []}) == REFUSED


async def test_a_mail_arrives_with_its_words_and_the_same_message_id_however_often(
    world: World, mailbox: tuple[Mailbox, str]
) -> None:
    said = notice("mail", language="es")
    for _ in range(2):
        assert await carried(world, said, name="mail") == SENT
    first, again = mailbox[0].listing()
    assert first == again
    assert (first["To"], first["Subject"]) == ("denise@home.example", "Your referral")
    assert (first["Message-ID"], first["Content-Language"]) == ("<in-n1@practice.example>", "es")
    assert first["text"].splitlines() == ["Your doctor has referred you.", "You need to do nothing."]


def written_to(address: str) -> dict[str, Any]:
    return {**PATIENT, "telecom": [{"system": "email", "value": address}]}


async def test_an_unknown_mail_address_is_a_refusal(world: World, mailbox: tuple[Mailbox, str]) -> None:
    said = notice("mail")
    assert await carried(world, said, said, written_to("who@refused.example"), name="mail") == REFUSED
    assert mailbox[0].mails == []


async def test_a_busy_mail_server_is_asked_later_and_takes_the_mail_then(
    world: World, mailbox: tuple[Mailbox, str]
) -> None:
    said = notice("mail")
    with pytest.raises(TryLater):
        await carried(world, said, said, written_to("who@busy.example"), name="mail")
    assert await carried(world, said, said, written_to("who@busy.example"), name="mail") == SENT
    assert len(mailbox[0].mails) == 1


async def test_a_mail_server_that_is_down_is_asked_later(world: World, mailbox: tuple[Mailbox, str]) -> None:
    await mailbox[0].stop()
    with pytest.raises(TryLater):
        await carried(world, notice("mail"), name="mail")


def test_a_notice_is_due_once_by_each_medium_it_is_given_to() -> None:
    text, mail = channel("text").due, channel("mail").due
    waiting, active, over = notice(status="on-hold"), notice(), notice(status="completed")
    assert (text(None, active), text(waiting, active), text(active, active)) == ("1", "1", None)
    assert (text(None, waiting), text(active, over), mail(None, active)) == (None, None, None)
    passed_on = {**active, "medium": [*active["medium"], {"coding": [{"code": "mail"}]}]}
    assert (mail(active, passed_on), text(active, passed_on)) == ("1", None)
    assert text(None, {"resourceType": "CommunicationRequest", "status": "active", "category": []}) is None
