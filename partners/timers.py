"""What a partner does later by itself: stored timers, tried again with growing gaps until they are settled."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from partners.clock import Clock
from partners.store import Store

Work = Callable[[str, str], Awaitable[bool]]
"""(kind, key) -> whether it is settled; False means: try again."""

FIRST_GAP_SECONDS = 0.5
LONGEST_GAP_SECONDS = 30.0

_log = logging.getLogger(__name__)


def gap(attempt: int) -> timedelta:
    """How long after the n-th failed attempt (from 0) the next one follows."""
    return timedelta(seconds=min(FIRST_GAP_SECONDS * 2.0 ** min(attempt, 16), LONGEST_GAP_SECONDS))


class Timers:
    """The timers of one store. `at_once` bounds how many run side by side; 1 keeps them in order."""

    def __init__(self, store: Store, now: Clock, work: Work, *, at_once: int = 1) -> None:
        self._store, self._now, self._work = store, now, work
        self._room = asyncio.Semaphore(at_once)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def set(self, kind: str, key: str, at: datetime) -> None:
        sql = (
            "INSERT INTO timer (kind, key, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, attempt = 0"
        )
        self._store.run(sql, kind, key, at.timestamp())
        self._changed.set()

    def clear(self, kind: str, key: str) -> None:
        self._store.run("DELETE FROM timer WHERE kind = ? AND key = ?", kind, key)

    async def tick(self) -> int:
        """Runs everything that is due now; returns how many were."""
        due = self._store.rows("SELECT * FROM timer WHERE at <= ? ORDER BY at, rowid", self._now().timestamp())
        await asyncio.gather(*(self._one(row) for row in due))
        return len(due)

    async def _one(self, row: sqlite3.Row) -> None:
        async with self._room:
            if await self._work(row["kind"], row["key"]):
                self.clear(row["kind"], row["key"])
            else:
                again = (self._now() + gap(row["attempt"])).timestamp()
                sql = "UPDATE timer SET at = ?, attempt = attempt + 1 WHERE kind = ? AND key = ?"
                self._store.run(sql, again, row["kind"], row["key"])

    def start(self) -> None:
        """Begins to run timers as they fall due; needs a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(_report)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            await self.tick()
            await self._rest()

    async def _rest(self) -> None:
        first = self._store.rows("SELECT min(at) AS at FROM timer")[0]["at"]
        seconds = None if first is None else max(0.0, first - self._now().timestamp())
        # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with the event, and `stop` never ends.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("the timers of a partner ended: %s", type(task.exception()).__name__)
