"""`carepod contracts diff` says what a newer version changes and ends with what that means for its number."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from contracts import build, lock
from contracts.demands import contracts, r4
from tests.shared.cli.conftest import Command

TASK = "https://carepod.example/fhir/StructureDefinition/message-question"


def written(path: Path, table: dict[str, Any]) -> Path:
    path.write_bytes(gzip.compress(json.dumps(table).encode()))
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The compiled table as it is checked in."""
    return written(tmp_path / "old.json.gz", build.read())


def test_one_version_beside_itself_has_no_change(carepod: Command, old: Path, tmp_path: Path) -> None:
    locked = tmp_path / "lock.json"
    locked.write_text(lock.text(contracts(build.read(), r4())))
    for one, other in ((old, old), (locked, old), (old, locked)):
        result = carepod("contracts", "diff", one, other)
        assert (result.exit_code, result.output) == (0, "")


def test_a_change_that_breaks_someone_is_exit_1(carepod: Command, old: Path, tmp_path: Path) -> None:
    table = build.read()
    note = next(e for e in table["structures"][TASK]["elements"] if e["path"] == "Task.note")
    note["min"] = 1
    new = written(tmp_path / "new.json.gz", table)
    result = carepod("contracts", "diff", old, new)
    assert (result.exit_code, result.stdout) == (1, f"{TASK} Task.note: tightened: min 0 -> 1\n")
    back = carepod("contracts", "diff", "--json", new, old)
    assert back.exit_code == 1
    assert json.loads(back.stdout) == {
        "profile": TASK, "element": "Task.note", "kind": "loosened", "said": "min 1 -> 0"
    }  # fmt: skip


def test_something_more_breaks_nobody(carepod: Command, old: Path, tmp_path: Path) -> None:
    table = build.read()
    table["structures"][f"{TASK}-2"] = {**table["structures"][TASK], "url": f"{TASK}-2"}
    result = carepod("contracts", "diff", old, written(tmp_path / "new.json.gz", table))
    assert (result.exit_code, result.stdout) == (0, f"{TASK}-2: adds: a new definition\n")


def test_a_file_that_cannot_be_read_is_exit_2(carepod: Command, old: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"resourceType": "Patient"}')
    for file in (tmp_path / "absent.json", other, tmp_path):
        for pair in ((old, file), (file, old)):
            result = carepod("contracts", "diff", *pair)
            assert (result.exit_code, result.stdout) == (2, "")
            assert str(file) in result.stderr
    assert carepod("contracts").exit_code == 2
