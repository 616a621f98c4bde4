"""One fault under load: calm, struck, healed, recovered, quiet, and what was wrong at its end."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.chaos.checker import End, Parked, Said, Step, checked
from benchmarks.chaos.load import Load
from benchmarks.chaos.stage import Stage
from benchmarks.harness import SERVICES
from benchmarks.truth import Wrong, gathered, quiet
from shared.messages import causes_of

CALM, AFTER = 6.0, 2.0
"""Seconds under load before a fault, and after its end."""
PATIENCE, SETTLING = 120.0, 300.0
"""Seconds after which what has not recovered, and what is not quiet, counts as it is."""

PARKED = (
    "select 'message from ' || producer, problem from inbox where status = 'parked'",
    "select 'delivery over ' || channel, problem from delivery where state = 'parked'",
)
OPEN = (
    "select 'deliveries over ' || channel || ', ' || state || ', tried ' || attempt || ': ' || problem, count(*) "
    "from delivery where state in ('prepared', 'sending', 'in-doubt') group by 1",
    "select 'messages ' || status || ', tried ' || attempt || ': ' || problem, count(*) "
    "from inbox where status in ('new', 'waiting', 'retry') group by 1",
    "select 'messages unsent ' || problem, count(*) from outbox where sent_at is null group by 1",
)
STEPS = "select lane, evidence from decision where kind = 'message' order by lane, made"
SAID = "select lane, seq, headers from outbox"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table of faults; `key` is its number there.

    inject   begins with the block and is healed at its end; seconds: how long it lasts, beyond what it takes itself.
    short    seconds in the short form; None: not part of it.
    leaves   reasons for which something may be parked at its end; within: seconds to recover in.
    """

    key: str
    title: str
    inject: Callable[[Stage], AbstractAsyncContextManager[None]]
    seconds: float = 10.0
    short: float | None = None
    leaves: Collection[str] = ()
    within: float = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault came to; rates are referrals taken and journeys ended a second, before it and during it.

    quiet    seconds after the last push until nothing at all was under way.
    busy     share of the machine's processors that was busy while it recovered, whoever used them.
    wrong    what was not yet wrong when the fault before it in the same run was judged.
    """

    fault: Fault
    seconds: float
    recovery: float | None
    quiet: float
    busy: float
    taken_before: float
    taken_during: float
    ended_before: float
    ended_during: float
    refused: Mapping[str, int]
    deaths: int
    parked: tuple[Parked, ...]
    wrong: tuple[Wrong, ...]
    notes: tuple[str, ...]
    load_average: float


async def struck(stage: Stage, fault: Fault, *, short: bool = False) -> Outcome:
    """Strikes once, and judges everything of the run so far."""
    loop, load = asyncio.get_running_loop(), stage.load
    stage.wrong.clear()
    stage.notes.clear()
    deaths = len(stage.deployment.deaths)
    calm = loop.time()
    load.start()
    await asyncio.sleep(CALM / 2 if short else CALM)
    begin = loop.time()
    async with fault.inject(stage):
        await asyncio.sleep((fault.short or 0.0) if short else fault.seconds)
    heal, idle = loop.time(), _idle()
    await asyncio.sleep(AFTER)
    recovery = await _recovered(stage, heal)
    busy = _busy(idle, _idle())
    await load.pause()
    settling = loop.time()
    await quiet(stage.deployment, SETTLING)
    settled = loop.time() - settling
    stage.notes += await _open(stage)
    end = await ending(stage)
    wrong = (*stage.wrong, *_new(stage, checked(load.history.told, end, fault.leaves)))
    return Outcome(
        fault=fault,
        seconds=heal - begin,
        recovery=recovery,
        quiet=settled,
        busy=busy,
        deaths=len(stage.deployment.deaths) - deaths,
        parked=tuple(end.parked),
        wrong=wrong,
        notes=tuple(stage.notes),
        load_average=round(os.getloadavg()[0], 1),
        **_rates(load, calm, begin, heal),
    )


def _rates(load: Load, calm: float, begin: float, heal: float) -> dict[str, Any]:
    """What was taken and what ended a second before and during the fault, and the statuses of what was not taken."""
    during, before = load.history.between(begin, heal), load.history.between(calm, begin)
    return {
        "taken_before": sum(t.taken for t in before) / (begin - calm),
        "taken_during": sum(t.taken for t in during) / (heal - begin),
        "ended_before": sum(calm <= at < begin for at in load.ended.values()) / (begin - calm),
        "ended_during": sum(begin <= at < heal for at in load.ended.values()) / (heal - begin),
        "refused": dict(sorted(Counter(str(t.status) for t in during if not t.taken).items())),
    }


def _new(stage: Stage, wrong: list[Wrong]) -> list[Wrong]:
    """What an earlier fault of the run is not to blame for."""
    new = [w for w in wrong if w not in stage.known]
    stage.known = set(wrong)
    return new


def _idle() -> tuple[int, int]:
    """Ticks the processors have been idle, and ticks in all, since the machine was started; none but on Linux."""
    if not (counters := Path("/proc/stat")).exists():
        return 0, 0
    fields = [int(n) for n in counters.read_text(encoding="utf-8").splitlines()[0].split()[1:]]
    return fields[3] + fields[4], sum(fields[:8])


def _busy(begin: tuple[int, int], end: tuple[int, int]) -> float:
    """Share of the processors that was busy from one reading to another."""
    idle, ticks = end[0] - begin[0], end[1] - begin[1]
    return 1 - idle / ticks if ticks else 0.0


async def _recovered(stage: Stage, heal: float) -> float | None:
    """Seconds from the fault's end until every referral taken before it has ended; None when that never came."""
    loop, waiting = asyncio.get_running_loop(), stage.load.under_way(heal)
    while left := {n for n in waiting if n not in stage.load.ended}:
        if loop.time() > heal + PATIENCE:
            stage.notes.append(f"{len(left)} of {len(waiting)} referrals under way at its end had not ended")
            return None
        await asyncio.sleep(0.1)
    return max((stage.load.ended[n] - heal for n in waiting), default=0.0)


async def _open(stage: Stage) -> list[str]:
    """What is still open, and why, where something is."""
    return [
        f"{service}: {count} {what}"
        for service in SERVICES
        for sql in OPEN
        for what, count in await stage.deployment.rows(service, sql)
    ]


async def ending(stage: Stage) -> End:
    """Reads everything that the checker judges."""
    steps, said, parked = list[Step](), list[Said](), list[Parked]()
    for service in SERVICES:
        rows = stage.deployment.rows
        steps += [Step(service, r[0], tuple(json.loads(r[1]))) for r in await rows(service, STEPS)]
        said += [Said(service, r[0], int(r[1]), _causes(json.loads(r[2]))) for r in await rows(service, SAID)]
        parked += [Parked(service, r[0], r[1]) for sql in PARKED for r in await rows(service, sql)]
    for queue in await stage.broker.queues():
        if queue["name"].endswith(".parked") and queue.get("messages"):
            parked.append(Parked("broker", f"{queue['messages']} messages in {queue['name']}", "delivery limit"))
            # Listed: whoever looks after the broker takes it away, so that the next fault finds none.
            await stage.broker.queue_purged(queue["name"])
    return End(await gathered(stage.deployment), steps, said, parked)


def _causes(headers: Mapping[str, Any]) -> dict[str, int]:
    """Per producer the sequence of the latest message this one rests on."""
    return {producer: cause.seq for producer, cause in causes_of(str(headers.get("causes", "{}"))).items()}
