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

from shared.fhir.outcomes import Issue
from shared.web.requests import Refused

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
        self, redis: Redis, requests: int = 2000, seconds: int = 1, monotonic: Callable[[], float] | None = None
    ) -> None:
        self._redis = redis
        self._requests = requests
        self._seconds = seconds
        self._monotonic = monotonic or time.monotonic
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._resting_until = self._silent_until = float("-inf")

    async def admit(self, client_id: str, requests: int = 1) -> None:
        """Counts requests of a client. Raises Refused, 429, where they are too many."""
        after = await self.retry_after(client_id, requests)
        if after is not None:
            issue = Issue("throttled", "", "fewer requests would be right")
            raise Refused(429, [issue], {"Retry-After": str(after)})

    async def retry_after(self, client_id: str, requests: int = 1) -> int | None:
        """Counts requests: None where they may go on, else after how many seconds to come again.

        Several that come in one body go on where the first of them may: else those of a body larger than the whole
        window never could. All of them are counted, so nobody gets ahead by a body a window.
        """
        if self._monotonic() < self._resting_until:
            return self._verdict(requests, *self._counted_here(client_id, requests))
        try:
            async with asyncio.timeout(PATIENCE):
                counted = await self._counted(client_id, requests)
        except (RedisError, OSError):
            self._rest()
            counted = self._counted_here(client_id, requests)
        return self._verdict(requests, *counted)

    def _verdict(self, requests: int, count: int, seconds_left: float) -> int | None:
        return None if count - requests < self._requests else max(1, ceil(seconds_left))

    async def _counted(self, client_id: str, requests: int) -> tuple[int, float]:
        """Requests of this client in its window, these included, and seconds until it ends."""
        key = "carepod:limit:" + hashlib.sha256(client_id.encode()).hexdigest()
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, ex=self._seconds, nx=True)
            pipe.incrby(key, requests)
            pipe.pttl(key)
            _, count, milliseconds = await pipe.execute()
        if milliseconds < 0:  # the window ended between the first and the second command: the count begins anew
            await self._redis.expire(key, self._seconds)
        return count, milliseconds / 1000

    def _counted_here(self, client_id: str, requests: int) -> tuple[int, float]:
        now = self._monotonic()
        ends, count = self._windows.get(client_id, (now, 0))
        if ends <= now:
            ends, count = now + self._seconds, 0
        self._windows[client_id] = (ends, count + requests)
        self._windows.move_to_end(client_id)
        if len(self._windows) > _MOST_CLIENTS:
            self._windows.popitem(last=False)
        return count + requests, ends - now

    def _rest(self) -> None:
        now = self._monotonic()
        self._resting_until = now + REST
        if now >= self._silent_until:
            self._silent_until = now + SILENCE
            log.warning("rate limit: Redis does not answer; each process counts by itself")
