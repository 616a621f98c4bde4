"""A hundred patients want the same morning at once: every seat is given once, under the real run loop."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.scheduling.service import READS, declared
from shared.adapters.migrations import migrate_sqlite
from shared.adapters.sqlite import SqliteDatabase
from shared.borders import checking, kind_of, stamped
from shared.core import Event, Resource
from shared.failpoints import Failpoints
from shared.fhir.profiles import carepod
from shared.messages import Catalogue
from shared.run import Outcome, Runner
from shared.store import Unit
from shared.visits.elements import extension_value
from tests.services.scheduling.patient import NOW, PRACTICE, authorization, everything_but_authorization, request

PATIENTS = 100


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    await migrate_sqlite(tmp_path, ["scheduling"])
    opened = await SqliteDatabase.open(tmp_path / "scheduling.db")
    yield opened
    await opened.close()


@pytest.mark.slow
async def test_a_hundred_simultaneous_bookings_never_share_a_chair_or_overrun_a_nurse(database: SqliteDatabase) -> None:
    service = declared(PRACTICE)
    runner = Runner(service, database, Catalogue((service,)), checking(carepod()), lambda: NOW, 16, Failpoints(None))
    for patient in range(PATIENTS):
        async with database.writing() as tx:
            unit = Unit(tx, {})
            await unit.keep(service, "intake", f"patient/in-{patient}", _received(patient), NOW)
            await unit.write()
    outcomes = await asyncio.gather(*(_taken(runner, patient) for patient in range(PATIENTS)))
    held = [r for o in outcomes for r in o.saved if r["resourceType"] == "Appointment" and r["status"] == "pending"]
    asked = [o for o in outcomes if o.decision.reason == "scheduling-asked"]
    assert (len(held), len(asked)) == (6 * 7 * 2, PATIENTS - 6 * 7 * 2)  # six open days, seven visits a chair and day
    chairs = Counter((s.resource, s.cell, s.seat) for a in held for s in (service.capacity or tuple)(a))
    assert max(chairs.values()) == 1
    _assert_ratio(held)
    async with database.reading() as tx:
        stored = await tx.fetch("select count(*) from capacity")
    assert stored[0][0] == sum(chairs.values())


def _received(patient: int) -> list[Resource]:
    """One patient's order for a single dose, with everything there."""
    resources = [*everything_but_authorization(), request({"repeat": {"count": 1}}), authorization()]
    ids = {r["id"]: r["id"] + f"-{patient}" for r in resources} | {"in-p": f"in-{patient}"}
    text = json.dumps([stored(r) for r in {r["id"]: r for r in resources}.values()])
    for old, new in ids.items():
        text = text.replace(f'/{old}"', f'/{new}"').replace(f'"id": "{old}"', f'"id": "{new}"')
    return list(json.loads(text))


def stored(resource: dict[str, Any]) -> dict[str, Any]:
    """A copy in the version scheduling understands."""
    return stamped(resource | {"meta": {"versionId": "1-1"}}, f"{READS[kind_of(resource)]}.0")  # type: ignore[return-value]


async def _taken(runner: Runner, patient: int) -> Outcome:
    outcome = await runner.take(Event("command", "look", f"patient/in-{patient}", NOW, NOW, source="test"))
    assert outcome is not None
    return outcome


def _assert_ratio(held: list[Resource]) -> None:
    """Iron is of acuity 2: four patients a nurse, counted minute by minute from the Appointments alone."""
    load: Counter[tuple[str, str]] = Counter()
    for visit in held:
        nurse = next(p for p in visit["participant"] if extension_value(p, "nurse-seats"))
        load.update((nurse["actor"]["identifier"]["value"], moment) for moment in _moments(visit))
    assert max(load.values()) <= 4


def _moments(visit: Resource) -> list[str]:
    start, end = datetime.fromisoformat(visit["start"]), datetime.fromisoformat(visit["end"])
    return [(start + timedelta(minutes=m)).isoformat() for m in range(0, int((end - start).total_seconds() // 60), 5)]
