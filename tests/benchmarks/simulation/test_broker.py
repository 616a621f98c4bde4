"""Two consumers of one queue: one is active, and what a silent one held goes to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from benchmarks.simulation.broker import Post, SimulatedBroker
from benchmarks.simulation.loop import Life, SimulatedLoop
from benchmarks.simulation.weather import Weather
from shared.ports import Incoming, Outgoing


class Told:
    """One process that hears `beta`'s queue: what it was given, and how long it takes."""

    def __init__(self, post: Post, loop: SimulatedLoop, name: str, takes: float) -> None:
        self.life, self.takes, self.heard = Life(name), takes, list[str]()
        self.broker = SimulatedBroker(post, 1, self.life, loop)

    async def hears(self) -> None:
        await self.broker.subscribe("beta", frozenset({"Task"}), self._receive)

    async def _receive(self, messages: Sequence[Incoming]) -> None:
        self.heard += [m.id for m in messages]
        await asyncio.sleep(self.takes)


def message(number: int) -> Outgoing:
    headers = {"lane": f"patient/{number}", "producer": "alpha"}
    return Outgoing(f"m{number}", "told", ("Task.p0",), headers, b"{}")


def test_what_a_silent_consumer_held_goes_to_the_next_and_it_comes_back_in_line() -> None:
    loop = SimulatedLoop(Random(1))
    post = Post({"beta": frozenset({"Task"})}, Weather(Random(1)))
    one, other = Told(post, loop, "beta", 1.0), Told(post, loop, "beta-2", 0.0)

    async def happens() -> None:
        await one.hears()
        await asyncio.sleep(0.1)
        await other.hears()
        post.routed(message(1))
        await asyncio.sleep(0.5)
        assert (one.heard, other.heard) == (["m1"], [])
        one.life.frozen = True
        post.unheard(one.life)
        await asyncio.sleep(30)
        assert other.heard == ["m1"]
        loop.thaw(one.life)
        await asyncio.sleep(1)
        loop.kill(other.life)
        post.routed(message(2))
        await asyncio.sleep(5)

    loop.run_until_complete(happens())
    assert one.heard == ["m1", "m2"]
    assert other.heard == ["m1"]


def test_a_consumer_that_was_idle_when_it_froze_asks_for_its_queue_again() -> None:
    loop = SimulatedLoop(Random(1))
    post = Post({"beta": frozenset({"Task"})}, Weather(Random(1)))
    one = Told(post, loop, "beta", 0.0)

    async def happens() -> None:
        await one.hears()
        await asyncio.sleep(1)
        one.life.frozen = True
        post.unheard(one.life)
        post.routed(message(1))
        await asyncio.sleep(30)
        loop.thaw(one.life)
        await asyncio.sleep(1)

    loop.run_until_complete(happens())
    assert one.heard == ["m1"]
