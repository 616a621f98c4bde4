"""`carepod validate` tells every issue of every resource with its place, whatever it is given to read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shared.cli import validate
from shared.cli.validate import checked, files_of
from shared.fhir.outcomes import Issue
from shared.settings import ROOT
from tests.shared.cli.conftest import Command

REFERRALS = ROOT / "contracts" / "examples" / "referrals"
GOOD = REFERRALS / "iron-meets-criteria.json"
MESSAGE_QUESTION = "https://carepod.example/fhir/StructureDefinition/message-question"
LINE = '{"resourceType": "Patient", "active": true}'
WRONG = '{"resourceType": "Patient", "gender": "banana", "birthDate": "2024-02-30"}'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file."""

    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def reading(path: Path) -> list[validate.Checked]:
    """What is found where a resource is right unless it says `wrong`."""

    def check(resource: dict[str, Any]) -> list[Issue]:
        return [Issue("value", "Patient.wrong", "is wrong")] if resource.get("wrong") else []

    return list(checked(path, check))


# What is told


def test_valid_resources_are_only_counted(carepod: Command) -> None:
    result = carepod("validate", GOOD, REFERRALS / "denied.json")
    assert (result.exit_code, result.stdout) == (0, "2 valid, 0 invalid\n")


def test_an_issue_is_one_line_with_its_place_and_no_value(carepod: Command, write: Write) -> None:
    wrong = write("wrong.json", WRONG)
    result = carepod("validate", GOOD, wrong)
    first, second, count = result.stdout.splitlines()
    assert (result.exit_code, count) == (1, "1 valid, 1 invalid")
    assert first.startswith(f"{wrong}: error code-invalid Patient.gender: ")
    assert second.startswith(f"{wrong}: error value Patient.birthDate: ")
    assert "banana" not in result.output
    assert "2024" not in result.output


def test_a_line_of_ndjson_is_named(carepod: Command, write: Write) -> None:
    file = write("patients.ndjson", f"{LINE}\r\n\r\n{WRONG}\r\n{LINE}")
    result = carepod("validate", file)
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[-1]) == (1, "2 valid, 1 invalid")
    assert [line.partition(": ")[0] for line in lines[:-1]] == [f"{file}:3"] * 2


def test_results_as_json_are_an_outcome_for_each_resource(carepod: Command, write: Write) -> None:
    file = write("patients.ndjson", f"{LINE}\n{WRONG}\n{{")
    result = carepod("validate", "--json", GOOD, file)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 2
    assert [(f["file"], f.get("line")) for f in found] == [
        (str(GOOD), None), (str(file), 1), (str(file), 2), (str(file), 3)
    ]  # fmt: skip
    assert {f["outcome"]["resourceType"] for f in found} == {"OperationOutcome"}
    assert [i["expression"] for i in found[2]["outcome"]["issue"]] == [["Patient.gender"], ["Patient.birthDate"]]


def test_a_warning_is_told_and_makes_nothing_invalid() -> None:
    found = validate.Checked("f", 0, (Issue("value", "a.b", "odd", "warning", "r-1", "p|1"),))
    assert found.valid
    assert list(found.lines()) == ["f: warning value a.b r-1 p|1: odd"]


def test_nothing_a_file_says_leaves_its_line() -> None:
    found = validate.Checked("a\nb", 2, (Issue("value", "", "x", profile="p\x1b[31m\u2028"),))
    assert list(found.lines()) == ["a?b:2: error value p?[31m?: x"]


# Profiles and packages


def test_a_profile_asked_for_has_to_be_met(carepod: Command, write: Write) -> None:
    task = write("task.json", '{"resourceType": "Task", "status": "requested", "intent": "order"}')
    assert carepod("validate", task).exit_code == 0
    result = carepod("validate", task, "--profile", MESSAGE_QUESTION)
    assert result.exit_code == 1
    assert f" required Task.code {MESSAGE_QUESTION}|1." in result.stdout
    assert carepod("validate", task, "--profile", f"{MESSAGE_QUESTION}|1").stdout == result.stdout


def test_a_profile_claimed_has_to_be_met(carepod: Command, write: Write) -> None:
    task = {"resourceType": "Task", "status": "requested", "intent": "order", "meta": {"profile": [MESSAGE_QUESTION]}}
    entry = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": task}]}
    for name, resource, place in (("t", task, "Task.code"), ("b", entry, "Bundle.entry[0].resource.code")):
        result = carepod("validate", write(f"{name}.json", json.dumps(resource)))
        assert result.exit_code == 1
        assert f" required {place} {MESSAGE_QUESTION}|1." in result.stdout


def test_a_profile_claimed_that_is_not_known_is_told_and_no_fault(carepod: Command, write: Write) -> None:
    stranger = write("s.json", '{"resourceType": "Patient", "meta": {"profile": ["http://example.com/stranger"]}}')
    result = carepod("validate", stranger)
    assert result.exit_code == 0
    assert f"{stranger}: information not-found Patient.meta.profile" in result.stdout


@pytest.mark.parametrize("url", ["http://example.com/unknown", f"{MESSAGE_QUESTION}|7", "", "Nothing"])
def test_a_profile_asked_for_that_is_not_known_is_exit_2(carepod: Command, url: str) -> None:
    result = carepod("validate", GOOD, "--profile", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "not known here" in result.stderr


def test_a_package_that_is_none_is_exit_2(carepod: Command, write: Write, tmp_path: Path) -> None:
    for package in (write("p.tgz", b"no"), write("q.tgz", b"\x1f\x8b\x08"), tmp_path / "absent.tgz", tmp_path):
        result = carepod("validate", GOOD, "--package", package)
        assert (result.exit_code, result.stdout) == (2, "")
        assert str(package) in result.stderr


# What is read


def test_a_folder_is_read_in_order_and_nothing_hidden_in_it(write: Write, tmp_path: Path) -> None:
    for name in ("b.json", "a/c.ndjson", "a/.hidden.json", ".git/d.json", "a/e.txt", "f.JSON"):
        write(name, LINE)
    (tmp_path / "g.json").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in files_of(tmp_path)]
    assert found == ["a/c.ndjson", "b.json", "f.JSON"]
    assert files_of(tmp_path / "a" / "e.txt") == [tmp_path / "a" / "e.txt"]


UNREADABLE = {
    "absent.json": None,
    "empty.json": b"",
    "empty.ndjson": b"",
    "blank.ndjson": b"\n\r\n \n",
    "blank.json": b" \n",
    "open.json": b"{",
    "bom.json": b"\xef\xbb\xbf" + LINE.encode(),
    "binary.json": bytes(range(256)),
    "utf16.json": LINE.encode("utf-16"),
    "array.json": f"[{LINE}]".encode(),
    "two.json": f"{LINE}\n{LINE}".encode(),
    "deep.json": b"[" * 100_000,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_resource_is_unreadable(write: Write, tmp_path: Path, name: str) -> None:
    if (content := UNREADABLE[name]) is not None:
        write(name, content)
    (found,) = reading(tmp_path / name)
    assert not found.read
    assert not found.valid
    (line,) = found.lines()
    assert line.startswith(f"{tmp_path / name}")


def test_what_is_unreadable_counts_over_what_is_wrong(carepod: Command, write: Write, tmp_path: Path) -> None:
    result = carepod("validate", write("wrong.json", WRONG), tmp_path / "absent.json", GOOD)
    assert result.exit_code == 2
    assert result.stdout.splitlines()[-1] == "1 valid, 1 invalid, 1 unreadable"
    assert f"{tmp_path / 'absent.json'}: fatal not-found: No such file or directory" in result.stdout
    assert carepod("validate").exit_code == 2


def test_a_folder_without_json_is_unreadable(carepod: Command, tmp_path: Path) -> None:
    result = carepod("validate", tmp_path)
    assert result.exit_code == 2
    assert "no JSON in this folder" in result.stdout


def test_json_that_is_no_legal_resource_is_invalid(write: Write) -> None:
    doubled = '{"resourceType": "Patient", "active": true, "active": false}'
    for body in (doubled, '{"resourceType": "Patient", "wrong": NaN}', '{"resourceType": "Patient", "wrong": true}'):
        (found,) = reading(write("x.json", body))
        assert (found.read, found.valid) == (True, False)


def test_a_file_that_vanishes_is_told_and_the_rest_is_read(write: Write) -> None:
    first, second = write("1.json", LINE), write("2.json", LINE)
    second.unlink()
    assert [found.read for path in (second, first) for found in reading(path)] == [False, True]


def test_a_line_too_long_is_refused_and_the_next_one_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "LIMIT", 100)
    long = json.dumps({"resourceType": "Patient", "id": "x" * 1000})
    exact = LINE + " " * (100 - len(LINE))
    found = reading(write("big.ndjson", f"{long}\n{exact}\n{exact} \n{LINE}\n{long}"))
    assert [(f.line, f.valid, [i.code for i in f.issues]) for f in found] == [
        (1, False, ["too-long"]), (2, True, []), (3, False, ["too-long"]), (4, True, []), (5, False, ["too-long"]),
    ]  # fmt: skip
    assert [i.code for f in reading(write("big.json", long)) for i in f.issues] == ["too-long"]


class Endless:
    """A binary file that counts what is held of it at once."""

    def __init__(self, lines: int) -> None:
        self.left = lines

    def readline(self, size: int) -> bytes:
        self.left -= 1
        return f"{LINE}\n".encode() if self.left >= 0 else b""


def test_ndjson_is_read_line_by_line() -> None:
    file = Endless(1000)
    bodies: Iterator[tuple[int, bytes, int]] = validate._bodies(file, True)  # type: ignore[arg-type]
    assert next(bodies) == (1, LINE.encode(), len(LINE) + 1)
    assert file.left == 999
    assert sum(1 for _ in bodies) == 999


def test_a_name_that_is_no_utf_8_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"p\xff.json")
    path.write_text("{")
    (found,) = reading(path)
    assert found.file == f"{tmp_path}/p\ufffd.json"
    assert json.loads(found.json())["file"] == found.file


def test_results_stay_apart_from_the_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as err, (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(validate, "errors", Console(file=err, force_terminal=True))
        monkeypatch.setattr(validate, "out", Console(file=out))
        for found in validate._shown([GOOD], lambda _: [Issue("value", "x", "is wrong")]):
            for line in found.lines():
                validate._tell(line)
    assert (tmp_path / "out").read_text() == f"{GOOD}: error value x: is wrong\n"
    assert "checking" in (tmp_path / "err").read_text()
    assert "is wrong" not in (tmp_path / "err").read_text()
