"""An order by word of mouth: it acts at once, is signed in time or asked about, and never stops in silence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.core import Decision, Resource, reference
from tests.services.intake.conftest import AT, Desk

MODE = "https://carepod.example/fhir/StructureDefinition/order-mode"
ANSWER = "https://carepod.example/fhir/CodeSystem/answer"
DUE = AT + timedelta(hours=48)
WARNED = DUE - timedelta(hours=12)


def spoken(bundle: dict[str, Any], mode: str = "telephone") -> dict[str, Any]:
    order = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    order["extension"] = [{"url": MODE, "valueCode": mode}]
    return bundle


def asked(desk: Desk, code: str) -> list[Resource]:
    found = (t for t in desk.all("Task") if "input" in t)
    return [t for t in found if t["input"][0]["type"]["coding"][0]["code"] == code]


def one(desk: Desk, code: str = "countersignature") -> Resource:
    (found,) = asked(desk, code)
    return found


def wake(desk: Desk, at: datetime) -> Decision:
    desk.at = at
    lane = f"patient/{desk.one('Patient')['id']}"
    return desk.take("wake", f"countersignature/{one(desk)['id']}", lane)


def signed(desk: Desk, who: Mapping[str, Any]) -> dict[str, Any]:
    kind = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}
    signature = {"type": [kind], "when": "2026-11-22T09:00:00Z", "who": who}
    said = {"type": {"coding": [{"system": ANSWER, "code": "confirmed"}]}, "valueSignature": signature}
    return {**one(desk), "status": "completed", "output": [said]}


@pytest.mark.parametrize("mode", ["verbal", "telephone"])
def test_a_spoken_order_acts_and_its_prescriber_is_asked_to_sign(mode: str, desk: Any, example: Any) -> None:
    decision = desk.push(spoken(example("iron-meets-criteria"), mode))
    assert desk.order["status"] == "active"
    task = one(desk)
    assert task["owner"]["identifier"]["value"] == "prescriber"
    assert datetime.fromisoformat(task["restriction"]["period"]["end"]) == DUE
    assert decision.wakes[f"countersignature/{task['id']}"] == WARNED
    assert reference(task) in [o["valueReference"]["reference"] for o in desk.outputs("question")]


def test_a_written_order_is_not_to_be_signed(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    assert asked(desk, "countersignature") == []


@pytest.mark.parametrize(
    ("at", "urgent"), [(WARNED - timedelta(seconds=1), False), (WARNED, True), (WARNED + timedelta(seconds=1), True)]
)
def test_a_coordinator_goes_after_it_before_its_deadline(at: datetime, urgent: bool, desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    decision = wake(desk, at)
    assert one(desk).get("priority") == ("urgent" if urgent else None)
    assert one(desk)["owner"]["identifier"]["value"] == ("intake-coordinator" if urgent else "prescriber")
    assert decision.wakes[f"countersignature/{one(desk)['id']}"] == (DUE if urgent else WARNED)


@pytest.mark.parametrize(
    ("at", "missing"), [(DUE - timedelta(seconds=1), 0), (DUE, 1), (DUE + timedelta(seconds=1), 1)]
)
def test_a_deadline_missed_is_a_question_and_stops_nothing(at: datetime, missing: int, desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    wake(desk, at)
    assert len(asked(desk, "countersignature-missing")) == missing
    assert (desk.order["status"], one(desk)["status"]) == ("active", "requested")


def test_a_deadline_missed_is_asked_about_once(desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    wake(desk, DUE)
    decision = wake(desk, DUE + timedelta(hours=1))
    assert decision.saves == ()
    assert decision.wakes[f"countersignature/{one(desk)['id']}"] is None


def test_signed_in_time_is_done(desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    decision = desk.answer(signed(desk, desk.order["requester"]), "mercy-ehr")
    assert decision.reason == "question-answered"
    assert one(desk)["status"] == "completed"
    assert decision.wakes[f"countersignature/{one(desk)['id']}"] is None
    wake(desk, DUE + timedelta(days=1))
    assert asked(desk, "countersignature-missing") == []


def test_signed_late_closes_what_was_asked_of_the_pharmacist(desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    wake(desk, DUE)
    desk.answer(signed(desk, {"identifier": desk.order["requester"]["identifier"]}), "mercy-ehr")
    assert (one(desk)["status"], one(desk, "countersignature-missing")["status"]) == ("completed", "cancelled")


@pytest.mark.parametrize(
    "who", [{"reference": "Practitioner/in-0"}, {"identifier": {"value": "1234567893"}}, {"display": "the prescriber"}]
)
def test_a_signature_of_another_is_none(who: Any, desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    decision = desk.answer(signed(desk, who), "mercy-ehr")
    assert decision.refusals == ("signature-not-of-the-prescriber",)
    assert one(desk)["status"] == "requested"


def test_confirmed_without_a_signature_is_refused(desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    said = {"type": {"coding": [{"system": ANSWER, "code": "confirmed"}]}, "valueBoolean": True}
    decision = desk.answer({**one(desk), "status": "completed", "output": [said]}, "mercy-ehr")
    assert decision.refusals == ("signature-not-of-the-prescriber",)


def sent_by_the_ehr(desk: Desk, **elements: Any) -> dict[str, Any]:
    """The order as the prescriber's own system sends it: the same identifier, written by himself."""
    written = desk.one("ServiceRequest", intent="order")
    kept = {k: v for k, v in written.items() if k not in ("id", "meta", "extension", "basedOn")}
    return {**kept, "id": "in-00000000-0000-5000-8000-0000000000aa", **elements}


def test_the_same_order_from_the_prescribers_system_is_his_signature(desk: Any, example: Any) -> None:
    desk.push(spoken(_numbered(example("iron-meets-criteria"))))
    desk.hear(sent_by_the_ehr(desk))
    assert one(desk)["status"] == "completed"
    assert "own system" in one(desk)["note"][0]["text"]


@pytest.mark.parametrize(
    "elements",
    [
        {"status": "draft"},
        {"status": "revoked"},
        {"identifier": [{"system": "https://ehr.mercy.example/id/order", "value": "another"}]},
        {"requester": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}}},
        {"extension": [{"url": MODE, "valueCode": "verbal"}]},
    ],
)
def test_another_order_signs_nothing(elements: Any, desk: Any, example: Any) -> None:
    desk.push(spoken(_numbered(example("iron-meets-criteria"))))
    desk.hear(sent_by_the_ehr(desk, **elements))
    assert one(desk)["status"] == "requested"


def _numbered(bundle: dict[str, Any]) -> dict[str, Any]:
    order = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    order["identifier"] = [{"system": "https://ehr.mercy.example/id/order", "value": "O-1"}]
    return bundle


def test_an_order_called_off_needs_no_signature(desk: Any, example: Any) -> None:
    desk.push(spoken(example("iron-meets-criteria")))
    revoked = spoken(example("iron-meets-criteria"))
    for entry in revoked["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"]["status"] = "revoked"
    decision = desk.push({**revoked, "timestamp": "2026-11-22T08:00:00Z"})
    assert one(desk)["status"] == "cancelled"
    assert decision.wakes[f"countersignature/{one(desk)['id']}"] is None
