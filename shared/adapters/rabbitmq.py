"""RabbitMQ through aio-pika: confirmed mandatory publishes, quorum queues with one active consumer each, topology."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import aio_pika
from aio_pika.exceptions import PublishError

from shared.adapters.amqp import BROKEN, EXCHANGE, TIMEOUT, Link, asserted
from shared.adapters.consumer import Consumer
from shared.ports import Outgoing, Receive, Unavailable, Unroutable

log = logging.getLogger("carepod.broker")

PARKING = "parking"


class RabbitBroker:
    """See `ports.Broker`. Publishing and consuming have a connection each: a broker short of memory blocks one only."""

    def __init__(self, url: str, partitions: int, *, name: str) -> None:
        self._publishing, self._consuming = Link(url, f"{name} publishes"), Link(url, f"{name} consumes")
        self._partitions = partitions
        self._exchange: Any = None
        self._channel: Any = None
        self._opening = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._consumers: list[Consumer] = []

    async def publish(self, message: Outgoing) -> None:
        try:
            # The library bounds the confirm alone: behind a half-open link it has waited for ever before it.
            async with asyncio.timeout(2 * TIMEOUT):
                exchange = await self._opened()
                await exchange.publish(_amqp(message), routing_key=message.keys[0], mandatory=True, timeout=TIMEOUT)
        except PublishError:
            raise Unroutable(message.keys[0]) from None
        except BROKEN as error:
            raise Unavailable(type(error).__name__) from None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                connection = await self._publishing.connection()
                self._channel = await asyncio.wait_for(
                    connection.channel(publisher_confirms=True, on_return_raises=True), TIMEOUT
                )
                self._exchange = await self._channel.get_exchange(EXCHANGE, ensure=False)
            return self._exchange

    async def subscribe(self, service: str, listens: frozenset[str], receive: Receive) -> None:
        for partition in range(self._partitions):
            consumer = Consumer(self._consuming, service, partition, listens, receive, self._starting)
            self._consumers.append(consumer)
            consumer.start()

    async def ready(self) -> bool:
        try:
            await asyncio.wait_for(self._publishing.connection(), 3)
        except BROKEN:
            return False
        return True

    async def close(self) -> None:
        await asyncio.gather(*(c.stop() for c in self._consumers))
        await asyncio.gather(self._consuming.close(), self._publishing.close())


def _amqp(message: Outgoing) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        message_id=message.id,
        type=message.reason,
        headers={**message.headers, "CC": list(message.keys[1:])},
        content_type="application/fhir+json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


async def declare_topology(url: str, listens: Mapping[str, frozenset[str]], partitions: int) -> None:
    """Declares the exchanges, and each service's queues (name -> types it hears) and parking queue. Safe twice.

    The queues too: what is published before a service first starts must wait for it, and a message that finds one of
    its two queues is not returned.
    """
    connection = await aio_pika.connect(url, timeout=TIMEOUT)
    async with connection, connection.channel() as channel:
        await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        parking = await channel.declare_exchange(PARKING, aio_pika.ExchangeType.DIRECT, durable=True)
        for service, types in sorted(listens.items()):
            queue = await channel.declare_queue(f"{service}.parked", durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(parking, routing_key=service)
            for partition in range(partitions):
                await asserted(channel, service, partition, types)


def policies_of(services: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Limits of each service's partition queues, as RabbitMQ policies (they may change; arguments may not)."""
    return {
        f"{service}-queues": {
            "pattern": rf"^{service}\.p[0-9]+$",
            "apply-to": "queues",
            "definition": {
                "delivery-limit": 20,
                "dead-letter-exchange": PARKING,
                "dead-letter-routing-key": service,
                "dead-letter-strategy": "at-least-once",
                "overflow": "reject-publish",
                "max-length-bytes": 536_870_912,
            },
        }
        for service in services
    }
