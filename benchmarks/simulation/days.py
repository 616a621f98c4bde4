"""`carepod demo --days N`: weeks of referrals on the simulated clock, told day by day."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks.simulation import outcome
from benchmarks.simulation.loop import SimulatedLoop
from benchmarks.simulation.people import People
from benchmarks.simulation.plan import CASES, SITES, Item, Plan
from benchmarks.simulation.seed import own_chance_and_time
from benchmarks.simulation.store import Key
from benchmarks.simulation.watch import Watch
from benchmarks.simulation.weather import Weather
from benchmarks.simulation.world import World

DAY = 86_400.0
A_DAY = 3
"""Referrals of a working day."""
LOOK = 5.0
"""Seconds of simulated time between two looks whether anything is under way."""
AHEAD = 1.0
"""Seconds that time stops before what is due next."""


class Weeks:
    """A practice in good weather, for so many days."""

    def __init__(self, folder: Path, days: int, begins: datetime, seed: int = 1) -> None:
        self.days, self.loop = days, SimulatedLoop(Random(f"steps {seed}"))
        self.world = World(self.loop, folder, begins, Weather(Random(f"weather {seed}")), self._committed, poll=5.0)
        self.watch = Watch(self.world.rows, self.world.now, self.world.site)
        self.plan = Plan(seed, begins, tuple(_referred(Random(f"days {seed}"), days, begins)))
        self.people = People(self.world, self.plan)
        self._looked = 0.0
        self._coming = sorted(i.at for i in self.plan.items)

    def _committed(self, service: str, keys: Iterable[Key]) -> None:
        self.watch.committed(service, keys)

    def run(self) -> Counter[str]:
        """How the journeys went."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._all())
        return outcome.counts(self.world, self.people)

    async def _all(self) -> None:
        await self.world.open()
        work = [asyncio.ensure_future(self.people.refers(i)) for i in self.plan.items]
        answering = asyncio.ensure_future(self.people.answers(4 * 3600.0))
        self.loop.idle = self._idle
        for day in range(1, self.days + 1):
            await asyncio.sleep(max(0.0, day * DAY - self.loop.time()))
            print(self._told(day), flush=True)
        for one in (*work, answering):
            one.cancel()

    def _idle(self) -> float | None:
        """How far time may go at once: to what is due next, where nothing is under way."""
        now = self.loop.time()
        if now - self._looked < LOOK:
            return None
        self._looked = now
        if not outcome.is_quiet(self.world):
            return None
        jump = max(0.0, self._next() - AHEAD - now)
        self._looked += jump
        return jump

    def _next(self) -> float:
        """Seconds from the beginning at which something is due: a timer, a partner's, a referral, the end of a day."""
        now, begins = self.loop.time(), self.world.begins
        wakes = [self.world.rows(n, "select min(due_at) from wake")[0][0] for n in self.world.names]
        looks = "SELECT min(at) AS at FROM timer WHERE kind <> 'look'"
        timers = [store.rows(looks)[0]["at"] for store in self.world.partners.stores]
        dues: list[float] = [
            *[t for t in self._coming if t > now][:1],
            *((datetime.fromisoformat(w) - begins).total_seconds() for w in wakes if w),
            *(t - begins.timestamp() for t in timers if t is not None),
            (now // DAY + 1) * DAY,
            now + 4 * 3600.0,
        ]
        # What is due already is being done.
        return min(d for d in dues if d > now)

    def _told(self, day: int) -> str:
        counts = {
            status: self.world.rows(service, sql, "Appointment", status)[0][0]
            for service, status in (("scheduling", "booked"), ("nursing", "booked "))
            for sql in ("select count(*) from search where type = $1 and parameter = 'status' and value = trim($2)",)
        }
        taken = len(self.people.accepted)
        on = (self.world.begins + timedelta(days=day - 1)).date()
        chairs, homes = counts["booked"], counts["booked "]
        return f"{on:%a %d %b}  {taken:3} referrals taken, {chairs:3} chair visits and {homes:3} home visits booked"


def _referred(chance: Random, days: int, begins: datetime) -> Iterable[Item]:
    """Referrals of each working day, between eight and four."""
    number = 0
    for day in range(days):
        if (begins + timedelta(days=day)).weekday() < 5:
            for _ in range(A_DAY):
                number += 1
                case = chance.choices([*CASES], [*CASES.values()])[0]
                at = day * DAY + chance.random() * 8 * 3600
                yield Item(f"r{number}", at, case, number, site=chance.choice(SITES))


def main(arguments: Sequence[str]) -> int:
    """Exit 0 where no invariant was broken, 1 where one was."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.simulation.days", *arguments])
    logging.disable(logging.CRITICAL)
    begun, days = time.perf_counter(), int(arguments[0])
    own_chance_and_time(1)
    folder = Path(tempfile.mkdtemp())
    try:
        weeks = Weeks(folder, days, datetime(2026, 11, 23, 14, tzinfo=UTC))
        counts = weeks.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(", ".join(f"{counts[n]} {n}" for n in ("referrals", "booked", "pended", "denied", "moved", "incomplete")))
    print(f"{days} days in {time.perf_counter() - begun:.1f} s")
    for wrong in weeks.watch.wrong:
        print(f"wrong: {wrong}")
    sys.stdout.flush()
    # The world stops in the middle of things: nothing of it is finalised.
    os._exit(1 if weeks.watch.wrong else 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
