"""What a request would come to before it is sent: verdicts with their proof, what is missing, what is paid instead."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from services.auth.criteria.precheck import PRECHECK
from shared.catalogue import HCPCS
from tests.services.auth.journey import Journey
from tests.services.auth.patient import FCM, FDI, NOW, coded, coverage, lab, order, policy, referral


def bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}


def asked(resources: list[dict[str, Any]], **parameters: str) -> dict[str, Any]:
    return PRECHECK.answer(bundle(resources), parameters, policy(), NOW)


def of(answer: dict[str, Any], name: str) -> list[Any]:
    """The values of a parameter; of one with parts, what each says by name."""
    found = [p for p in answer["parameter"] if p["name"] == name]
    return [_parts(p) if "part" in p else _value(p) for p in found]


def _parts(parameter: dict[str, Any]) -> dict[str, Any]:
    return {p["name"]: _value(p) for p in parameter["part"]}


def _value(parameter: dict[str, Any]) -> Any:
    found = next(v for k, v in parameter.items() if k.startswith("value"))
    return found.get("code", found.get("reference")) if isinstance(found, dict) else found


def ordered(drug: tuple[str, str]) -> list[dict[str, Any]]:
    """The referral as an EHR brings it: the drug on the prescription alone."""
    found = copy.deepcopy(referral(drug))
    del found[0]["code"]
    found[3]["medicationCodeableConcept"] = coded(HCPCS, drug[1])
    return found


def test_a_complete_request_is_told_so_with_the_proof_of_each_criterion() -> None:
    answer = asked(ordered(FCM))
    assert of(answer, "status") == ["complete"]
    assert (of(answer, "payer"), of(answer, "drug")) == (["prairie-health"], ["ferric-carboxymaltose"])
    met = {c["code"]: c["evidence"] for c in of(answer, "criterion") if c["verdict"] == "met"}
    assert met["ferritin-low"] == "Observation/in-ferritin"
    assert met["oral-iron-trial"] == "MedicationStatement/in-oral"
    assert of(answer, "missing") == []
    assert of(answer, "units") == [{"code": "J1439", "quantity": Decimal(1500)}]
    assert of(answer, "approval-days") == [90]


def test_the_smallest_set_that_would_complete_it_is_named() -> None:
    without = [r for r in ordered(FCM) if r["id"] not in ("in-oral", "in-ferritin", "in-tsat")]
    answer = asked(without)
    assert of(answer, "status") == ["incomplete"]
    assert [(m["criterion"], m["gap"]) for m in of(answer, "missing")] == [
        ("ferritin-low", "lab-not-documented"),
        ("oral-iron-trial", "oral-iron-trial-not-documented"),
    ]


def test_a_dose_that_cannot_be_counted_is_missing_too() -> None:
    resources = ordered(FCM)
    del resources[3]["dosageInstruction"]
    answer = asked(resources)
    assert of(answer, "status") == ["incomplete"]
    assert [m["gap"] for m in of(answer, "missing")] == ["dose-missing"]
    assert of(answer, "units") == []


def test_what_is_not_covered_names_what_is_and_what_the_same_chart_lacks_for_it() -> None:
    answer = asked(ordered(FDI))
    assert of(answer, "status") == ["not-covered"]
    assert [(p["drug"], p["status"]) for p in of(answer, "preferred")] == [
        ("ferric-carboxymaltose", "complete"),
        ("iron-sucrose", "complete"),
    ]
    without = [r for r in ordered(FDI) if r["id"] != "in-oral"]
    first, second = of(asked(without), "preferred")
    assert (first["status"], first["missing"]) == ("incomplete", "oral-iron-trial")
    assert second == {"drug": "iron-sucrose", "status": "complete"}


@pytest.mark.parametrize(
    ("resources", "status"),
    [
        ([order(FCM), coverage("nobodys-plan")], "payer-unknown"),
        ([coverage()], "drug-unknown"),
        ([order(("infliximab-abda", "Q5104")), coverage()], "no-criteria"),
        ([], "drug-unknown"),
    ],
)
def test_what_keeps_it_from_being_judged_is_said(resources: list[dict[str, Any]], status: str) -> None:
    assert of(asked(resources), "status") == [status]


def test_a_product_the_practice_does_not_give_is_known_all_the_same() -> None:
    answer = asked([order(("emicizumab", "J7170")), coverage()])
    assert (of(answer, "status"), of(answer, "drug")) == (["no-criteria"], ["emicizumab"])


def test_evidence_is_named_as_it_came() -> None:
    resources = ordered(FCM)
    names = {f"{r['resourceType']}/{r['id']}": f"urn:uuid:{n:036d}" for n, r in enumerate(resources)}
    entries = [{"fullUrl": names[f"{r['resourceType']}/{r['id']}"], "resource": _renamed(r, names)} for r in resources]
    for entry in entries:
        entry["resource"].pop("id")
    sent = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    before = copy.deepcopy(sent)
    answer = PRECHECK.answer(sent, {}, policy(), NOW)
    assert of(answer, "status") == ["complete"]
    assert {c["evidence"] for c in of(answer, "criterion") if c["verdict"] == "met"} <= set(names.values())
    assert sent == before


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: names.get(v, v) if k == "reference" else _renamed(v, names) for k, v in value.items()}
    return [_renamed(v, names) for v in value] if isinstance(value, list) else value


def test_a_renewal_is_asked_about_and_another_period_is_none() -> None:
    assert of(asked(ordered(FCM), period="renewal"), "period") == ["renewal"]
    with pytest.raises(ValueError, match="initial, renewal"):
        asked(ordered(FCM), period="third")


def test_the_answer_has_the_parameters_it_declares() -> None:
    declared = {name for name, _, _ in PRECHECK.parts}
    for resources in (ordered(FCM), ordered(FDI), [coverage()], [r for r in ordered(FCM) if r["id"] != "in-oral"]):
        assert set(_names(asked(resources))) <= declared


def _names(answer: dict[str, Any]) -> Iterator[str]:
    for parameter in answer["parameter"]:
        yield parameter["name"]
        yield from (f"{parameter['name']}.{p['name']}" for p in parameter.get("part", ()))


def test_the_verdict_is_the_one_the_request_itself_gets() -> None:
    high = [r for r in referral() if r["id"] not in ("in-ferritin", "in-tsat")] + [lab("ferritin", 90), lab("tsat", 30)]
    told = Journey().benefit_known(*high).missing()
    assert told
    assert [m["gap"] for m in of(asked(high), "missing")] == told
