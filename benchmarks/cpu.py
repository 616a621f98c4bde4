"""What one referral costs in CPU time, whatever else the machine does: accepted over HTTP, and its whole journey.

`python -m benchmarks.cpu [--rounds N] [--at-once N] [--profile FILE]`: all services in this process on SQLite, the
partners in another one; prints one JSON report in CPU milliseconds a referral. `--profile` keeps what cProfile says of
the journeys.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from fastapi import FastAPI

from benchmarks.cases import Template, roomy_site
from benchmarks.harness import EHR, Deployment
from benchmarks.phases import Watch
from services import declared
from shared.app import Application, build
from shared.cli.serve import listening, server_of
from shared.clock import system_clock
from shared.settings import load_site
from shared.smart.scopes import parse
from shared.web.app import create_app

SITES = 20
PATIENCE = 300.0
"""Seconds the journeys of a round may take."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many rounds count, and how many referrals each has, all under way at once."""

    rounds: int = 3
    at_once: int = 20


async def accepted(api: FastAPI, token: str, body: bytes) -> None:
    """One referral through the whole HTTP application, without a socket. Raises RuntimeError unless it is taken."""
    headers = [
        (b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/fhir+json"),
        (b"host", b"localhost"),
    ]  # fmt: skip
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/fhir", "raw_path": b"/fhir", "root_path": "", "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await api(scope, receive, send)
    if statuses != [200]:
        raise RuntimeError(f"a referral was answered {statuses}")


@asynccontextmanager
async def embedded() -> AsyncIterator[tuple[Application, FastAPI, str, Template, Sequence[str]]]:
    """All services in this process, not yet started, their partners in another; a token and referrals to push."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepod-cpu-")))
        deployment = Deployment(folder, {}, folder / "site.yaml", lead_time=0.5)
        sites = roomy_site(deployment.site_file, SITES)
        try:
            await deployment.prepare()
            site = load_site(
                deployment.site_file, partners_url=deployment.partners_url, base_url=deployment.base_url, folder=folder
            )
            app = await build(declared(site), deployment.settings, site)
            api = create_app(app, requests_per_second=10**6)
            token = app.authority.tokens.issued(EHR, parse("system/*.cruds"), system_clock())
            yield app, api, token, Template(system_clock().date()), sites
        finally:
            await deployment.stop()


async def accepting(extent: Extent, profile: cProfile.Profile | None) -> dict[str, float]:
    """CPU of taking referrals alone: nothing of what follows runs."""
    async with embedded() as (app, api, token, template, sites):

        async def pushed(number: int) -> None:
            await accepted(api, token, template.referral(number, sites[number % len(sites)]))

        figures = await _rounds(pushed, extent, profile)
        await app.stop()
    return figures


async def journeying(extent: Extent, profile: cProfile.Profile | None) -> dict[str, float]:
    """CPU of whole journeys, from push to every visit booked."""
    async with embedded() as (app, api, token, template, sites), AsyncExitStack() as stack:
        listener = stack.enter_context(listening("127.0.0.1", int(app.settings.base_url.rpartition(":")[2])))
        server = server_of(api)
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)
        watch = Watch(app.handles["scheduling"].database)
        watching = asyncio.create_task(watch.run())

        async def journey(number: int) -> None:
            await accepted(api, token, template.referral(number, sites[number % len(sites)]))
            await watch.of(number).wait()

        figures = await _rounds(journey, extent, profile)
        watching.cancel()
        server.should_exit = True
        await serving
    return figures


async def _rounds(
    one: Callable[[int], Awaitable[None]], extent: Extent, profile: cProfile.Profile | None
) -> dict[str, float]:
    """The first round warms up; of the others the cheapest counts, for what else runs here only makes it dearer."""
    costs, rates, numbers = [], [], iter(range(10**6))
    for turn in range(extent.rounds + 1):
        if turn and profile is not None:
            profile.enable()
        begun, cpu = time.monotonic(), time.process_time()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(one(next(numbers)) for _ in range(extent.at_once)))
        costs.append(1000 * (time.process_time() - cpu) / extent.at_once)
        rates.append(extent.at_once / (time.monotonic() - begun))
    if profile is not None:
        profile.disable()
    return {"cpu_ms_each": min(costs[1:]), "median_cpu_ms_each": statistics.median(costs[1:]), "per_second": max(rates)}


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.cpu", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--only", choices=("accept", "journey"))
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    profile = cProfile.Profile() if asked.profile else None
    extent = Extent(asked.rounds, asked.at_once)
    report: dict[str, Any] = {"benchmark": "cpu", "rounds": asked.rounds, "at_once": asked.at_once}
    if asked.only != "journey":
        report["accept"] = uvloop.run(accepting(extent, profile))
    if asked.only != "accept":
        report["journey"] = uvloop.run(journeying(extent, profile))
    if profile is not None:
        profile.dump_stats(asked.profile)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
