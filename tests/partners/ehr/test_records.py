"""An EHR's records are read with a token that allows it, searched by patient, and told of by its Subscription."""

from __future__ import annotations

from typing import Any

import pytest

from partners.backend import backend_token
from tests.partners.ehr.test_tasks import TOKEN_URL

PATIENT = {"resourceType": "Patient", "id": "p1"}
ORDER = {
    "resourceType": "ServiceRequest", "id": "o1", "status": "active", "intent": "order",
    "subject": {"reference": "Patient/p1"},
}  # fmt: skip
LAB = {
    "resourceType": "Observation", "id": "l1", "status": "final", "subject": {"reference": "Patient/p1"},
    "code": {"text": "Hb"}, "category": [{"coding": [{"code": "laboratory"}]}],
}  # fmt: skip


@pytest.fixture
async def reading(outside: Any, client_key: Any) -> dict[str, str]:
    return await permitted(outside, client_key, "system/*.rs")


@pytest.fixture
async def bearer(outside: Any, client_key: Any) -> dict[str, str]:
    return await permitted(outside, client_key, "system/Task.cu")


async def permitted(outside: Any, key: Any, scope: str) -> dict[str, str]:
    token = await backend_token(TOKEN_URL, "carepod", key, scope, http=outside.http, at=outside.now())
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def kept(outside: Any) -> Any:
    await outside.http.put("/ehr/mercy/debug/records", json={"records": [PATIENT, ORDER, LAB]})
    return outside


async def test_a_record_is_read_and_a_search_gives_the_patients_own(kept: Any, reading: dict[str, str]) -> None:
    found = (await kept.http.get("/ehr/mercy/ServiceRequest/o1", headers=reading)).json()
    assert found["meta"]["versionId"] == "1"
    for query, total in (("patient=p1", 1), ("patient=Patient/p1&category=laboratory", 1), ("patient=p2", 0)):
        bundle = (await kept.http.get(f"/ehr/mercy/Observation?{query}", headers=reading)).json()
        assert (bundle["type"], bundle["total"]) == ("searchset", total)
    vitals = await kept.http.get("/ehr/mercy/Observation?patient=p1&category=vital-signs", headers=reading)
    assert vitals.json()["total"] == 0


async def test_nothing_is_read_without_a_token_that_allows_it(
    kept: Any, reading: dict[str, str], bearer: dict[str, str]
) -> None:
    assert (await kept.http.get("/ehr/mercy/Patient/p1")).status_code == 401
    assert (await kept.http.get("/ehr/mercy/Patient/p1", headers=bearer)).status_code == 403
    assert (await kept.http.get("/ehr/mercy/Patient/none", headers=reading)).status_code == 404
    assert (await kept.http.get("/ehr/mercy/Observation", headers=reading)).status_code == 400


@pytest.mark.parametrize(("kind", "status"), [("401", 401), ("404", 404), ("500", 500)])
async def test_an_ordered_failure_happens_once(kept: Any, reading: dict[str, str], kind: str, status: int) -> None:
    await kept.http.post("/ehr/mercy/debug/fail", json={"operation": "read", "kind": kind})
    assert (await kept.http.get("/ehr/mercy/Patient/p1", headers=reading)).status_code == status
    assert (await kept.http.get("/ehr/mercy/Patient/p1", headers=reading)).status_code == 200


async def test_a_malformed_answer_says_it_is_fhir_and_is_not(kept: Any, reading: dict[str, str]) -> None:
    await kept.http.post("/ehr/mercy/debug/fail", json={"operation": "read", "kind": "malformed"})
    response = await kept.http.get("/ehr/mercy/Patient/p1", headers=reading)
    assert response.headers["content-type"].startswith("application/fhir+json")
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()


async def test_events_count_up_and_are_told_again_between_two_numbers(kept: Any, reading: dict[str, str]) -> None:
    lost = {"to": "http://nobody.test", "bearer": "x", "focus": ["ServiceRequest/o1", "Patient/p1"], "lost": True}
    assert (await kept.http.post("/ehr/mercy/debug/notify", json=lost)).json()["numbers"] == [1, 2]
    path = "/ehr/mercy/Subscription/referrals/$events?eventsSinceNumber=2&eventsUntilNumber=9"
    bundle = (await kept.http.get(path, headers=reading)).json()
    told = [p for p in bundle["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
    assert [p["part"][0]["valueString"] for p in told] == ["2"]
    assert [e["fullUrl"].rpartition("/mercy/")[2] for e in bundle["entry"][1:]] == ["Patient/p1"]
