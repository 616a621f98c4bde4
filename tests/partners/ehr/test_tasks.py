"""An EHR takes Task updates from who may write them and keeps every version."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from partners.backend import backend_token

TOKEN_URL = "http://partners.test/ehr/mercy/token"
TASK = "/ehr/mercy/Task/in-1"


def task(**changed: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "id": "in-1", "status": "accepted", "intent": "order", **changed}


@pytest.fixture
async def bearer(outside: Any, client_key: Any) -> dict[str, str]:
    return await permitted(outside, client_key, "system/Task.cu")


async def permitted(outside: Any, key: Any, scope: str) -> dict[str, str]:
    token = await backend_token(TOKEN_URL, "carepod", key, scope, http=outside.http, at=outside.now())
    return {"Authorization": f"Bearer {token}"}


async def put(outside: Any, headers: dict[str, str], **changed: Any) -> httpx.Response:
    response: httpx.Response = await outside.http.put(TASK, json=task(**changed), headers=headers)
    return response


async def test_every_version_is_kept(outside: Any, bearer: dict[str, str]) -> None:
    statuses = ["accepted", "in-progress", "completed"]
    answers = [await put(outside, bearer, status=s) for s in statuses]
    assert [(a.status_code, a.headers["etag"]) for a in answers] == [(201, 'W/"1"'), (200, 'W/"2"'), (200, 'W/"3"')]
    listing = (await outside.http.get("/ehr/mercy/debug/tasks")).json()
    assert [(t["version"], t["task"]["status"]) for t in listing] == list(enumerate(statuses, 1))
    current = (await outside.http.get(TASK, headers=bearer)).json()
    assert (current["status"], current["meta"]["versionId"]) == ("completed", "3")


async def test_the_same_update_again_is_no_new_version(outside: Any, bearer: dict[str, str]) -> None:
    answers = [await put(outside, bearer) for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 200]
    listing = (await outside.http.get("/ehr/mercy/debug/tasks")).json()
    assert [(t["version"], t["received"]) for t in listing] == [(1, 2)]


async def test_tasks_and_tokens_outlive_a_kill(start: Any, client_key: Any) -> None:
    first = start()
    headers = await permitted(first, client_key, "system/Task.cu")
    await put(first, headers)
    restarted = start()
    assert (await restarted.http.get(TASK, headers=headers)).json()["status"] == "accepted"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
async def test_without_a_token_nothing_is_taken(outside: Any, headers: dict[str, str]) -> None:
    assert (await put(outside, headers)).status_code == 401
    assert (await outside.http.get(TASK, headers=headers)).status_code == 401


@pytest.mark.parametrize(("seconds", "status"), [(299, 201), (300, 401)])
async def test_a_token_ends_after_five_minutes(outside: Any, bearer: dict[str, str], seconds: int, status: int) -> None:
    outside.now.pass_seconds(seconds)
    assert (await put(outside, bearer)).status_code == status


SCOPES = [
    ("system/Task.cu", 201),
    ("system/*.cruds", 201),
    ("system/Task.write", 201),
    ("system/Patient.cu", 403),
    ("system/Task.rs", 403),
    ("system/Task.read", 403),
]


@pytest.mark.parametrize(("scope", "status"), SCOPES)
async def test_the_scope_says_who_may_write(outside: Any, client_key: Any, scope: str, status: int) -> None:
    assert (await put(outside, await permitted(outside, client_key, scope))).status_code == status


@pytest.mark.parametrize("scope", ["system/Task.rs", "system/Task.read"])
async def test_who_may_only_read_reads(outside: Any, client_key: Any, bearer: dict[str, str], scope: str) -> None:
    await put(outside, bearer)
    headers = await permitted(outside, client_key, scope)
    assert (await outside.http.get(TASK, headers=headers)).status_code == 200


@pytest.mark.parametrize(("if_match", "status"), [('W/"1"', 200), ('W/"2"', 412), ("1", 412)])
async def test_an_if_match_must_name_the_current_version(
    outside: Any, bearer: dict[str, str], if_match: str, status: int
) -> None:
    await put(outside, bearer)
    answer = await put(outside, {**bearer, "If-Match": if_match}, status="completed")
    assert answer.status_code == status


async def test_a_first_version_may_be_wanted(outside: Any, bearer: dict[str, str]) -> None:
    first = {**bearer, "If-None-Match": "*"}
    assert [(await put(outside, first, status=s)).status_code for s in ("accepted", "completed")] == [201, 412]
    assert (await outside.http.get(TASK, headers=bearer)).json()["status"] == "accepted"


BAD = [{"id": "in-2"}, {"resourceType": "Patient"}, {"banana": 1}, {"intent": None}]


@pytest.mark.parametrize("changed", BAD)
async def test_what_is_no_such_task_is_refused(outside: Any, bearer: dict[str, str], changed: Any) -> None:
    answer = await put(outside, bearer, **changed)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


async def test_an_unknown_task_is_not_found(outside: Any, bearer: dict[str, str]) -> None:
    assert (await outside.http.get("/ehr/mercy/Task/none", headers=bearer)).status_code == 404


async def test_an_update_lost_after_storing_is_the_same_when_sent_again(outside: Any, bearer: dict[str, str]) -> None:
    order = {"operation": "task", "kind": "504-after-store"}
    await outside.http.post("/ehr/mercy/debug/fail", json=order)
    assert [(await put(outside, bearer)).status_code for _ in range(2)] == [504, 200]
    assert len((await outside.http.get("/ehr/mercy/debug/tasks")).json()) == 1


async def test_its_own_key_stays_the_same(start: Any) -> None:
    address = "/ehr/mercy/.well-known/jwks.json"
    first, second = [(await start().http.get(address)).json() for _ in range(2)]
    assert first == second
    assert (first["keys"][0]["crv"], "d" in first["keys"][0]) == ("P-384", False)
