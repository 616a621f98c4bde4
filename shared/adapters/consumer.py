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
FIRST = 1.0
"""Seconds in which the first message of a queue that is not empty comes, if this consumer is the active one."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds before a batch the service could not take is given to it again, doubled each time."""

_Arrived = asyncio.Queue[AbstractIncomingMessage | None]
"""What the broker has sent; None asks the consumer to look round: stopping, or lost."""


class Consumer:
    """One consumer of one partition.

    A batch runs in this consumer's own task, not in the library's callback, which a lost connection cancels. It starts
    with one message at a time and goes over to batches at the first that was never delivered before, and the next
    partition is opened only when the first message of this one was taken: so a message that kills the process does not
    count against its neighbours, in its partition or in others. A batch the service cannot take (its database is away)
    is kept and given again, never put back: putting back counts against the messages too.
    """

    def __init__(
        self,
        link: Link,
        service: str,
        partition: int,
        listens: frozenset[str],
        receive: Receive,
        opening: asyncio.Lock,
    ) -> None:
        self._link, self._service, self._partition, self._opening = link, service, partition, opening
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
        channel: Any = None
        try:
            async with self._opening:
                if self._stopping:
                    return
                async with asyncio.timeout(TIMEOUT):
                    channel = await (await self._link.connection()).channel(publisher_confirms=False)
                queue, tag = await self._opened(channel)
                if queue.declaration_result.message_count and await self._comes():
                    tag = await self._worked(channel, queue, tag, await self._next(1))
            while not self._stopping and (batch := await self._next(1 if tag else PREFETCH)):
                tag = await self._worked(channel, queue, tag, batch)
        finally:
            if channel is not None:
                with suppress(*BROKEN):
                    await asyncio.wait_for(channel.close(), 5)

    async def _comes(self) -> bool:
        """Whether the first message comes soon: another process may have the queue."""
        try:
            async with asyncio.timeout(FIRST):
                first = await self._arrived.get()
        except TimeoutError:
            return False
        self._arrived.put_nowait(first)
        return True

    async def _worked(self, channel: Any, queue: Any, tag: str, batch: Sequence[AbstractIncomingMessage]) -> str:
        """Has a batch taken and acknowledged. `tag` is that of a consumer of one message at a time; "": of batches."""
        for part in _parts(batch):
            await self._taken(part)
            if tag and not part[-1].redelivered:
                await self._widened(channel, queue, tag, part[-1])
                tag = ""
            else:
                await asyncio.wait_for(part[-1].ack(multiple=True), TIMEOUT)
        return tag

    async def _opened(self, channel: Any) -> tuple[Any, str]:
        async with asyncio.timeout(TIMEOUT):
            await channel.set_qos(prefetch_count=1)
            queue = await asserted(channel, self._service, self._partition, self._listens)
            channel.close_callbacks.add(self._look_round)
            # The broker says so when it ends a consumer whose queue is gone.
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(self._look_round)
            return queue, str(await queue.consume(self._arrived.put))

    async def _widened(self, channel: Any, queue: Any, tag: str, last: AbstractIncomingMessage) -> None:
        """Goes over to batches. The prefetch counts for new consumers only, so the old one ends first.

        It ends while its only message is unacknowledged: another process, active from then on, gets what follows.
        """
        async with asyncio.timeout(TIMEOUT):
            await queue.cancel(tag)
            await last.ack()
            await channel.set_qos(prefetch_count=PREFETCH)
            await queue.consume(self._arrived.put)

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
