"""One FHIR base over every owner: what is searched, paged, patched and sent in batches, whichever process is asked."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from benchmarks.cases import CLIENT, patient_id, placer
from benchmarks.disturbed import Deployment
from shared.cli.push import SCOPES
from shared.clock import system_clock
from shared.settings import Partner
from shared.smart.client import TokenSource
from shared.smart.keys import SigningKey, key_file
from tests.journeys.case import booked, until
from tests.journeys.pushes import pushed
from tests.journeys.test_updates import referral

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FHIR, JSON_PATCH = "application/fhir+json", "application/json-patch+json"
OWNERS = {"in", "au", "sc"}


class Ehr:
    """An EHR with a token of its own, asking any process of the deployment."""

    def __init__(self, http: httpx.AsyncClient, deployment: Deployment, token: str) -> None:
        self._http, self._deployment, self._token = http, deployment, token

    async def send(
        self, method: str, path: str, body: Any = None, process: str = "", media: str = FHIR, **headers: str
    ) -> httpx.Response:
        """`process` names the one asked; none is the first."""
        ports = self._deployment.ports
        base = f"http://127.0.0.1:{ports[process if process in ports else self._deployment.names[0]]}"
        address = path if path.startswith("http") else f"{base}/fhir{path}"
        content = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self._token}"} | ({"Content-Type": media} if content else {}) | headers
        return await self._http.request(method, address, content=content, headers=sent)

    async def get(self, path: str, process: str = "") -> dict[str, Any]:
        response = await self.send("GET", path, process=process)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


@asynccontextmanager
async def ehr(deployment: Deployment, client: str = CLIENT, key: SigningKey | None = None) -> AsyncIterator[Ehr]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        base = deployment.base_url
        tokens = TokenSource(http, key or deployment.key(client), system_clock)
        yield Ehr(http, deployment, await tokens.token(Partner(client, base, f"{base}/token", client, SCOPES)))


async def booked_case(deployment: Deployment, number: int) -> str:
    """A case whose visits are booked, so that every owner holds something of it; its Patient."""
    sender = deployment.sender()
    await pushed(sender, placer(number), referral(number))
    await sender.close()
    await until(deployment, number, booked)
    return patient_id(number)


def processes(deployment: Deployment) -> Sequence[str]:
    return [name for name in deployment.names if name in (*deployment.names[:1], "intake", "auth", "scheduling")]


def prefixes(bundle: dict[str, Any], mode: str = "match") -> set[str]:
    """Whose ids are in a searchset."""
    return {e["resource"]["id"][:2] for e in bundle["entry"] if e["search"]["mode"] == mode}


async def test_pages_go_over_every_owner_and_each_match_is_on_one_of_them(standing: Deployment) -> None:
    patient = await booked_case(standing, 100)
    async with ehr(standing) as client:
        for process in processes(standing):
            for sort in ("", "&_sort=-_lastUpdated"):
                whole = await client.get(f"/Task?patient={patient}{sort}", process)
                assert prefixes(whole) >= OWNERS
                seen: list[str] = []
                following: str | None = f"/Task?patient={patient}&_count=2{sort}"
                while following:
                    page = await client.get(following, process)
                    assert (page["total"], len(page["entry"]) <= 2) == (whole["total"], True)
                    seen += [e["resource"]["id"] for e in page["entry"]]
                    following = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
                assert seen == [e["resource"]["id"] for e in whole["entry"]]
                assert len(seen) == len(set(seen)) == whole["total"]


async def test_what_other_owners_hold_comes_along_with_a_match(standing: Deployment) -> None:
    patient = await booked_case(standing, 101)
    async with ehr(standing) as client:
        for process in processes(standing):
            orders = await client.get(
                f"/ServiceRequest?patient={patient}&intent=filler-order&_revinclude=Task:based-on"
                "&_revinclude=Appointment:based-on&_include=ServiceRequest:patient",
                process,
            )
            assert prefixes(orders, "include") >= OWNERS
            kinds = {e["resource"]["resourceType"] for e in orders["entry"]}
            assert kinds == {"ServiceRequest", "Task", "Appointment", "Patient"}
            visits = await client.get(f"/Appointment?patient={patient}&_include=Appointment:based-on", process)
            assert (prefixes(visits), prefixes(visits, "include")) == ({"sc"}, {"in"})


async def test_another_client_learns_nothing_by_any_of_it(standing: Deployment) -> None:
    patient = await booked_case(standing, 102)
    stranger = key_file(standing.folder / "partners" / "pharmacy.key.pem")
    async with ehr(standing) as client, ehr(standing, "prairie-pharmacy", stranger) as other:
        task = (await client.get(f"/Task?patient={patient}&status=completed"))["entry"][0]["resource"]
        for process in processes(standing):
            for path in (f"/Task?patient={patient}", f"/Patient?_id={patient}&_revinclude=Task:patient"):
                assert (await other.get(path, process))["total"] == 0
            for path in (f"/Patient/{patient}/_history", f"/Task/{task['id']}", f"/Task/{task['id']}/_history"):
                assert (await other.send("GET", path, process=process)).status_code == 404
            patch = [{"op": "replace", "path": "/status", "value": "cancelled"}]
            refused = await other.send("PATCH", f"/Task/{task['id']}", patch, process, JSON_PATCH)
            assert refused.status_code == 404
        first = await client.get(f"/Task?patient={patient}&_count=1")
        following = next(link["url"] for link in first["link"] if link["relation"] == "next")
        assert (await other.send("GET", following)).status_code == 400


async def test_a_patch_reaches_the_owner_from_whichever_process_is_asked(standing: Deployment) -> None:
    patient = await booked_case(standing, 103)
    async with ehr(standing) as client:
        weight = (await client.get(f"/Observation?patient={patient}&_count=1"))["entry"][0]["resource"]
        path, versions = f"/Observation/{weight['id']}", [weight["meta"]["versionId"]]
        for n, process in enumerate(processes(standing)):
            patch = [{"op": "add", "path": "/note", "value": [{"text": f"read again {n}"}]}]
            stale = await client.send("PATCH", path, patch, process, JSON_PATCH, **{"If-Match": 'W/"9-9"'})
            assert stale.status_code == 412
            done = await client.send("PATCH", path, patch, process, JSON_PATCH)
            assert (done.status_code, done.json()["note"][0]["text"]) == (200, f"read again {n}"), done.text
            versions.append(done.json()["meta"]["versionId"])
        history = await client.get(f"{path}/_history")
        assert [e["resource"]["meta"]["versionId"] for e in history["entry"]][: len(versions)] == versions[::-1]
        visit = (await client.get(f"/Appointment?patient={patient}&_count=1"))["entry"][0]["resource"]
        owned = await client.send("PATCH", f"/Appointment/{visit['id']}", patch, media=JSON_PATCH)
        assert owned.status_code == 405
        task = (await client.get(f"/Task?patient={patient}&code=chair"))["entry"][0]["resource"]
        answer = [{"op": "replace", "path": "/status", "value": "banana"}]
        for process in processes(standing):
            wrong = await client.send("PATCH", f"/Task/{task['id']}", answer, process, JSON_PATCH)
            assert (wrong.status_code, wrong.json()["issue"][0]["expression"]) == (422, ["Task.status"])


async def test_the_entries_of_a_batch_go_each_to_its_owner(standing: Deployment) -> None:
    patient = await booked_case(standing, 104)
    async with ehr(standing) as client:
        visit = (await client.get(f"/Appointment?patient={patient}&_count=1"))["entry"][0]["resource"]
        claim = (await client.get(f"/Claim?patient={patient}"))["entry"][0]["resource"]
        weight = (await client.get(f"/Observation?patient={patient}&_count=1"))["entry"][0]["resource"]
        data = base64.b64encode(b'[{"op":"add","path":"/note","value":[{"text":"by batch"}]}]').decode()
        patch = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}
        entries = [
            {"request": {"method": "GET", "url": f"Appointment/{visit['id']}"}},
            {"request": {"method": "GET", "url": f"Appointment/{visit['id']}/$readiness"}},
            {"request": {"method": "GET", "url": f"Claim/{claim['id']}/_history"}},
            {"request": {"method": "GET", "url": f"Task?patient={patient}&_summary=count"}},
            {"request": {"method": "PATCH", "url": f"Observation/{weight['id']}"}, "resource": patch},
            {"request": {"method": "DELETE", "url": f"Claim/{claim['id']}"}},
            {"request": {"method": "GET", "url": "Patient/in-nobody"}},
        ]
        for process in processes(standing):
            response = await client.send(
                "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries}, process
            )
            assert response.status_code == 200, response.text
            found = [int(e["response"]["status"][:3]) for e in response.json()["entry"]]
            assert found == [200, 200, 200, 200, 200, 405, 404]
            assert response.json()["entry"][3]["resource"]["total"] >= len(OWNERS)


async def test_a_record_taken_back_is_gone_and_its_history_is_whole(standing: Deployment) -> None:
    patient = await booked_case(standing, 105)
    async with ehr(standing) as client:
        result = {
            "resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{patient}"},
            "identifier": [{"system": "https://lab.example/results", "value": "http-105"}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        }  # fmt: skip
        process = processes(standing)[-1]
        made = await client.send("PUT", "/Observation?identifier=http-105", result, process)
        assert made.status_code == 201, made.text
        path = f"/Observation/{made.json()['id']}"
        assert (await client.send("DELETE", path, process=process)).status_code == 204
        assert (await client.send("GET", path, process=process)).status_code == 410
        assert (await client.get("/Observation?identifier=http-105", process))["total"] == 0
        methods = [e["request"]["method"] for e in (await client.get(f"{path}/_history", process))["entry"]]
        assert methods == ["DELETE", "POST"]
