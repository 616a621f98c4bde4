"""A request that changes another is decided anew in its place; what was denied, or loses a sequence, is not changed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from partners.payer.facts import INFO_CANCELLED
from tests.partners.payer.test_cancelled import CLAIMS, SUBMIT, cancelling


def changing(bundle: dict[str, Any]) -> dict[str, Any]:
    request = cancelling(bundle)
    claim = request["entry"][0]["resource"]
    del claim["extension"]
    claim["item"][0]["quantity"] = {"value": 500}
    return request


async def test_a_pended_request_is_decided_as_changed_and_no_more_as_it_was(
    outside: Any, submit: Any, case: Any, review: Any
) -> None:
    await submit(case.infliximab())
    told = await outside.http.post(SUBMIT, json=changing(case.infliximab().bundle()))
    assert review(told.json())["action"] == "A4"
    await outside.after(3)
    await outside.after(0)
    first, second = (await outside.http.get(CLAIMS)).json()
    assert [a["actions"] for a in first["answers"]] == [["A4"]]
    assert [a["actions"] for a in second["answers"]] == [["A4"], ["A1"]]
    assert second["updates"] == ["claim-1"]
    assert len(outside.carepod.bodies()) == 1


async def test_the_same_update_again_is_counted_and_changes_nothing(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    told = [(await outside.http.post(SUBMIT, json=changing(case.bundle()))).json() for _ in range(2)]
    assert told[0] == told[1]
    assert (await outside.http.get(CLAIMS)).json()[1]["received"] == 2


async def test_an_update_of_what_was_denied_or_never_seen_is_refused(outside: Any, submit: Any, case: Any) -> None:
    assert (await outside.http.post(SUBMIT, json=changing(case.bundle()))).status_code == 422
    denied = case.bundle()
    denied["entry"][0]["resource"]["item"][0]["productOrService"]["coding"][0]["code"] = "J1437"
    await submit(denied)
    assert (await outside.http.post(SUBMIT, json=changing(denied))).status_code == 422


async def test_an_item_that_lost_its_sequence_is_refused(outside: Any, submit: Any, case: Any) -> None:
    await submit(case)
    request = deepcopy(changing(case.bundle()))
    request["entry"][0]["resource"]["item"][0]["sequence"] = 7
    assert (await outside.http.post(SUBMIT, json=request)).status_code == 422


async def test_an_item_that_is_asked_for_no_more_is_answered_as_cancelled(outside: Any, submit: Any, case: Any) -> None:
    whole = case.bundle()
    (drug,) = whole["entry"][0]["resource"]["item"]
    nursing = {**deepcopy(drug), "sequence": 2, "quantity": {"value": 2}}
    nursing["productOrService"]["coding"][0] = {"system": "http://www.ama-assn.org/go/cpt", "code": "99601"}
    whole["entry"][0]["resource"]["item"].append(nursing)
    await submit(whole)
    request = changing(whole)
    request["entry"][0]["resource"]["item"][1]["modifierExtension"] = [{"url": INFO_CANCELLED, "valueBoolean": True}]
    await outside.http.post(SUBMIT, json=request)
    first, second = (await outside.http.get(CLAIMS)).json()
    assert [a["actions"] for a in first["answers"]] == [["A1", "A1"]]
    assert [a["actions"] for a in second["answers"]] == [["A1", "C"]]
