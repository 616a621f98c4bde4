"""How a payer's answer is read, matched and kept."""

from __future__ import annotations

from typing import Any

import pytest

from services.auth.responses import answers_claim, received, responses_in, reviews, standing
from shared.catalogue import HCPCS
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import BASE, coded, validator


def claim() -> Any:
    return Journey().benefit_known().one("Claim")


def test_an_answer_is_found_in_a_bundle_a_nested_one_and_parameters() -> None:
    response = {"resourceType": "ClaimResponse", "id": "1"}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": response}, {"fullUrl": "urn:x"}]}
    nested = {"resourceType": "Bundle", "entry": [{"resource": bundle}]}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "return", "resource": nested}]}
    for body in (response, bundle, nested, parameters):
        assert list(responses_in(body)) == [response]
    assert list(responses_in({"resourceType": "Bundle"})) == []


def test_an_answer_is_matched_by_identifier_or_id_and_never_to_another_claim() -> None:
    own = claim()
    answer = claim_answer(own)
    by_identifier = answer | {"request": {"reference": "Claim/theirs"}}
    by_id = answer | {"identifier": []}
    another = answer | {"request": {"reference": "Claim/au-11111111-2222-3333-4444-555555555555"}}
    stranger = by_identifier | {"identifier": [{"system": "s", "value": "v"}]}
    assert [answers_claim(a, own) for a in (answer, by_identifier, by_id, another, stranger)] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_a_kept_answer_names_our_resources_and_says_whose_the_others_are() -> None:
    own = claim()
    provider = {"url": "urn:who", "valueReference": {"reference": "Practitioner/P7"}}
    echoed = {"url": "urn:whom", "valueReference": own["patient"]}
    kept = received(own, claim_answer(own, insurer={"reference": "Organization/9"}, extension=[provider, echoed]), BASE)
    assert kept["insurer"] == own["insurer"]
    assert kept["request"] == {"reference": f"Claim/{own['id']}"}
    assert kept["extension"][0]["valueReference"] == {"reference": f"{BASE}/Practitioner/P7"}
    assert kept["id"].startswith("au-")
    assert kept["identifier"][1] == {"system": "urn:prairie:answer", "value": "ph1"}
    assert validator().check(kept) == []


def test_an_echoed_reference_to_ours_stays_ours() -> None:
    own = claim()
    ours = {"reference": "Patient/in-11111111-2222-3333-4444-555555555555"}
    kept = received(own, claim_answer(own, extension=[{"url": "urn:whom", "valueReference": ours}]), BASE)
    assert kept["extension"][0]["valueReference"] == ours


def test_answers_keep_apart_by_the_payers_own_name_for_them() -> None:
    own = claim()
    ids = {received(own, claim_answer(own, answer_id=i), BASE)["id"] for i in ("a", "b", "a")}
    nameless = claim_answer(own, identifier=[own["identifier"][0]])
    del nameless["id"]
    assert len(ids | {received(own, nameless, BASE)["id"]}) == 3


def test_a_reason_in_another_type_of_value_is_passed_over() -> None:
    own = claim()
    answer = claim_answer(own, "A3")
    (action,) = answer["item"][0]["adjudication"][0]["extension"]
    action["extension"].append({"url": "reasonCode", "valueString": "not necessary"})
    assert [r.reasons for r in reviews(answer)] == [({"text": "Not medically necessary"},)]


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["A1", "A1"], "approved"), (["A1", "A3"], "partly-approved"), (["A3", "A3"], "denied"),
        (["A1", "A4"], "pended"), (["A3", "A4"], "pended"), (["A1", "A6"], "question"), (["A1", "CT"], "question"),
        (["A4", "NA"], "question"), (["A1"], "question"),
    ],
)  # fmt: skip
def test_items_together_say_where_the_claim_stands(actions: list[str], expected: str) -> None:
    own = claim()
    second = {**own["item"][0], "sequence": 2, "productOrService": coded(HCPCS, "96365")}
    two = {**own, "item": [own["item"][0], second]}
    answer = claim_answer(two)
    answer["item"] = [claim_answer(two, a)["item"][n] for n, a in enumerate(actions)]
    assert standing(two, answer) == expected
