"""A referrer is told by what its system can take: the first way that works, else the next, else a person is asked."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from benchmarks.cases import Template, patient_id, placer, roomy_site
from benchmarks.disturbed import Deployment
from benchmarks.harness import fresh
from services import declared
from shared.cli.admin import add_client
from shared.cli.push import SCOPES
from shared.clock import system_clock
from shared.core import Resource
from shared.settings import ROOT, load_site
from shared.smart.clients import registered
from shared.smart.keys import public_jwks
from tests.journeys.case import Case, booked, entries, until, without
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ELM, OAK = "elm-ehr", "oak-ehr"
ANSWERS: Mapping[str, Any] = {
    ELM: [{"document": "ehr-cedar"}, {"notification": "ehr-aspen"}, {"file": "fax-willow"}],
    OAK: [{"task": "ehr-mercy"}, {"file": "fax-willow"}],
}
"""Referrers with several ways."""
PATIENCE = 10
"""Seconds each of their ways is waited for: longer than any answer takes that comes."""
SINGLE = ("cedar-ehr", "aspen-ehr", "willow-clinic")


class Answering(Deployment):
    """A deployment whose site file knows referrers of every kind, each with a client of its own."""

    async def prepare(self) -> None:
        await super().prepare()
        site = load_site(self.site_file, partners_url=self.partners_url, base_url=self.base_url)
        for client in (*ANSWERS, *SINGLE):
            keys = json.dumps(public_jwks(self.key(client)))
            await add_client(self.settings, declared(site), registered(client, client, keys, SCOPES))

    async def order(self, path: str, **query: Any) -> None:
        """Tells a partner what to do from now on."""
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            (await http.post(f"{self.partners_url}/{path}", params=query)).raise_for_status()

    async def refer(self, client: str, number: int, site: str, changed: Any = None) -> None:
        """Pushes one referral as this client."""
        sender = self.sender(client)
        await pushed(sender, placer(number), Template(system_clock().date(), changed=changed).referral(number, site))
        await sender.close()

    async def told_by(self, client: str, number: int, way: str, status: str = "completed") -> Case:
        """Waits until the answer about a referral came (or failed) by this way, with nothing said since."""

        def ended(case: Case) -> bool:
            return [(a["status"], way_of(a)) for a in answers(case)] == [(status, way)]

        return await until(self, number, ended, client=client)


def answers(case: Case) -> list[Resource]:
    """The answers to the referrer."""
    return [c for c in case.of("Communication") if any("/answer-way" in _system(m) for m in c.get("medium", ()))]


def _system(concept: Mapping[str, Any]) -> str:
    return str(concept["coding"][0]["system"])


def way_of(answer: Resource) -> str:
    return str(answer["medium"][0]["coding"][0]["code"])


def notes(case: Case) -> list[str]:
    return [n["text"] for a in answers(case) for n in a["note"]]


def asked(case: Case) -> list[str]:
    """The status of each question about a referrer out of reach."""
    tasks = [t for t in case.tasks("intake-question") if t["input"][0]["type"]["coding"][0]["code"] == "placer-refused"]
    return [t["status"] for t in tasks]


def incomplete(bundle: dict[str, Any]) -> None:
    """A referral without its consent: nothing is scheduled, and the placer is told what is missing."""
    without(bundle, [*entries(bundle, "Consent"), *entries(bundle, "MedicationStatement")])


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)]
)
async def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Answering]:
    folder: Path = tmp_path_factory.mktemp(f"answers-{request.param}")
    demo = yaml.safe_load((ROOT / "deploy" / "sites" / "demo.yaml").read_text(encoding="utf-8"))
    several = {
        client: {"name": client, "answers": ways, "answers_wait_seconds": PATIENCE} for client, ways in ANSWERS.items()
    }
    roomy_site(folder / "site.yaml", 2, changes={"referrers": demo["referrers"] | several})
    async with AsyncExitStack() as stack:
        engines = request.param == "deployed" and request.getfixturevalue("engines")
        addresses = await stack.enter_async_context(fresh(engines)) if engines else {}
        made = Answering(folder, addresses, folder / "site.yaml")
        stack.push_async_callback(made.stop)
        await made.start()
        yield made


async def scheduled(standing: Answering, client: str, number: int, way: str) -> Case:
    """A referral brought to its visits, and its referrer told so."""
    await standing.refer(client, number, "site-1")
    await until(standing, number, booked, client=client)
    return await standing.told_by(client, number, way)


async def test_a_system_without_tasks_files_a_letter_about_each_change_once(standing: Answering) -> None:
    case = await scheduled(standing, "cedar-ehr", 190, "document")
    filed = await standing.debug("ehr/cedar/debug/documents")
    mine = [f for f in filed if case.task("referral")["id"] in f["identifier"]]
    assert [f["received"] for f in mine] == [1] * len(mine)
    data = mine[-1]["document"]["content"][0]["attachment"]["data"]
    letter = base64.b64decode(data).decode("latin-1")
    assert "a visit is scheduled" in letter
    assert letter.count(": booked") == 2
    assert mine[-1]["document"]["context"]["related"][0]["identifier"]["value"] == placer(190)


async def test_a_subscriber_is_notified_in_one_sequence_and_reads_the_referral_here(standing: Answering) -> None:
    first, second = 191, 192
    before = await scheduled(standing, "aspen-ehr", first, "notification")
    case = await scheduled(standing, "aspen-ehr", second, "notification")
    told = await standing.debug("ehr/aspen/debug/notifications")
    assert told["handshakes"] >= 1
    # Numbers may lack: a change that another overtook before it was told leaves a gap.
    last = {e["focus"].rpartition("/")[2]: e["number"] for e in told["events"]}
    assert list(last) == [c.task("referral")["id"] for c in (before, case)]
    assert {e["received"] for e in told["events"]} == {1}
    assert {e["resource"] for e in told["events"]} == {None}, "id-only"
    focus = told["events"][-1]["focus"]
    assert focus.endswith(f"/fhir/Task/{case.task('referral')['id']}")
    sender = standing.sender("aspen-ehr")
    read = await sender.get(focus.partition("/fhir/")[2])
    await sender.close()
    assert read["businessStatus"]["coding"][0]["code"] == "5.1.1"


async def test_a_clinic_with_a_fax_line_gets_each_letter_whole_and_once(standing: Answering) -> None:
    await scheduled(standing, "willow-clinic", 193, "file")
    faxes = await standing.debug("ehr/willow/debug/faxes")
    assert {f["refused"] for f in faxes} == {None}
    assert len({f["digest"] for f in faxes}) == len(faxes) == len({f["name"] for f in faxes})
    assert placer(193) in faxes[-1]["content"]
    assert ": booked" in faxes[-1]["content"]
    assert not any(patient_id(193, "willow-clinic") in f["name"] for f in faxes)


async def test_a_refusal_falls_to_the_next_way_and_the_next_change_begins_with_the_best_again(
    standing: Answering,
) -> None:
    await standing.order("ehr/cedar/debug/refuse", on=True)
    await standing.refer(ELM, 194, "site-2", incomplete)
    case = await standing.told_by(ELM, 194, "notification")
    assert notes(case)[:3] == ["By document", "document: refused (HTTP 422)", "By notification"]
    assert asked(case) == []
    await standing.order("ehr/cedar/debug/refuse", on=False)
    await standing.refer(ELM, 194, "site-2")
    case = await until(standing, 194, booked, client=ELM)
    case = await standing.told_by(ELM, 194, "document")
    assert "notification" not in " ".join(notes(case))


async def test_where_every_way_fails_a_person_is_asked_until_a_later_change_is_told(standing: Answering) -> None:
    await standing.order("ehr/cedar/debug/refuse", on=True)
    await standing.order("ehr/aspen/debug/refuse", on=True)
    await standing.order("ehr/willow/debug/folder", present=False)
    await standing.refer(ELM, 195, "site-2", incomplete)
    case = await standing.told_by(ELM, 195, "file", "not-done")
    assert notes(case)[-1] == "file: not reached"
    assert asked(case) == ["requested"]
    await standing.order("ehr/willow/debug/folder", present=True)
    await standing.refer(ELM, 195, "site-2")
    await until(standing, 195, booked, client=ELM)
    case = await standing.told_by(ELM, 195, "file")
    assert asked(case) == ["cancelled"]
    faxes = await standing.debug("ehr/willow/debug/faxes")
    mine = [f for f in faxes if placer(195) in f["content"]]
    assert "Information missing" not in mine[-1]["content"]
    assert len({f["name"] for f in mine}) == len(mine)
    await standing.order("ehr/cedar/debug/refuse", on=False)
    await standing.order("ehr/aspen/debug/refuse", on=False)


async def test_a_system_out_of_reach_is_waited_for_then_the_next_way_is_taken(standing: Answering) -> None:
    await standing.fail("ehr/mercy", operation="task", kind="500", times=40)
    await standing.refer(OAK, 196, "site-1", incomplete)
    case = await standing.told_by(OAK, 196, "file")
    assert notes(case)[:3] == ["By task", "task: not reached", "By file"]
    await standing.order("ehr/mercy/debug/repair")
    await standing.refer(OAK, 196, "site-1")
    await until(standing, 196, booked, client=OAK)
    case = await standing.told_by(OAK, 196, "task")
    versions = [t for t in await standing.debug("ehr/mercy/debug/tasks") if t["id"] == case.task("referral")["id"]]
    assert versions[-1]["task"]["businessStatus"]["coding"][0]["code"] == "5.1.1"
    assert {v["received"] for v in versions} == {1}
