"""A message between services that breaks its profile is parked, a person is asked, and the referrer hears of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import Template, patient_id, placer
from benchmarks.truth import waited
from shared import store
from shared.app import Application
from shared.clock import system_clock, uuid7
from shared.core import CANONICAL
from shared.fhir.json import decode_own
from shared.ports import Incoming
from shared.run import Runner
from tests.journeys.pushes import pushed
from tests.journeys.test_hold import Clock, Inside, ended, serving

pytestmark = pytest.mark.slow

LANE = f"patient/{patient_id(1)}"
QUESTION = CANONICAL + "CodeSystem/referral-output"


async def said_by_auth(application: Application) -> list[tuple[str, str, str, int, str]]:
    async with application.handles["auth"].database.reading() as tx:
        sql = "select reason, headers, body, seq, id from outbox where lane = $1 and keys like '%Task.%' order by seq"
        return [tuple(row) for row in await tx.fetch(sql, LANE)]


async def statuses(runner: Runner, message_id: str) -> list[str]:
    """How far the runner's service is with a message; none while it has not come."""
    async with runner.database.reading() as tx:
        return [row[0] for row in await tx.fetch("select status from inbox where id = $1", message_id)]


def altered(said: tuple[str, str, str, int, str], at: int, change: Any) -> Incoming:
    """The next message after this one, saying the same with one change to its Task, so many versions later."""
    reason, headers, body, seq, previous = said
    message_id, bundle = uuid7(system_clock()), decode_own(body)
    bundle["entry"][0]["resource"]["id"] = bundle["id"] = message_id
    for entry in bundle["entry"][1:]:
        epoch, _, number = entry["resource"]["meta"]["versionId"].partition("-")
        entry["resource"]["meta"]["versionId"] = f"{epoch}-{int(number) + 10 + at}"
        if entry["resource"]["resourceType"] == "Task":
            change(entry["resource"])
    named = json.loads(headers) | {"seq": seq + 100 + at, "previous": json.dumps({"intake": previous})}
    return Incoming(message_id, reason, named, store.text_of(bundle).encode())


def without_status(task: dict[str, Any]) -> None:
    del task["status"]


def as_it_is(task: dict[str, Any]) -> None:
    assert task["status"]


async def told(deployment: Inside) -> list[dict[str, Any]]:
    """The questions the referrer's EHR was last told of, as References."""
    tasks = await deployment.debug("ehr/mercy/debug/tasks")
    last = tasks[-1]["task"] if "task" in tasks[-1] else tasks[-1]
    outputs = [o for o in last.get("output", ()) if o["type"]["coding"][0]["system"] == QUESTION]
    return [o["valueReference"] for o in outputs if o["type"]["coding"][0]["code"] == "question"]


async def test_the_referrer_is_told_of_a_wrong_message_without_patient_data_until_it_is_mended(tmp_path: Path) -> None:
    deployment = Inside(tmp_path)
    async with ended(deployment), serving(deployment, Clock()) as (application, deaf):
        deaf.is_deaf = False
        sender = deployment.sender()
        await pushed(sender, placer(1), Template(system_clock().date()).referral(1))
        await sender.close()

        async def has_spoken() -> bool:
            return any(row[0] == "preauthorization-approved" for row in await said_by_auth(application))

        assert await waited(has_spoken, 30)
        last = (await said_by_auth(application))[-1]
        intake = application.handles["intake"].runner

        async def has_arrived() -> bool:
            return await statuses(intake, last[4]) in (["done"], ["superseded"])

        assert await waited(has_arrived, 30), "what the wrong message rests on"
        wrong = altered(last, 0, without_status)
        await intake.receive([wrong])
        async with intake.database.reading() as tx:
            problems = await tx.fetch("select problem from inbox where id = $1", wrong.id)
        assert await statuses(intake, wrong.id) == ["parked"]
        assert problems[0][0].startswith("profile: Task.status: required")

        async def is_told() -> bool:
            return any("display" in reference for reference in await told(deployment))

        assert await waited(is_told, 30)
        (reference,) = await told(deployment)
        assert reference["reference"].startswith("Task/in-")
        assert reference["display"] == (
            "A message about this referral could not be processed; a coordinator has been asked."
        )
        await intake.receive([altered(last, 1, as_it_is)])

        async def is_over() -> bool:
            return not await told(deployment)

        assert await waited(is_over, 30)
