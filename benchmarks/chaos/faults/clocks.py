"""Clocks that are set ahead, behind and back while processes work, and days of 23 and 25 hours."""

from __future__ import annotations

import asyncio
import glob
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.cases import Template, placer, roomy_site
from benchmarks.chaos.load import Load
from benchmarks.chaos.stage import Deployment, Stage
from benchmarks.chaos.strike import PATIENCE, SETTLING, Fault
from benchmarks.engines import apt
from benchmarks.engines.model import EnginesError
from benchmarks.harness import EHR, SERVICES, fresh
from benchmarks.truth import Wrong, gathered, quiet, wrongs
from shared.cli.push import Sender
from shared.clock import system_clock

FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"
NOTICED = 1.5
"""Seconds after which every process has seen that its clock was set."""
ZONE = ZoneInfo("America/Chicago")
CHANGES = (datetime(2027, 3, 14, 8, tzinfo=UTC), datetime(2027, 11, 7, 7, tzinfo=UTC))
"""Chicago's next change to summer time, and the one back: at 2 o'clock."""
OPENS, CLOSES = time(0, 30), time(9)
_EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_NIGHT = f"{OPENS:%H:%M}-{CLOSES:%H:%M}"
NIGHTLY = {
    "id": "nightly", "name": "Infusion center by night", "time_zone": str(ZONE), "chairs": 8,
    "hours": dict.fromkeys(_EVERY_DAY, _NIGHT),
    "nurses": [{"id": f"nightly-rn-{n}", "days": _EVERY_DAY, "shift": _NIGHT} for n in range(6)],
}  # fmt: skip
BEFORE, EACH = timedelta(days=3), 10
"""So long before a change so many referrals come, whose first visits are on its day; and as many around it."""


async def library() -> str:
    """The library that gives a process a clock of its own, installed where it is missing."""
    if not glob.glob(FAKETIME):
        await asyncio.to_thread(apt.install, ["faketime"])
    found = next(iter(glob.glob(FAKETIME)), "")
    if not found:
        raise EnginesError("libfaketime: installed, and still not found")
    return found


class Clocks:
    """Clocks of some processes, which can be set while these run; what counts seconds within them is left alone."""

    def __init__(self, folder: Path, preload: str) -> None:
        self._folder, self._preload = folder, preload

    def environment(self, name: str) -> dict[str, str]:
        """What a process finds in its environment, so that its clock is the one of this name."""
        return {
            "LD_PRELOAD": self._preload,
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, name: str, ahead: float) -> None:
        """Sets a clock so many seconds ahead of the true one; less than none: behind it."""
        self._file(name).write_text(f"{ahead:+.3f}\n", encoding="utf-8")

    def ahead(self, name: str) -> float:
        """By how many seconds a clock is ahead."""
        return float(self._file(name).read_text(encoding="utf-8"))

    def _file(self, name: str) -> Path:
        return self._folder / f"clock-of-{name}"


@asynccontextmanager
async def settable(stage: Stage, names: Collection[str]) -> AsyncIterator[Clocks]:
    """These processes live with clocks that can be set, and afterwards with the machine's again."""
    clocks = Clocks(stage.deployment.folder, await library())
    for name in names:
        clocks.set(name, 0)
        stage.deployment.worn[name] = clocks.environment(name)
        await stage.reborn(name)
    yield clocks
    for name in names:
        stage.deployment.worn.pop(name)
        stage.deployment.end(name)


@asynccontextmanager
async def ahead_and_behind(stage: Stage) -> AsyncIterator[None]:
    """auth's clock is set ten minutes ahead and scheduling's ten behind while they work, and both are set right."""
    async with settable(stage, ("auth", "scheduling")) as clocks:
        clocks.set("auth", 600)
        clocks.set("scheduling", -600)
        yield
        clocks.set("auth", 0)
        clocks.set("scheduling", 0)
        await asyncio.sleep(NOTICED)


@asynccontextmanager
async def second_told_twice(stage: Stage) -> AsyncIterator[None]:
    """A leap second as Linux inserts it: every clock goes back by one second, ten times in a row."""
    async with settable(stage, SERVICES) as clocks:
        for seconds in range(1, 11):
            for name in SERVICES:
                clocks.set(name, -seconds)
            await asyncio.sleep(NOTICED)
        yield


class Elsewhen(Deployment):
    """A deployment that lives, with its partners and clients, at another time of the same clocks."""

    clocks: Clocks

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.clocks.environment("all")

    def sender(self, client: str = EHR) -> Sender:
        return Sender(self.base_url, client, self.key(client), self.now)

    def now(self) -> datetime:
        return system_clock() + timedelta(seconds=self.clocks.ahead("all"))

    async def turn_to(self, at: datetime) -> None:
        """Sets every clock; returns when every process has seen it."""
        self.clocks.set("all", (at - system_clock()).total_seconds())
        await asyncio.sleep(NOTICED)


@asynccontextmanager
async def changing(stage: Stage) -> AsyncIterator[None]:
    """Practices of their own live through the night that lacks an hour, and the one that has it twice."""
    for night in CHANGES:
        with tempfile.TemporaryDirectory(prefix="carepod-chaos-") as name:
            async with fresh(stage.engines) as addresses:
                await _lived_through(stage, night, Path(name), addresses)
    yield


async def _lived_through(stage: Stage, night: datetime, folder: Path, addresses: Mapping[str, str]) -> None:
    """Three days before the change referrals come and are booked; others just before it, and it passes among them."""
    deployment = Elsewhen(folder, addresses, folder / "site.yaml", partitions=4)
    deployment.clocks = Clocks(folder, await library())
    roomy_site(deployment.site_file, changes={"sites": [NIGHTLY]})
    await deployment.turn_to(night - BEFORE)
    try:
        await deployment.start()
        referral = Template(deployment.now().date()).referral
        load = Load(deployment, lambda n: referral(n, str(NIGHTLY["id"])), 1.0)
        load.watch()
        await _referred(stage, load)
        await deployment.turn_to(night - timedelta(seconds=5))
        await _referred(stage, load)
        await quiet(deployment, SETTLING)
        truth = await gathered(deployment)
        await load.stop()
    finally:
        await deployment.stop()
    stage.wrong += wrongs(truth, {placer(n) for n in range(2 * EACH)})
    visits = truth.visits("booked")
    stage.wrong += [Wrong("overbooked", text) for text in outside_hours(visits)]
    that_day = sum(local(visit["start"]).date() == night.astimezone(ZONE).date() for visit in visits)
    stage.notes.append(f"{len(visits)} visits booked around {night:%d %B %Y}, {that_day} of them on that day")


async def _referred(stage: Stage, load: Load) -> None:
    numbers = {load.refer() for _ in range(EACH)}

    async def ended() -> bool:
        return numbers <= load.ended.keys()

    await stage.until(ended, PATIENCE, "every referral of a night of change booked")


def local(instant: str) -> datetime:
    """An instant on the wall of the practice."""
    return datetime.fromisoformat(instant).astimezone(ZONE)


def outside_hours(visits: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Visits that begin before the practice opens or end after it closes, by the clock on its wall."""
    for visit in visits:
        begins, ends = local(visit["start"]), local(visit["end"])
        if begins.date() != ends.date() or not OPENS <= begins.time() <= ends.time() <= CLOSES:
            yield f"{visit['id']}: outside the hours of its practice"


FAULTS = (
    Fault("34", "clocks set ten minutes ahead and behind in running processes, and back", ahead_and_behind, 30.0),
    Fault("34b", "leap seconds: every clock back by a second, ten times", second_told_twice, 0.0),
    Fault("34c", "a practice open at night, in the nights of 23 and of 25 hours", changing, 0.0),
)
