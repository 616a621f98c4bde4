"""A patient who may be known already: asked of the practice alone, while everything goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.gather import gather_alike
from services.intake.persons.duplicates import alike_keys, question_id
from shared.core import Event, Resource, reference
from tests.services.intake.conftest import AT

NAMED = {"resourceType": "Patient", "name": [{"family": "Rivera", "given": ["Maria"]}], "birthDate": "1975-04-09"}


def patient(resource_id: str, **elements: Any) -> dict[str, Any]:
    return {**NAMED, "id": resource_id, **elements}


OTHER = patient("in-00000000-0000-5000-8000-00000000000f")


@pytest.mark.parametrize(
    "name",
    [
        {"family": "RIVERA", "given": ["maria"]},
        {"family": "Rivéra", "given": ["María"]},
        {"family": "Rivera ", "given": ["Maria Elena"]},
        {"family": "Rivera", "given": ["Maria", "Elena"]},
    ],
)
def test_a_name_is_the_same_in_whatever_way_it_is_written(name: Any) -> None:
    assert alike_keys(patient("in-1", name=[name])) == alike_keys(OTHER)


@pytest.mark.parametrize(
    "elements",
    [
        {"birthDate": "1975-04-10"},
        {"birthDate": "1975"},
        {"birthDate": None},
        {"name": [{"family": "Rivera", "given": ["Mariana"]}]},
        {"name": [{"family": "Rivera"}]},
        {"name": [{"text": "Maria Rivera"}]},
        {"name": []},
    ],
)
def test_others_are_not_the_same(elements: Any) -> None:
    assert not set(alike_keys(patient("in-1", **elements))) & set(alike_keys(OTHER))


def test_each_of_two_names_is_looked_for() -> None:
    both = patient("in-1", name=[{"family": "Lopez", "given": ["Maria"]}, *NAMED["name"]])
    assert len(alike_keys(both)) == 2
    assert set(alike_keys(OTHER)) < set(alike_keys(both))


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_key_says_nothing_of_the_name(family: str, given_name: str) -> None:
    keys = alike_keys(patient("in-1", name=[{"family": family, "given": [given_name]}]))
    assert all(len(k) == 64 and set(k) <= set("0123456789abcdef") for k in keys)


# Asked


@pytest.fixture
def known(desk: Any, example: Any) -> Any:
    """The practice knows a patient like the one who is sent, from another client."""
    bundle = example("iron-meets-criteria")
    sent = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    other = {**deepcopy(sent), "id": OTHER["id"], "identifier": [{"system": "https://other.example", "value": "9"}]}
    desk.held[reference(other)] = other
    desk.first = desk.push(bundle)
    return desk


def asked(desk: Any) -> list[Resource]:
    found = (t for t in desk.all("Task") if "input" in t)
    return [t for t in found if t["input"][0]["type"]["coding"][0]["code"] == "possible-duplicate"]


def test_the_practice_is_asked_and_nothing_waits(known: Any) -> None:
    (task,) = asked(known)
    assert known.first.reason == "referral-completed"
    assert (known.order["status"], known.referral["status"]) == ("active", "accepted")
    assert task["input"][1]["valueReference"]["reference"] == reference(OTHER)
    assert task["owner"]["identifier"]["value"] == "intake-coordinator"
    assert task["id"] == question_id(task["for"]["reference"].removeprefix("Patient/"), OTHER["id"])


def test_no_client_learns_of_it(known: Any) -> None:
    (task,) = asked(known)
    assert task["meta"]["security"] == [{"system": "https://carepod.example/id/sight", "code": "practice"}]
    assert known.outputs("question") == []
    assert OTHER["id"] not in str([t for t in known.all("Task") if t is not task])


def test_it_is_asked_once(known: Any, example: Any) -> None:
    known.push(example("iron-meets-criteria"))
    known.take("message", "said", known.order["subject"]["reference"].replace("P", "p", 1), (known.order,))
    assert len(asked(known)) == 1


@pytest.mark.parametrize("answer", ["confirmed", "rejected"])
def test_an_answer_is_never_asked_for_again(answer: str, known: Any, example: Any) -> None:
    (task,) = asked(known)
    known.answer(_answered(task, answer), "practice-portal")
    known.push(example("iron-meets-criteria") | {"timestamp": "2026-11-22T08:00:00Z"})
    (again,) = asked(known)
    assert again["status"] == "completed"


def _answered(task: Resource, answer: str) -> dict[str, Any]:
    said = {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": answer}]}
    return {**task, "status": "completed", "output": [{"type": said, "valueBoolean": True}]}


def test_the_same_person_is_linked_and_stays_linked(known: Any, example: Any) -> None:
    (task,) = asked(known)
    place = task["for"]["reference"]
    known.answer(_answered(task, "confirmed"), "practice-portal")
    links = [{"other": {"reference": reference(OTHER)}, "type": "seealso"}]
    assert known.held[place]["link"] == links
    known.push(example("iron-meets-criteria") | {"timestamp": "2026-11-22T08:00:00Z"})
    assert known.held[place]["link"] == links
    assert known.order["status"] == "active"


def test_another_person_is_not_linked(known: Any) -> None:
    (task,) = asked(known)
    known.answer(_answered(task, "rejected"), "practice-portal")
    assert "link" not in known.held[task["for"]["reference"]]


def test_records_linked_already_are_not_asked_about(desk: Any, example: Any) -> None:
    bundle = example("iron-meets-criteria")
    sent = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    desk.push(bundle)
    own = desk.one("Patient")
    link = {"other": {"reference": reference(own)}, "type": "seealso"}
    other = {**deepcopy(sent), "id": OTHER["id"], "link": [link]}
    desk.held[reference(other)] = other
    desk.push(bundle)
    assert asked(desk) == []


# Found


class Store:
    """A reader that knows one other patient, and the question about the two."""

    def __init__(self, *resources: Resource) -> None:
        self._by_id = {r["id"]: r for r in resources}
        self.searched: list[str] = []

    async def search(self, kind: str, parameter: str, value: str) -> list[Resource]:
        self.searched.append(value)
        patients = (r for r in self._by_id.values() if r["resourceType"] == kind)
        return [p for p in patients if value in alike_keys(p)]

    async def read(self, resource_id: str) -> Resource | None:
        return self._by_id.get(resource_id)

    async def several(self, ids: Iterable[str]) -> dict[str, Resource]:
        return {i: found for i in ids if (found := await self.read(i)) is not None}


def found(*resources: Resource, kind: Any = "command") -> dict[str, Resource]:
    own = patient("in-00000000-0000-5000-8000-00000000000a")
    event = Event(kind, "referral-received", f"patient/{own['id']}", AT, AT, (own,))
    store: Any = Store(own, *resources)
    return asyncio.run(gather_alike(event, own["id"], store))


def test_others_like_the_patient_are_gathered_with_what_was_asked() -> None:
    task = {"resourceType": "Task", "id": question_id("in-00000000-0000-5000-8000-00000000000a", OTHER["id"])}
    assert found(OTHER, task) == {reference(OTHER): OTHER, reference(task): task}


def test_a_message_of_another_service_looks_for_nobody() -> None:
    assert found(OTHER, kind="message") == {}


def test_nobody_like_him_is_nobody() -> None:
    assert found(patient("in-2", birthDate="1980-01-01")) == {}
