"""What is for the practice alone: no client reads what is asked of its people, nor which records are one person's."""

from __future__ import annotations

from services.intake.questions import PRACTICE_ONLY
from tests.shared.web.stack import Carepod, Client, of, pushed, referral


async def asked(client: Client) -> set[str]:
    """The codes of the questions of intake a client reads."""
    found = (await client.get("/fhir/Task?code=intake-question")).json().get("entry", [])
    return {c["code"] for e in found for i in e["resource"]["input"] for c in i["type"]["coding"]}


async def test_what_is_asked_of_the_practice_alone_is_read_by_no_referrer(client: Client, carepod: Carepod) -> None:
    child = referral()
    of(child, "Patient")["birthDate"] = "2015-01-01"
    await pushed(client, child)
    assert "nobody-to-tell" in await asked(carepod.client("office"))
    assert "order-verification" in await asked(client)
    assert not await asked(client) & PRACTICE_ONLY
