"""Runs one seed from its first referral until nothing moves any more, and says what was wrong."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.simulation import outcome
from benchmarks.simulation.broker import HEARTBEAT
from benchmarks.simulation.loop import Life, SimulatedLoop
from benchmarks.simulation.people import People
from benchmarks.simulation.plan import DISTURBED, Item, Plan
from benchmarks.simulation.store import Key
from benchmarks.simulation.watch import Watch
from benchmarks.simulation.weather import Weather
from benchmarks.simulation.world import SECOND, World

LONGEST = 1800.0
"""Seconds of simulated time after which what is not at rest counts as stuck."""
DAY, AHEAD = 86_400.0, 1.0
"""Seconds of a day, and how long before what is due next time stops."""
STILL = 20.0
"""Seconds nothing must have moved."""

Mutation = Callable[[World], None]
"""Switches one protection off in a world, before it starts."""


_KEPT: list[object] = []
"""Worlds that have ended: what stands still in them is not to be finalised into one that goes on."""


@dataclass
class Result:
    """What came of one seed."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    trace: str = ""
    shapes: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    seconds: float = 0.0
    simulated: float = 0.0
    steps: int = 0


def run(
    plan: Plan, mutation: Mutation | None = None, shapes: Collection[int] = (),
    disturbed: float = DISTURBED, until_wrong: bool = False,
) -> Result:  # fmt: skip
    """Runs a plan in this process, whose clock and chance become the simulated world's: run it in one of its own."""
    begun = time.process_time()
    own_chance_and_time(plan.seed)
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        _KEPT.append(one := _Run(plan, folder, mutation, disturbed, until_wrong))
        result = one.result(shapes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result.seconds = time.process_time() - begun
    return result


def own_chance_and_time(seed: int) -> None:
    """What libraries draw and read without asking us (ids, nonces, seconds) is this process's, as faketime does it."""
    chance, seconds = Random(f"bytes {seed}"), 0.0

    def monotonic() -> float:
        nonlocal seconds
        with suppress(RuntimeError):
            seconds = asyncio.get_running_loop().time()
        return seconds

    os.urandom = lambda size: chance.randbytes(size)
    random._urandom = os.urandom  # type: ignore[attr-defined]
    random.seed(seed)
    time.monotonic = monotonic


class _Run:
    def __init__(
        self, plan: Plan, folder: Path, mutation: Mutation | None, disturbed: float, until_wrong: bool
    ) -> None:
        self.disturbed, self.until_wrong = disturbed, until_wrong
        self.plan, self.trace = plan, hashlib.sha256()
        self.loop = SimulatedLoop(Random(f"steps {plan.seed}"))
        self.weather = Weather(Random(f"weather {plan.seed}"))
        for kind in plan.of("w"):
            setattr(self.weather, kind.what, kind.amount)
        self.world = World(self.loop, folder, plan.begins, self.weather, self._committed)
        self.watch = Watch(self.world.rows, self.world.now, self.world.site)
        self.people = People(self.world, plan)
        self.died: Counter[str] = Counter()
        self.commits, self.moved_at = 0, 0.0
        if mutation is not None:
            mutation(self.world)

    def result(self, shapes: Collection[int]) -> Result:
        asyncio.set_event_loop(self.loop)
        task = self.loop.create_task(self._all())
        try:
            self.loop.run_until_complete(task)
        except Exception as error:  # noqa: BLE001
            if not (self.until_wrong and self.watch.wrong):
                self.watch.says(f"the world ended: {type(error).__name__} {error}")
        found = (
            outcome.counts(self.world, self.people)
            + self.died
            + Counter(answered=self.people.answered, wrong_answers=self.world.network.wrongly.said)
        )
        return Result(
            self.plan.seed,
            self.watch.wrong,
            found,
            self.trace.hexdigest(),
            {n: outcome.journey(self.world, n).shape for n in shapes},
            simulated=self.loop.time(),
            steps=self.loop.steps,
        )

    def _committed(self, service: str, keys: Iterable[Key]) -> None:
        self.commits += 1
        self.moved_at = self.loop.time()
        self.trace.update(repr((service, round(self.loop.time(), 6), sorted(map(repr, keys)))).encode())
        self.watch.committed(service, keys)
        if self.until_wrong and self.watch.wrong:
            self.loop.stop()

    async def _all(self) -> None:
        self.weather.calm = True
        await self.world.open()
        self.weather.calm = False
        work = [self.people.refers(i) for i in self.plan.of("r")]
        work += [HAPPENS[i.kind](self, i) for i in self.plan.items if i.kind in HAPPENS]
        answering = asyncio.ensure_future(self.people.answers(15.0))
        calm = asyncio.ensure_future(self._calmed())
        await asyncio.gather(*work)
        await calm
        await self._rested()
        for item in self.plan.of("d"):
            await self._days(item)
        answering.cancel()
        outcome.wrong_at_the_end(self.world, self.watch, self.people)

    async def _calmed(self) -> None:
        """From some time on nothing is disturbed: then everything must come right by itself."""
        await asyncio.sleep(self.disturbed)
        self.weather.calm = True
        self.world.post.without_queues = False

    async def _rested(self, still: float = STILL) -> None:
        ends = self.loop.time() + LONGEST
        while self.loop.time() < ends:
            await asyncio.sleep(2.0)
            if self.loop.time() - self.moved_at > still and outcome.is_quiet(self.world):
                return

    async def _living(self, place: str) -> Life:
        """The process of a place once it lives and nothing else is about to happen to it."""
        if not any(place == t.what for t in self.plan.of("t")):
            place = place.removesuffix(SECOND)
        while True:
            life = self.world.lives.get(place)
            if life is not None and life.alive and life.doomed_at < 0 and not life.frozen:
                return life
            await asyncio.sleep(1.0)

    async def _days(self, item: Item) -> None:
        """Time goes to what is due next, again and again, until so many days are over."""
        ends = self.loop.time() + item.amount * DAY
        while self.loop.time() < ends:
            due = min(outcome.next_wake(self.world, self.loop.time() + AHEAD), ends)
            self.loop.jump(max(0.0, due - AHEAD - self.loop.time()))
            await self._rested(still=4.0)
            for wrong in outcome.overdue_visits(self.world):
                self.watch.says(wrong)

    async def silence(self, item: Item) -> None:
        """From some time on the pharmacy tells nothing any more."""
        await asyncio.sleep(item.at)
        self.world.network.silent = item.what == "pharmacy"

    async def death(self, item: Item) -> None:
        """A process dies so many of its steps after this instant, and is started again; each planned death happens."""
        await asyncio.sleep(item.at)
        life = await self._living(item.what)
        life.doomed_at = life.steps + int(item.amount)
        gone = self.loop.create_future()
        life.ends.append(lambda: gone.set_result(None))
        await gone
        self.died["crashes"] += 1
        await asyncio.sleep(self.weather.chance.random() * 4)
        if self.world.lives[life.name] is life:
            await self.world.start(life.name)

    async def second(self, item: Item) -> None:
        """A second process of a service comes up beside the first."""
        await asyncio.sleep(item.at)
        await self.world.start(item.what)

    async def freeze(self, item: Item) -> None:
        """A process stands still for so many seconds and goes on with what it had in hand (SIGSTOP, SIGCONT)."""
        await asyncio.sleep(item.at)
        life = await self._living(item.what)
        life.frozen = True
        await asyncio.sleep(min(item.amount, HEARTBEAT))
        if item.amount > HEARTBEAT:
            self.world.post.unheard(life)
            await asyncio.sleep(item.amount - HEARTBEAT)
        self.died["freezes"] += 1
        self.loop.thaw(life)

    async def skew(self, item: Item) -> None:
        """The clock of one process is wrong for `number` seconds."""
        await asyncio.sleep(item.at)
        life = await self._living(item.what)
        life.skew = item.amount
        await asyncio.sleep(item.number)
        life.skew = 0.0

    async def outage(self, item: Item) -> None:
        """The broker has no queue for a while."""
        await asyncio.sleep(item.at)
        self.world.post.without_queues = True
        await asyncio.sleep(item.amount)
        self.world.post.without_queues = False

    async def jump(self, item: Item) -> None:
        """The clock jumps ahead, as when a machine was suspended."""
        await asyncio.sleep(item.at)
        self.loop.jump(item.amount)


HAPPENS = {
    "d": _Run.silence,
    "c": _Run.death, "f": _Run.freeze, "j": _Run.jump, "k": _Run.skew, "o": _Run.outage, "t": _Run.second,
}  # fmt: skip
