"""The gateway takes each text once, sends none to a landline, and brings each reply until it is taken."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

KEY = {"Authorization": "Bearer demo-gateway-key"}
TO = "402-555-0173"


def text(notice: str = "in-n1", to: str = TO, **changed: Any) -> dict[str, Any]:
    whose = {"subject": "Patient/in-1", "sender": "RelatedPerson/in-2"}
    return {"id": notice, "to": to, "text": "Do you agree?", "reply_as": whose, **changed}


async def posted(outside: Any, body: dict[str, Any], headers: dict[str, str] | None = None) -> int:
    answer: httpx.Response = await outside.http.post("/gateway/messages", json=body, headers=headers or KEY)
    return answer.status_code


async def listed(outside: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await outside.http.get("/gateway/debug/messages")).json()
    return found


async def replied(outside: Any, words: str, to: str = TO) -> int:
    answer = await outside.http.post("/gateway/debug/reply", json={"to": to, "text": words})
    return int(answer.status_code)


async def test_the_same_text_again_is_one_text(outside: Any) -> None:
    assert [await posted(outside, text()) for _ in range(3)] == [201, 200, 200]
    [kept] = await listed(outside)
    assert (kept["received"], kept["number"]) == (3, "4025550173")


async def test_without_the_key_nothing_is_taken(outside: Any) -> None:
    assert await posted(outside, text(), {"Authorization": "Bearer other"}) == 401
    assert await listed(outside) == []


@pytest.mark.parametrize(
    "to, status",
    [
        (TO, 201),
        ("+1 402 555 0173", 201),
        ("402-555-0100", 422),
        ("555-0173", 422),
        ("", 422),
        ("44 20 7946 0018", 422),
    ],
)
async def test_a_number_that_takes_no_texts_is_refused(outside: Any, to: str, status: int) -> None:
    assert await posted(outside, text(to=to)) == status


async def test_a_reply_is_brought_as_a_communication_of_who_was_written_to(outside: Any) -> None:
    await posted(outside, text())
    await posted(outside, text("in-n2"))
    assert await replied(outside, "YES") == 201
    assert await outside.after(0.1) == 1
    [request] = outside.carepod.received
    [said] = outside.carepod.bodies()
    get_fhir_model_class("Communication").model_validate(said)
    assert request.url.path == "/fhir/Communication"
    assert said["basedOn"] == [{"reference": "CommunicationRequest/in-n2"}]
    assert (said["subject"], said["sender"]) == ({"reference": "Patient/in-1"}, {"reference": "RelatedPerson/in-2"})
    assert said["payload"] == [{"contentString": "YES"}]


async def test_a_reply_is_brought_until_it_is_taken_and_is_the_same_each_time(outside: Any) -> None:
    outside.carepod.answers = [httpx.ConnectError("down"), 503, 201]
    await posted(outside, text())
    await replied(outside, "YES")
    for _ in range(3):
        assert await outside.after(5) == 1
    assert await outside.after(60) == 0
    assert len({r.headers["If-None-Exist"] for r in outside.carepod.received}) == 1
    assert outside.carepod.bodies()[0] == outside.carepod.bodies()[-1]


async def test_a_reply_refused_for_good_is_not_brought_again(outside: Any) -> None:
    outside.carepod.answers = [422]
    await posted(outside, text())
    await replied(outside, "YES")
    assert [await outside.after(5), await outside.after(60)] == [1, 0]


async def test_who_got_no_text_has_nothing_to_reply_to(outside: Any) -> None:
    assert await replied(outside, "YES") == 404


async def test_what_is_still_to_be_brought_outlives_a_restart(start: Any) -> None:
    first = start()
    await posted(first, text())
    await replied(first, "YES")
    again = start()
    assert await again.after(1) == 1
    assert len(again.carepod.received) == 1
