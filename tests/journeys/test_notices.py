"""Patients are written to and answer: by text through the gateway, by mail, and by their guardian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks.cases import Template, placer
from benchmarks.disturbed import Deployment
from shared.clock import system_clock
from tests.journeys.case import Case, booked, entries, until, without
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def practice(site: dict[str, Any], deployment: Deployment) -> None:
    """With a mail server, and without quiet hours: the hour of the day decides no test."""
    site["messaging"]["server"] = f"smtp://127.0.0.1:{deployment.smtp_port}"
    site["adopted_drafts"] = [a for a in site["adopted_drafts"] if a["policy"] != "intake/notice-hours"]


def referral(number: int, changed: Callable[[dict[str, Any]], None]) -> bytes:
    return Template(system_clock().date(), "iron-meets-criteria", changed).referral(number, "riverside")


async def push(deployment: Deployment, number: int, body: bytes) -> None:
    sender = deployment.sender()
    try:
        await pushed(sender, placer(number), body)
    finally:
        await sender.close()


def stage(case: Case, code: str) -> str | None:
    """Where the latest notice of a kind stands."""
    found = [n for n in case.of("CommunicationRequest") if n["category"][0]["coding"][0]["code"] == code]
    return found[-1]["status"] if found else None


def reached_at(number: str, system: str = "phone") -> Callable[[dict[str, Any]], None]:
    """A patient without consent on file, to be reached there."""

    def changed(bundle: dict[str, Any]) -> None:
        without(bundle, entries(bundle, "Consent"))
        [patient] = entries(bundle, "Patient")
        patient["telecom"] = [{"system": system, "use": "mobile", "value": number}]

    return changed


async def test_a_patient_consents_by_text_and_the_visits_are_booked_and_told(standing: Deployment) -> None:
    number = "402-555-2701"
    await push(standing, 270, referral(270, reached_at(number)))
    told = ("welcome", "consent-request", "therapy-overview")
    case = await until(standing, 270, lambda c: {stage(c, code) for code in told} == {"completed"})
    assert case.gaps() == {"consent-missing"}
    async with httpx.AsyncClient(base_url=standing.partners_url, trust_env=False, timeout=30.0) as http:
        (await http.post("/gateway/debug/reply", json={"to": number, "text": "Yes"})).raise_for_status()
    case = await until(standing, 270, lambda c: booked(c) and stage(c, "logistics") == "completed")
    [consent] = case.of("Consent")
    assert consent["policyRule"]["coding"][0]["code"] == "OPTIN"
    texts = [t for t in await standing.debug("gateway/debug/messages") if t["number"] == "4025552701"]
    assert len(texts) == len({t["id"] for t in texts}) == 4
    assert "Riverside Infusion Center" in texts[-1]["body"]


async def test_a_number_that_takes_no_texts_ends_with_a_person(standing: Deployment) -> None:
    await push(standing, 271, referral(271, reached_at("402-555-2700")))
    case = await until(standing, 271, lambda c: stage(c, "welcome") == "revoked")
    asked = {t["input"][0]["type"]["coding"][0]["code"] for t in case.tasks("intake-question")}
    assert "patient-unreached" in asked
    assert not [t for t in await standing.debug("gateway/debug/messages") if t["number"] == "4025552700"]


async def test_a_patient_with_a_mail_address_gets_mails_in_his_language(standing: Deployment) -> None:
    def changed(bundle: dict[str, Any]) -> None:
        reached_at("denise@home.example", "email")(bundle)
        [patient] = entries(bundle, "Patient")
        patient["communication"] = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}}]

    await push(standing, 272, referral(272, changed))
    await until(standing, 272, lambda c: stage(c, "consent-request") == "completed")
    mails = await standing.debug("mailbox/debug/mails")
    assert {m["To"] for m in mails} == {"denise@home.example"}
    assert {m["Content-Language"] for m in mails} == {"es"}
    assert any("Responda SÍ" in m["text"] for m in mails)
