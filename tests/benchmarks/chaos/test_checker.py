"""The checker finds what it is for: histories and ends that are broken on purpose, one way each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.cases import placer
from benchmarks.chaos.checker import End, Parked, Said, Step, checked
from benchmarks.chaos.history import History, Told
from benchmarks.harness import SERVICES
from benchmarks.truth import Truth

ID = "https://carepod.example/id/"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def task(number: int, **more: Any) -> dict[str, Any]:
    """The referral Task of one referral, scheduled."""
    plac = {"type": {"coding": [{"system": V2, "code": "PLAC"}]}, "value": placer(number)}
    found = {
        "resourceType": "Task", "id": f"in-{number}", "identifier": [plac], "status": "accepted",
        "code": {"coding": [{"code": "referral"}]}, "businessStatus": {"coding": [{"code": "5.1.1"}]},
    }  # fmt: skip
    return {**found, **more}


def chair(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Task", "id": f"sc-{number}", "status": "completed", "code": {"coding": [{"code": "chair"}]},
        "basedOn": [{"reference": f"ServiceRequest/in-{number}"}],
    }  # fmt: skip


def claim(number: int) -> dict[str, Any]:
    return {"resourceType": "Claim", "id": f"au-{number}", "identifier": [{"value": f"au-{number}"}]}


def charge(number: int, dose: int) -> dict[str, Any]:
    about = [{"reference": f"ServiceRequest/in-{number}#{dose}"}]
    return {
        "resourceType": "ChargeItem",
        "id": f"au-{number}-{dose}",
        "status": "planned",
        "supportingInformation": about,
    }


def visit(number: int, dose: int) -> dict[str, Any]:
    """A booked visit in a chair and with a nurse of its own."""
    canonical = "https://carepod.example/fhir/StructureDefinition/"
    on_hand = [{"url": "requirement", "valueCode": "drug-on-hand"}, {"url": "status", "valueCode": "met"}]

    def actor(kind: str) -> dict[str, Any]:
        return {"actor": {"identifier": {"system": ID + kind, "value": f"{kind}-{number}-{dose}"}}}

    return {
        "resourceType": "Appointment", "id": f"sc-{number}-{dose}", "status": "booked",
        "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z",
        "basedOn": [{"reference": f"ServiceRequest/in-{number}"}], "participant": [actor("chair"), actor("nurse")],
        "extension": [
            {"url": canonical + "dose", "extension": [{"url": "number", "valuePositiveInt": dose}]},
            {"url": canonical + "visit-readiness", "extension": on_hand},
        ],
    }  # fmt: skip


def dispense(number: int, dose: int) -> dict[str, Any]:
    return {"resourceType": "MedicationDispense", "id": f"in-{number}-{dose}"}


def truth(*numbers: int) -> Truth:
    """The end of these referrals when all went well: two visits each."""
    doses = [(n, d) for n in numbers for d in (1, 2)]
    tasks = [task(n) for n in numbers]
    stored = {
        **dict.fromkeys(SERVICES, ()),
        "intake": [*tasks, *(dispense(*d) for d in doses)],
        "auth": [*(claim(n) for n in numbers), *(charge(*d) for d in doses)],
        "scheduling": [*(chair(n) for n in numbers), *(visit(*d) for d in doses)],
    }
    return Truth(
        stored,
        {"intake": {"messages unsent": 0}},
        [{"identifier": {"value": f"au-{n}"}} for n in numbers],
        {t["id"]: t for t in tasks},
        [{"appointment": f"sc-{n}-{d}", "number": f"RX-{n}-{d}", "status": "on-hand"} for n, d in doses],
        {f"sc-{n}-{d}" for n, d in doses},
    )


def told(number: int, status: int = 200, **more: Any) -> Told:
    return Told(number, 0.0, 1.0, status, **({"task": f"Task/in-{number}"} if status == 200 else {}) | more)


def kinds(history: list[Told], end: End, *expected: str) -> set[str]:
    return {wrong.kind for wrong in checked(history, end, expected)}


def without(end: Truth, service: str, resource_id: str) -> Truth:
    left = [r for r in end.stored[service] if r["id"] != resource_id]
    return replace(end, stored={**end.stored, service: left})


def with_(end: Truth, service: str, *more: dict[str, Any]) -> Truth:
    return replace(end, stored={**end.stored, service: [*end.stored[service], *more]})


def test_what_was_taken_once_and_is_held_once_is_right() -> None:
    assert checked([told(1), told(2)], End(truth(1, 2))) == []


def test_a_push_that_was_not_answered_may_have_been_taken_or_not() -> None:
    assert checked([told(1), told(2, 0)], End(truth(1))) == []
    assert checked([told(1), told(2, 0)], End(truth(1, 2))) == []
    assert checked([told(1, 503), told(1, 0), told(1)], End(truth(1))) == []


def test_what_was_never_said_to_be_taken_and_is_held_is_found() -> None:
    assert kinds([told(1), told(2, 503)], End(truth(1, 2))) == {"double"}
    assert kinds([told(1), told(2, 422)], End(truth(1, 2))) == {"double"}


@pytest.mark.parametrize(
    ("service", "resource_id"),
    [
        ("intake", "in-2"), ("scheduling", "sc-2"), ("scheduling", "sc-2-1"), ("auth", "au-2"), ("auth", "au-2-1"),
        ("intake", "in-2-2"),
    ],
)  # fmt: skip
def test_anything_lost_of_a_referral_that_was_taken_is_found(service: str, resource_id: str) -> None:
    assert "lost" in kinds([told(1), told(2)], End(without(truth(1, 2), service, resource_id)))


@pytest.mark.parametrize(
    ("service", "resource"),
    [
        ("intake", task(1, id="in-9")), ("scheduling", {**chair(1), "id": "sc-9"}),
        ("scheduling", {**visit(1, 1), "id": "sc-9"}), ("auth", {**charge(1, 2), "id": "au-9"}),
    ],
    ids=["case", "chair Task", "dose", "ledger entry"],
)  # fmt: skip
def test_anything_double_is_found(service: str, resource: dict[str, Any]) -> None:
    assert "double" in kinds([told(1)], End(with_(truth(1), service, resource)))


def test_a_second_claim_at_the_payer_is_found() -> None:
    end = truth(1)
    assert "double" in kinds(
        [told(1)], End(replace(end, claims=[*end.claims, {"identifier": {"value": "au-1-again"}}]))
    )


def test_a_client_told_of_two_cases_or_of_one_that_is_not_held_is_told_wrongly() -> None:
    assert kinds([told(1), told(1, task="Task/in-7")], End(truth(1))) == {"double", "lost"}
    assert kinds([told(1), told(1, 422)], End(truth(1))) == {"double"}


def test_a_placer_that_was_told_something_else_is_found() -> None:
    end = truth(1)
    assert kinds([told(1)], End(replace(end, ehr={"in-1": {**task(1), "status": "requested"}}))) == {"lost"}


def test_two_patients_in_one_chair_are_found() -> None:
    end = truth(1, 2)
    first, second = visit(1, 1), visit(2, 1)
    moved = [{**second, "participant": first["participant"]} if r == second else r for r in end.stored["scheduling"]]
    stored = {**end.stored, "scheduling": moved}
    assert "overbooked" in kinds([told(1), told(2)], End(replace(end, stored=stored)))


def test_a_decision_on_an_older_version_than_one_before_it_is_out_of_order() -> None:
    steps = [Step("auth", "patient/1", (f"Task/in-1/_history/{v}",)) for v in ("1-1", "1-3", "1-2")]
    assert kinds([told(1)], End(truth(1), steps)) == {"order"}
    assert kinds([told(1)], End(truth(1), [steps[0], steps[2], steps[1]])) == set()
    other = [steps[1], Step("auth", "patient/2", ("Task/in-1/_history/1-1",)), Step("nursing", "patient/1", ())]
    assert kinds([told(1)], End(truth(1), other)) == set()


def test_a_later_epoch_is_newer_whatever_its_number() -> None:
    steps = [Step("auth", "patient/1", (f"Task/in-1/_history/{v}",)) for v in ("1-9", "2-1", "1-10")]
    assert [w.kind for w in checked([told(1)], End(truth(1), steps))] == ["order"]


@pytest.mark.parametrize(
    "said",
    [
        [(1, {}), (3, {})],
        [(1, {}), (1, {})],
        [(2, {})],
        [(1, {"intake": 5}), (2, {"intake": 4})],
        [(1, {"intake": 5}), (2, {})],
    ],
    ids=["gap", "twice", "no first", "rests on less", "forgets a producer"],
)
def test_a_lane_that_lacks_repeats_or_forgets_is_out_of_order(said: list[tuple[int, dict[str, int]]]) -> None:
    messages = [Said("auth", "patient/1", seq, causes) for seq, causes in said]
    assert kinds([told(1)], End(truth(1), said=messages)) == {"order"}


def test_a_lane_that_goes_on_is_in_order() -> None:
    messages = [Said("auth", "patient/1", n, {"intake": n // 2}) for n in (1, 2, 3, 4)]
    assert checked([told(1)], End(truth(1), said=messages[::-1])) == []


def test_a_restored_lane_goes_on_above_what_it_can_have_said_before() -> None:
    messages = [Said("auth", "patient/1", n, {}) for n in (1, 2, 2**40 + 7, 2**40 + 8)]
    assert checked([told(1)], End(truth(1), said=messages)) == []
    assert kinds([told(1)], End(truth(1), said=[*messages, Said("auth", "patient/1", 2**40 + 10, {})])) == {"order"}


def test_what_is_parked_must_be_expected_and_have_a_reason() -> None:
    parked = [Parked("auth", "message from intake", "delivery limit")]
    assert checked([told(1)], End(truth(1), parked=parked), ("delivery limit",)) == []
    assert kinds([told(1)], End(truth(1), parked=parked)) == {"stuck"}
    silent = [Parked("auth", "message from intake", "")]
    assert kinds([told(1)], End(truth(1), parked=silent), "") == {"stuck"}


def test_what_is_not_finished_is_stuck() -> None:
    end = truth(1)
    assert kinds([told(1)], End(replace(end, counts={"auth": {"messages unsent": 1}}))) == {"stuck"}


def test_a_referral_counts_as_taken_from_its_first_success() -> None:
    history = History([told(1, 503), replace(told(1), ended=5.0), replace(told(1), ended=9.0), told(2, 0)])
    assert history.accepted() == {1: 5.0}
    assert [t.status for t in history.between(0.0, 2.0)] == [503, 0]
