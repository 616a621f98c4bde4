"""Live says that the process answers; ready that its databases do: a broker that is away must not stop referrals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import instant
from shared.ports import Unavailable
from shared.web import health
from tests.shared.web.stack import Carepod, Client, referral


async def ready(carepod: Carepod) -> tuple[int, dict[str, Any]]:
    response = await carepod.http.get("/health/ready")
    return response.status_code, response.json()


async def test_it_is_live_and_ready(carepod: Carepod) -> None:
    assert (await carepod.http.get("/health/live")).json() == {"status": "live"}
    assert await ready(carepod) == (200, {"ready": True, "problems": [], "broker": "connected", "waiting": {}})


async def test_a_broker_that_is_away_is_told_and_referrals_go_on(carepod: Carepod, client: Client) -> None:
    await carepod.app.broker.close()
    status, body = await ready(carepod)
    assert (status, body["ready"], body["broker"]) == (200, True, "away")
    assert (await client.push(referral())).status_code == 200


async def test_a_broker_that_does_not_answer_does_not_hold_the_probe(
    carepod: Carepod, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forever() -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(health, "PATIENCE", 0.3)
    monkeypatch.setattr(carepod.app.broker, "ready", forever)
    status, body = await ready(carepod)
    assert (status, body["broker"]) == (200, "away")


@pytest.mark.parametrize("trouble", ["unavailable", "silent"])
async def test_a_database_that_is_down_makes_the_process_not_ready(
    carepod: Carepod, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        if trouble == "unavailable":
            raise Unavailable("down")
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(health, "PATIENCE", 0.3)
    monkeypatch.setattr(carepod.app.handles["auth"].database, "reading", broken)
    status, body = await ready(carepod)
    assert (status, body["ready"], body["problems"]) == (503, False, ["auth: database"])
    assert (await carepod.http.get("/health/live")).status_code == 200


@pytest.mark.parametrize(("age", "waiting"), [(-1, {}), (0, {}), (1, {"intake": 1})])
async def test_messages_that_wait_long_are_told_and_stop_nothing(
    carepod: Carepod, client: Client, monkeypatch: pytest.MonkeyPatch, age: int, waiting: dict[str, int]
) -> None:
    await client.push(referral())
    async with carepod.app.handles["intake"].database.reading() as tx:
        rows = await tx.fetch("select created_at from outbox where sent_at is null")
    later = instant(rows[0][0]) + health.OLDEST_UNSENT + timedelta(seconds=age)
    monkeypatch.setattr(carepod.app, "clock", lambda: later)
    status, body = await ready(carepod)
    assert (status, body["waiting"]) == (200, waiting)
