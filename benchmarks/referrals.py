"""Referrals on the real engines: accepted a second, latency, whole journeys, memory, start-up; one JSON report.

`python -m benchmarks.referrals [--quick] [--stored N] [--check] [--report FILE]`: everything on this machine, partners
and load included, each service a process of its own, validation and audit on. Every phase has a database and a vhost of
its own.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import math
import os
import platform
import pstats
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import redis.asyncio as redis
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import cpu
from benchmarks.areas import areas
from benchmarks.cases import patient_id
from benchmarks.cpu import accepting, journeying
from benchmarks.engines import Engines, EnginesError, provided
from benchmarks.growth import AT_ONCE, growing, overloaded
from benchmarks.load import Tally, burst, steady
from benchmarks.phases import QUICK, STEADY_RATE, SUSTAINED, Extent, deployed, end_to_end, journeys, limits
from benchmarks.tables import page
from shared.version import VERSION

NOT_PROVIDED, MISSED = 3, 1
MODEL = 999_999
"""Number of the referral that stored ones are copies of."""
TAKES = "intake"
"""The service that takes referrals."""
CPU, PROFILED = cpu.Extent(2), cpu.Extent(1)
ABOUT = """Made by `python -m benchmarks.referrals --report FILE`: everything on one machine, partners and load
included, each service a process of its own, validation and audit on. `limits` is what the engines did in the same run
(transactions of two inserts, confirmed quorum publishes), `shares` the part of it that was reached; `cpu` is of all
services in one process. `sustained` is end to end at a rate at which nothing queues, `stands_in_the_way` the part of
the CPU time of a referral that each part of the product takes."""


@dataclass(frozen=True, slots=True)
class Target:
    """One figure of the report and what it should be."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def missed(self, value: float | None) -> bool:
        """A figure that was not measured, or is no number, is missed too."""
        if value is None or math.isnan(value):
            return True
        low = self.at_least is not None and value < self.at_least
        return low or (self.at_most is not None and value > self.at_most)

    def by(self, value: float | None) -> str:
        """How many times too little or too much a figure is."""
        wanted = self.at_least if self.at_least is not None else self.at_most
        if not value or not wanted or math.isnan(value):
            return ""
        return f" ({max(value / wanted, wanted / value):.3g} times off)"

    @property
    def words(self) -> str:
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


TARGETS = (
    Target("burst.accepted_per_second", at_least=1000),
    Target("half_rate.p99_ms", at_most=60),
    Target("journeys.per_second", at_least=100),
    Target("end_to_end.p50_seconds", at_most=0.3),
    Target("end_to_end.p99_seconds", at_most=1.5),
    Target("end_to_end.offered_per_second", at_least=20),
    Target("largest_service_mib", at_most=150),
    Target("slowest_start_seconds", at_most=2),
    Target("growth.share", at_least=0.9),
)


def accepted(tally: Tally) -> dict[str, Any]:
    """What a run of pushes came to, as the report says it."""
    return {
        "accepted": tally.accepted,
        "refused": tally.refused,
        "accepted_per_second": tally.per_second,
        "p50_ms": tally.latency(0.5),
        "p99_ms": tally.latency(0.99),
    }


def shares(report: Mapping[str, Any]) -> dict[str, float]:
    """Which part of the engines' limits was reached."""
    limit = report["limits"]
    return {
        "accepted_of_transactions": report["burst"]["accepted_per_second"] / limit["transactions_per_second"],
        "journeys_of_transactions": report["journeys"]["transactions_per_second"] / limit["transactions_per_second"],
        "journeys_of_publishes": report["journeys"]["messages_per_second"] / limit["publishes_per_second"],
    }


def missed(report: Mapping[str, Any]) -> list[str]:
    """Each target that the report misses, in words."""
    values = [(t, _figure(report, t.figure)) for t in TARGETS]
    said = {t: "not measured" if v is None else f"{v:.4g}" for t, v in values}
    return [f"{t.figure}: {said[t]}, {t.words}{t.by(v)}" for t, v in values if t.missed(v)]


def _figure(report: Mapping[str, Any], path: str) -> float | None:
    found: Any = report
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


async def measured(engines: Engines, extent: Extent, say: Callable[[str], None]) -> dict[str, Any]:
    """Every phase, one after the other."""
    report: dict[str, Any] = {"benchmark": "referrals", "machine": machine(), "versions": await versions(engines)}
    say("what the engines allow")
    report["limits"] = await limits(engines, extent)
    say("starting; memory and start-up at rest")
    async with deployed(engines, one_by_one=True) as (deployment, pool, rest):
        report |= rest
        say(f"end to end at {STEADY_RATE:g}/s")
        report["end_to_end"] = await end_to_end(deployment, pool, extent)
    say("whole journeys")
    async with deployed(engines) as (deployment, pool, _):
        report["journeys"] = await journeys(deployment, pool, extent)
        rate = max(0.1, SUSTAINED * report["journeys"]["per_second"])
        say(f"end to end at what is sustained, {rate:.2g}/s")
        report["sustained"] = await end_to_end(deployment, pool, extent, rate, extent.journeys)
    say("a burst")
    async with deployed(engines) as (_, pool, _):
        report["burst"] = accepted(await burst(pool.send, extent.burst))
    rate = max(1.0, report["burst"]["accepted_per_second"] / 2)
    say(f"half the burst's rate, {rate:.0f}/s")
    async with deployed(engines) as (_, pool, _):
        report["half_rate"] = {"offered_per_second": rate, **accepted(await steady(pool.send, rate, extent.half_rate))}
    say(f"the same over {extent.stored:,} stored referrals")
    async with deployed(engines, names=(TAKES,)) as (deployment, pool, _):
        await pool.send(MODEL)
        report["growth"] = await growing(deployment, pool, extent, f"patient/{patient_id(MODEL)}")
    say("too many at once")
    async with deployed(engines, AT_ONCE) as (deployment, pool, _):
        report["overload"] = await overloaded(deployment, pool, extent)
    say("CPU of one referral, in one process")
    report["cpu"] = {"accept": await accepting(CPU, None), "journey": await journeying(CPU, None)}
    say("where it goes")
    report["stands_in_the_way"] = {"accept": await profiled(accepting), "journey": await profiled(journeying)}
    report["shares"] = shares(report)
    report["missed"] = missed(report)
    return report


async def profiled(work: Callable[[cpu.Extent, cProfile.Profile], Awaitable[Any]]) -> dict[str, float]:
    """Which part of its CPU time each part of the product takes, as cProfile sees it."""
    profile = cProfile.Profile()
    await work(PROFILED, profile)
    return areas(pstats.Stats(profile))


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {"cores": os.cpu_count(), "system": platform.platform(), "architecture": platform.machine()}


async def versions(engines: Engines) -> dict[str, str]:
    """Versions of everything that counts."""
    connection = await asyncpg.connect(engines.database_url)
    postgresql = await connection.fetchval("show server_version")
    await connection.close()
    async with httpx.AsyncClient(trust_env=False) as http:
        rabbitmq = (await http.get(f"{engines.management_url}/api/overview")).json()["rabbitmq_version"]
    async with redis.Redis.from_url(engines.redis_url) as cache:
        cached = (await cache.info("server"))["redis_version"]
    found = {"postgresql": postgresql, "rabbitmq": rabbitmq, "redis": cached, "python": platform.python_version()}
    return {**found, "carepod": VERSION}


def rounded(value: Any) -> Any:
    """The report with four significant digits, and null for what is no number."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def _extent(asked: argparse.Namespace) -> Extent:
    extent = QUICK if asked.quick else Extent()
    return replace(extent, stored=asked.stored) if asked.stored else extent


def _page(report: Mapping[str, Any]) -> str:
    found = [(t, _figure(report, t.figure)) for t in TARGETS]
    rows = [(t.figure, t.words, value, t.missed(value)) for t, value in found]
    lines = [f"* `{name}`: {rest}" for name, _, rest in (line.partition(": ") for line in report["missed"])]
    told = page("Speed of the spine", ABOUT, rows, {k: v for k, v in report.items() if k != "missed"})
    return told.replace(
        "\n## Figures\n", "\n".join(["", "## Missed, and by how much", "", *lines, "", "## Figures", ""])
    )


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Says on a terminal which phase it is at, and in a log when each began."""
    console = Console(stderr=True, log_path=False)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("")

        def say(phase: str) -> None:
            progress.update(task, description=phase)
            if not console.is_terminal:
                console.log(phase)

        yield say


def main(arguments: Sequence[str] | None = None) -> int:
    """0 measured; 1 with `--check` when a target is missed; 3 without engines."""
    parser = argparse.ArgumentParser("benchmarks.referrals", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes, each phase seconds")
    parser.add_argument("--stored", type=int, help="referrals stored when the rate over many is taken")
    parser.add_argument("--check", action="store_true", help="exit 1 naming each target missed")
    parser.add_argument("--report", type=Path, help="also write the report to this JSON file, and beside it as .md")
    asked = parser.parse_args(arguments)
    try:
        with provided() as engines, _told() as say:
            report = asyncio.run(measured(engines, _extent(asked), say))
    except EnginesError as error:
        print(f"engines: {error}", file=sys.stderr)
        return NOT_PROVIDED
    text = json.dumps(rounded({**report, "quick": asked.quick}), indent=2)
    print(text)
    if asked.report:
        asked.report.write_text(text + "\n", encoding="utf-8")
        asked.report.with_suffix(".md").write_text(_page(report), encoding="utf-8")
    for line in report["missed"] if asked.check else ():
        print(f"missed: {line}", file=sys.stderr)
    return MISSED if asked.check and report["missed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
