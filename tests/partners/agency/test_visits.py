"""An agency takes a visit on, refuses it or stays silent by its rules; it reports, calls off, and hears it is late."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from partners.agency.rules import rules
from partners.backend import backend_token
from partners.keys import PrivateKey
from tests.partners.conftest import ADDRESS

CODES = "https://carepod.example/fhir/CodeSystem/"
DAYS = ("2026-11-23", "2026-11-24")


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": CODES + system, "code": code}]}


def wanted(number: int = 1, postal: str = "68516", skills: tuple[str, ...] = ("picc-dressing",), **task: Any) -> Any:
    inputs = [
        {"type": concept("agency-visit-input", "minutes"), "valuePositiveInt": 60},
        *(
            {
                "type": concept("agency-visit-input", "competency"),
                "valueCodeableConcept": concept("nurse-competency", skill),
            }
            for skill in skills
        ),
    ]
    asked = {
        "resourceType": "Task",
        "id": f"nu-{number}",
        "status": "requested",
        "intent": "order",
        "restriction": {"period": {"start": DAYS[0], "end": DAYS[1]}},
        "input": inputs,
        **task,
    }
    patient = {"resourceType": "Patient", "id": "p1", "address": [{"postalCode": postal}]}
    order = {
        "resourceType": "ServiceRequest", "id": "o1", "status": "active", "intent": "filler-order",
        "subject": {"reference": "Patient/p1"},
    }  # fmt: skip
    entries = [{"fullUrl": f"https://x.example/{r['id']}", "resource": r} for r in (asked, order, patient)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.fixture
async def ask(outside: Any, client_key: PrivateKey) -> Any:
    """Posts a request as the practice, with a token of the agency's own."""

    async def asked(body: Any = None, agency: str = "valley-home") -> httpx.Response:
        url = f"{ADDRESS}/agency/{agency}/token"
        token = await backend_token(url, "carepod", client_key, "system/Task.cu", http=outside.http, at=outside.now.at)
        headers = {"Authorization": f"Bearer {token}"}
        content = json.dumps(body or wanted())
        found: httpx.Response = await outside.http.post(f"/agency/{agency}/visits", content=content, headers=headers)
        return found

    return asked


async def listed(outside: Any, agency: str = "valley-home") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await outside.http.get(f"/agency/{agency}/debug/visits")).json()
    return found


def told(outside: Any) -> list[tuple[str, str | None]]:
    return [(b["status"], _reason(b)) for b in outside.carepod.bodies()]


def _reason(task: dict[str, Any]) -> str | None:
    codings: list[dict[str, str]] = task.get("statusReason", {}).get("coding", [{}])
    return codings[0].get("code")


async def test_a_visit_is_taken_on_at_the_first_time_it_can(outside: Any, ask: Any) -> None:
    assert (await ask()).status_code == 201
    assert await outside.after(0.9) == 0
    assert await outside.after(0.1) == 1
    request, task = outside.carepod.received[0], outside.carepod.bodies()[0]
    get_fhir_model_class("Task").model_validate(task)
    assert (request.method, request.url.path) == ("PUT", "/fhir/Task/nu-1")
    assert request.headers["authorization"] == "Bearer a-token"
    assert task["status"] == "accepted"
    assert task["output"] == [
        {
            "type": concept("agency-visit-output", "visit-time"),
            "valuePeriod": {"start": "2026-11-23T14:00:00.000Z", "end": "2026-11-23T15:00:00.000Z"},
        }
    ]


async def test_nobody_without_a_token_asks_for_anything(outside: Any) -> None:
    assert (await outside.http.post("/agency/valley-home/visits", json=wanted())).status_code == 401
    assert await listed(outside) == []


async def test_the_same_request_again_is_one_visit_and_one_answer(outside: Any, ask: Any) -> None:
    assert [(await ask()).status_code for _ in range(3)] == [201, 200, 200]
    await outside.after(1)
    await outside.after(10)
    assert told(outside) == [("accepted", None)]
    assert [v["received"] for v in await listed(outside)] == [3]


@pytest.mark.parametrize(
    ("agency", "postal", "skills", "reason"),
    [
        ("valley-home", "68516", ("picc-dressing",), None),
        ("valley-home", "69101", ("picc-dressing",), "territory"),
        ("valley-home", "68516", ("ivig",), "competency"),
        ("plains-visiting", "69101", ("ivig",), None),
        ("plains-visiting", "51501", ("ivig",), "territory"),
    ],
)
async def test_each_agency_goes_where_it_goes_and_does_what_it_can(
    outside: Any, ask: Any, agency: str, postal: str, skills: tuple[str, ...], reason: str | None
) -> None:
    await ask(wanted(1, postal, skills), agency)
    await outside.after(1)
    assert told(outside) == [("rejected" if reason else "accepted", reason)]


async def test_a_day_holds_two_visits_one_after_the_other_and_two_days_four(outside: Any, ask: Any) -> None:
    for number in range(1, 6):
        await ask(wanted(number))
        await outside.after(1)
    assert [reason for _, reason in told(outside)] == [None] * 4 + ["capacity"]
    begins = [v["begins"] for v in await listed(outside)][:4]
    assert begins == [f"2026-11-{day}T{hour}:00:00-06:00" for day in (23, 24) for hour in ("08", "09")]


async def test_it_needs_its_notice_before_it_can_come(outside: Any, ask: Any) -> None:
    outside.now.pass_seconds(2 * 86_400)
    await ask(wanted(restriction={"period": {"start": "2026-11-23", "end": "2026-11-23"}}))
    await outside.after(1)
    assert outside.carepod.bodies()[0]["output"][0]["valuePeriod"]["start"] == "2026-11-23T17:00:01.000Z"
    assert rules("valley-home").notice.total_seconds() == 2 * 3600


async def test_silence_is_never_broken(outside: Any, ask: Any) -> None:
    await outside.http.post("/agency/valley-home/debug/next", json={"answer": "silent"})
    await ask()
    await outside.after(1)
    assert await outside.after(10 * 86_400) == 0
    assert told(outside) == []
    assert [v["status"] for v in await listed(outside)] == ["silent"]


async def test_an_arranged_refusal_is_one_refusal(outside: Any, ask: Any) -> None:
    await outside.http.post("/agency/valley-home/debug/next", json={"answer": "capacity"})
    for number in (1, 2):
        await ask(wanted(number))
        await outside.after(1)
    assert told(outside) == [("rejected", "capacity"), ("accepted", None)]


async def test_a_visit_is_reported_when_it_has_been_made(outside: Any, ask: Any) -> None:
    await ask()
    await outside.after(1)
    await outside.after(2 * 86_400)
    assert told(outside) == [("accepted", None), ("completed", None)]
    assert [v["status"] for v in await listed(outside)] == ["completed"]


async def test_a_report_can_be_asked_for_and_only_of_a_visit_taken_on(outside: Any, ask: Any) -> None:
    assert (await outside.http.post("/agency/valley-home/debug/report/nu-1")).status_code == 404
    await ask()
    await outside.after(1)
    assert (await outside.http.post("/agency/valley-home/debug/report/nu-1")).status_code == 204
    await outside.after(0)
    assert told(outside)[-1] == ("completed", None)


async def test_a_visit_it_calls_off_is_never_made(outside: Any, ask: Any) -> None:
    await ask()
    await outside.after(1)
    assert (await outside.http.post("/agency/valley-home/debug/call-off/nu-1")).status_code == 204
    await outside.after(0)
    await outside.after(2 * 86_400)
    assert told(outside) == [("accepted", None), ("cancelled", "capacity")]


@pytest.mark.parametrize("answered", [True, False])
async def test_what_is_taken_back_is_neither_answered_nor_made(outside: Any, ask: Any, answered: bool) -> None:
    await ask()
    await outside.after(1 if answered else 0)
    assert (await ask(wanted(status="cancelled"))).status_code == 200
    before = len(outside.carepod.received)
    await outside.after(2 * 86_400)
    assert len(outside.carepod.received) == before
    assert [v["status"] for v in await listed(outside)] == ["withdrawn"]


async def test_the_task_alone_takes_a_visit_back(outside: Any, ask: Any) -> None:
    await ask()
    back = wanted(status="cancelled")
    assert (await ask({**back, "entry": back["entry"][:1]})).status_code == 200
    assert [v["status"] for v in await listed(outside)] == ["withdrawn"]


async def test_what_is_taken_back_before_it_came_is_not_taken_on_later(outside: Any, ask: Any) -> None:
    await ask(wanted(status="cancelled"))
    assert (await ask()).status_code == 200
    assert await outside.after(2 * 86_400) == 0


async def test_an_agency_that_is_told_no_sends_nobody(outside: Any, ask: Any) -> None:
    outside.carepod.answers = [422]
    await ask()
    await outside.after(1)
    assert await outside.after(2 * 86_400) == 0
    assert [(v["status"], v["answer"]) for v in await listed(outside)] == [("lost", 422)]


@pytest.mark.parametrize("failure", [500, 401, 429, httpx.ConnectError("down")])
async def test_an_answer_is_told_until_it_is_heard_and_says_the_same(
    outside: Any, ask: Any, failure: int | Exception
) -> None:
    outside.carepod.answers = [failure]
    await ask()
    await outside.after(1)
    await outside.after(5)
    first, second = outside.carepod.bodies()
    assert first == second
    assert [v["attempts"] for v in await listed(outside)] == [2]


@pytest.mark.parametrize("missing", ["Task", "ServiceRequest", "Patient"])
async def test_what_a_request_lacks_is_named(ask: Any, missing: str) -> None:
    body = wanted()
    body["entry"] = [e for e in body["entry"] if e["resource"]["resourceType"] != missing]
    answer = await ask(body)
    assert answer.status_code == 400
    assert missing in answer.json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("task", [{"status": "completed"}, {"restriction": {}}])
async def test_a_task_that_asks_for_nothing_is_refused(ask: Any, task: dict[str, Any]) -> None:
    assert (await ask(wanted(**task))).status_code == 400


async def test_a_restarted_agency_remembers_what_it_was_asked(start: Any, client_key: PrivateKey) -> None:
    first = start()
    url = f"{ADDRESS}/agency/valley-home/token"
    token = await backend_token(url, "carepod", client_key, "system/Task.cu", http=first.http, at=first.now.at)
    headers = {"Authorization": f"Bearer {token}"}
    await first.http.post("/agency/valley-home/visits", json=wanted(), headers=headers)
    second = start()
    await second.after(1)
    assert {b["status"] for b in second.carepod.bodies()} == {"accepted"}


async def test_a_request_can_be_made_to_fail(outside: Any, ask: Any) -> None:
    ordered = {"operation": "visits", "kind": "504-after-store"}
    assert (await outside.http.post("/agency/valley-home/debug/fail", json=ordered)).status_code == 204
    assert [(await ask()).status_code, (await ask()).status_code] == [504, 200]
