"""Pushes as an EHR makes them: all at once, and each again until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx

from shared.cli.push import Pushed, Sender
from shared.core import TryLater

PATIENCE = 90.0
"""Seconds an EHR goes on trying to push one referral."""


async def heard(sender: Sender, name: str, body: bytes, path: str = "") -> Pushed:
    """Sends one body until it is taken or refused as it is (4xx)."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                answer = await sender.post(name, body, path)
            except (httpx.HTTPError, TryLater, ValueError):
                await asyncio.sleep(0.2)
                continue
            if answer.status < 500 and answer.status not in (401, 429):
                return answer
            await asyncio.sleep(0.2)


async def pushed(sender: Sender, name: str, body: bytes, path: str = "") -> Pushed:
    """Sends one body until it is taken; a refusal of it as it is fails."""
    answer = await heard(sender, name, body, path)
    assert answer.status < 300, answer.answer
    return answer


async def all_pushed(sender: Sender, bodies: Iterable[tuple[str, bytes]]) -> list[Pushed]:
    """Sends every body at once."""
    return list(await asyncio.gather(*(pushed(sender, name, body) for name, body in bodies)))
