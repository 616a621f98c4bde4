"""A broker that does what RabbitMQ may do: late, twice, unconfirmed, given back in another order, with no queue at all.

Order holds per queue as long as nobody dies. What a consumer held when it died may come behind what it did not hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.simulation.loop import Life, SimulatedLoop, living
from benchmarks.simulation.weather import Weather
from shared.ports import Incoming, Outgoing, Receive, Unavailable, Unroutable

MOST = 8
"""Messages a consumer takes at once."""
HEARTBEAT = 20.0
"""Seconds after which a consumer that says nothing counts as gone."""
PAUSE = 0.1
LONGEST_PAUSE = 5.0


@dataclass(eq=False, slots=True)
class _Consumer:
    """One process's consumer of one queue, with what it was given and has not acknowledged."""

    life: Life
    held: list[Incoming] = field(default_factory=list)
    waiting: asyncio.Future[None] | None = None
    lost: bool = False

    def wakes(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


@dataclass(eq=False, slots=True)
class _Queue:
    """A queue with a single active consumer: the first in line."""

    parcels: list[Incoming] = field(default_factory=list)
    line: list[_Consumer] = field(default_factory=list)

    def put(self, message: Incoming, place: int | None = None) -> None:
        self.parcels.insert(len(self.parcels) if place is None else place, message)
        if self.line:
            self.line[0].wakes()

    def is_for(self, consumer: _Consumer) -> bool:
        return bool(self.parcels) and self.line[0] is consumer


class Post:
    """The broker itself: it outlives every process. `topology` is which service hears which types."""

    def __init__(self, topology: dict[str, frozenset[str]], weather: Weather) -> None:
        self._topology, self.weather = topology, weather
        self._queues: dict[tuple[str, str], _Queue] = {}
        self.without_queues = False
        """Its definitions are gone for a while: nothing can be routed."""

    def routed(self, message: Outgoing) -> None:
        """Puts a message into every queue that takes it. Raises Unroutable."""
        partition = message.keys[0].rpartition(".")[2]
        types = {key.rpartition(".")[0] for key in message.keys}
        takers = [name for name, listens in self._topology.items() if listens & types]
        if self.without_queues or not takers:
            raise Unroutable(message.keys[0])
        incoming = Incoming(message.id, message.reason, message.headers, message.body)
        for name in takers:
            queue = self.queue(name, partition)
            queue.put(incoming)
            if self.weather.happens(self.weather.doubled):
                queue.put(replace(incoming, redelivered=True), self._place(queue))

    def queue(self, service: str, partition: str) -> _Queue:
        return self._queues.setdefault((service, partition), _Queue())

    def unheard(self, life: Life) -> None:
        """A process has said nothing for too long: its consumers count as gone."""
        for queue in self._queues.values():
            for consumer in [c for c in queue.line if c.life is life]:
                consumer.lost = True
                self.left(queue, consumer)
                consumer.wakes()

    def left(self, queue: _Queue, consumer: _Consumer) -> None:
        """The next in line takes over; what this one held comes again."""
        if consumer in queue.line:
            queue.line.remove(consumer)
            self._given_back(queue, list(consumer.held))
        if queue.line:
            queue.line[0].wakes()

    def _given_back(self, queue: _Queue, held: Sequence[Incoming]) -> None:
        """What a consumer that is gone held comes again: in its place, or behind others, as RabbitMQ gives it back."""
        chance = self.weather.chance
        for message in held if chance.random() < 0.5 else held[::-1]:
            queue.put(replace(message, redelivered=True), self._place(queue) if chance.random() < 0.5 else None)

    def _place(self, queue: _Queue) -> int:
        return self.weather.chance.randrange(len(queue.parcels) + 1)


class SimulatedBroker:
    """See `ports.Broker`: one process's connection."""

    def __init__(self, post: Post, partitions: int, life: Life, loop: SimulatedLoop) -> None:
        self._post, self._partitions, self._life, self._loop = post, partitions, life, loop

    async def publish(self, message: Outgoing) -> None:
        weather = self._post.weather
        await asyncio.sleep(weather.chance.random() * 0.01)
        if weather.happens(weather.not_taken):
            raise Unavailable("no confirm")
        self._post.routed(message)
        await asyncio.sleep(weather.chance.random() * 0.01)
        if weather.happens(weather.unconfirmed):
            raise Unavailable("no confirm")

    async def subscribe(self, service: str, listens: frozenset[str], receive: Receive) -> None:
        for number in range(self._partitions):
            queue = self._post.queue(service, f"p{number}")
            self._loop.create_task(
                self._consume(queue, receive), name=f"{service}.p{number}", context=living(self._life)
            )

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is kept on this side."""

    async def _consume(self, queue: _Queue, receive: Receive) -> None:
        weather, me = self._post.weather, _Consumer(self._life)
        queue.line.append(me)
        self._life.ends.append(lambda: self._post.left(queue, me))
        while True:
            if me.lost:
                # Its acknowledgements were for a connection that is gone: it asks anew, behind the others.
                me.lost = False
                queue.line.append(me)
            while not me.lost and not queue.is_for(me):
                me.waiting = self._loop.create_future()
                await me.waiting
            await asyncio.sleep(weather.chance.random() * (5.0 if weather.happens(weather.late) else 0.01))
            if not me.lost and queue.is_for(me):
                me.held[:] = self._next(queue)
                await self._delivered(me.held, receive)
            me.held.clear()

    def _next(self, queue: _Queue) -> list[Incoming]:
        """Some of what is there, patients in any order, but each producer's messages of a patient in theirs."""
        most, taken, left = 1 + self._post.weather.chance.randrange(MOST), list[Incoming](), list[Incoming]()
        passed: set[tuple[str, str]] = set()
        for parcel in queue.parcels:
            line = (str(parcel.headers["lane"]), str(parcel.headers["producer"]))
            wanted = (
                len(taken) < most and line not in passed and (not taken or self._post.weather.chance.random() < 0.8)
            )
            (taken if wanted else left).append(parcel)
            if not wanted:
                passed.add(line)
        queue.parcels[:] = left
        return taken

    async def _delivered(self, held: list[Incoming], receive: Receive) -> None:
        pause = PAUSE
        while True:
            try:
                await receive(list(held))
            except Exception:  # noqa: BLE001
                held[:] = [replace(m, redelivered=True) for m in held]
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                return
