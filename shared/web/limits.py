"""How many requests a client may make: counted for all processes in Redis, in this one alone while Redis is away."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from redis.asyncio import Redis
from redis.exceptions import RedisError

PATIENCE = 0.5
"""Seconds Redis may take, a busy event loop included; then this request is counted here."""

REST = 1.0
"""Seconds Redis is left alone after it failed, so that requests do not each wait for it."""

SILENCE = 60.0
"""Seconds between two log lines about the same trouble."""

_MOST_CLIENTS = 10_000

log = logging.getLogger(__name__)


class Limiter:
    """Fixed windows: `requests` per client in `seconds`, the window beginning with its first request.

    One round trip a request, however many clients. Without Redis each process allows the whole number by itself: a
    limiter that fails must not stop referrals.
    """

    def __init__(
        self, redis: Redis, requests: int = 2000, seconds: int = 1, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._requests = requests
        self._seconds = seconds
        self._monotonic = monotonic
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._resting_until = self._silent_until = float("-inf")

    async def retry_after(self, client_id: str) -> int | None:
        """Counts one request: None where it may go on, else after how many seconds to come again."""
        if self._monotonic() < self._resting_until:
            return self._verdict(*self._counted_here(client_id))
        try:
            async with asyncio.timeout(PATIENCE):
                counted = await self._counted(client_id)
        except (RedisError, OSError):
            self._rest()
            counted = self._counted_here(client_id)
        return self._verdict(*counted)

    def _verdict(self, count: int, seconds_left: float) -> int | None:
        return None if count <= self._requests else max(1, ceil(seconds_left))

    async def _counted(self, client_id: str) -> tuple[int, float]:
        """Requests of this client in its window, and seconds until it ends."""
        key = "carepod:limit:" + hashlib.sha256(client_id.encode()).hexdigest()
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, ex=self._seconds, nx=True)
            pipe.incr(key)
            pipe.pttl(key)
            _, count, milliseconds = await pipe.execute()
        if milliseconds < 0:  # the window ended between the first and the second command: the count begins anew
            await self._redis.expire(key, self._seconds)
        return count, milliseconds / 1000

    def _counted_here(self, client_id: str) -> tuple[int, float]:
        now = self._monotonic()
        ends, count = self._windows.get(client_id, (now, 0))
        if ends <= now:
            ends, count = now + self._seconds, 0
        self._windows[client_id] = (ends, count + 1)
        self._windows.move_to_end(client_id)
        if len(self._windows) > _MOST_CLIENTS:
            self._windows.popitem(last=False)
        return count + 1, ends - now

    def _rest(self) -> None:
        now = self._monotonic()
        self._resting_until = now + REST
        if now >= self._silent_until:
            self._silent_until = now + SILENCE
            log.warning("rate limit: Redis does not answer; each process counts by itself")
