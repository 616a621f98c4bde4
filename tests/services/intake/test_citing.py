"""Which records our order cites: those that stand, and no document that came with another referral."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core import derived_id

NOTE = "https://ehr.example/id/document"
CERTAINTY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


def with_record(bundle: dict[str, Any], kind: str, value: str, **elements: Any) -> dict[str, Any]:
    """The referral with one more record of its patient."""
    patient = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    subject = {"patient" if kind == "AllergyIntolerance" else "subject": {"reference": patient}}
    record = {"resourceType": kind, "identifier": [{"system": NOTE, "value": value}], **subject, **elements}
    entry = {"resource": record, "request": {"method": "POST", "url": kind}}
    return {**bundle, "entry": [*bundle["entry"], entry]}


def with_note(bundle: dict[str, Any], value: str, **elements: Any) -> dict[str, Any]:
    content = [{"attachment": {"contentType": "text/plain", "data": "eA=="}}]
    said = {"status": "current", "type": {"text": "note"}, "content": content} | elements
    return with_record(bundle, "DocumentReference", value, **said)


def place(kind: str, value: str) -> str:
    return f"{kind}/{derived_id('in', kind, 'mercy-ehr', NOTE, value)}"


def citing(desk: Any, value: str) -> set[str]:
    """The drugs of the orders that cite a note."""
    orders = [r for r in desk.all("ServiceRequest") if r["intent"] == "filler-order"]
    cited = {o["code"]["text"]: {s["reference"] for s in o["supportingInfo"]} for o in orders}
    return {drug for drug, places in cited.items() if place("DocumentReference", value) in places}


def of_the_same_patient(bundle: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    patient = next(e["resource"] for e in other["entry"] if e["resource"]["resourceType"] == "Patient")
    is_patient = [e["resource"]["resourceType"] == "Patient" for e in bundle["entry"]]
    entries = zip(bundle["entry"], is_patient, strict=True)
    return {**bundle, "entry": [{**e, "resource": patient} if it else e for e, it in entries]}


@pytest.mark.parametrize(
    ("said", "cited"),
    [
        ({"status": "current"}, True),
        ({"status": "current", "docStatus": "preliminary"}, True),
        ({"status": "superseded"}, False),
        ({"status": "entered-in-error"}, False),
        ({"status": "current", "docStatus": "entered-in-error"}, False),
    ],
)
def test_a_document_is_cited_as_long_as_it_stands(desk: Any, example: Any, said: dict[str, str], cited: bool) -> None:
    desk.push(with_note(example("iron-meets-criteria"), "1", **said))
    assert bool(citing(desk, "1")) == cited


@pytest.mark.parametrize(("certainty", "cited"), [("confirmed", True), ("refuted", False), ("entered-in-error", False)])
def test_an_allergy_is_cited_unless_it_is_none(desk: Any, example: Any, certainty: str, cited: bool) -> None:
    status: dict[str, Any] = {
        "verificationStatus": {"coding": [{"system": CERTAINTY, "code": certainty}]},
        "code": {"text": "x"},
    }
    if certainty != "entered-in-error":
        status["clinicalStatus"] = {
            "coding": [{"system": CERTAINTY.replace("verification", "clinical"), "code": "active"}]
        }
    desk.push(with_record(example("iron-meets-criteria"), "AllergyIntolerance", "1", **status))
    named = {"reference": place("AllergyIntolerance", "1")}
    assert (named in desk.order["supportingInfo"]) == cited


def test_a_document_taken_back_later_is_cited_no_more(desk: Any, example: Any) -> None:
    desk.push(with_note(example("iron-meets-criteria"), "1"))
    assert citing(desk, "1")
    desk.push(with_note(example("iron-meets-criteria"), "1", status="entered-in-error"))
    assert not citing(desk, "1")


@pytest.mark.parametrize("dropped", [(), ("Observation",)])
def test_each_order_cites_the_documents_of_its_own_referral(
    desk: Any, example: Any, edited: Any, dropped: tuple[str, ...]
) -> None:
    first = edited(example("infliximab-pended"), {"drop": list(dropped)}) if dropped else example("infliximab-pended")
    second = of_the_same_patient(example("iron-meets-criteria"), first)
    desk.push(with_note(first, "first"))
    [one] = citing(desk, "first")
    desk.push(with_note(second, "second"))
    desk.push(with_note(second, "second"))
    assert citing(desk, "first") == {one}
    [two] = citing(desk, "second")
    assert one != two
