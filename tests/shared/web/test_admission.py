"""Under overload what is sent is answered 503 with Retry-After before anything is lost; a broker away shuts no door."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared.clock import stamp, uuid7
from shared.web import admission
from shared.web.admission import BEHIND
from tests.shared.web.stack import Carepod, Client, places, pushed, referral, renamed

Filled = Callable[[int, timedelta], Awaitable[None]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks, and little is much."""
    monkeypatch.setattr(admission, "LOOK", 0.0)
    monkeypatch.setattr(admission, "LATE", 20)
    monkeypatch.setattr(admission, "WAITING", 40)


@pytest.fixture
def filled(carepod: Carepod) -> Filled:
    """Puts messages of this age into the door's outbox."""

    async def fill(count: int, age: timedelta) -> None:
        at = carepod.app.clock() - age
        columns = ("id", "lane", "seq", "partition", "reason", "keys", "headers", "body", "created_at")
        rows = [(uuid7(at), f"patient/{n}", 1, 0, "said", "[]", "{}", "{}", stamp(at)) for n in range(count)]
        async with carepod.app.handles["intake"].database.writing() as tx:
            await tx.insert("outbox", columns, rows)

    return fill


def assert_told(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (503, "throttled"), answer.text
    assert int(answer.headers["retry-after"]) >= 1


async def test_late_messages_shut_the_door_until_they_are_sent(
    carepod: Carepod, client: Client, filled: Filled
) -> None:
    await filled(20, 2 * BEHIND)
    assert_told(await client.push(referral()))
    assert_told(await client.send("POST", "/fhir/Observation", {"resourceType": "Observation"}))
    assert_told(await client.send("POST", "/fhir/$process-message", {"resourceType": "Bundle"}))
    assert await carepod.count("select count(*) from quarantine") == 0
    assert await carepod.count("select count(*) from resource") == 0
    assert (await client.get("/fhir/Task")).status_code == 200
    async with carepod.app.handles["intake"].database.writing() as tx:
        await tx.execute("update outbox set sent_at = created_at")
    assert places(await client.push(referral()))["Task"]


@pytest.mark.parametrize(("count", "age"), [(19, 2 * BEHIND), (30, BEHIND / 2)])
async def test_few_late_messages_and_many_new_ones_do_not(
    client: Client, filled: Filled, count: int, age: timedelta
) -> None:
    await filled(count, age)
    assert (await client.push(referral())).status_code == 200


async def test_while_the_broker_is_away_the_door_is_open_until_too_many_wait(
    carepod: Carepod, client: Client, filled: Filled
) -> None:
    await carepod.app.broker.close()
    await filled(25, timedelta(hours=1))
    assert (await client.push(referral())).status_code == 200
    await filled(15, timedelta(hours=1))
    assert_told(await client.push(renamed(referral(), "-other")))


async def test_so_many_bodies_at_once_and_the_rest_comes_again(
    carepod: Carepod, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "AT_ONCE", 3)
    bundles = [renamed(referral(), f"-{n}") for n in range(12)]
    answers = await asyncio.gather(*(client.push(b) for b in bundles))
    assert {a.status_code for a in answers} == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert_told(answer)
    taken: list[Any] = [await pushed(client, b) for b in bundles]
    assert len({at["Task"] for at in taken}) == 12
