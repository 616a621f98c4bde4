"""The payer answers late, wrongly, twice, not at all, or has stored what it says it has not."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from benchmarks.cases import Template
from benchmarks.chaos.stage import SITES, Stage
from benchmarks.chaos.strike import Fault
from benchmarks.truth import Wrong
from shared.clock import stamp, system_clock

PAYER = "payer/prairie-health"
"""The payer of the generated referrals."""
FAILING = (
    {"kind": "timeout", "seconds": 16.0},
    {"kind": "504-before-store"},
    {"kind": "504-after-store"},
    {"kind": "disconnect-before-store"},
    {"kind": "disconnect-after-store"},
    {"kind": "500"},
    {"kind": "429", "retry_after": 1.0},
    {"kind": "503", "retry_after": 2.0},
)


@asynccontextmanager
async def killed_unanswered(stage: Stage) -> AsyncIterator[None]:
    """The payer has stored a submission and says nothing; the process that sent it is killed."""
    before = len(await stage.deployment.debug(f"{PAYER}/debug/claims"))
    await stage.deployment.fail(PAYER, operation="submit", kind="timeout", times=100, seconds=14.0)

    async def stored() -> bool:
        return len(await stage.deployment.debug(f"{PAYER}/debug/claims")) > before + 2

    yield
    await stage.until(stored, 30.0, "three Claims stored and not answered")
    deaths = len(stage.deployment.deaths)
    stage.deployment.kill("auth")
    await stage.died(deaths + 1)
    await stage.deployment.repair(PAYER)


def failing(*kinds: dict[str, Any]) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """The payer fails every submission in these ways, one after the other, until it is over."""

    @asynccontextmanager
    async def inject(stage: Stage) -> AsyncIterator[None]:
        began = stamp(system_clock())
        for _ in range(100):
            for kind in kinds:
                await stage.deployment.fail(PAYER, operation="submit", **kind)
        yield
        await stage.deployment.repair(PAYER)
        sql = "select count(*), sum(attempt), max(attempt) from delivery where created_at >= $1 and channel = $2"
        found = (await stage.deployment.rows("auth", sql, began, "preauthorization"))[0]
        stage.notes.append(f"{found[0]} submissions begun meanwhile were tried {found[1]} times, one {found[2]} times")

    return inject


@asynccontextmanager
async def answers_twice(stage: Stage) -> AsyncIterator[None]:
    """Pended Claims, told of twice, while the submission itself seems to have failed and is inquired after."""
    reviewed = Template(system_clock().date(), changed=_reviewed)
    await stage.deployment.fail(PAYER, operation="notify", kind="duplicate-notification", times=50)
    await stage.deployment.fail(PAYER, operation="submit", kind="504-after-store", times=10)
    for _ in range(12):
        stage.load.refer(lambda n: reviewed.referral(n, stage.sites[n % SITES]))
    yield
    await stage.deployment.repair(PAYER)


def _reviewed(bundle: dict[str, Any]) -> None:
    """The member's plan has every authorization reviewed by a person."""
    group = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Coverage":
            others = [c for c in entry["resource"].get("class", ()) if c["type"]["coding"][0]["code"] != "group"]
            entry["resource"]["class"] = [*others, {"type": group, "value": "REVIEW"}]


def boundary(submissions: int, at_once: int = 12) -> Callable[[Stage], AbstractAsyncContextManager[None]]:
    """So many submissions, half of them failing in a way of chance, and a fifth of the inquiries too."""

    @asynccontextmanager
    async def inject(stage: Stage) -> AsyncIterator[None]:
        draw = random.Random(7)
        for _ in range(submissions):
            chance = dict(draw.choice(FAILING)) if draw.random() < 0.5 else {"kind": "slow", "seconds": 0.0}
            await stage.deployment.fail(PAYER, operation="submit", **chance)
            if draw.random() < 0.2:
                await stage.deployment.fail(PAYER, operation="inquire", **dict(draw.choice(FAILING[1:])))
        await stage.deployment.fail(PAYER, operation="notify", kind="duplicate-notification", times=submissions)
        begun = len(await stage.deployment.debug(f"{PAYER}/debug/claims"))
        numbers: set[int] = set()

        async def room() -> bool:
            return sum(n not in stage.load.ended for n in numbers) < at_once

        for _ in range(submissions):
            await stage.until(room, 120.0, "room for the next submission")
            numbers.add(stage.load.refer())
        yield

        async def all_ended() -> bool:
            return numbers <= stage.load.ended.keys()

        await stage.until(all_ended, 180.0, "every submission ended")
        claims = await stage.deployment.debug(f"{PAYER}/debug/claims")
        received = sum(c["received"] for c in claims)
        stage.notes.append(
            f"{len(claims) - begun} Claims of {submissions} submissions and the load, {received} received"
        )
        if len({c["identifier"]["value"] for c in claims}) != len(claims):
            stage.wrong.append(Wrong("double", "the payer has a Claim twice"))
        await stage.deployment.repair(PAYER)

    return inject


FAULTS = (
    Fault("5b", "kill -9 between the payer's storing and its answer", killed_unanswered, 3.0),
    Fault("6", "504 and cut connections after the payer stored", failing(FAILING[2], FAILING[4]), 15.0),
    Fault("7", "the payer answers twice: notified twice, and inquired", answers_twice, 10.0),
    Fault("8", "429 and 503 with Retry-After, and 500, from the payer", failing(*FAILING[5:]), 30.0),
    Fault("payer", "payer boundary: 1,000 submissions", boundary(1000), 0.0),
    Fault("payer-short", "payer boundary: 20 submissions", boundary(20, 4), 0.0, 0.0),
)
