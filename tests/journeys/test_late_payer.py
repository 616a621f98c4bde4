"""A payer that does not decide: a person looks before its clock runs out, and presses it once that has run out."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.cases import Template, patient_id, placer
from benchmarks.truth import waited
from shared.app import Application
from shared.clock import system_clock
from shared.core import Resource
from tests.journeys.pushes import pushed
from tests.journeys.test_hold import Clock, Inside, ended, serving

pytestmark = pytest.mark.slow


async def tasks(application: Application, code: str) -> list[Resource]:
    async with application.handles["auth"].database.reading() as tx:
        sql = "select body from resource where lane = $1 and type = 'Task' order by id"
        found = [json.loads(r[0]) for r in await tx.fetch(sql, f"patient/{patient_id(1)}")]
    return [t for t in found if t["code"]["coding"][0]["code"] == code]


async def test_a_payer_that_is_late_is_pressed_and_its_late_answer_still_decides(tmp_path: Path) -> None:
    deployment, clock = Inside(tmp_path, release_after=3600), Clock()
    async with ended(deployment), serving(deployment, clock) as (application, deaf):
        deaf.is_deaf = False
        sender = deployment.sender()
        await pushed(sender, placer(1), Template(system_clock().date(), "infliximab-pended").referral(1))
        await sender.close()

        async def are_asked(*codes: str) -> bool:
            found = await tasks(application, "authorization-question")
            return [t["input"][0]["type"]["coding"][0]["code"] for t in found if t["status"] == "requested"] == [*codes]

        async def stands(status: str) -> bool:
            found = await tasks(application, "preauthorization")
            return [t["businessStatus"]["coding"][0]["code"] for t in found] == [status]

        assert await waited(lambda: stands("pended"), 30)
        (shown,) = await tasks(application, "preauthorization")
        begun = shown["restriction"]["period"]
        assert begun["end"] > begun["start"]
        assert await are_asked()
        clock.ahead = timedelta(days=14, hours=6)
        assert await waited(lambda: are_asked("decision-due"), 30)
        clock.ahead = timedelta(days=16)
        assert await waited(lambda: are_asked("payer-late"), 30)
        (claim,) = await deployment.debug("payer/prairie-health/debug/claims")
        await deployment.release("prairie-health", claim["identifier"]["value"])
        assert await waited(lambda: stands("approved"), 30)
        assert await are_asked()
        (decided,) = await tasks(application, "preauthorization")
        assert "restriction" not in decided
