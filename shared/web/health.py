"""Whether the process answers, and whether it may be sent requests: its databases do, whatever the broker does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from shared.app import Application, Handle
from shared.clock import stamp
from shared.ports import Unavailable

OLDEST_UNSENT = timedelta(minutes=5)
"""Past this age an unsent message is reported."""
PATIENCE = 2.0
"""Seconds an engine may take to answer; a probe waits not much longer."""


def add_health(api: FastAPI, app: Application) -> None:
    """Adds `/health/live` and `/health/ready`."""

    @api.get("/health/live", tags=["health"], summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @api.get("/health/ready", tags=["health"], summary="Its databases answer; what waits for the broker is told")
    async def ready() -> Response:
        waiting = await asyncio.gather(*(_waiting(app, handle) for handle in app.handles.values()))
        found = dict(zip(app.handles, waiting, strict=True))
        problems = [f"{name}: database" for name, count in found.items() if count is None]
        # A broker that is away, or a message it does not take, must not stop referrals: they wait in the outbox.
        body = {
            "ready": not problems,
            "problems": problems,
            "broker": "connected" if await _connected(app) else "away",
            "waiting": {name: count for name, count in found.items() if count},
        }
        return JSONResponse(body, 503 if problems else 200)


async def _waiting(app: Application, handle: Handle) -> int | None:
    """How many messages have waited too long for the broker; None where the database does not answer."""
    oldest = stamp(app.clock() - OLDEST_UNSENT)
    try:
        async with asyncio.timeout(PATIENCE), handle.database.reading() as tx:
            rows = await tx.fetch("select count(*) from outbox where sent_at is null and created_at < $1", oldest)
    except (Unavailable, TimeoutError):
        return None
    return int(rows[0][0])


async def _connected(app: Application) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            return await app.broker.ready()
    except TimeoutError:
        return False
