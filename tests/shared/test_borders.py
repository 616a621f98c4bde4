"""Under which profile a resource leaves a service, and in which version another one understands it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.borders import PROFILE, Border, OutOfReach, kind_of, stamped, undeclared, version_said
from shared.core import CANONICAL, Decision, Resource, Service
from shared.fhir.outcomes import Issue

CHAIR = {"coding": [{"system": CANONICAL + "CodeSystem/task-code", "code": "chair"}]}
VISIT = {"coding": [{"system": CANONICAL + "CodeSystem/appointment-kind", "code": "chair"}]}
ELSEWHERE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"


def service(profiles: Mapping[str, str], reads: Mapping[str, str]) -> Service:
    async def gather(*_: Any) -> None: ...

    return Service(
        "gamma", "ga", frozenset(), frozenset(), {}, lambda *_: Decision("none"), gather, profiles=profiles, reads=reads
    )


def wanting_status(resource: Resource, profile: str) -> Sequence[Issue]:
    """A validator whose every profile wants a status, and remarks on what lacks a text."""
    remark = Issue("informational", "text", "a text would be kind", "information")
    return (remark,) if not profile or "status" in resource else (Issue("required", "status", "a status", rule="x-1"),)


def border(
    profiles: Mapping[str, str] | None = None, reads: Mapping[str, str] | None = None, upcasts: Any = None
) -> Border:
    return Border(service(profiles or {}, reads or {}), wanting_status, upcasts or {})


def task(*profiles: str, **elements: Any) -> dict[str, Any]:
    meta = {"meta": {"profile": list(profiles)}} if profiles else {}
    return {"resourceType": "Task", "id": "ga-1", **meta, "status": "requested", "code": CHAIR, **elements}


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        (task(), "Task#chair"),
        ({"resourceType": "Task"}, "Task"),
        ({"resourceType": "Task", "code": {"coding": [{"system": "http://other", "code": "chair"}]}}, "Task"),
        ({"resourceType": "Appointment", "serviceCategory": [VISIT]}, "Appointment#chair"),
        ({"resourceType": "ServiceRequest", "intent": "filler-order"}, "ServiceRequest#filler-order"),
        ({"resourceType": "ServiceRequest", "intent": "order"}, "ServiceRequest"),
        ({"resourceType": "ClaimResponse", "id": "in-1"}, "ClaimResponse#held"),
        ({"resourceType": "ClaimResponse", "id": "au-1"}, "ClaimResponse"),
        ({"resourceType": "ClaimResponse", "id": 7}, "ClaimResponse"),
        ({"resourceType": "Patient", "code": CHAIR}, "Patient"),
    ],
)
def test_the_kind_of_a_resource_is_its_type_and_where_owners_differ_its_code(resource: Resource, kind: str) -> None:
    assert kind_of(resource) == kind


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["coding", "system", "code"]), inner),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["Task", "Appointment", "ServiceRequest", "", "Nothing"]))
def test_the_kind_of_any_json_object_can_be_asked(value: Any, name: str) -> None:
    odd = {"resourceType": name, "code": value, "serviceCategory": value, "intent": value}
    assert kind_of(odd).startswith(name)


@given(json_values)
def test_the_version_said_by_any_json_object_can_be_asked(value: Any) -> None:
    assert version_said({"resourceType": "Task", "meta": value}, "chair-task") == 0
    assert version_said({"resourceType": "Task", "meta": {"profile": value}}, "chair-task") == 0


def test_what_is_saved_declares_our_profile_beside_those_it_came_with() -> None:
    received = {"resourceType": "Patient", "meta": {"profile": [ELSEWHERE, PROFILE + "patient|0.3"]}}
    said = stamped(received, "patient|1.0")["meta"]
    assert said == {"profile": [ELSEWHERE, PROFILE + "patient|1.0"]}
    assert undeclared(said) == {"profile": [ELSEWHERE]}
    assert undeclared(stamped({"resourceType": "Patient"}, "patient|1.0")["meta"]) == {}


def test_a_kind_without_a_declared_profile_may_not_leave() -> None:
    _, issues = border({"Task#referral": "referral-task|2.1"}).leaving(task())
    assert [(i.code, i.expression) for i in issues] == [("not-supported", "Task")]


def test_what_its_profile_refuses_may_not_leave_and_a_remark_does_not_matter() -> None:
    kinds = {"Task#chair": "chair-task|1.0"}
    without = {k: v for k, v in task().items() if k != "status"}
    assert [i.rule for i in border(kinds).leaving(without)[1]] == ["x-1"]
    declared, issues = border(kinds).leaving(task())
    assert (declared["meta"]["profile"], issues) == ([PROFILE + "chair-task|1.0"], [])


def test_a_hearer_of_version_1_understands_1_1_and_what_it_does_not_read_is_left_out() -> None:
    later = task(PROFILE + "chair-task|1.1")
    read, issues = border(reads={"Task#chair": "chair-task|1"}).heard([later, {"resourceType": "Claim"}])
    assert (read, issues) == ([later], [])


def test_a_later_major_version_is_refused_with_the_version_that_is_understood() -> None:
    read, issues = border(reads={"Task#chair": "chair-task|1"}).heard([task(PROFILE + "chair-task|2.0")])
    assert [(i.code, i.expression) for i in issues] == [("not-supported", "Task.meta.profile")]
    assert "version 1 of chair-task" in issues[0].diagnostics
    assert len(read) == 1


def test_what_was_said_before_profiles_were_declared_is_read_as_version_1() -> None:
    read, issues = border(reads={"Task#chair": "chair-task|1"}).heard([task()])
    assert (read[0]["meta"]["profile"], issues) == ([PROFILE + "chair-task|1.0"], [])


def test_an_older_message_is_brought_up_step_by_step_and_then_held_to_the_profile() -> None:
    def second(resource: Resource) -> Resource:
        return {**resource, "priority": "routine"}

    def third(resource: Resource) -> Resource:
        return {k: v for k, v in resource.items() if k != "status"}

    upcasts = {("chair-task", 1): second, ("chair-task", 2): third}
    at_two, issues = border(reads={"Task#chair": "chair-task|2"}, upcasts=upcasts).heard([task()])
    assert (at_two[0]["priority"], at_two[0]["meta"]["profile"], issues) == (
        "routine", [PROFILE + "chair-task|2.0"], [],
    )  # fmt: skip
    _, broken = border(reads={"Task#chair": "chair-task|3"}, upcasts=upcasts).heard([task()])
    assert [i.rule for i in broken] == ["x-1"]


def test_an_older_message_that_nothing_brings_up_is_refused() -> None:
    _, issues = border(reads={"Task#chair": "chair-task|2"}).heard([task(PROFILE + "chair-task|1.4")])
    assert [i.code for i in issues] == ["not-supported"]


def test_a_stored_resource_is_read_in_the_version_this_release_works_with() -> None:
    upcasts = {("chair-task", 1): lambda r: {**r, "priority": "routine"}}
    own = border({"Task#chair": "chair-task|2.0"}, upcasts=upcasts)
    copy = border(reads={"Task#chair": "chair-task|2"}, upcasts=upcasts)
    stored = task(PROFILE + "chair-task|1.0")
    assert own.stored(stored)["priority"] == copy.stored(stored)["priority"] == "routine"
    current = task(PROFILE + "chair-task|2.3")
    assert own.stored(current) is current
    with pytest.raises(OutOfReach, match="understood here"):
        border({"Task#chair": "chair-task|3.0"}, upcasts=upcasts).stored(stored)
