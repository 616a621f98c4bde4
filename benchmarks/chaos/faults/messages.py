"""Messages that kill, fail, come three times or the wrong way round; and many bookings at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from benchmarks.cases import Template
from benchmarks.chaos.load import lane_of
from benchmarks.chaos.stage import SITES, Stage
from benchmarks.chaos.strike import Fault
from benchmarks.harness import SERVICES
from benchmarks.truth import Wrong, quiet
from shared.clock import stamp, system_clock

VERSIONS = "select id, epoch, version from resource order by id"


@asynccontextmanager
async def killing(stage: Stage) -> AsyncIterator[None]:
    """One patient's messages kill auth until the broker parks them; a release without the fault then takes them."""
    await stage.broker.policy("auth-poison", r"^auth\.p[0-9]+$", **await _limits(stage, 4))
    number = stage.load.reserved()
    stage.deployment.worn["auth"] = {"CAREPOD_FAILPOINT": f"lane.kills:{lane_of(number)}"}
    await stage.reborn("auth")
    stage.load.refer(number=number)

    async def parked() -> bool:
        queues = await stage.broker.queues()
        return any(q["name"] == "auth.parked" and q.get("messages") for q in queues)

    yield
    await stage.until(parked, 300.0, "the poison in the parking queue")
    for lane in await stage.broker.lanes_in("auth.parked") - {lane_of(number)}:
        stage.wrong.append(Wrong("stuck", f"a neighbour of the poison is parked with it: {lane}"))
    stage.deployment.worn.pop("auth")
    stage.deployment.kill("auth")
    await stage.broker.policy_removed("auth-poison")


async def _limits(stage: Stage, deliveries: int) -> dict[str, Any]:
    definition: dict[str, Any] = (await stage.broker.policy_of("auth-queues"))["definition"]
    return {**definition, "delivery-limit": deliveries}


@asynccontextmanager
async def failing(stage: Stage) -> AsyncIterator[None]:
    """One patient's messages fail at auth until they are parked; then they are put back by `carepod parked --retry`."""
    number = stage.load.reserved()
    stage.deployment.worn["auth"] = {"CAREPOD_FAILPOINT": f"lane.fails:{lane_of(number)}"}
    await stage.reborn("auth")
    stage.load.refer(number=number)
    sql = "select id, attempt, problem, lane from inbox where status = 'parked'"

    async def parked() -> bool:
        return bool(await stage.deployment.rows("auth", sql))

    yield
    await stage.until(parked, 90.0, "the failing message parked")
    stage.deployment.worn.pop("auth")
    await stage.reborn("auth")
    for message, attempts, problem, lane in await stage.deployment.rows("auth", sql):
        if lane != lane_of(number):
            stage.wrong.append(Wrong("stuck", f"a neighbour of the failing message is parked: {lane}"))
        stage.notes.append(f"parked after {attempts} attempts: {problem}")
        for _ in range(2):  # the second time there is nothing left to put back, and that is said
            await asyncio.to_thread(stage.command, "parked", "--retry", message)


@asynccontextmanager
async def storm(stage: Stage) -> AsyncIterator[None]:
    """Every message of the last minutes three times, in an order of chance: nothing may change by it."""
    await stage.load.pause()
    await quiet(stage.deployment, 60.0)
    before = [await stage.deployment.rows(service, VERSIONS) for service in SERVICES]
    messages = (await stage.said())[-1000:] * 3
    random.Random(24).shuffle(messages)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await stage.published(messages)

    async def empty() -> bool:
        return not any(q.get("messages") for q in await stage.broker.queues())

    await stage.until(empty, 60.0, "the storm over")
    await quiet(stage.deployment, 60.0)
    stage.notes.append(f"{len(messages)} messages said again in {loop.time() - begun:.0f} s")
    if before != [await stage.deployment.rows(service, VERSIONS) for service in SERVICES]:
        stage.wrong.append(Wrong("double", "messages that came again changed what is held"))
    stage.load.start()
    yield


@asynccontextmanager
async def the_wrong_way_round(stage: Stage) -> AsyncIterator[None]:
    """What auth has not heard yet reaches it last first: updates before what they change."""
    began = system_clock() - timedelta(seconds=5)
    deployment = stage.deployment
    deployment.down.add("auth")
    deployment.kill("auth")
    changed = Template(system_clock().date(), changed=_told_why)
    numbers = [stage.load.refer() for _ in range(5)]
    await asyncio.sleep(3.0)
    for number in numbers:
        stage.load.refer(lambda n: changed.referral(n, stage.sites[n % SITES]), number)
    yield
    await asyncio.sleep(2.0)
    for queue in await stage.broker.queues():
        if queue["name"].startswith("auth.p") and queue["name"] != "auth.parked":
            await stage.broker.queue_purged(queue["name"])
    await stage.published((await stage.said(stamp(began)))[::-1])
    deployment.down.clear()


def _told_why(bundle: dict[str, Any]) -> None:
    """The same order with a reason in words: a change that asks nobody anything."""
    bundle["timestamp"] = system_clock().isoformat()
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"].setdefault("reasonCode", []).append({"text": "As said before"})


@asynccontextmanager
async def crowded(stage: Stage) -> AsyncIterator[None]:
    """Many referrals at once for one site, which all want its first free chairs."""
    for _ in range(60):
        stage.load.refer(lambda n: stage.template.referral(n, stage.sites[0]))
    yield


FAULTS = (
    Fault("20", "a message that kills its consumer", killing, 5.0, leaves=("delivery limit",), within=120.0),
    Fault("21", "a message that always fails, parked, then put back", failing, 5.0),
    Fault("24", "the last 1,000 messages three times, shuffled", storm, 2.0),
    Fault("25", "messages the wrong way round", the_wrong_way_round, 4.0),
    Fault("38", "sixty bookings at once for one site", crowded, 5.0),
)
