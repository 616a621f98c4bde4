"""The same FHIR base on PostgreSQL, the door and the other services in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from partners.app import create_app as partners_app
from services import declared
from shared import app as composition
from shared.adapters.migrations import migrate_postgres
from shared.app import Application, build
from shared.cli import command_line
from shared.core import derived_id
from shared.fhir.profiles import r4
from shared.settings import Settings, load_site
from shared.smart.clients import registered
from shared.smart.keys import key_file, public_jwks
from shared.web.app import create_app
from shared.web.peers import Peers
from tests.shared.web.stack import Carepod, Client, observation, referral, renamed

DOOR, OTHERS = "http://door.internal", "http://others.internal"


@dataclass
class Routed(httpx.AsyncBaseTransport):
    """Requests between the two processes, without a socket."""

    apps: dict[str, httpx.ASGITransport]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.apps[request.url.host].handle_async_request(request)


@pytest.fixture
async def processes(
    database_url: str, amqp_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Carepod, Carepod]]:
    """The door's process, and the one of auth and scheduling; neither has started its background work."""
    monkeypatch.setattr(composition, "Validator", r4)
    peers = {"intake": DOOR, "auth": OTHERS, "scheduling": OTHERS}
    settings = Settings(
        database_url=database_url, amqp_url=amqp_url, redis_url=redis_url, folder=tmp_path,
        secrets=tmp_path / "secrets", base_url="http://carepod.test", peers=peers,
    )  # fmt: skip
    site = load_site(settings.site_file, partners_url=settings.partners_url, base_url=settings.base_url)
    await migrate_postgres(database_url, [s.name for s in declared(site)])
    routed = Routed({})
    made: list[tuple[Application, Carepod]] = []
    for host, names in ((DOOR, ["intake"]), (OTHERS, ["auth", "scheduling"])):
        app = await build(declared(site), settings, site, names)
        transport = httpx.ASGITransport(create_app(app, peers=Peers(app, routed)))
        routed.apps[host.partition("//")[2]] = transport
        made.append((app, Carepod(app, httpx.AsyncClient(transport=transport, base_url=host))))
    jwks = str(public_jwks(key_file(tmp_path / "k.pem"))).replace("'", '"')
    for app, _ in made:
        await app.authority.clients.add(registered("mercy-ehr", "mercy", jwks, "system/*.cruds"))
        await app.authority.clients.add(registered("other-ehr", "other", jwks, "system/*.cruds"))
    yield made[0][1], made[1][1]
    for app, carepod in made:
        await carepod.http.aclose()
        await app.stop()


async def test_a_referral_is_taken_read_searched_and_refused_as_on_the_laptop(
    processes: tuple[Carepod, Carepod],
) -> None:
    door, others = processes
    client, stranger = door.client(), door.client("other-ehr")
    pushes = await asyncio.gather(*(client.push(referral()) for _ in range(12)))
    assert {r.status_code for r in pushes} == {200}
    places = [e["response"]["location"].partition("/fhir/")[2] for e in pushes[0].json()["entry"]]
    patient = places[0].partition("/_history")[0]
    for place in places:
        assert (await client.get(f"/fhir/{place}")).status_code == 200
    found = (await client.get(f"/fhir/Observation?patient={patient}&code=718-7,2276-4&_count=1")).json()
    assert (found["total"], len(found["entry"])) == (2, 1)
    assert (await stranger.get("/fhir/Observation")).json()["total"] == 0
    assert (await client.get(f"/fhir/Patient?_id={patient.partition('/')[2]},x")).json()["total"] == 1
    assert (await client.push(b'{"resourceType": "Patient\x00\xff"}')).status_code == 400
    assert "\x00" not in (await door.quarantined())[0][2]
    same = await asyncio.gather(*(client.push(renamed(referral(), f"-{n % 3}")) for n in range(9)))
    assert {r.status_code for r in same} == {200}
    assert await door.count("select count(*) from resource where type = 'Patient'") == 4
    _, health = await _ready(others)
    assert health == {"ready": True, "problems": [], "broker": "connected", "waiting": {}}


async def _ready(carepod: Carepod) -> tuple[int, object]:
    response = await carepod.http.get("/health/ready")
    return response.status_code, response.json()


async def test_either_process_answers_for_both(processes: tuple[Carepod, Carepod]) -> None:
    sent = await processes[0].client().push(referral())
    patient = sent.json()["entry"][0]["response"]["location"].partition("/fhir/")[2].partition("/_history")[0]
    for carepod in processes:
        client = carepod.client()
        assert (await client.get(f"/fhir/{patient}")).status_code == 200
        assert (await client.get("/fhir/Task?status=accepted,on-hold,in-progress,requested")).status_code == 200
        assert (await client.get("/fhir/Claim")).json()["total"] == 0
        unknown = derived_id("au", "preauthorization", "nothing", "1")
        assert (await client.get(f"/fhir/Task/{unknown}")).status_code == 404
        assert (await client.send("PUT", f"/fhir/Task/{unknown}", {"resourceType": "Task"})).status_code == 404
        assert (await client.push(referral())).json()["entry"][0]["response"]["status"] == "200 OK"
        assert (await client.get("/fhir/metadata")).status_code == 200
        assert (await Client(carepod.http, "no token").get(f"/fhir/{patient}")).status_code == 401


SEARCHES = {
    "date=2026-03-10": 1, "date=gt2026-03-10": 0, "date=ge2026-03-10": 1, "date=2026-03-11T03:30:00Z": 1,
    "date=lt2026-03-11T03:30:00Z": 0, "date:missing=true": 0, "identifier:missing=false": 1,
    "code=http://loinc.org|718-7": 1,
    "_lastUpdated=gt2020": 1, "_lastUpdated=lt2020-01-01": 0, "status=final,amended": 1, "_sort=-date,code": 1,
    "_tag=nothing": 0, "patient.name=x": None, "_include=Observation:patient": 1,
}  # fmt: skip


async def test_searches_conditions_and_deletions_are_as_on_the_laptop(processes: tuple[Carepod, Carepod]) -> None:
    sent = await processes[0].client().push(referral())
    patient = sent.json()["entry"][0]["response"]["location"].partition("/fhir/")[2].partition("/_history")[0]
    result = json.loads(observation(patient)) | {"effectiveDateTime": "2026-03-10T22:30:00-05:00"}
    where = "identifier=https://lab.example/results|obs-1"
    for carepod in processes:
        client = carepod.client()
        posts = (client.send("POST", "/fhir/Observation", result, If_None_Exist=where) for _ in range(10))
        statuses = sorted(r.status_code for r in await asyncio.gather(*posts))
        assert statuses == [200] * 9 + [201 if carepod is processes[0] else 200]
        for query, total in SEARCHES.items():
            response = await client.get(f"/fhir/Observation?identifier=obs-1&{query}")
            assert response.json().get("total") == total, query
        assert (await client.get(f"/fhir/Patient?_id={patient[8:]}&name:missing=false&birthdate=ge1900")).json()[
            "total"
        ] == 1
        page = (await client.get("/fhir/Task?_count=1&_sort=-_lastUpdated")).json()
        seen = [e["resource"]["id"] for e in page["entry"]]
        while following := next((link["url"] for link in page["link"] if link["relation"] == "next"), None):
            page = (await client.get(following.removeprefix("http://carepod.test"))).json()
            seen += [e["resource"]["id"] for e in page["entry"]]
        assert len(seen) == len(set(seen)) == page["total"]
    client = processes[1].client()
    assert (await client.send("DELETE", f"/fhir/Observation?{where}")).status_code == 204
    assert (await client.get(f"/fhir/Observation?{where}")).json()["total"] == 0


def test_migrate_and_topology_are_safe_twice(
    database_url: str, amqp_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPOD_DATABASE_URL", database_url)
    monkeypatch.setenv("CAREPOD_AMQP_URL", amqp_url)
    monkeypatch.setenv("CAREPOD_PARTITIONS", "2")
    monkeypatch.delenv("CAREPOD_RABBITMQ_MANAGEMENT_URL", raising=False)
    app, runner = command_line(declared, partners_app), CliRunner()
    for command in ("migrate", "migrate", "topology", "topology"):
        result = runner.invoke(app, [command])
        assert result.exit_code == 0, result.output
    assert "policy intake-queues: {" in result.stdout
    assert runner.invoke(app, ["parked"]).exit_code == 0
    assert runner.invoke(app, ["trace", "in-1"]).exit_code == 1


def test_looking_before_the_tables_are_there_says_what_to_do(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.environ["CAREPOD_DATABASE_URL"] != database_url
    monkeypatch.setenv("CAREPOD_DATABASE_URL", database_url + "_absent")
    result = CliRunner().invoke(command_line(declared, partners_app), ["parked"])
    assert result.exit_code == 2
    assert "carepod migrate" in result.stderr
