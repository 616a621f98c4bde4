"""Referrals at a steady rate, each pushed again until it is taken, and when each journey ended."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import httpx

from benchmarks.cases import patient_id, placer
from benchmarks.chaos.history import History, Told
from benchmarks.disturbed import Deployment
from shared.cli.push import Pushed, Sender
from shared.core import TryLater
from shared.fhir.json import GateError
from shared.ports import Unavailable

Body = Callable[[int], bytes]
"""The referral of a number."""
AGAIN = 0.5
"""Seconds after which a push that was not taken is made again."""
LOOK = 0.25
"""Seconds between two looks at which journeys have ended."""


def lane_of(number: int) -> str:
    """The lane of the patient of a referral."""
    return f"patient/{patient_id(number)}"


class Load:
    """An EHR that refers at a steady rate; `ended` tells when each journey was over, by the loop's clock."""

    def __init__(self, deployment: Deployment, body: Body, rate: float, first: int = 0) -> None:
        self.deployment, self.body, self.rate = deployment, body, rate
        self.history = History()
        self.ended: dict[int, float] = {}
        self._numbers: Iterator[int] = count(first)
        self._pushes: set[asyncio.Task[None]] = set()
        self._pushing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._sender: Sender = deployment.sender()
        self._lanes: dict[str, int] = {}

    def start(self) -> None:
        """Begins, or goes on, to refer."""
        self._pushing = asyncio.create_task(self._steadily(), name="load")
        self.watch()

    def watch(self) -> None:
        """Sees from now on which journeys end."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watched(), name="watch")

    async def pause(self) -> None:
        """Begins no new referral; returns when every one begun was taken or refused."""
        if self._pushing is not None:
            self._pushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._pushing
        await asyncio.gather(*self._pushes)

    async def stop(self) -> None:
        for task in (self._pushing, self._watching, *self._pushes):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._sender.close()

    def reserved(self) -> int:
        """A number for a referral that will be pushed later, or never."""
        number = next(self._numbers)
        self._lanes[lane_of(number)] = number
        return number

    def refer(self, body: Body | None = None, number: int | None = None) -> int:
        """Pushes one more referral, until it is taken; its number."""
        number = self.reserved() if number is None else number
        task = asyncio.create_task(self._pushed(number, (body or self.body)(number)))
        self._pushes.add(task)
        task.add_done_callback(self._pushes.discard)
        return number

    async def told(self, number: int, body: bytes, path: str = "") -> Told:
        """Pushes once, and keeps what was said."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer: Pushed | None = None
        cut = False
        try:
            answer = await self._sender.post(placer(number), body, path)
        except (httpx.HTTPError, TryLater, GateError, ValueError) as error:
            cut = isinstance(error, httpx.NetworkError | httpx.ProtocolError) and not isinstance(
                error, httpx.ConnectError
            )
        task = next((n for n in answer.locations if n.startswith("Task/")), "") if answer else ""
        told = Told(number, began, loop.time(), answer.status if answer else 0, task, cut)
        self.history.told.append(told)
        return told

    def under_way(self, then: float) -> set[int]:
        """Referrals that were taken before an instant and whose journeys were not over at it."""
        accepted = self.history.accepted().items()
        return {n for n, at in accepted if at < then <= self.ended.get(n, math.inf)}

    async def _pushed(self, number: int, body: bytes) -> None:
        while True:
            told = await self.told(number, body)
            if told.taken or told.refused:
                return
            await asyncio.sleep(AGAIN)

    async def _steadily(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.refer()
            due += 1 / self.rate
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _watched(self) -> None:
        """Sees which journeys have ended: scheduling's own Task is completed, all visits of the order are booked."""
        sql = (
            "select r.lane from resource r join search s on s.id = r.id where r.type = 'Task' and r.id like 'sc-%' "
            "and s.type = 'Task' and s.parameter = 'status' and s.value = 'completed'"
        )
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK)
            with suppress(Unavailable, OSError, TimeoutError):
                lanes = [str(row[0]) for row in await self.deployment.rows("scheduling", sql)]
                for number in (self._lanes[lane] for lane in lanes if lane in self._lanes):
                    self.ended.setdefault(number, loop.time())
