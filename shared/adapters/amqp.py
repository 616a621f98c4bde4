"""What publishing and consuming share: a connection opened again when lost, the names, and a service's own queues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from shared.messages import address_of

EXCHANGE = "fhir"
TIMEOUT = 15.0
CONNECTING = 8.0
"""Seconds a connection may take to be opened. One begun while the net swallows what the broker says never is, and what
comes after waits for it."""
BROKEN = (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, StopAsyncIteration)
"""What the library raises for a lost or refused connection, channel or answer (also a bare RuntimeError, and
StopAsyncIteration where the broker closes in the middle of the handshake)."""


def queue_of(service: str, partition: int) -> str:
    """The name of a service's queue of one partition."""
    return f"{service}.p{partition}"


async def asserted(channel: Any, service: str, partition: int, listens: Iterable[str]) -> Any:
    """A service's queue of one partition with its bindings, made where it is missing."""
    arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    queue = await channel.declare_queue(queue_of(service, partition), durable=True, arguments=arguments)
    for kind in sorted(listens):
        await queue.bind(EXCHANGE, routing_key=f"{kind}.p{partition}")
    await queue.bind(EXCHANGE, routing_key=address_of(service, partition))
    return queue


class Link:
    """One connection, opened when wanted and again after it was lost."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._connection: AbstractConnection | None = None
        self._opening = asyncio.Lock()

    async def connection(self) -> AbstractConnection:
        """The open connection. Raises one of `BROKEN` when the broker cannot be reached."""
        async with self._opening:
            # `is_closed` speaks of our own closing alone; what the broker or the net has ended is not connected.
            if self._connection is None or not self._connection.connected.is_set():
                self._connection = await aio_pika.connect(
                    self._url, timeout=CONNECTING, heartbeat=10, client_properties={"connection_name": self._name}
                )
            return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(*BROKEN):
                await asyncio.wait_for(self._connection.close(), TIMEOUT)
