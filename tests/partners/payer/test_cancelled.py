"""A request that takes another back ends it, once, whatever was decided; nothing else of a Claim can be changed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from partners.payer.service import CERTIFICATION

SUBMIT = "/payer/prairie-health/Claim/$submit"
INQUIRE = "/payer/prairie-health/Claim/$inquire"
CLAIMS = "/payer/prairie-health/debug/claims"
RELEASE = "/payer/prairie-health/debug/release/"


def cancelling(bundle: dict[str, Any], kind: str = "3") -> dict[str, Any]:
    """The request that takes this one back, with this one inside."""
    request = deepcopy(bundle)
    first = request["entry"][0]
    claim = deepcopy(first["resource"])
    claim["id"], claim["identifier"][0]["value"] = "c1-cancel", claim["identifier"][0]["value"] + "-cancel"
    claim["related"] = [{"claim": {"reference": "Claim/c1"}}]
    claim["extension"] = [{"url": CERTIFICATION, "valueCodeableConcept": {"coding": [{"code": kind}]}}]
    request["entry"].insert(0, {"fullUrl": first["fullUrl"] + "-cancel", "resource": claim})
    return request


async def test_a_pended_request_is_ended_and_never_reviewed(outside: Any, submit: Any, case: Any, review: Any) -> None:
    await submit(case.infliximab())
    told = await outside.http.post(SUBMIT, json=cancelling(case.infliximab().bundle()))
    get_fhir_model_class("Bundle").model_validate(told.json())
    assert review(told.json()) == {"action": "C", "number": None, "reasons": []}
    assert told.json()["entry"][0]["resource"]["request"]["identifier"]["value"] == "claim-1-cancel"
    assert await outside.after(10) == 0
    assert (await outside.http.post(RELEASE + "claim-1")).status_code == 404
    assert outside.carepod.bodies() == []


async def test_an_approved_request_is_ended_and_an_inquiry_says_so(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    await outside.http.post(SUBMIT, json=cancelling(case.bundle()))
    (claim,) = (await outside.http.get(CLAIMS)).json()
    assert [a["actions"] for a in claim["answers"]] == [["A1"], ["C"]]
    found = (await outside.http.post(INQUIRE, json=case.bundle())).json()["entry"][0]["resource"]
    assert found["request"]["identifier"]["value"] == "claim-1"
    assert "preAuthRef" not in found


async def test_the_same_cancellation_again_changes_nothing_and_is_counted(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    told = [(await outside.http.post(SUBMIT, json=cancelling(case.bundle()))).json() for _ in range(3)]
    assert told[0] == told[1] == told[2]
    (claim,) = (await outside.http.get(CLAIMS)).json()
    assert [c["received"] for c in claim["cancellations"]] == [3]
    assert len(claim["answers"]) == 2


async def test_what_the_payer_never_saw_cannot_be_taken_back(outside: Any, case: Any) -> None:
    response = await outside.http.post(SUBMIT, json=cancelling(case.bundle()))
    assert response.status_code == 422
    assert response.json()["issue"][0]["expression"] == ["Claim.related[0].claim"]
    assert (await outside.http.get(CLAIMS)).json() == []


@pytest.mark.parametrize("kind", ["1", "4", "I"])
async def test_any_other_change_is_refused(kind: str, outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    response = await outside.http.post(SUBMIT, json=cancelling(case.bundle(), kind))
    assert response.status_code == 400


async def test_the_claim_that_is_taken_back_must_be_inside(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    request = cancelling(case.bundle())
    del request["entry"][1]
    response = await outside.http.post(SUBMIT, json=request)
    assert response.status_code == 400
    assert "Claim/c1" in response.json()["issue"][0]["details"]["text"]
