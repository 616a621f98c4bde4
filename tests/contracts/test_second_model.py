"""`fhir.resources` (R4B), an independent model of FHIR, parses every valid example and everything a demo emits."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.conformance import journeys, recorded, rounds
from contracts.conformance.examples import Example, examples
from contracts.conformance.journeys import Emitted
from tests.contracts.second import refused

VALID = [example for example in examples() if example.issue is None]


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> list[Emitted]:
    """What one demo emitted: the workers of a session share its run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "emitted"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ended").exists():
            journeys.run(folder / "demo")
            (folder / "ended").touch()
    return list(journeys.emitted(folder / "demo"))


@pytest.mark.parametrize("example", VALID, ids=lambda example: example.name)
def test_every_valid_example_is_parsed(example: Example) -> None:
    assert refused(example.resource) == []


def test_the_second_model_refuses_a_wrong_type_and_an_unknown_element() -> None:
    (patient,) = [e.resource for e in VALID if e.name == "patient/minimal"]
    assert refused({**patient, "birthDate": 7}) == [("birthDate",)]
    assert refused({**patient, "bithDate": "1980-01-01"}) == [("bithDate",)]


@pytest.mark.slow
def test_everything_a_demo_emits_is_parsed(emitted: list[Emitted]) -> None:
    assert {(e.to, e.kind, tuple(refused(e.resource))) for e in emitted if refused(e.resource)} == set()
    assert {e.to for e in emitted} == {"saved", "message", "payer", "ehr", "pharmacy"}


@pytest.mark.slow
def test_everything_a_demo_emits_is_valid_and_its_kind_has_a_recorded_verdict(emitted: list[Emitted]) -> None:
    _, verdicts = recorded.read(recorded.FOLDER / "journeys.yaml")
    listed = recorded.disagreements()["journeys"]
    asked = [replace(a, packages=()) for a in rounds.of_journeys(emitted)]
    wrong = {a.name: rounds.ours_says(a) for a in asked if a.name not in listed}
    assert {name: issues for name, issues in wrong.items() if issues} == {}
    known = {name.rpartition(" ")[0] for name in verdicts}
    assert {a.name.rpartition(" ")[0] for a in asked} - known == set(), "`make conformance` judges a new kind"


@pytest.mark.slow
def test_what_is_saved_declares_a_profile_of_ours(emitted: list[Emitted]) -> None:
    bare = {e.kind for e in emitted if e.to in ("saved", "message", "ehr") and not _declared(e.resource)}
    assert bare == set()


def _declared(resource: Mapping[str, Any]) -> bool:
    return any(p.startswith(rounds.OURS) for p in resource.get("meta", {}).get("profile", ()))


def test_a_demo_of_another_folder_is_read_as_it_was_left(tmp_path: Path) -> None:
    for service in journeys.PREFIXES:
        _database(tmp_path / f"{service}.db")
    (tmp_path / "partners").mkdir()
    found = list(journeys.emitted(tmp_path))
    assert [(e.by, e.to, e.kind) for e in found] == [
        ("intake", "saved", "Task#referral"),
        ("intake", "message", "Bundle"),
        ("auth", "message", "Bundle"),
        ("nursing", "message", "Bundle"),
        ("scheduling", "message", "Bundle"),
    ]


def _database(path: Path) -> None:
    """A service's database with one Task of intake's and one message."""
    task = '{"resourceType": "Task", "id": "in-1", "code": {"coding": [{"code": "referral"}]}}'
    with sqlite3.connect(path) as connection:
        connection.execute("create table history (id text, epoch int, version int, body text)")
        connection.execute("create table outbox (id text, body text)")
        connection.execute("insert into history values ('in-1', 1, 1, ?)", (task,))
        connection.execute('insert into outbox values (\'m\', \'{"resourceType": "Bundle", "type": "message"}\')')
    connection.close()
