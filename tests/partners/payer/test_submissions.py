"""A Claim is taken once, answered in the shape of PAS 2.2.1, found again by identifier, refused where broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

SUBMIT = "/payer/prairie-health/Claim/$submit"
INQUIRE = "/payer/prairie-health/Claim/$inquire"
CLAIMS = "/payer/prairie-health/debug/claims"
FAIL = "/payer/prairie-health/debug/fail"
EXAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "examples" / "davinci-pas-2.2.1"


async def listed(outside: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await outside.http.get(CLAIMS)).json()
    return found


async def test_an_approval_says_number_period_and_units(submit: Any, case: Any) -> None:
    response = (await submit(case))["entry"][0]["resource"]
    item = response["item"][0]
    extensions = {e["url"].rpartition("/")[2]: e for e in item["extension"]}
    detail = {e["url"]: e for e in extensions["extension-itemAuthorizedDetail"]["extension"]}
    assert response["outcome"] == "complete"
    assert response["preAuthRef"] == "PH0000001"
    assert response["preAuthPeriod"] == {"start": "2026-12-01", "end": "2027-02-28"}
    assert extensions["extension-itemPreAuthPeriod"]["valuePeriod"] == response["preAuthPeriod"]
    assert extensions["extension-itemPreAuthIssueDate"]["valueDate"] == "2026-11-21"
    assert detail["quantity"]["valueQuantity"] == {"value": 1500}
    assert response["request"] == {"reference": "Claim/c1", "identifier": case.claim()["identifier"][0]}


async def test_the_answer_is_r4b_and_every_reference_in_it_resolves(submit: Any, case: Any) -> None:
    answer = await submit(case)
    get_fhir_model_class("Bundle").model_validate(answer)
    inside = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in answer["entry"]}
    response = answer["entry"][0]["resource"]
    assert {response[k]["reference"] for k in ("patient", "insurer", "requestor")} <= inside
    assert answer["entry"][0]["fullUrl"] == "https://carepod.example/fhir/ClaimResponse/ph0000001-1"


async def test_a_denial_keeps_its_reason_and_no_number(submit: Any, case: Any) -> None:
    response = (await submit(case.but(hcpcs="J1437")))["entry"][0]["resource"]
    assert "preAuthRef" not in response
    assert "extension" in response["item"][0]["adjudication"][0]
    assert response["processNote"][0]["text"].startswith("Ferric derisomaltose is not covered")


async def test_the_same_identifier_again_gets_the_stored_answer(outside: Any, submit: Any, case: Any, lab: Any) -> None:
    first = await submit(case)
    again = await submit(case)
    changed = await submit(case.with_(hb=lab("hb", "718-7", "14", "g/dL")))
    assert first == again == changed
    claims = await listed(outside)
    assert [(c["identifier"]["value"], c["received"], len(c["answers"])) for c in claims] == [("claim-1", 3, 1)]


async def test_two_identifiers_are_two_claims_with_two_numbers(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    await submit(case.but(value="claim-2"))
    assert [c["number"] for c in await listed(outside)] == ["PH0000001", "PH0000002"]


async def test_what_was_stored_outlives_a_kill(start: Any, case: Any) -> None:
    first = await start().http.post(SUBMIT, json=case.bundle())
    restarted = start()
    again = await restarted.http.post(SUBMIT, json=case.bundle())
    assert again.json() == first.json()
    assert [c["received"] for c in await listed(restarted)] == [2]


async def test_an_inquiry_finds_what_was_stored_and_nothing_else(outside: Any, submit: Any, case: Any) -> None:
    answer = await submit(case)
    seen = await outside.http.post(INQUIRE, json=case.bundle())
    unseen = await outside.http.post(INQUIRE, json=case.but(value="never-sent").bundle())
    assert seen.json() == answer
    assert (unseen.status_code, "entry" in unseen.json()) == (200, False)
    assert [c["received"] for c in await listed(outside)] == [1]


# Refused


def without(bundle: dict[str, Any], resource_type: str) -> dict[str, Any]:
    return {**bundle, "entry": [e for e in bundle["entry"] if e["resource"]["resourceType"] != resource_type]}


async def test_a_reference_that_leads_outside_is_named(outside: Any, case: Any) -> None:
    response = await outside.http.post(SUBMIT, json=without(case.bundle(), "Coverage"))
    issue = response.json()["issue"][0]
    assert response.status_code == 400
    assert "Coverage/cov" in issue["details"]["text"]
    assert issue["expression"] == ["Bundle.entry[0].resource.insurance[0].coverage.reference"]
    assert await listed(outside) == []


def _claim_last(bundle: dict[str, Any]) -> None:
    bundle["entry"].append(bundle["entry"].pop(0))


def _unknown_element(bundle: dict[str, Any]) -> None:
    bundle["entry"][0]["resource"]["banana"] = True


def _unknown_type(bundle: dict[str, Any]) -> None:
    bundle["entry"][1]["resource"]["resourceType"] = "Banana"


def _searchset(bundle: dict[str, Any]) -> None:
    bundle["type"] = "searchset"


def _no_identifier(bundle: dict[str, Any]) -> None:
    del bundle["entry"][0]["resource"]["identifier"]


def _ordinary_claim(bundle: dict[str, Any]) -> None:
    bundle["entry"][0]["resource"]["use"] = "claim"


def _draft(bundle: dict[str, Any]) -> None:
    bundle["entry"][0]["resource"]["status"] = "draft"


def _twice(bundle: dict[str, Any]) -> None:
    bundle["entry"].append(bundle["entry"][1])


def _no_item(bundle: dict[str, Any]) -> None:
    del bundle["entry"][0]["resource"]["item"]


def _no_entry(bundle: dict[str, Any]) -> None:
    bundle["entry"] = []


BROKEN = [
    _claim_last,
    _unknown_element,
    _unknown_type,
    _searchset,
    _no_identifier,
    _ordinary_claim,
    _draft,
    _twice,
    _no_item,
    _no_entry,
]


@pytest.mark.parametrize("spoil", BROKEN)
async def test_a_broken_request_is_refused_with_an_outcome(outside: Any, case: Any, spoil: Any) -> None:
    bundle = case.bundle()
    spoil(bundle)
    response = await outside.http.post(SUBMIT, json=bundle)
    assert (response.status_code, response.json()["resourceType"]) == (400, "OperationOutcome")
    assert await listed(outside) == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"resourceType":', b'{"a": NaN}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(outside: Any, body: bytes) -> None:
    assert (await outside.http.post(SUBMIT, content=body)).status_code == 400


async def test_a_refusal_quotes_no_value_of_the_patient(outside: Any, case: Any) -> None:
    bundle = case.bundle()
    bundle["entry"][1]["resource"]["birthDate"] = "Doe-not-a-date"
    response = await outside.http.post(SUBMIT, json=bundle)
    assert response.status_code == 400
    assert "Doe" not in response.text


@pytest.mark.parametrize(
    "name", ["Bundle-ReferralAuthorizationBundleExample.json", "Bundle-HomecareAuthorizationBundleExample.json"]
)
async def test_the_guides_own_requests_are_read(outside: Any, name: str) -> None:
    bundle = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    response = await outside.http.post(SUBMIT, json=bundle)
    missing = [i["details"]["text"] for i in response.json().get("issue", ())]
    assert response.status_code == 200, missing
    get_fhir_model_class("Bundle").model_validate(response.json())


# Failures on demand


async def ordered(outside: Any, **fault: Any) -> httpx.Response:
    response: httpx.Response = await outside.http.post(FAIL, json=fault)
    return response


async def test_504_after_store_leaves_one_claim_to_be_found(outside: Any, case: Any) -> None:
    await ordered(outside, operation="submit", kind="504-after-store")
    lost = await outside.http.post(SUBMIT, json=case.bundle())
    found = await outside.http.post(INQUIRE, json=case.bundle())
    again = await outside.http.post(SUBMIT, json=case.bundle())
    assert (lost.status_code, found.json()) == (504, again.json())
    assert [(c["received"], len(c["answers"])) for c in await listed(outside)] == [(2, 1)]


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("429", 429), ("503", 503), ("504-before-store", 504)])
async def test_a_failure_before_storing_leaves_nothing(outside: Any, case: Any, kind: str, status: int) -> None:
    await ordered(outside, operation="submit", kind=kind, times=2, retry_after=7)
    failed = [await outside.http.post(SUBMIT, json=case.bundle()) for _ in range(2)]
    assert [f.status_code for f in failed] == [status, status]
    assert failed[0].headers.get("retry-after") == ("7" if kind in ("429", "503") else None)
    assert await listed(outside) == []
    assert (await outside.http.post(SUBMIT, json=case.bundle())).status_code == 200


async def test_a_withheld_answer_is_stored_first(outside: Any, case: Any) -> None:
    await ordered(outside, operation="submit", kind="timeout", seconds=0)
    assert (await outside.http.post(SUBMIT, json=case.bundle())).status_code == 504
    assert len(await listed(outside)) == 1


async def test_a_slow_answer_is_the_right_one(outside: Any, case: Any) -> None:
    await ordered(outside, operation="submit", kind="slow", seconds=0)
    assert (await outside.http.post(SUBMIT, json=case.bundle())).json()["resourceType"] == "Bundle"


@pytest.mark.parametrize(
    ("operation", "kind"), [("submit", "banana"), ("token", "500"), ("submit", "duplicate-notification")]
)
async def test_an_order_that_means_nothing_is_refused(outside: Any, operation: str, kind: str) -> None:
    assert (await ordered(outside, operation=operation, kind=kind)).status_code in {400, 422}


async def test_debug_routes_are_shut_unless_opened(start: Any, tmp_path: Path) -> None:
    shut = start(debug=False, folder=tmp_path / "shut")
    assert (await shut.http.get(CLAIMS)).status_code == 404
    assert (await ordered(shut, operation="submit", kind="500")).status_code == 404
