"""The in-process broker: the outbox is its durable queue, so a message counts as taken once every inbox has it.

Kill it at any point: what an inbox had not stored is still unsent in its outbox, and comes again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.failures import described
from shared.ports import Incoming, Outgoing, Receive, Unavailable, Unroutable

log = logging.getLogger("carepod.broker")

BATCH = 50
REDELIVERY = 0.1
"""Seconds before a batch that failed is delivered again, doubled each time up to `LONGEST_WAIT`."""
LONGEST_WAIT = 5.0
DRAIN = 20.0
"""Seconds that batches under way may take to end when the broker closes."""


@dataclass(slots=True)
class _Parcel:
    message: Incoming
    taken: asyncio.Future[None]


class MemoryBroker:
    """See `ports.Broker`. One queue per service and partition, one consumer each, in order."""

    def __init__(self) -> None:
        self._listens: dict[str, frozenset[str]] = {}
        self._queues: dict[tuple[str, str], asyncio.Queue[_Parcel | None]] = {}
        self._receive: dict[str, Receive] = {}
        self._consumers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closing = asyncio.Event()

    async def publish(self, message: Outgoing) -> None:
        if self._closing.is_set():
            raise Unavailable("the broker is closed")
        partition = message.keys[0].rpartition(".")[2]
        named = {key.rpartition(".")[0] for key in message.keys}
        services = [name for name, listens in self._listens.items() if listens & named or name in named]
        if not services:
            raise Unroutable(message.keys[0])
        incoming = Incoming(message.id, message.reason, message.headers, message.body)
        parcels = [_Parcel(incoming, asyncio.get_running_loop().create_future()) for _ in services]
        for name, parcel in zip(services, parcels, strict=True):
            self._queue(name, partition).put_nowait(parcel)
        await asyncio.gather(*(p.taken for p in parcels))

    async def subscribe(self, service: str, listens: frozenset[str], receive: Receive) -> None:
        self._listens[service], self._receive[service] = listens, receive

    async def ready(self) -> bool:
        return not self._closing.is_set()

    async def close(self) -> None:
        self._closing.set()
        for queue in self._queues.values():
            queue.put_nowait(None)
        tasks = set(self._consumers.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for queue in self._queues.values():
            while not queue.empty():
                _returned([queue.get_nowait()])

    def _queue(self, service: str, partition: str) -> asyncio.Queue[_Parcel | None]:
        key = (service, partition)
        if key not in self._queues:
            self._queues[key] = asyncio.Queue()
            self._consumers[key] = asyncio.create_task(self._consume(key), name=f"{service}.{partition}")
        return self._queues[key]

    async def _consume(self, key: tuple[str, str]) -> None:
        queue = self._queues[key]
        while not self._closing.is_set():
            batch = [await queue.get()]
            while not queue.empty() and len(batch) < BATCH:
                batch.append(queue.get_nowait())
            parcels = [p for p in batch if p is not None]
            try:
                await self._delivered(key[0], parcels)
            finally:
                _returned(parcels)

    async def _delivered(self, service: str, parcels: Sequence[_Parcel]) -> None:
        """Delivers a batch until it is taken, or until the broker closes."""
        messages, wait = [p.message for p in parcels], REDELIVERY
        while messages and not self._closing.is_set():
            try:
                await self._receive[service](messages)
            except Exception as error:  # noqa: BLE001
                log.warning("%s did not take a batch and gets it again: %s", service, described(error))
                messages = [replace(m, redelivered=True) for m in messages]
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), wait)
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                for parcel in parcels:
                    if not parcel.taken.done():
                        parcel.taken.set_result(None)
                return


def _returned(parcels: Sequence[_Parcel | None]) -> None:
    """What was not taken goes back: it is still unsent in its outbox."""
    for parcel in parcels:
        if parcel is not None and not parcel.taken.done():
            parcel.taken.set_exception(Unavailable("the broker is closed"))
