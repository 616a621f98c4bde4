"""How a payer's answer is read, matched and kept."""

from __future__ import annotations

from typing import Any

import pytest

from services.auth.wire.receiving import received
from services.auth.wire.responses import answers_claim, authorized, responses_in, reviews, standing
from shared.catalogue import HCPCS
from shared.core import Resource
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
        (["A1", "A2"], "question"), (["A4", "NA"], "question"), (["A1", "NA"], "question"), (["A1"], "question"),
        (["NA", "NA"], "not-required"), (["C", "C"], "question"),
    ],
)  # fmt: skip
def test_items_together_say_where_the_claim_stands(actions: list[str], expected: str) -> None:
    own = claim()
    second = {**own["item"][0], "sequence": 2, "productOrService": coded(HCPCS, "96365")}
    two = {**own, "item": [own["item"][0], second]}
    answer = claim_answer(two)
    answer["item"] = [claim_answer(two, a)["item"][n] for n, a in enumerate(actions)]
    assert standing(two, answer) == expected


# What the payer changed


def modified(own: Resource, *added: dict[str, Any]) -> dict[str, Any]:
    """An answer that authorizes something else than was asked for, as PAS has it: in items it adds."""
    answer = claim_answer(own, "A6")
    return answer | {"addItem": list(added)} if added else answer


def added(own: Resource, units: Any = 750, code: str = "", **changes: Any) -> dict[str, Any]:
    """The authorized detail of the first item."""
    (item,) = claim_answer(own, "A1", days=30)["item"]
    product = coded(HCPCS, code) if code else own["item"][0]["productOrService"]
    told = {"itemSequence": [1], "productOrService": product, "quantity": {"value": units}}
    return {**told, "extension": item["extension"], "adjudication": item["adjudication"], **changes}


@pytest.mark.parametrize(
    ("units", "expected"), [(1, "partly-approved"), (1499, "partly-approved"), (1500, "approved"), (1501, "approved")]
)
def test_a_modified_item_counts_with_the_units_the_payer_added_for_it(units: int, expected: str) -> None:
    own = claim()
    assert own["item"][0]["quantity"]["value"] == 1500
    answer = modified(own, added(own, units))
    assert standing(own, answer) == expected
    (granted,) = authorized(own, answer)
    assert (granted.units, granted.number, (granted.end - granted.start).days) == (units, "AUTH-1", 29)


def test_a_modified_item_may_say_its_terms_itself() -> None:
    own = claim()
    answer = modified(own)
    item, told = answer["item"][0], claim_answer(own, "A1", units=750)["item"][0]
    item["extension"] = told["extension"]
    assert standing(own, {**answer, "preAuthRef": "AUTH-2"}) == "partly-approved"
    assert standing(own, answer) == "question"


@pytest.mark.parametrize(
    "wrong", ["nothing added", "no units", "another measure", "another product", "two added", "for another item"]
)
def test_a_modification_that_does_not_say_what_is_authorized_is_a_question(wrong: str) -> None:
    own = claim()
    match wrong:
        case "nothing added":
            answer = modified(own)
        case "no units":
            answer = modified(own, {k: v for k, v in added(own).items() if k != "quantity"})
        case "another measure":
            answer = modified(own, added(own, quantity={"value": 750, "code": "DA"}))
        case "another product":
            answer = modified(own, added(own, code="J1756"))
        case "two added":
            answer = modified(own, added(own), added(own))
        case _:
            answer = modified(own, added(own, itemSequence=[2]))
    assert standing(own, answer) == "question"


def test_an_item_certified_in_part_needs_its_units() -> None:
    own = claim()
    answer = claim_answer(own, "A1", units=700)
    coding = answer["item"][0]["adjudication"][0]["extension"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]
    assert standing(own, answer) == "partly-approved"
    coding["code"] = "A2"
    assert standing(own, answer) == "partly-approved"
    del answer["item"][0]["extension"][1]
    assert standing(own, answer) == "question"
