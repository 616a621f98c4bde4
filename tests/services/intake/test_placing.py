"""What a placer's own Task leaves out: he is told each with its place, and nothing is held up by it."""

from __future__ import annotations

from typing import Any

import pytest

from services.intake.doors.bundles import Arrival
from services.intake.doors.door import Doors
from services.intake.doors.placing import DEMANDS
from shared.core import CANONICAL
from shared.fhir.profiles import carepod
from shared.settings import Site
from tests.services.intake.requirements.test_demands import carepod_gaps

LEFT_OUT = {
    "identifier": "task-identifier-missing",
    "code": "task-code-missing",
    "focus": "task-focus-missing",
    "for": "task-patient-missing",
    "authoredOn": "task-undated",
    "requester": "task-requester-missing",
    "owner": "task-owner-missing",
}


def without(bundle: dict[str, Any], *elements: str) -> dict[str, Any]:
    """The referral with a Task that does not say these."""
    task = task_of(bundle)
    for element in elements:
        del task[element]
    return bundle


def task_of(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Task")
    return found


def told(desk: Any) -> list[str]:
    return [o["valueCodeableConcept"]["text"] for o in desk.outputs("missing")]


@pytest.mark.parametrize(("element", "gap"), LEFT_OUT.items())
def test_each_element_a_task_lacks_is_told_with_its_place_and_withholds_nothing(
    desk: Any, example: Any, element: str, gap: str
) -> None:
    desk.push(without(example("iron-meets-criteria"), element))
    assert desk.missing == [gap]
    assert told(desk)[0].endswith(f"(Task.{element})")
    assert desk.order["status"] == "active"
    assert desk.referral["status"] == "accepted"
    assert element in desk.referral


def test_everything_a_task_lacks_is_told_at_once(desk: Any, example: Any) -> None:
    desk.push(without(example("iron-meets-criteria"), *LEFT_OUT))
    assert desk.missing == list(LEFT_OUT.values())


def test_a_task_without_intent_is_refused_with_its_place(example: Any) -> None:
    issues = carepod().check(without(example("iron-meets-criteria"), "intent"))
    assert [(i.code, i.expression.rpartition(".resource")[2]) for i in issues] == [("required", ".intent")]


def test_a_task_with_another_intent_or_another_code_is_told_so(desk: Any, example: Any) -> None:
    bundle = example("iron-meets-criteria")
    suspend = {"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "suspend"}
    task_of(bundle).update(intent="plan", code={"coding": [suspend]})
    desk.push(bundle)
    assert desk.missing == ["task-intent-other", "task-code-missing"]
    assert desk.order["status"] == "active"


def test_a_referral_without_a_task_is_told_nothing_of_one(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"drop": ["Task"]}))
    assert desk.missing == []


def test_a_paper_is_told_nothing_of_a_task(desk: Any) -> None:
    document = {"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": {"data": "AAAA"}}]}
    desk.send(document)
    assert desk.missing == []
    assert "task-lacks" not in str(desk.referral)


def test_a_task_mended_lacks_nothing_and_the_same_push_again_changes_nothing(desk: Any, example: Any) -> None:
    desk.push(without(example("iron-meets-criteria"), "owner", "requester"))
    again = desk.push(without(example("iron-meets-criteria"), "owner", "requester"))
    assert (again.reason, desk.missing) == ("nothing-to-change", ["task-requester-missing", "task-owner-missing"])
    desk.push(without(example("iron-meets-criteria"), "owner"))
    assert desk.missing == ["task-owner-missing"]
    desk.push(example("iron-meets-criteria"))
    assert desk.missing == []
    assert "task-lacks" not in str(desk.referral)


def test_what_a_task_lacked_is_still_told_when_something_else_happens(desk: Any, example: Any) -> None:
    desk.push(without(example("iron-meets-criteria"), "owner"))
    desk.hear({**desk.one("Patient"), "gender": "other"}, reason="record-received")
    assert desk.missing == ["task-owner-missing"]


def test_nobody_writes_for_us_what_his_task_lacks(desk: Any, example: Any) -> None:
    bundle = example("iron-meets-criteria")
    url = CANONICAL + "StructureDefinition/task-lacks"
    task_of(bundle)["extension"] = [{"url": url, "valueString": "Task.owner"}]
    desk.push(bundle)
    assert desk.missing == []


def test_a_task_in_a_message_is_held_to_the_same(desk: Any, site: Site, example: Any) -> None:
    entered = Doors(site).message(message(without(example("iron-meets-criteria"), "owner")), "mercy-ehr")
    assert isinstance(entered, Arrival)
    desk.take("command", "referral-received", entered.lane, entered.resources)
    assert desk.missing == ["task-owner-missing"]


def message(bundle: dict[str, Any]) -> dict[str, Any]:
    """A referral as a message Bundle about its Task."""
    task = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Task")
    event = {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "I12"}
    header = {"resourceType": "MessageHeader", "id": "m", "eventCoding": event, "focus": [{"reference": task}]}
    entries = [{k: v for k, v in e.items() if k != "request"} for e in bundle["entry"]]
    return {"resourceType": "Bundle", "type": "message", "entry": [{"resource": header}, *entries]}


def test_every_gap_of_a_task_stands_in_the_code_system() -> None:
    assert {d.gap for d in DEMANDS.values()} <= carepod_gaps()
