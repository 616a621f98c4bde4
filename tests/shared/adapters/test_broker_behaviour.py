"""What the runtime expects of a broker, in process and on RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import aio_pika
import pytest

from shared.adapters.memory import MemoryBroker
from shared.adapters.rabbitmq import RabbitBroker, declare_topology
from shared.ports import Broker, Incoming, Outgoing, Unavailable, Unroutable

PARTITIONS = 2
LISTENS = {"beta": frozenset({"Claim", "Task"}), "gamma": frozenset({"Claim"})}


def outgoing(number: int, *types: str, partition: int = 0) -> Outgoing:
    keys = tuple(f"{t}.p{partition}" for t in types or ("Claim",))
    headers = {"producer": "alpha", "lane": f"patient/{number}", "seq": number, "causes": "{}"}
    return Outgoing(f"id-{number}", "said", keys, headers, b'{"n": %d}' % number)


@dataclass
class Consumer:
    """What a service got, in order; it fails as often as it is told."""

    got: list[Incoming] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    failures: int = 0
    entered: int = 0
    gate: asyncio.Event | None = None

    async def __call__(self, messages: Sequence[Incoming]) -> None:
        self.entered += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise Unavailable("the database is away")
        self.batches.append(len(messages))
        self.got.extend(messages)

    def ids(self) -> list[str]:
        return [m.id for m in self.got]


async def until(happened: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.engines)])
def amqp(request: pytest.FixtureRequest) -> str | None:
    """The address of RabbitMQ, or None for the broker in process."""
    return request.getfixturevalue("amqp_url") if request.param == "rabbit" else None


@dataclass
class Post:
    """A broker with its brother: another connection, as another process has it."""

    amqp: str | None
    broker: Broker
    opened: list[Broker] = field(default_factory=list)

    def another(self) -> Broker:
        broker = _broker(self.amqp) if self.amqp else self.broker
        self.opened.append(broker)
        return broker

    async def listening(self, broker: Broker | None = None, **consumers: Consumer) -> None:
        for name, consumer in consumers.items():
            await (broker or self.broker).subscribe(name, LISTENS[name], consumer)


def _broker(url: str) -> RabbitBroker:
    return RabbitBroker(url, PARTITIONS, name="test")


@pytest.fixture
async def post(amqp: str | None) -> AsyncIterator[Post]:
    if amqp:
        await _emptied(amqp)
        await declare_topology(amqp, LISTENS, PARTITIONS)
    post = Post(amqp, _broker(amqp) if amqp else MemoryBroker())
    yield post
    for broker in (*post.opened, post.broker):
        await broker.close()


async def _emptied(url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        for name in LISTENS:
            for partition in range(PARTITIONS):
                await channel.queue_delete(f"{name}.p{partition}")


async def test_every_service_that_hears_one_of_the_types_gets_the_message_once(post: Post) -> None:
    beta, gamma = Consumer(), Consumer()
    await post.listening(beta=beta, gamma=gamma)
    await post.broker.publish(outgoing(1, "Task", "Claim"))
    await post.broker.publish(outgoing(2, "Task"))
    await until(lambda: beta.ids() == ["id-1", "id-2"] and gamma.ids() == ["id-1"])


async def test_a_message_comes_as_it_went(post: Post) -> None:
    beta, sent = Consumer(), outgoing(7, "Task", "Claim")
    await post.listening(beta=beta)
    await post.broker.publish(sent)
    await until(lambda: len(beta.got) == 1)
    (got,) = beta.got
    assert (got.id, got.reason, dict(got.headers), got.body) == (sent.id, sent.reason, dict(sent.headers), sent.body)


async def test_messages_of_a_partition_come_in_order_and_in_batches(post: Post) -> None:
    beta = Consumer()
    await post.listening(beta=beta)
    for n in range(5):
        await post.broker.publish(outgoing(n, "Task"))
    await until(lambda: len(beta.got) == 5)
    beta.gate = asyncio.Event()
    rest = asyncio.gather(*(post.broker.publish(outgoing(n, "Task")) for n in range(5, 105)))
    if post.amqp:
        await rest
    beta.gate.set()
    await rest
    await until(lambda: len(beta.got) == 105)
    assert beta.ids() == [f"id-{n}" for n in range(105)]
    assert max(beta.batches) > 1


async def test_what_nobody_hears_is_returned(post: Post) -> None:
    await post.listening(beta=Consumer())
    with pytest.raises(Unroutable):
        await post.broker.publish(outgoing(1, "Consent"))


async def test_a_batch_that_could_not_be_taken_comes_again_and_nothing_is_lost_or_overtakes(post: Post) -> None:
    beta = Consumer(failures=3)
    await post.listening(beta=beta)
    await asyncio.gather(*(post.broker.publish(outgoing(n, "Task")) for n in range(10)))
    await until(lambda: len(beta.got) >= 10)
    assert list(dict.fromkeys(beta.ids())) == [f"id-{n}" for n in range(10)]


async def test_a_service_that_fails_does_not_keep_the_other(post: Post) -> None:
    beta, gamma = Consumer(gate=asyncio.Event()), Consumer()
    await post.listening(beta=beta, gamma=gamma)
    publishing = asyncio.create_task(post.broker.publish(outgoing(1)))
    await until(lambda: gamma.ids() == ["id-1"])
    assert beta.got == []
    assert beta.gate is not None
    beta.gate.set()
    await publishing
    await until(lambda: beta.ids() == ["id-1"])


async def test_a_partition_that_waits_does_not_keep_another(post: Post) -> None:
    got: list[str] = []
    gate = asyncio.Event()

    async def receive(messages: Sequence[Incoming]) -> None:
        if messages[0].headers["seq"] == 1:
            await gate.wait()
        got.extend(m.id for m in messages)

    await post.broker.subscribe("beta", LISTENS["beta"], receive)
    # Both are open: while they open, the first message of one does keep the next (see `Consumer`).
    for partition in range(PARTITIONS):
        await post.broker.publish(outgoing(8 + partition, "Task", partition=partition))
    await until(lambda: sorted(got) == ["id-8", "id-9"])
    got.clear()
    first = asyncio.create_task(post.broker.publish(outgoing(1, "Task", partition=0)))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(post.broker.publish(outgoing(2, "Task", partition=1)))
    await until(lambda: got == ["id-2"])
    gate.set()
    await asyncio.gather(first, second)
    await until(lambda: got == ["id-2", "id-1"])


async def test_closing_lets_the_batch_under_way_end_and_be_acknowledged(post: Post) -> None:
    beta, broker = Consumer(gate=asyncio.Event()), post.another()
    await post.listening(broker, beta=beta)
    publishing = asyncio.create_task(post.broker.publish(outgoing(1, "Task")))
    assert beta.gate is not None
    await until(lambda: beta.entered == 1)
    closing = asyncio.create_task(broker.close())
    await asyncio.sleep(0)
    beta.gate.set()
    await asyncio.gather(closing, publishing)
    assert beta.ids() == ["id-1"]
    if post.amqp:
        later = Consumer()
        await post.listening(beta=later)
        await post.broker.publish(outgoing(2, "Task"))
        await until(lambda: later.ids() == ["id-2"])


async def test_a_closed_broker_gives_back_what_was_not_taken() -> None:
    broker, beta = MemoryBroker(), Consumer(failures=1000)
    await broker.subscribe("beta", LISTENS["beta"], beta)
    publishing = [asyncio.create_task(broker.publish(outgoing(n, "Task"))) for n in range(3)]
    await asyncio.sleep(0)
    await broker.close()
    assert [type(e) for e in await asyncio.gather(*publishing, return_exceptions=True)] == [Unavailable] * 3
    assert not await broker.ready()


async def test_ready_says_whether_the_broker_answers(post: Post) -> None:
    assert await post.broker.ready()
