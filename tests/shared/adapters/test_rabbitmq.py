"""What is RabbitMQ's own: lost connections, deleted queues, messages that kill, limits, another process taking over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import aio_pika
import httpx
import pytest

from benchmarks.engines import Engines
from shared.adapters import consumer
from shared.adapters.consumer import PREFETCH
from shared.adapters.rabbitmq import RabbitBroker, declare_topology, policies_of
from shared.ports import Incoming, Outgoing, Unroutable

LISTENS = {"beta": frozenset({"Task"})}


def outgoing(number: int) -> Outgoing:
    return Outgoing(f"id-{number}", "said", ("Task.p0",), {"seq": number}, b"{}")


class Taker:
    """Keeps what came, and whether it had come before."""

    def __init__(self) -> None:
        self.got: list[Incoming] = []
        self.batches: list[int] = []
        self.gate: asyncio.Event | None = None
        self.entered = 0

    async def __call__(self, messages: Sequence[Incoming]) -> None:
        self.entered += 1
        if self.gate is not None:
            await self.gate.wait()
        self.batches.append(len(messages))
        self.got.extend(messages)

    def first_ids(self) -> list[str]:
        return list(dict.fromkeys(m.id for m in self.got))


async def until(happened: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)


class Rabbit:
    """One vhost with the topology of one service of one partition."""

    def __init__(self, url: str, management: str) -> None:
        self.url, self.vhost = url, urlsplit(url).path.removeprefix("/")
        self.api = httpx.AsyncClient(base_url=management, timeout=30)
        self.brokers: list[RabbitBroker] = []

    def broker(self) -> RabbitBroker:
        self.brokers.append(RabbitBroker(self.url, 1, name="test"))
        return self.brokers[-1]

    async def cut(self) -> None:
        """Closes every connection of the vhost from the broker's side."""
        while not (found := (await self.api.get(f"/api/vhosts/{self.vhost}/connections")).json()):  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.2)
        for connection in found:
            await self.api.delete(f"/api/connections/{connection['name']}")

    async def queues(self) -> list[str]:
        """The names of the queues of the vhost."""
        found = (await self.api.get(f"/api/queues/{self.vhost}?columns=name")).raise_for_status().json()
        return sorted(q["name"] for q in found)

    async def delete(self, queue: str) -> None:
        (await self.api.delete(f"/api/queues/{self.vhost}/{queue}")).raise_for_status()

    async def parked(self) -> str | None:
        """The id of the next message in the parking queue, taken out: the broker brings it there in its own time."""
        connection = await aio_pika.connect(self.url)
        async with asyncio.timeout(20), connection, connection.channel() as channel:
            queue = await channel.get_queue("beta.parked", ensure=False)
            while (message := await queue.get(fail=False)) is None:  # noqa: ASYNC110 (nobody signals it)
                await asyncio.sleep(0.1)
            await message.ack()
            return message.message_id

    async def has_parked(self) -> bool:
        """Whether the parking queue holds a message."""
        connection = await aio_pika.connect(self.url)
        async with asyncio.timeout(20), connection, connection.channel() as channel:
            return bool((await channel.get_queue("beta.parked")).declaration_result.message_count)

    async def limited(self, **definition: object) -> None:
        """The service's policy, with other limits."""
        (policy,) = policies_of(["beta"]).values()
        policy["definition"] |= {k.replace("_", "-"): v for k, v in definition.items()}
        (await self.api.put(f"/api/policies/{self.vhost}/beta", json=policy)).raise_for_status()


@pytest.fixture
async def rabbit(amqp_url: str, engines: Engines) -> AsyncIterator[Rabbit]:
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.queue_delete("beta.p0")
    await declare_topology(amqp_url, LISTENS, 1)
    rabbit = Rabbit(amqp_url, engines.management_url)
    yield rabbit
    for broker in rabbit.brokers:
        await broker.close()
    await rabbit.api.aclose()


async def test_topology_is_declared_twice_and_is_the_same(rabbit: Rabbit) -> None:
    before = await rabbit.queues()
    await declare_topology(rabbit.url, LISTENS, 1)
    assert before == await rabbit.queues() != []


async def test_what_is_published_before_a_service_first_starts_waits_for_it(rabbit: Rabbit) -> None:
    taker, broker = Taker(), rabbit.broker()
    await broker.publish(outgoing(1))
    await broker.subscribe("beta", LISTENS["beta"], taker)
    await until(lambda: taker.first_ids() == ["id-1"])


@pytest.mark.slow
async def test_a_lost_connection_in_the_middle_of_a_batch_loses_and_doubles_no_order(rabbit: Rabbit) -> None:
    taker, broker = Taker(), rabbit.broker()
    await broker.subscribe("beta", LISTENS["beta"], taker)
    for n in range(5):
        await broker.publish(outgoing(n))
    await until(lambda: len(taker.got) == 5)
    taker.gate, before = asyncio.Event(), taker.entered
    for n in range(5, 20):
        await broker.publish(outgoing(n))
    await until(lambda: taker.entered > before)
    await rabbit.cut()
    taker.gate.set()
    await until(lambda: len(taker.first_ids()) == 20)
    await broker.publish(outgoing(20))
    await until(lambda: len(taker.first_ids()) == 21)
    assert taker.first_ids() == [f"id-{n}" for n in range(21)]


@pytest.mark.slow
async def test_a_deleted_queue_is_returned_to_the_relay_until_its_consumer_has_made_it_again(
    rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    taker, broker = Taker(), rabbit.broker()
    await broker.subscribe("beta", LISTENS["beta"], taker)
    await broker.publish(outgoing(1))
    await until(lambda: len(taker.got) == 1)
    with monkeypatch.context() as patched:
        patched.setattr(consumer, "AGAIN", 60.0)
        await rabbit.delete("beta.p0")
        with pytest.raises(Unroutable):
            await broker.publish(outgoing(2))

    async def published() -> bool:
        try:
            await broker.publish(outgoing(2))
        except Unroutable:
            return False
        return True

    async with asyncio.timeout(15):
        while not await published():
            broker._consumers[0]._look_round()
            await asyncio.sleep(0.1)
    await until(lambda: "id-2" in taker.first_ids())


@pytest.mark.slow
async def test_after_a_crash_messages_come_one_at_a_time_until_one_is_new(rabbit: Rabbit) -> None:
    broker = rabbit.broker()
    for n in range(PREFETCH + 60):
        await broker.publish(outgoing(n))
    connection = await aio_pika.connect(rabbit.url)
    channel = await connection.channel()
    await channel.set_qos(PREFETCH)
    held: asyncio.Queue[object] = asyncio.Queue()
    await (await channel.get_queue("beta.p0", ensure=False)).consume(held.put)
    await until(lambda: held.qsize() == PREFETCH)
    await connection.close()
    taker = Taker()
    await broker.subscribe("beta", LISTENS["beta"], taker)
    await until(lambda: len(taker.got) == PREFETCH + 60)
    assert set(taker.batches[: PREFETCH + 1]) == {1}
    assert [m.redelivered for m in taker.got] == [True] * PREFETCH + [False] * 60
    assert max(taker.batches[PREFETCH + 1 :]) > 1


async def _died(rabbit: Rabbit, taken: list[str], others: set[str], partitions: int = 1, slow: float = 0.0) -> bool:
    """One life of a process that id-7 kills; False when all others are taken, that one is parked, and it lives."""
    struck = asyncio.Event()

    async def receive(messages: Sequence[Incoming]) -> None:
        if any(m.id == "id-7" for m in messages):
            struck.set()
            await asyncio.sleep(60)
        await asyncio.sleep(slow)
        taken.extend(m.id for m in messages)

    process = RabbitBroker(rabbit.url, partitions, name="victim")
    await process.subscribe("beta", LISTENS["beta"], receive)
    try:
        async with asyncio.timeout(30):
            while not struck.is_set():
                if others <= set(taken) and await rabbit.has_parked():
                    return False
                await asyncio.sleep(0.05)
    finally:
        tasks = [each._task for each in process._consumers if each._task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await process.close()
    return True


@pytest.mark.slow
async def test_a_message_that_kills_its_process_is_parked_alone(rabbit: Rabbit) -> None:
    """The consumer dies with the message in hand, as often as the limit allows; its neighbours are taken."""
    await rabbit.limited(delivery_limit=3)
    broker = rabbit.broker()
    for n in range(20):
        await broker.publish(outgoing(n))
    taken: list[str] = []
    others = {f"id-{n}" for n in range(20) if n != 7}
    deaths = 0
    while await _died(rabbit, taken, others):
        deaths += 1
    assert (deaths, set(taken)) == (4, others)
    assert await rabbit.parked() == "id-7"


@pytest.mark.slow
@pytest.mark.parametrize("partition", [0, 1])
async def test_a_message_that_kills_its_process_parks_no_slow_message_of_another_partition(
    rabbit: Rabbit, partition: int
) -> None:
    """Both would be in hand each time the process dies, if it opened its partitions at once."""
    await declare_topology(rabbit.url, LISTENS, 2)
    await rabbit.limited(delivery_limit=3)
    broker = rabbit.broker()
    await broker.publish(replace(outgoing(7), keys=(f"Task.p{partition}",)))
    await broker.publish(replace(outgoing(1), keys=(f"Task.p{1 - partition}",)))
    taken: list[str] = []
    deaths = 0
    while await _died(rabbit, taken, {"id-1"}, partitions=2, slow=0.3):
        deaths += 1
    assert (deaths, set(taken)) == (4, {"id-1"})
    assert await rabbit.parked() == "id-7"
    await rabbit.delete("beta.p1")


@pytest.mark.slow
async def test_another_process_takes_over_and_nothing_is_lost(rabbit: Rabbit) -> None:
    first, second, broker = Taker(), Taker(), rabbit.broker()
    one, other = rabbit.broker(), rabbit.broker()
    await one.subscribe("beta", LISTENS["beta"], first)
    await asyncio.sleep(0.3)
    await other.subscribe("beta", LISTENS["beta"], second)
    for n in range(60):
        await broker.publish(outgoing(n))
        if n == 30:
            await one.close()
    await until(lambda: len({*first.first_ids(), *second.first_ids()}) == 60)
