"""A held time that nobody answers expires and is held anew; only the answer to the new number books it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.cases import Template, patient_id, placer
from benchmarks.disturbed import Deployment
from benchmarks.truth import waited
from services import declared
from shared.app import Application, build
from shared.cli.serve import listening, server_of
from shared.clock import system_clock
from shared.core import CANONICAL, Resource
from shared.ports import Incoming, Unavailable
from shared.settings import load_site
from shared.web.app import create_app
from tests.journeys.pushes import pushed

pytestmark = pytest.mark.slow


class Clock:
    """The system's clock, put forward at will."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


class Inside(Deployment):
    """A deployment whose one process is this one."""

    def has_ended(self, name: str) -> bool:
        return name in self.processes and super().has_ended(name)


class Deaf:
    """Stands before a service's consumer and, while it is deaf, takes no message that holds a time."""

    def __init__(self, application: Application, service: str) -> None:
        self._runner = application.handles[service].runner
        self._receive, self.is_deaf, self.refused = self._runner.receive, True, 0
        self._runner.receive = self.receive  # type: ignore[method-assign]

    async def receive(self, messages: Sequence[Incoming]) -> None:
        if self.is_deaf and any(m.reason == "visit-held" for m in messages):
            self.refused += 1
            raise Unavailable("deaf")
        await self._receive(messages)


@asynccontextmanager
async def serving(deployment: Deployment, clock: Clock) -> AsyncIterator[tuple[Application, Deaf]]:
    """Everything in this process, on a clock of our own, with an authorization that hears of no held time."""
    await deployment.prepare()
    site = load_site(deployment.site_file, partners_url=deployment.partners_url, base_url=deployment.base_url)
    with listening("127.0.0.1", deployment.ports["all"]) as listener:
        application = await build(declared(site), deployment.settings, site, clock=clock)
        deaf = Deaf(application, "auth")
        server = server_of(create_app(application))
        task = asyncio.create_task(server.serve([listener]))
        try:
            await deployment.answering("all")
            yield application, deaf
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def ended(deployment: Deployment) -> AsyncIterator[None]:
    """Ends the partners at last."""
    try:
        yield
    finally:
        await deployment.stop()


async def visits(application: Application) -> list[Resource]:
    async with application.handles["scheduling"].database.reading() as tx:
        sql = "select body from resource where lane = $1 and type = 'Appointment' order by id"
        return [json.loads(r[0]) for r in await tx.fetch(sql, f"patient/{patient_id(1)}")]


def hold_numbers(appointments: Sequence[Resource]) -> set[int]:
    holds = (e for a in appointments for e in a["extension"] if e["url"] == CANONICAL + "StructureDefinition/hold")
    return {p["valuePositiveInt"] for h in holds for p in h["extension"] if p["url"] == "number"}


async def test_a_hold_nobody_answers_expires_and_is_held_anew_and_only_the_new_number_is_booked(tmp_path: Path) -> None:
    deployment, clock = Inside(tmp_path), Clock()
    async with ended(deployment), serving(deployment, clock) as (application, deaf):
        sender = deployment.sender()
        await pushed(sender, placer(1), Template(system_clock().date()).referral(1))
        await sender.close()

        async def are_held(number: int) -> bool:
            found = await visits(application)
            return {a["status"] for a in found} == {"pending"} and hold_numbers(found) == {number}

        assert await waited(lambda: are_held(1), 30)
        clock.ahead = timedelta(minutes=14)
        await asyncio.sleep(1.5)
        assert await are_held(1), "it expired before its fifteen minutes"
        clock.ahead = timedelta(minutes=16)
        assert await waited(lambda: are_held(2), 30)
        assert deaf.refused
        deaf.is_deaf = False

        async def are_booked() -> bool:
            return [a["status"] for a in await visits(application)] == ["booked", "booked"]

        assert await waited(are_booked, 30)
        assert hold_numbers(await visits(application)) == {2}
        async with application.handles["auth"].database.reading() as tx:
            charges = [json.loads(r[0]) for r in await tx.fetch("select body from resource where type = 'ChargeItem'")]
        assert [c["status"] for c in charges] == ["planned", "planned"]
        assert hold_numbers(charges) == {2}
