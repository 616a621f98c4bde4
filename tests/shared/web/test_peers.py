"""One FHIR base over two processes: the door's, and another that owns what the door must ask for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from shared import app as composition
from shared.app import Application
from shared.core import CANONICAL, derived_id
from shared.fhir.profiles import r4
from shared.messages import Catalogue
from shared.settings import Referrer, Settings
from shared.smart.clients import OURSELVES
from shared.smart.scopes import parse
from shared.web.app import create_app
from shared.web.peers import Peers
from tests.shared.web.stack import FHIR, Carepod, Client, built, referral

pytestmark = pytest.mark.slow

AUTH = "http://auth.internal:8000"
DOOR = "http://intake.internal:8000"
TASK_ID = derived_id("au", "preauthorization", "order", "1")


def task_of(patient: str, number: int = 1) -> dict[str, Any]:
    return {
        "resourceType": "Task", "id": TASK_ID[:-1] + str(number),
        "meta": {"versionId": "1-1", "lastUpdated": f"2099-01-0{number}T00:00:00.000000Z"},
        "status": "on-hold", "intent": "order", "for": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": f"{CANONICAL}CodeSystem/task-code", "code": "preauthorization"}]},
    }  # fmt: skip


class Other:
    """The process of another service, as far as the door sees it: it records every request."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status: int | None = None
        self.total: int | None = None
        self.api = FastAPI()
        self.api.add_api_route("/{path:path}", self.answer, methods=["GET", "PUT", "POST"])

    async def answer(self, request: Request) -> Response:
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.requests.append((request.method, address, dict(request.headers), await request.body()))
        path = request.url.path
        if self.status is not None:
            return JSONResponse({"resourceType": "OperationOutcome"}, self.status)
        if path == "/fhir/Task":
            entries = [{"resource": t} for t in self.tasks.values()]
            total = len(entries) if self.total is None else self.total
            return JSONResponse({"resourceType": "Bundle", "type": "searchset", "total": total, "entry": entries})
        if path.startswith("/notifications"):
            return Response(b"taken", 202, {"X-Notification": "yes"})
        task = self.tasks.get(path.rpartition("/")[2])
        return JSONResponse(task, 200, {"ETag": 'W/"1-1"'}) if task else JSONResponse({}, 404)


@pytest.fixture
def other() -> Other:
    return Other()


@pytest.fixture
async def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    """A process of intake alone, whose catalogue knows the other services and where they are."""
    monkeypatch.setattr(composition, "Validator", r4)
    whole = await built(settings, {"office": Referrer("office", "Office", sees_all=True)})
    for name in set(whole.handles) - {"intake"}:
        await whole.handles[name].database.close()
    services = tuple(
        replace(s, paths=("/notifications/pas",)) if s.name == "auth" else s for s in whole.catalogue.services
    )
    yield replace(
        whole,
        settings=replace(settings, peers={"auth": AUTH, "intake": DOOR}),
        handles={"intake": whole.handles["intake"]},
        catalogue=Catalogue(services),
    )
    await whole.handles["intake"].database.close()


@pytest.fixture
async def carepod(app: Application, other: Other) -> AsyncIterator[Carepod]:
    peers = Peers(app, httpx.ASGITransport(other.api))
    transport = httpx.ASGITransport(create_app(app, peers=peers))
    async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as http:
        yield Carepod(app, http)


@pytest.fixture
async def patient(client: Client) -> str:
    response = await client.push(referral())
    location: str = response.json()["entry"][0]["response"]["location"]
    return location.partition("/fhir/Patient/")[2].partition("/")[0]


def authorized_by(carepod: Carepod, headers: dict[str, str]) -> str:
    token = headers["authorization"].removeprefix("Bearer ")
    return carepod.app.authority.tokens.verify(token, carepod.app.clock()).client_id


async def test_what_another_process_owns_is_read_there_as_ourselves(
    client: Client, carepod: Carepod, other: Other, patient: str
) -> None:
    task = task_of(patient)
    assert (await client.get(f"/fhir/Task/{task['id']}")).status_code == 404
    other.tasks[task["id"]] = task
    response = await client.get(f"/fhir/Task/{task['id']}")
    assert (response.status_code, response.json(), response.headers["etag"]) == (200, task, 'W/"1-1"')
    _, address, headers, _ = other.requests[-1]
    assert address == f"/fhir/Task/{task['id']}"
    assert authorized_by(carepod, headers) == OURSELVES


async def test_what_is_read_there_is_shown_to_those_who_may_see_the_patient(
    carepod: Carepod, client: Client, other: Other, patient: str
) -> None:
    task = task_of(patient)
    other.tasks[task["id"]] = task
    stranger, office = carepod.client("other-ehr"), carepod.client("office")
    hidden = await stranger.get(f"/fhir/Task/{task['id']}")
    missing = await stranger.get("/fhir/Task/au-none")
    assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert (await office.get(f"/fhir/Task/{task['id']}")).status_code == 200
    assert (await stranger.get("/fhir/Task")).json()["total"] == 0


async def test_a_search_over_several_owners_is_one_searchset(client: Client, other: Other, patient: str) -> None:
    for number in (1, 2):
        other.tasks[str(number)] = task_of(patient, number)
    other.tasks["hidden"] = task_of("in-somebody-else", 3)
    bundle = (await client.get(f"/fhir/Task?patient={patient}&status=on-hold&status=on-hold&_count=2")).json()
    assert [e["resource"]["id"] for e in bundle["entry"]] == [task_of(patient, n)["id"] for n in (1, 2)]
    assert other.requests[-1][1] == f"/fhir/Task?patient={patient}&status=on-hold&status=on-hold&_count=5000"
    found = (await client.get("/fhir/Task")).json()
    ids = [e["resource"]["id"] for e in found["entry"]]
    assert {task_of(patient, n)["id"] for n in (1, 2)} < set(ids)
    assert task_of(patient, 3)["id"] not in ids
    assert found["total"] == len(ids)


async def test_decimals_of_another_process_keep_their_digits(client: Client, other: Other, patient: str) -> None:
    body = json.dumps(task_of(patient) | {"input": [{"type": {"text": "u"}, "valueDecimal": "EXACT"}]})

    async def exact(request: Request) -> Response:
        return Response(body.replace('"EXACT"', "1.10"), media_type=FHIR)

    other.api.router.routes.clear()
    other.api.add_api_route("/{path:path}", exact, methods=["GET"])
    assert b"1.10" in (await client.get(f"/fhir/Task/{task_of(patient)['id']}")).content


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503])
async def test_a_process_that_fails_is_never_taken_for_one_that_has_nothing(
    client: Client, other: Other, patient: str, status: int
) -> None:
    other.status = status
    for path in (f"/fhir/Task/{TASK_ID}", f"/fhir/Task?patient={patient}"):
        response = await client.get(path)
        assert (response.status_code, response.json()["issue"][0]["code"]) == (503, "transient")
        assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("x")]
)
async def test_a_process_that_does_not_answer_is_said_to_be_away(app: Application, error: Exception) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    api = create_app(app, peers=Peers(app, httpx.MockTransport(fail)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x.example") as http:
        client = Carepod(app, http).client()
        answers = [await client.get("/fhir/Task"), await client.get(f"/fhir/Claim/{TASK_ID}")]
        answers += [await http.post("/notifications/pas/x", content=b"{}")]
        assert [a.status_code for a in answers] == [503] * 3
        assert (await client.get("/fhir/Observation")).status_code == 200


async def test_a_search_that_another_process_cannot_finish_has_to_say_more(
    client: Client, carepod: Carepod, other: Other, patient: str
) -> None:
    other.tasks["1"], other.total = task_of(patient), 5001
    assert (await client.get("/fhir/Task")).json()["issue"][0]["code"] == "too-costly"
    assert (await carepod.client("office").get("/fhir/Task")).status_code == 200


async def test_an_answer_goes_to_the_owner_of_the_question_as_ourselves_for_its_client(
    client: Client, carepod: Carepod, other: Other, patient: str
) -> None:
    task = task_of(patient)
    other.tasks[task["id"]] = task
    body = json.dumps(task | {"status": "completed"}).encode()
    path = f"/fhir/Task/{task['id']}"
    response = await client.send("PUT", path, body, If_Match='W/"1-1"', Carepod_Client="office")
    assert response.status_code == 200
    method, address, headers, sent = other.requests[-1]
    assert (method, address, sent) == ("PUT", path, body)
    assert authorized_by(carepod, headers) == OURSELVES
    assert headers["carepod-client"] == "mercy-ehr"
    assert headers["if-match"] == 'W/"1-1"'
    assert headers["content-type"] == FHIR
    before = len([r for r in other.requests if r[0] == "PUT"])
    hidden = await carepod.client("other-ehr").send("PUT", path, body)
    assert hidden.status_code == 404
    assert len([r for r in other.requests if r[0] == "PUT"]) == before


async def test_a_command_handed_on_is_kept_under_the_client_it_came_from(app: Application, carepod: Carepod) -> None:
    ours = carepod.client(OURSELVES)
    await ours.push(b"broken", Carepod_Client="mercy-ehr")
    await ours.push(b"broken", Carepod_Client="not a client id")
    await carepod.client("other-ehr").push(b"broken", Carepod_Client="mercy-ehr")
    assert [row[3] for row in await carepod.quarantined()] == ["mercy-ehr", OURSELVES, "other-ehr"]


async def test_a_notification_goes_on_with_its_own_headers(carepod: Carepod, other: Other) -> None:
    headers = {"Authorization": "Bearer agreed-secret", "Content-Type": FHIR, "X-Own": "1", "Carepod-Client": "office"}
    response = await carepod.http.post("/notifications/pas/payer%20x?a=b%26c", content=b"{}", headers=headers)
    assert (response.status_code, response.content, response.headers["x-notification"]) == (202, b"taken", "yes")
    _, address, sent, body = other.requests[-1]
    assert (sent["authorization"], sent["x-own"], body) == ("Bearer agreed-secret", "1", b"{}")
    assert "carepod-client" not in sent
    assert sent["host"] == "auth.internal:8000"
    assert address.endswith("?a=b%26c")


@pytest.fixture
async def without_door(app: Application, settings: Settings, other: Other) -> AsyncIterator[Callable[[], Client]]:
    """The same process as if it ran another service than the one with the door."""
    handle = app.handles["intake"]
    blind = replace(handle, service=replace(handle.service, name="auth", door=None))
    process = replace(app, handles={"auth": blind})
    api = create_app(process, peers=Peers(process, httpx.ASGITransport(other.api)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x.example") as http:
        yield lambda: Carepod(app, http).client()


async def test_every_process_answers_for_the_whole_base(
    without_door: Callable[[], Client], other: Other, carepod: Carepod
) -> None:
    client = without_door()
    other.tasks[TASK_ID] = task_of("in-x")
    for method, path in (("GET", f"/fhir/Task/{TASK_ID}"), ("GET", "/fhir/Task?status=on-hold")):
        assert (await client.send(method, path)).status_code == 200
        assert other.requests[-1][:2] == (method, path)
        assert authorized_by(carepod, other.requests[-1][2]) == "mercy-ehr"
    await client.push({"resourceType": "Bundle"})
    assert other.requests[-1][:2] == ("POST", "/fhir")
    assert other.requests[-1][2]["host"] == "intake.internal:8000"


async def test_our_own_token_reads_all_and_is_not_sent_round_in_circles(
    app: Application, carepod: Carepod, client: Client, other: Other, patient: str
) -> None:
    token = app.authority.tokens.issued(OURSELVES, parse("system/*.cruds"), app.clock())
    ours = Client(carepod.http, token)
    before = len(other.requests)
    assert (await ours.get("/fhir/Task")).json()["total"] >= 1
    assert (await ours.get(f"/fhir/Patient/{patient}")).status_code == 200
    assert len(other.requests) == before


async def test_an_inquiry_goes_to_the_process_that_runs_its_service(client: Client, other: Other) -> None:
    other.status = 418
    answer = await client.send("POST", "/fhir/$preauthorization-check?period=renewal", referral())
    assert answer.status_code == 418
    method, address, headers, body = other.requests[-1]
    assert (method, address) == ("POST", "/fhir/$preauthorization-check?period=renewal")
    assert headers["authorization"] == f"Bearer {client.token}"
    assert json.loads(body) == referral()


async def test_an_inquiry_of_a_service_nobody_runs_is_asked_for_again_later(app: Application, other: Other) -> None:
    alone = replace(app, settings=replace(app.settings, peers={"intake": DOOR}))
    transport = httpx.ASGITransport(create_app(alone, peers=Peers(alone, httpx.ASGITransport(other.api))))
    async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as http:
        answer = await Carepod(alone, http).client().send("POST", "/fhir/$preauthorization-check", referral())
    assert answer.status_code == 503
    assert other.requests == []
