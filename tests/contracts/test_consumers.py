"""Every service is fed every valid example of every profile it reads: it decides, and never raises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import declared
from shared import store
from shared.adapters.migrations import migrate_sqlite
from shared.adapters.sqlite import SqliteDatabase
from shared.borders import checking, kind_of, stamped
from shared.clock import uuid7
from shared.core import Decision, Resource, Service
from shared.failpoints import Failpoints
from shared.fhir.profiles import carepod
from shared.messages import Catalogue, headers_of, written
from shared.ports import Incoming
from shared.run import Runner
from shared.settings import ROOT, load_site

EXAMPLES = ROOT / "contracts" / "examples"
SITE = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://partners", base_url="http://carepod")
SERVICES = declared(SITE)
PATIENT = "in-00000000-0000-5000-8000-0000000000aa"
LANE = f"patient/{PATIENT}"
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


def examples_of(profile: str) -> list[Path]:
    """The valid examples of a profile."""
    return sorted((EXAMPLES / profile).glob("*.json"))


def about_one_patient(path: Path) -> Resource:
    """An example, whoever it is about, as if it were about the one patient of the lane."""
    text = re.sub(r'"Patient/[^"/]+"', f'"Patient/{PATIENT}"', path.read_text(encoding="utf-8"))
    resource: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return {**resource, "id": PATIENT} if resource["resourceType"] == "Patient" else resource


def heard() -> Iterator[tuple[Service, str, Path]]:
    """(hearing service, kind, example) of everything any service reads."""
    for service in SERVICES:
        for kind, profile in sorted(service.reads.items()):
            for path in examples_of(profile.partition("|")[0]):
                yield service, kind, path


HEARD = list(heard())


@dataclass
class Hearer:
    """One service on a database of its own, hearing what others say about one patient."""

    runner: Runner
    said: dict[str, list[str]] = field(default_factory=dict)
    versions: int = 0
    at: datetime = NOW

    async def hear(self, resource: Resource) -> str:
        """Gives it a message with this one resource; the message's status in its inbox."""
        name, id_ = self.runner.service.name, uuid7(self.at)
        producer = next(s for s in SERVICES if kind_of(resource) in s.profiles and s.name != name)
        self.versions += 1
        self.at += timedelta(seconds=1)
        before = self.said.setdefault(producer.name, [])
        meta = {**resource.get("meta", {}), "versionId": f"1-{self.versions}", "lastUpdated": self.at.isoformat()}
        own_id = producer.prefix + resource["id"][2:]
        named = stamped({**resource, "id": own_id, "meta": meta}, producer.profiles[kind_of(resource)])
        reason = next(iter(producer.reasons))
        bundle = written(producer.name, id_, Decision(reason), [named], self.at)
        previous = {name: before[-1]} if before else {}
        before.append(id_)
        headers = headers_of(producer.name, LANE, len(before), 1, {}, previous, {name: id_}, "")
        await self.runner.receive([Incoming(id_, reason, headers, store.text_of(bundle).encode())])
        async with self.runner.database.reading() as tx:
            rows = await tx.fetch("select status, problem from inbox where id = $1", id_)
        return " ".join(rows[0]).strip()


async def opened(folder: Path, service: Service) -> Hearer:
    await migrate_sqlite(folder, [service.name])
    database = await SqliteDatabase.open(folder / f"{service.name}.db")
    hearer: Hearer
    runner = Runner(
        service, database, Catalogue(SERVICES), checking(carepod()), lambda: hearer.at, 16, Failpoints(None)
    )
    hearer = Hearer(runner)
    return hearer


def test_every_kind_that_is_read_has_a_producer_and_examples() -> None:
    for service in SERVICES:
        for kind, profile in service.reads.items():
            producers = [s.profiles[kind] for s in SERVICES if kind in s.profiles]
            assert producers, f"{service.name} reads {kind}, which nobody saves"
            name, _, major = profile.partition("|")
            assert {p.partition("|")[0] for p in producers} == {name}, kind
            assert {p.partition("|")[2].partition(".")[0] for p in producers} == {major}, kind
            assert {p.stem for p in examples_of(name)} >= {"minimal", "full"}, profile


@pytest.mark.parametrize(("service", "kind", "path"), HEARD, ids=lambda v: getattr(v, "name", getattr(v, "stem", v)))
async def test_a_service_that_knows_nothing_else_decides_on_each_example(
    tmp_path: Path, service: Service, kind: str, path: Path
) -> None:
    hearer = await opened(tmp_path, service)
    try:
        assert await hearer.hear(about_one_patient(path)) == "done"
    finally:
        await hearer.runner.database.close()


@pytest.mark.parametrize("service", [s for s in SERVICES if s.name != "auth"], ids=lambda s: s.name)
@pytest.mark.parametrize("path", examples_of("peer-to-peer-appointment"), ids=lambda p: p.stem)
async def test_a_talk_from_peer_to_peer_is_neither_kept_nor_parked_by_who_hears_of_visits(
    tmp_path: Path, service: Service, path: Path
) -> None:
    hearer = await opened(tmp_path, service)
    try:
        status = await hearer.hear(about_one_patient(path))
        async with hearer.runner.database.reading() as tx:
            assert (status, await tx.fetch("select id from resource")) == ("done", [])
    finally:
        await hearer.runner.database.close()


def _of(service: str) -> Sequence[Path]:
    return [path for s, _, path in HEARD if s.name == service]


@pytest.mark.slow
@pytest.mark.parametrize("service", [s.name for s in SERVICES if s.reads])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_a_service_decides_on_all_examples_of_one_patient_in_any_order(
    service: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = data.draw(st.lists(st.sampled_from(_of(service)), min_size=5, max_size=25))
    hearer = await opened(tmp_path_factory.mktemp("order"), next(s for s in SERVICES if s.name == service))
    try:
        found = [(path.parent.name, path.stem, await hearer.hear(about_one_patient(path))) for path in order]
    finally:
        await hearer.runner.database.close()
    assert [f for f in found if f[2] != "done"] == []
