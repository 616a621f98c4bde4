"""The referrers without Tasks: what each takes, what it refuses, and what it remembers."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from partners.arrangements import arrangements
from partners.backend import backend_token
from tests.partners.conftest import CAREPOD

PDF = b"%PDF-1.4\ntext\n%%EOF\n"
TOKEN_URL = "http://partners.test/ehr/cedar/token"
SECRET = {"Authorization": "Bearer demo-notification-secret-aspen"}


def document(**changed: Any) -> dict[str, Any]:
    attachment = {"contentType": "application/pdf", "data": base64.b64encode(PDF).decode(), "size": len(PDF)}
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "https://carepod.example/id/answer", "value": "in-1/1"},
        "status": "current",
        "subject": {"identifier": {"system": "https://cedar.example/mrn", "value": "1"}},
        "content": [{"attachment": attachment}],
        **changed,
    }


@pytest.fixture
def outside(start: Any) -> Any:
    """The stand-ins with those that take no Tasks."""
    return start(others=arrangements(CAREPOD).others)


@pytest.fixture
async def bearer(outside: Any, client_key: Any) -> dict[str, str]:
    scope = "system/DocumentReference.c"
    token = await backend_token(TOKEN_URL, "carepod", client_key, scope, http=outside.http, at=outside.now())
    return {"Authorization": f"Bearer {token}", "If-None-Exist": "identifier=https://carepod.example/id/answer|in-1/1"}


async def test_a_document_is_filed_once_however_often_it_comes(outside: Any, bearer: dict[str, str]) -> None:
    answers = [await outside.http.post("/ehr/cedar/DocumentReference", json=document(), headers=bearer) for _ in "ab"]
    assert [a.status_code for a in answers] == [201, 200]
    filed = (await outside.http.get("/ehr/cedar/debug/documents")).json()
    assert [(f["identifier"], f["received"]) for f in filed] == [("https://carepod.example/id/answer|in-1/1", 2)]


async def test_a_document_without_its_condition_is_not_filed_twice(outside: Any, bearer: dict[str, str]) -> None:
    plain = {k: v for k, v in bearer.items() if k != "If-None-Exist"}
    answers = [await outside.http.post("/ehr/cedar/DocumentReference", json=document(), headers=plain) for _ in "ab"]
    assert [a.status_code for a in answers] == [201, 409]


@pytest.mark.parametrize(
    "changed",
    [
        {"masterIdentifier": {"value": "in-1/1"}},
        {"subject": {"display": "somebody"}},
        {"content": [{"attachment": {"contentType": "text/plain", "data": "YQ==", "size": 1}}]},
        {"content": [{"attachment": {"contentType": "application/pdf", "data": "YQ==", "size": 1}}]},
    ],
)
async def test_what_cannot_be_filed_is_refused(changed: Any, outside: Any, bearer: dict[str, str]) -> None:
    answer = await outside.http.post("/ehr/cedar/DocumentReference", json=document(**changed), headers=bearer)
    assert answer.status_code == 422


async def test_a_system_that_files_documents_knows_no_tasks(outside: Any, bearer: dict[str, str]) -> None:
    assert (await outside.http.put("/ehr/cedar/Task/in-1", json={}, headers=bearer)).status_code == 404
    assert (await outside.http.post("/ehr/cedar/DocumentReference", json=document())).status_code == 401


async def test_refusals_are_ordered_and_taken_back(outside: Any, bearer: dict[str, str]) -> None:
    found = []
    for on in ("true", "false"):
        await outside.http.post("/ehr/cedar/debug/refuse", params={"on": on})
        found.append(await outside.http.post("/ehr/cedar/DocumentReference", json=document(), headers=bearer))
    assert [f.status_code for f in found] == [422, 201]


# Notifications


def notification(number: int | None, focus: str = "http://us.test/fhir/Task/in-1") -> dict[str, Any]:
    kind = "handshake" if number is None else "event-notification"
    told: list[dict[str, Any]] = [{"name": "type", "valueCode": kind}]
    told.append({"name": "events-since-subscription-start", "valueString": str(number or 0)})
    entries: list[dict[str, Any]] = []
    if number is not None:
        part = [
            {"name": "event-number", "valueString": str(number)},
            {"name": "focus", "valueReference": {"reference": focus}},
        ]
        told.append({"name": "notification-event", "part": part})
        entries = [{"fullUrl": focus, "request": {"method": "PUT", "url": "Task/in-1"}, "response": {"status": "200"}}]
    status = {"resourceType": "Parameters", "parameter": told}
    first = {"resource": status, "request": {"method": "GET", "url": "x"}, "response": {"status": "200"}}
    return {"resourceType": "Bundle", "type": "history", "entry": [first, *entries]}


async def notified(outside: Any, *numbers: int | None) -> list[int]:
    url = "/ehr/aspen/notifications"
    return [(await outside.http.post(url, json=notification(n), headers=SECRET)).status_code for n in numbers]


async def test_events_come_after_a_handshake_and_are_kept_by_number(outside: Any) -> None:
    assert await notified(outside, 1) == [409]
    assert await notified(outside, None, 1, 3, 3) == [200, 200, 200, 200]
    listing = (await outside.http.get("/ehr/aspen/debug/notifications")).json()
    assert [(e["number"], e["received"]) for e in listing["events"]] == [(1, 1), (3, 2)]
    assert (listing["missing"], listing["handshakes"]) == ([2], 1)


async def test_a_notification_shows_the_secret_agreed_on(outside: Any) -> None:
    answer = await outside.http.post("/ehr/aspen/notifications", json=notification(None))
    assert answer.status_code == 401


async def test_a_notification_is_a_history_whose_status_and_entry_agree(outside: Any) -> None:
    await notified(outside, None)
    wrong = [notification(1) | {"type": "collection"}, notification(1)]
    wrong[1]["entry"][1]["fullUrl"] = "http://us.test/fhir/Task/in-2"
    for bundle in wrong:
        answer = await outside.http.post("/ehr/aspen/notifications", json=bundle, headers=SECRET)
        assert answer.status_code == 422


# Files


async def test_whole_files_are_taken_in_order_and_hidden_ones_are_left(outside: Any, tmp_path: Path) -> None:
    folder = tmp_path / "willow" / "inbox"
    for name, content in (("a-1.pdf", PDF), ("b.txt", PDF), ("c-2.pdf", PDF[:-7]), (".d.part", PDF)):
        folder.joinpath(name).write_bytes(content)
    faxes = (await outside.http.get("/ehr/willow/debug/faxes")).json()
    assert [(f["name"], f["refused"]) for f in faxes] == [("a-1.pdf", None), ("b.txt", "name"), ("c-2.pdf", "content")]
    assert [p.name for p in folder.iterdir()] == [".d.part"]


async def test_files_are_taken_without_being_asked_for(outside: Any, tmp_path: Path) -> None:
    tmp_path.joinpath("willow", "inbox", "a-1.pdf").write_bytes(PDF)
    await outside.after(1)
    assert not tmp_path.joinpath("willow", "inbox", "a-1.pdf").exists()


async def test_the_folder_is_taken_away_and_put_back(outside: Any, tmp_path: Path) -> None:
    found = []
    for present in ("false", "true"):
        await outside.http.post("/ehr/willow/debug/folder", params={"present": present})
        found.append(tmp_path.joinpath("willow", "inbox").is_dir())
    assert found == [False, True]
