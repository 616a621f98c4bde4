"""Whichever shapes carry the same referral, in whatever order and however often, it is one case with the same ids."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.consequences import Policy
from services.intake.coordinator import coordinate
from services.intake.doors.bundles import Arrival
from services.intake.doors.door import Doors
from services.intake.facts import Facts
from services.intake.pulls.ehr import due, pulls
from services.intake.pulls.provisional import is_pull
from services.intake.records import unversioned
from shared.borders import checking
from shared.core import Answer, Decision, Event, Resource, reference
from shared.fhir.json import decode
from shared.fhir.profiles import carepod
from tests.services.intake.conftest import AT, EXAMPLES
from tests.services.intake.doors.test_subscriptions import told
from tests.services.intake.system import BASE, System, of_type, records

CLIENT = "mercy-ehr"
CHECK = checking(carepod())
CASE = ("ServiceRequest", "Patient", "MedicationRequest", "Coverage", "Condition", "Observation")


def bundle() -> dict[str, Any]:
    """The demo's iron referral, its order under the placer's own identifier."""
    found: dict[str, Any] = decode((EXAMPLES / "iron-meets-criteria.json").read_bytes())
    task, order = (of_type({str(n): e["resource"] for n, e in enumerate(found["entry"])}, k) for k in ORDERS)
    order["identifier"] = deepcopy(task["identifier"])
    return found


ORDERS = ("Task", "ServiceRequest")


class Practice:
    """Intake with every door, one placer's system, and readings that end whenever they are let."""

    def __init__(self, policy: Policy, pushed: dict[str, Any] | None = None) -> None:
        self.policy, self.doors, self.bundle = policy, Doors(policy.site), pushed or bundle()
        self.kept = records(self.bundle)
        self.system = System(policy.site, self.kept)
        self.channel = pulls(CHECK)
        self.held: dict[str, Resource] = {}
        self.open: list[tuple[str, Resource]] = []

    def decided(self, kind: Any, reason: str, lane: str, resources: Any, focus: str | None, source: str) -> None:
        event = Event(kind, reason, lane, AT, AT, tuple(resources), focus, source)
        decision = coordinate(event, Facts(lane.removeprefix("patient/"), dict(self.held)), self.policy)
        assert isinstance(decision, Decision)
        assert not decision.refusals or decision.saves or decision.reason.startswith("nothing-"), decision
        for saved in decision.saves:
            before = self.held.get(reference(saved))
            self.held[reference(saved)] = saved
            self.open += [(lane, saved)] if is_pull(saved) and due(before, saved) else []

    def arrived(self, arrival: Any) -> None:
        assert isinstance(arrival, Arrival), arrival
        reason = arrival.reason or "referral-received"
        self.decided("command", reason, arrival.lane, arrival.resources, arrival.focus, CLIENT)

    def come(self, shape: str) -> None:
        if shape == "read":
            self.read()
        else:
            self.arrived(self.shaped(shape))

    def shaped(self, shape: str) -> Any:
        """The referral in one of its shapes."""
        task, order = (of_type(self.kept, kind) for kind in ORDERS)
        match shape:
            case "transaction":
                return self.doors.resolved(self.bundle, CLIENT)
            case "message":
                return self.doors.message(self.message(), CLIENT)
            case "task":
                return self.doors.single(task, CLIENT)
            case "order":
                return self.doors.single(order, CLIENT)
        focus = task if shape.endswith("task") else order
        brought = self.kept if shape.startswith("full") else {}
        sent = told("event-notification", f"{BASE}/{reference(focus)}", brought=brought)
        notification = self.doors.notification(sent, CLIENT)
        return self.doors.notified(notification, notification.events[0], CLIENT)  # type: ignore[union-attr, arg-type]

    def message(self) -> dict[str, Any]:
        entries = [{k: v for k, v in e.items() if k != "request"} for e in self.bundle["entry"]]
        task = next(e["fullUrl"] for e in entries if e["resource"]["resourceType"] == "Task")
        event = {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "I12"}
        header = {"resourceType": "MessageHeader", "id": "m", "eventCoding": event, "focus": [{"reference": task}]}
        return {"resourceType": "Bundle", "type": "message", "entry": [{"resource": header}, *entries]}

    def read(self) -> None:
        """One reading that is open, the oldest, ends."""
        if self.open:
            lane, task = self.open.pop(0)
            current = self.held[reference(task)]
            answer = asyncio.run(self.answered(task))
            self.decided("answer", answer.reason, answer.lane or lane, answer.resources, reference(current), CLIENT)

    async def answered(self, task: Resource) -> Answer:
        """What one reading says."""
        reader: Any = Held(self.held)
        outside: Any = self.system
        return await self.channel.send(task, reader, outside)

    @property
    def case(self) -> dict[str, Any]:
        """What the case says, by place."""
        kept = {k: r for k, r in self.held.items() if r["resourceType"] in CASE}
        return {k: unversioned(r) for k, r in kept.items()}

    @property
    def referrals(self) -> list[Resource]:
        tasks = (r for r in self.held.values() if r["resourceType"] == "Task")
        return [t for t in tasks if t["code"]["coding"][0]["code"] == "referral"]


class Held:
    """Reads what a practice holds."""

    def __init__(self, held: dict[str, Resource]) -> None:
        self.held = held

    async def read(self, resource_id: str) -> Resource | None:
        return next((r for r in self.held.values() if r["id"] == resource_id), None)


SHAPES = ("transaction", "message", "task", "order", "full-task", "id-task", "id-order")


def after(policy: Policy, shapes: Any) -> Practice:
    """Where the practice stands after these shapes, once everything was read."""
    practice = Practice(policy)
    for shape in shapes:
        practice.come(shape)
    while practice.open:
        practice.read()
    return practice


@pytest.mark.slow
@settings(max_examples=60)
@given(shapes=st.lists(st.sampled_from((*SHAPES, "read")), min_size=1, max_size=6).filter(lambda s: set(s) != {"read"}))
def test_any_shapes_in_any_order_are_one_case(policy: Policy, shapes: list[str]) -> None:
    practice, pushed = after(policy, shapes), after(policy, ["transaction"])
    assert [t["id"] for t in practice.referrals] == [t["id"] for t in pushed.referrals]
    assert practice.case.keys() <= pushed.case.keys()
    [order] = [r for r in practice.case.values() if r.get("intent") == "filler-order"]
    assert order["status"] == "active"


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_alone_is_the_case_of_the_push(policy: Policy, shape: str) -> None:
    practice, pushed = after(policy, [shape]), after(policy, ["transaction"])
    assert [t["id"] for t in practice.referrals] == [t["id"] for t in pushed.referrals]
    assert practice.case.keys() <= pushed.case.keys()
    assert practice.referrals[0]["for"] == pushed.referrals[0]["for"]


@pytest.mark.parametrize(
    "shapes",
    [
        ("order", "transaction", "read"),
        ("order", "read", "transaction"),
        ("transaction", "order", "read"),
        ("order", "task", "read", "read"),
        ("order", "message", "order"),
    ],
)
def test_an_order_with_an_identifier_of_its_own_joins_the_referral_its_task_was_placed_under(
    policy: Policy, shapes: tuple[str, ...]
) -> None:
    practice = Practice(policy, decode((EXAMPLES / "iron-meets-criteria.json").read_bytes()))
    for shape in shapes:
        practice.come(shape)
    while practice.open:
        practice.read()
    [_] = [r for r in practice.case.values() if r.get("intent") == "filler-order"]
    [going] = [t for t in practice.referrals if t["status"] != "cancelled"]
    assert going["focus"]["reference"] in practice.case
