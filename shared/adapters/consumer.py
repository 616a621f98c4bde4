"""One queue of one service, fed to it in batches: asserted at start and again whenever its consumer is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError

from shared.adapters.amqp import BROKEN, TIMEOUT, Link, asserted, queue_of
from shared.failures import described
from shared.ports import Incoming, Receive

log = logging.getLogger("carepod.broker")

PREFETCH = 50
DRAIN = 20.0
AGAIN = 1.0
"""Seconds before a lost consumer is opened again."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 30.0
"""Seconds before a batch the service could not take is given to it again, doubled each time."""

_Arrived = asyncio.Queue[AbstractIncomingMessage | None]
"""What the broker has sent; None asks the consumer to look round: stopping, or lost."""


class Consumer:
    """One consumer of one partition.

    A batch runs in this consumer's own task, not in the library's callback, which a lost connection cancels. It starts
    with one message at a time and goes over to batches at the first that was never delivered before: so a message that
    kills the process does not count against its neighbours. A batch the service cannot take (its database is away) is
    kept and given again, never put back: putting back counts against the messages too.
    """

    def __init__(self, link: Link, service: str, partition: int, listens: frozenset[str], receive: Receive) -> None:
        self._link, self._service, self._partition = link, service, partition
        self._name, self._listens, self._receive = queue_of(service, partition), listens, receive
        self._arrived: _Arrived = asyncio.Queue()
        self._leaving = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"consume {self._name}")

    async def stop(self) -> None:
        """Lets the batch under way end and be acknowledged, bounded; what was not taken goes back to the queue."""
        self._stopping = True
        self._look_round()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=DRAIN)
            if not done:
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await self._task

    def _look_round(self, *_: object) -> None:
        self._leaving.set()
        self._arrived.put_nowait(None)

    async def _run(self) -> None:
        while not self._stopping:
            self._arrived, self._leaving = asyncio.Queue(), asyncio.Event()
            try:
                await self._consume()
            except Exception as error:  # noqa: BLE001
                if not isinstance(error, BROKEN):
                    log.error("%s failed: %s", self._name, described(error))
                if not self._stopping:
                    log.warning("%s is consumed again soon: %s", self._name, type(error).__name__)
                    await self._away()

    async def _away(self) -> None:
        """Waits before the next try, unless asked to stop meanwhile."""
        self._leaving.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), AGAIN)

    async def _consume(self) -> None:
        """Consumes until stopped; raises one of `BROKEN` when channel, queue or consumer is lost."""
        async with asyncio.timeout(TIMEOUT):
            channel: Any = await (await self._link.connection()).channel(publisher_confirms=False)
        try:
            queue, tag = await self._opened(channel)
            careful = True
            while batch := await self._next(1 if careful else PREFETCH):
                for part in _parts(batch):
                    await self._taken(part)
                    if careful and not part[-1].redelivered:
                        tag, careful = await self._widened(channel, queue, tag, part[-1]), False
                    else:
                        await asyncio.wait_for(part[-1].ack(multiple=True), TIMEOUT)
        finally:
            with suppress(*BROKEN):
                await asyncio.wait_for(channel.close(), 5)

    async def _opened(self, channel: Any) -> tuple[Any, str]:
        async with asyncio.timeout(TIMEOUT):
            await channel.set_qos(prefetch_count=1)
            queue = await asserted(channel, self._service, self._partition, self._listens)
            channel.close_callbacks.add(self._look_round)
            # The broker says so when it ends a consumer whose queue is gone.
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(self._look_round)
            return queue, str(await queue.consume(self._arrived.put))

    async def _widened(self, channel: Any, queue: Any, tag: str, last: AbstractIncomingMessage) -> str:
        """Goes over to batches. The prefetch counts for new consumers only, so the old one ends first.

        It ends while its only message is unacknowledged: another process, active from then on, gets what follows.
        """
        async with asyncio.timeout(TIMEOUT):
            await queue.cancel(tag)
            await last.ack()
            await channel.set_qos(prefetch_count=PREFETCH)
            return str(await queue.consume(self._arrived.put))

    async def _next(self, most: int) -> list[AbstractIncomingMessage]:
        """The next batch; none when stopping. Raises when the consumer was lost."""
        batch = [await self._arrived.get()]
        while not self._arrived.empty() and len(batch) < most:
            batch.append(self._arrived.get_nowait())
        if self._stopping:
            return []
        if self._leaving.is_set():
            raise ChannelInvalidStateError("the consumer was lost")
        return [message for message in batch if message is not None]

    async def _taken(self, batch: Sequence[AbstractIncomingMessage]) -> None:
        """Gives a batch to the service until it takes it. Raises when the consumer leaves before that."""
        messages, wait = [_incoming(m) for m in batch], FIRST_WAIT
        while True:
            try:
                await self._receive(messages)
            except Exception as error:  # noqa: BLE001
                log.warning("%s did not take a batch and gets it again: %s", self._service, described(error))
            else:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), wait)
            if self._leaving.is_set():
                raise ChannelInvalidStateError("left with a batch not taken")
            wait = min(LONGEST_WAIT, wait * 2)


def _parts(batch: Sequence[AbstractIncomingMessage]) -> list[Sequence[AbstractIncomingMessage]]:
    """One at a time what was delivered before, in vain; else the batch."""
    return [[m] for m in batch] if any(m.redelivered for m in batch) else [batch]


def _incoming(message: AbstractIncomingMessage) -> Incoming:
    headers = {k: v for k, v in message.headers.items() if not k.startswith("x-") and k != "CC"}
    return Incoming(message.message_id or "", message.type or "", headers, message.body, bool(message.redelivered))
