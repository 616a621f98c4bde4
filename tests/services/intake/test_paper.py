"""Documents that come without an order: kept once, read by a person, and then a referral like any other."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.doors import bundles
from services.intake.paper import binary_id
from shared.core import Resource, reference
from tests.services.intake.conftest import Desk

FAX = "fax-gateway"
PAGES = base64.b64encode(b"%PDF-1.7 an order for iron").decode()
PORTAL = "practice-portal"


def document(**elements: Any) -> dict[str, Any]:
    content = [{"attachment": {"contentType": "application/pdf", "data": PAGES}}]
    return {"resourceType": "DocumentReference", "status": "current", "content": content, **elements}


def binary() -> dict[str, Any]:
    return {"resourceType": "Binary", "contentType": "application/pdf", "data": PAGES}


def transaction(*resources: Mapping[str, Any]) -> dict[str, Any]:
    entries = [
        {"fullUrl": f"urn:uuid:0000000{n}-0000-4000-8000-000000000000", "resource": r, "request": _post(r)}
        for n, r in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _post(resource: Mapping[str, Any]) -> dict[str, str]:
    return {"method": "POST", "url": resource["resourceType"]}


def arrived(resource: Resource, client: str) -> bundles.Arrival:
    arrival = bundles.single(resource, client)
    assert isinstance(arrival, bundles.Arrival)
    return arrival


def question(desk: Desk) -> Resource:
    found = [t for t in desk.all("Task") if "input" in t and _asks(t) == "transcription"]
    assert len(found) == 1, len(found)
    return found[0]


def _asks(task: Resource) -> str:
    return str(task["input"][0]["type"]["coding"][0]["code"])


def answered(task: Resource, answer: str = "confirmed", **value: Any) -> dict[str, Any]:
    said = {"type": {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": answer}]}}
    return {**deepcopy(dict(task)), "status": "completed", "output": [{**said, **(value or {"valueBoolean": True})}]}


def reading(desk: Desk, order: dict[str, Any]) -> dict[str, Any]:
    """What a portal's form sends: the order a person read, beside the question he answers."""
    task = question(desk)
    kept = [e for e in order["entry"] if e["resource"]["resourceType"] != "Task"]
    entry = {"resource": answered(task), "request": {"method": "PUT", "url": reference(task)}}
    return {**order, "entry": [entry, *kept]}


@pytest.mark.parametrize(
    "sent",
    [
        lambda desk: desk.send(document(), FAX),
        lambda desk: desk.send(binary(), FAX),
        lambda desk: desk.push(transaction(document()), FAX),
        lambda desk: desk.push(transaction(binary()), FAX),
    ],
    ids=["a document alone", "its bytes alone", "a document in a Bundle", "bytes in a Bundle"],
)
def test_paper_is_kept_and_a_person_is_asked_to_read_it(sent: Any, desk: Any) -> None:
    decision = sent(desk)
    assert decision.reason == "referral-accepted"
    assert question(desk)["owner"]["identifier"]["value"] == "intake-coordinator"
    assert [i["valueReference"]["reference"].partition("/")[0] for i in question(desk)["input"][1:]] == [
        "Binary",
        "DocumentReference",
    ]
    assert (desk.referral["status"], desk.missing) == ("on-hold", [])
    assert desk.referral["statusReason"]["text"] == "A person reads the document"
    (held,) = desk.all("DocumentReference")
    assert held["content"][0]["attachment"]["url"] == f"Binary/{binary_id(FAX, [b'%PDF-1.7 an order for iron'])}"
    assert desk.one("Binary")["data"] == PAGES
    assert len(desk.all("Patient")) == 1


def test_the_same_bytes_are_the_same_paper_in_whatever_way_they_come(desk: Any) -> None:
    desk.send(binary(), FAX)
    own = reference(desk.one("Binary"))
    pointing = document(content=[{"attachment": {"contentType": "application/pdf", "url": own}}])
    assert desk.send(pointing, FAX).reason in ("nothing-to-change", "record-received")
    for again in (document(), document(description="second attempt of the machine")):
        desk.send(again, FAX)
    desk.push(transaction(document(date="2026-11-21T10:00:00Z")), FAX)
    question(desk)
    assert [len(desk.all(k)) for k in ("Patient", "Binary", "DocumentReference")] == [1, 1, 1]


def test_the_same_bytes_in_a_bundle_beside_their_document(desk: Any) -> None:
    url = "urn:uuid:00000001-0000-4000-8000-000000000000"
    pointing = document(content=[{"attachment": {"contentType": "application/pdf", "url": url}}])
    desk.push(transaction(pointing, binary()), FAX)
    first = dict(desk.held)
    desk.send(document(), FAX)
    assert desk.held.keys() == first.keys()
    assert desk.one("DocumentReference")["content"][0]["attachment"]["url"] == reference(desk.one("Binary"))


def test_the_same_paper_twice_changes_nothing(desk: Any) -> None:
    desk.send(document(), FAX)
    assert desk.send(document(), FAX).saves == ()


def test_other_bytes_are_another_paper(desk: Any) -> None:
    page = document(content=[{"attachment": {"contentType": "application/pdf", "data": "cGFnZQ=="}}])
    one, other = arrived(document(), FAX), arrived(page, FAX)
    assert one.lane != other.lane


def test_each_client_has_its_own_papers() -> None:
    one, other = (arrived(document(), client) for client in (FAX, "direct-gateway"))
    assert one.lane != other.lane


def test_paper_of_a_known_patient_is_read_in_his_name(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    patient = desk.one("Patient")
    desk.send(document(subject={"reference": reference(patient)}))
    assert question(desk)["for"]["reference"] == reference(patient)
    assert len(desk.all("Patient")) == 1


def test_a_note_about_a_known_patient_is_a_record_and_no_paper(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    note = {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]}
    decision = desk.send(document(subject={"reference": reference(desk.one("Patient"))}, type=note))
    assert decision.reason == "record-received"
    assert not [t for t in desk.all("Task") if "input" in t and _asks(t) == "transcription"]


def test_what_a_person_reads_becomes_the_order(desk: Any, example: Any) -> None:
    desk.send(document(), FAX)
    decision = desk.push(reading(desk, example("iron-meets-criteria")), PORTAL)
    assert decision.reason == "referral-completed"
    assert desk.order["status"] == "active"
    assert reference(desk.one("DocumentReference", status="current", id=_paper(desk)["id"])) in [
        s["reference"] for s in desk.order["supportingInfo"]
    ]
    assert desk.order["subject"]["reference"] == question(desk)["for"]["reference"]
    assert desk.one("Patient")["name"]
    assert desk.referral["status"] == "accepted"
    assert _client(desk.referral) == FAX
    assert question(desk)["note"][-1]["authorString"] == PORTAL
    assert question(desk)["note"][-1]["time"] == desk.at.isoformat(timespec="seconds")


def _paper(desk: Desk) -> Resource:
    named = [i["valueReference"]["reference"] for i in question(desk)["input"][1:]]
    return desk.held[next(n for n in named if n.startswith("DocumentReference/"))]


def _client(task: Resource) -> str:
    url = "https://carepod.example/fhir/StructureDefinition/placer-client"
    return str(next(e["valueString"] for e in task["extension"] if e["url"] == url))


def test_a_reading_is_checked_as_any_referral(desk: Any, example: Any) -> None:
    desk.send(document(), FAX)
    desk.push(reading(desk, example("incomplete")), PORTAL)
    assert desk.missing == ["diagnosis-missing", "coverage-missing", "weight-missing"]
    assert desk.order["status"] == "draft"


def test_a_reading_sent_twice_changes_nothing(desk: Any, example: Any) -> None:
    desk.send(document(), FAX)
    sent = reading(desk, example("iron-meets-criteria"))
    desk.push(sent, PORTAL)
    assert desk.push(sent, PORTAL).saves == ()


def test_a_second_person_who_reads_something_else_is_refused_and_the_first_reading_stands(
    desk: Any, example: Any
) -> None:
    desk.send(document(), FAX)
    first, second = (reading(desk, example("iron-meets-criteria")) for _ in range(2))
    order = next(e["resource"] for e in second["entry"] if e["resource"]["resourceType"] == "MedicationRequest")
    order["identifier"] = [{"system": "https://portal.example/prescription", "value": "another"}]
    desk.push(first, PORTAL)
    held = dict(desk.held)
    assert desk.push(second, PORTAL).refusals == ("question-already-closed",)
    assert desk.held == held
    assert desk.push(first, PORTAL).saves == ()


def test_the_fax_again_after_its_reading_changes_nothing(desk: Any, example: Any) -> None:
    desk.send(document(), FAX)
    desk.push(reading(desk, example("iron-meets-criteria")), PORTAL)
    before = dict(desk.held)
    desk.send(document(), FAX)
    assert desk.order["status"] == "active"
    assert desk.held.keys() == before.keys()


def test_read_without_its_order_is_refused(desk: Any) -> None:
    desk.send(document(), FAX)
    decision = desk.answer(answered(question(desk)), PORTAL)
    assert decision.refusals == ("order-of-the-document-missing",)
    assert question(desk)["status"] == "requested"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"valueString": "A menu, no referral"}, "A menu, no referral"),
        ({"valueBoolean": True}, "The document is no referral, or cannot be read"),
    ],
)
def test_rejected_paper_closes_with_a_reason_for_its_sender(value: Any, told: str, desk: Any) -> None:
    desk.send(document(), FAX)
    decision = desk.answer(answered(question(desk), "rejected", **value), PORTAL)
    assert decision.reason == "question-answered"
    assert (desk.referral["status"], desk.referral["statusReason"]["text"]) == ("rejected", told)
    assert desk.referral["businessStatus"]["coding"][0]["code"] == "4.0"


def test_a_paper_of_a_patient_on_file_becomes_a_push_under_him_and_the_question_says_so(
    desk: Any, example: Any
) -> None:
    desk.send(document(), FAX)
    assert "patient is on file already" in question(desk)["input"][0]["valueString"]
    desk.push(example("iron-meets-criteria"), PORTAL)
    on_file = desk.order["subject"]
    note = [{"text": "Taken up as referral REF-2026-104417"}]
    desk.answer({**answered(question(desk), "rejected"), "note": note}, PORTAL)
    papers = [t for t in desk.all("Task") if t["status"] == "rejected" and "businessStatus" in t]
    assert [t["statusReason"]["text"] for t in papers] == [note[0]["text"]]
    assert (desk.order["status"], desk.order["subject"]) == ("active", on_file)


def test_documents_beside_an_order_are_its_records(desk: Any, example: Any) -> None:
    desk.push(example("infliximab-pended"))
    assert not [t for t in desk.all("Task") if "input" in t and _asks(t) == "transcription"]


POSTED = st.lists(st.sampled_from(["inline", "bytes", "pointing", "bundle", "described"]), min_size=1, max_size=6)


@given(POSTED)
def test_one_paper_in_whatever_shapes_order_and_number_is_one_question(shapes: list[str]) -> None:
    own = binary_id(FAX, [base64.b64decode(PAGES)])
    pointing = document(content=[{"attachment": {"contentType": "application/pdf", "url": f"Binary/{own}"}}])
    sent: dict[str, Callable[[], Any]] = {
        "inline": lambda: arrived(document(), FAX),
        "bytes": lambda: arrived(binary(), FAX),
        "pointing": lambda: arrived(pointing, FAX),
        "bundle": lambda: bundles.resolved(transaction(document(date="2026-11-21")), FAX),
        "described": lambda: arrived(document(description="second attempt"), FAX),
    }
    arrivals = [sent[shape]() for shape in shapes]
    referrals = {reference(r) for a in arrivals for r in a.resources if r["resourceType"] == "Task"}
    assert (len({a.lane for a in arrivals}), len(referrals)) == (1, 1)
    kept = {reference(r) for a in arrivals for r in a.resources}
    assert kept <= {f"Binary/{own}", *referrals, *(k for k in kept if k.startswith(("Patient/", "DocumentReference/")))}
    assert len(kept) <= 4
