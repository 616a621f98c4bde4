"""The checked-in message catalogue is what the services declare, and every message in it can be heard."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contracts import catalogue

CATALOGUE = yaml.safe_load(catalogue.FILE.read_text())


def test_the_file_is_what_the_services_declare() -> None:
    assert catalogue.main(["--check"]) == 0


def test_a_file_that_differs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "catalogue.yaml"
    other.write_text("{}")
    monkeypatch.setattr(catalogue, "FILE", other)
    assert catalogue.main(["--check"]) == 1
    assert catalogue.main([]) == 0
    assert catalogue.main(["--check"]) == 0


def test_every_type_a_service_listens_to_is_owned_by_another() -> None:
    owned = {name: set(entry["owns"]) for name, entry in CATALOGUE.items()}
    deaf = {
        name: sorted(set(entry["listens"]) - set().union(*(o for n, o in owned.items() if n != name)))
        for name, entry in CATALOGUE.items()
    }
    assert deaf == {name: [] for name in CATALOGUE}


def test_no_two_services_begin_their_ids_alike() -> None:
    prefixes = [entry["ids_begin_with"] for entry in CATALOGUE.values()]
    assert len(set(prefixes)) == len(prefixes)


def test_only_task_is_owned_by_more_than_one() -> None:
    kinds = [kind for entry in CATALOGUE.values() for kind in entry["owns"]]
    assert sorted({k for k in kinds if kinds.count(k) > 1}) == ["Task"]
