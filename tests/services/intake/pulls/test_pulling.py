"""A referral that came as an address: kept on hold at once, read from its sender's system, the same case in the end."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.intake.answers.numbering import event_number, last_number
from services.intake.coordinator import coordinate
from services.intake.doors.door import Doors
from services.intake.facts import Facts
from services.intake.pulls.ehr import due, pulls
from services.intake.pulls.provisional import count_of, is_pull, wanted_of
from services.intake.pulls.pulling import PATIENCE, WAKE
from shared.answering import Way
from shared.borders import checking
from shared.core import Answer, Decision, Event, Resource, reference
from shared.fhir.profiles import carepod
from shared.settings import Site
from tests.services.intake.doors.test_subscriptions import heard, told
from tests.services.intake.system import BASE, Reader, System, of_type, records

CLIENT = "mercy-ehr"
CHECK = checking(carepod())


class Entrance:
    """A desk with doors: what arrives is decided, and the sender's system is read by the channel itself."""

    def __init__(self, desk: Any, held: dict[str, dict[str, Any]]) -> None:
        self.desk, self.doors = desk, Doors(desk.policy.site)
        self.system = System(desk.policy.site, held)
        self.channel = pulls(CHECK)

    def take(self, arrival: Any, reason: str = "resource-received") -> Decision:
        assert not isinstance(arrival, tuple), arrival
        return self._decided("command", arrival.reason or reason, arrival.lane, arrival.resources, arrival.focus)

    def post(self, resource: Resource) -> Decision:
        return self.take(self.doors.single(resource, CLIENT))

    @property
    def pull(self) -> Resource:
        held: list[Resource] = list(self.desk.held.values())
        [found] = [r for r in held if is_pull(r)]
        return found

    async def read(self) -> tuple[Answer, Decision]:
        """One attempt of the channel, and what follows."""
        task = self.pull
        reader: Any = Reader(self.desk)
        outside: Any = self.system
        answer = await self.channel.send(task, reader, outside)
        lane = answer.lane or self.lane
        return answer, self._decided("answer", answer.reason, lane, answer.resources, reference(task), answer.source)

    def wake(self) -> Decision:
        return self._decided("wake", WAKE + self.pull["id"], self.lane, (), None, "intake")

    lane = ""

    def _decided(
        self, kind: Any, reason: str, lane: str, resources: Any, focus: str | None, source: str | None = CLIENT
    ) -> Decision:
        event = Event(kind, reason, lane, self.desk.at, self.desk.at, tuple(resources), focus, source or "pull")
        decision = coordinate(event, Facts(lane.removeprefix("patient/"), dict(self.desk.held)), self.desk.policy)
        assert isinstance(decision, Decision)
        self.desk.held |= {reference(s): s for s in decision.saves}
        if not self.lane:
            self.lane = lane
        return decision


@pytest.fixture
def iron(example: Callable[[str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return records(example("iron-meets-criteria"))


@pytest.fixture
def entrance(desk: Any, iron: dict[str, dict[str, Any]]) -> Entrance:
    return Entrance(desk, iron)


def pushed_ids(desk: Any, bundle: Resource) -> tuple[str, set[str]]:
    """Lane and ids the same referral has when it is pushed whole."""
    arrival = Doors(desk.policy.site).resolved(bundle, CLIENT)
    assert not isinstance(arrival, tuple)
    return arrival.lane, {reference(r) for r in arrival.resources}


def test_a_bare_task_is_kept_on_hold_at_once_with_its_reason_and_its_own_id(
    entrance: Entrance, desk: Any, example: Any
) -> None:
    decision = entrance.post(of_type(entrance.system.held, "Task"))
    _, ids = pushed_ids(desk, example("iron-meets-criteria"))
    assert decision.reason == "pull-wanted"
    assert reference(desk.referral) in ids
    assert desk.referral["status"] == "on-hold"
    assert "being read" in desk.referral["statusReason"]["text"]
    assert not CHECK(desk.referral, "https://carepod.example/fhir/StructureDefinition/referral-task")
    assert due(None, entrance.pull) == "1"


async def test_what_is_read_is_the_same_case_as_the_push_of_the_same_referral(
    entrance: Entrance, desk: Any, example: Any
) -> None:
    entrance.post(of_type(entrance.system.held, "Task"))
    answer, decision = await entrance.read()
    lane, ids = pushed_ids(desk, example("iron-meets-criteria"))
    assert answer.lane == lane
    assert {reference(r) for r in answer.resources} <= ids
    assert decision.reason == "referral-completed"
    assert desk.order["status"] == "active"
    assert desk.referral["for"] == {"reference": "Patient/" + lane.removeprefix("patient/")}
    assert entrance.pull["status"] == "completed"


async def test_an_order_posted_alone_waits_for_its_patient_and_then_goes_on(entrance: Entrance, desk: Any) -> None:
    order = of_type(entrance.system.held, "ServiceRequest")
    entrance.post(order)
    [received] = desk.all("ServiceRequest")
    assert desk.referral["focus"] == {"reference": reference(received)}
    await entrance.read()
    assert desk.order["status"] == "active"
    assert desk.order["basedOn"] == [{"reference": reference(received)}]


async def test_the_same_task_twice_and_an_answer_twice_change_nothing(entrance: Entrance, desk: Any) -> None:
    task = of_type(entrance.system.held, "Task")
    entrance.post(task)
    assert entrance.post(task).reason == "nothing-to-change"
    await entrance.read()
    _, again = await entrance.read()
    assert again.saves == ()


async def test_a_task_sent_again_after_it_was_read_is_read_again_and_takes_what_changed(
    entrance: Entrance, desk: Any
) -> None:
    task = of_type(entrance.system.held, "Task")
    entrance.post(task)
    await entrance.read()
    before = entrance.pull
    entrance.system.held[f"ServiceRequest/{of_type(entrance.system.held, 'ServiceRequest')['id']}"]["priority"] = (
        "urgent"
    )
    entrance.post(task)
    assert due(before, entrance.pull) == "2"
    await entrance.read()
    assert desk.order["priority"] == "urgent"
    assert entrance.pull["status"] == "completed"


@pytest.mark.parametrize(
    ("failing", "why"),
    [
        (lambda r: httpx.Response(401), "HTTP 401"),
        (lambda r: httpx.Response(404) if "ServiceRequest/" in str(r.url) else None, "HTTP 404"),
        (lambda r: httpx.Response(503), "HTTP 503"),
        (lambda r: httpx.Response(200, content=b'{"resourceType": '), "no FHIR JSON"),
        (lambda r: httpx.Response(200, json={"resourceType": "ServiceRequest", "id": "r16"}), "not legal R4"),
        (lambda r: httpx.Response(200, json={"resourceType": "Patient", "id": "r0"}), "another record"),
        (lambda r: httpx.Response(302, headers={"Location": "http://elsewhere.test"}), "HTTP 302"),
    ],
)
async def test_whatever_fails_keeps_the_referral_on_hold_with_its_reason_and_is_tried_again(
    entrance: Entrance, desk: Any, failing: Any, why: str
) -> None:
    entrance.post(of_type(entrance.system.held, "Task"))
    entrance.system.failing = failing
    answer, decision = await entrance.read()
    assert answer.reason == "pull-failed"
    assert desk.referral["status"] == "on-hold"
    assert why in desk.referral["statusReason"]["text"]
    assert decision.wakes[WAKE + entrance.pull["id"]] is not None
    before = entrance.pull
    entrance.wake()
    assert due(before, entrance.pull) == "2"
    entrance.system.failing = lambda _: None
    await entrance.read()
    assert desk.order["status"] == "active"


async def test_no_answer_in_time_is_a_failure_like_any_other(entrance: Entrance, desk: Any) -> None:
    def late(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    entrance.post(of_type(entrance.system.held, "Task"))
    entrance.system.failing = late
    await entrance.read()
    assert "no answer in time" in desk.referral["statusReason"]["text"]


async def test_a_person_is_asked_after_the_bound_and_not_before_and_trying_goes_on(
    entrance: Entrance, desk: Any
) -> None:
    entrance.post(of_type(entrance.system.held, "Task"))
    entrance.system.failing = lambda _: httpx.Response(500)
    for attempt in range(1, PATIENCE + 2):
        _, decision = await entrance.read()
        asked = [t for t in desk.all("Task") if t["code"]["coding"][0]["code"] == "intake-question"]
        assert bool(asked) == (attempt >= PATIENCE)
        assert count_of(entrance.pull, "failed") == attempt
        assert decision.wakes[WAKE + entrance.pull["id"]] is not None
        entrance.wake()
    assert len(asked) == 1
    entrance.system.failing = lambda _: None
    await entrance.read()
    assert desk.held[reference(asked[0])]["status"] == "cancelled"
    assert count_of(entrance.pull, "failed") == 0


async def test_only_the_configured_system_is_ever_asked(entrance: Entrance, desk: Any) -> None:
    order = of_type(entrance.system.held, "ServiceRequest")
    order["supportingInfo"].append({"reference": "http://169.254.169.254/latest/Observation/1"})
    order["supportingInfo"].append({"reference": f"{BASE}.evil.test/Observation/1"})
    entrance.post(of_type(entrance.system.held, "Task"))
    await entrance.read()
    assert desk.order["status"] == "active"
    assert {a[: len(BASE) + 1] for a in entrance.system.asked} == {BASE + "/"}


async def test_what_is_gone_and_not_needed_is_left_out_and_said(entrance: Entrance, desk: Any) -> None:
    order = of_type(entrance.system.held, "ServiceRequest")
    order["supportingInfo"].append({"reference": "Observation/gone"})
    entrance.post(of_type(entrance.system.held, "Task"))
    await entrance.read()
    assert desk.order["status"] == "active"
    assert [o["valueUrl"] for o in entrance.pull["output"]] == [f"{BASE}/Observation/gone"]


async def test_searches_bring_the_patients_own_records_and_only_the_prescriptions_of_this_order(
    entrance: Entrance, desk: Any
) -> None:
    held = entrance.system.held
    medication = deepcopy(of_type(held, "MedicationRequest"))
    foreign = medication | {"id": "other", "identifier": [], "basedOn": [{"reference": "ServiceRequest/another"}]}
    held["MedicationRequest/other"] = {k: v for k, v in foreign.items() if v}
    entrance.post(of_type(held, "Task"))
    answer, _ = await entrance.read()
    assert len([r for r in answer.resources if r["resourceType"] == "MedicationRequest"]) == 1
    assert any(f"{BASE}/Coverage?patient=r0" in a for a in entrance.system.asked)


async def test_a_bare_task_of_a_referral_that_was_pushed_meanwhile_ends_in_that_one_case(
    entrance: Entrance, desk: Any, example: Any
) -> None:
    entrance.post(of_type(entrance.system.held, "Task"))
    whole = entrance.doors.resolved(example("iron-meets-criteria"), CLIENT)
    entrance.take(whole, "referral-received")
    assert desk.order["status"] == "active"
    before = {k: v for k, v in desk.held.items() if not is_pull(v)}
    await entrance.read()
    assert {k: v for k, v in desk.held.items() if not is_pull(v)} == before
    assert entrance.pull["status"] == "completed"


async def test_a_cancelled_referral_is_not_brought_back_by_a_late_answer(entrance: Entrance, desk: Any) -> None:
    task = of_type(entrance.system.held, "Task")
    entrance.post(task)
    await entrance.read()
    cancelled = desk.referral | {"status": "cancelled"}
    desk.take(
        "command",
        "task-answered",
        "patient/" + desk.referral["for"]["reference"].removeprefix("Patient/"),
        (cancelled,),
    )
    assert desk.referral["status"] == "cancelled"
    entrance.post(task)
    await entrance.read()
    assert desk.referral["status"] == "cancelled"
    assert entrance.pull["status"] == "cancelled"


def test_a_client_without_a_configured_system_is_told_every_reference_that_leads_nowhere(
    site: Site, iron: dict[str, dict[str, Any]]
) -> None:
    issues = Doors(site).single(of_type(iron, "ServiceRequest"), "prairie-pharmacy")
    assert isinstance(issues, tuple)
    assert "ServiceRequest.subject.reference" in {i.expression for i in issues}


async def test_a_person_may_end_the_reading_and_nobody_may_change_it_otherwise(entrance: Entrance, desk: Any) -> None:
    entrance.post(of_type(entrance.system.held, "Task"))
    changed = desk.take(
        "command", "task-answered", entrance.lane, ({**entrance.pull, "status": "completed"},), reference(entrance.pull)
    )
    assert changed.refusals == ("pull-is-ours",)
    desk.take(
        "command", "task-answered", entrance.lane, ({**entrance.pull, "status": "cancelled"},), reference(entrance.pull)
    )
    assert entrance.pull["status"] == "cancelled"
    assert entrance.wake().saves == ()


@pytest.mark.parametrize("kind", ["Task", "ServiceRequest"])
async def test_an_event_that_brought_only_an_address_is_the_same_case_once_it_is_read(
    entrance: Entrance, desk: Any, kind: str
) -> None:
    focus = f"{BASE}/{kind}/{of_type(entrance.system.held, kind)['id']}"
    notification = heard(told("event-notification", focus))
    entrance.take(entrance.doors.notified(notification, notification.events[0], CLIENT))
    assert desk.all("Patient") == []
    await entrance.read()
    assert desk.order["status"] == "active"
    assert entrance.pull["status"] == "completed"


async def test_missed_events_are_read_one_by_one(entrance: Entrance, desk: Any) -> None:
    entrance.take(entrance.doors.missed(f"{BASE}/Subscription/referrals", 2, 3, CLIENT))
    bundle = told("query-event", f"{BASE}/Task/r1", f"{BASE}/ServiceRequest/x", "http://evil.test/Task/1", first=2)
    entrance.system.failing = lambda r: httpx.Response(200, json=bundle) if "$events" in str(r.url) else None
    _, decision = await entrance.read()
    wanted = {address for t in decision.saves if t["status"] == "in-progress" for address in wanted_of(t)}
    assert wanted == {f"{BASE}/Task/r1", f"{BASE}/ServiceRequest/x"}


@pytest.mark.parametrize(
    "subscription", [f"{BASE}/Subscription/r/../../../debug", "http://evil.test/Subscription/r", f"{BASE}/Task/r1"]
)
async def test_missed_events_are_asked_of_a_subscription_of_the_configured_system_alone(
    entrance: Entrance, subscription: str
) -> None:
    entrance.take(entrance.doors.missed(subscription, 2, 3, CLIENT))
    answer, _ = await entrance.read()
    assert answer.reason == "pull-failed"
    assert entrance.system.asked == []


STRANGER = {"reference": "Patient/in-00000000-0000-5000-8000-000000000000"}


@pytest.mark.parametrize(
    ("kind", "named"),
    [("ServiceRequest", {"subject": STRANGER}), ("Patient", {"link": [{"other": STRANGER, "type": "seealso"}]})],
)
async def test_a_system_that_names_a_patient_by_our_id_brings_nothing_into_his_lane(
    entrance: Entrance, desk: Any, kind: str, named: dict[str, Any]
) -> None:
    entrance.post(of_type(entrance.system.held, "Task"))
    of_type(entrance.system.held, kind).update(named)
    answer, decision = await entrance.read()
    assert (answer.reason, answer.lane) == ("pull-failed", None)
    assert {s["resourceType"] for s in decision.saves} == {"Task"}
    assert desk.referral["status"] == "on-hold"


async def test_an_answer_to_what_was_read_is_a_numbered_notification_like_any_other(
    desk: Any, iron: dict[str, dict[str, Any]]
) -> None:
    referrers = desk.policy.site.referrers
    notified = replace(referrers[CLIENT], answers=(Way("notification", "ehr-aspen"),))
    site = replace(desk.policy.site, referrers={**referrers, CLIENT: notified})
    desk.policy = replace(desk.policy, site=site)
    entrance = Entrance(desk, iron)
    entrance.post(of_type(entrance.system.held, "Task"))
    await entrance.read()
    assert event_number(desk.one("Communication", status="in-progress")) == 1
    assert last_number(desk.one("Subscription")) == 1
