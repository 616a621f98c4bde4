"""Every command ends with the exit code its help names, and says what is wrong and what would be right."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.cli.common import errors, failed, out, say
from shared.footing import folder_lock
from shared.settings import ROOT
from shared.smart.clients import OURSELVES
from tests.shared.cli.conftest import Command

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "contracts" / "examples" / "referrals"
GOOD = EXAMPLES / "iron-meets-criteria.json"


def one_line(text: str) -> str:
    return " ".join(text.split())


# Help and version


def test_the_help_names_every_command_and_exit_code(carepod: Command) -> None:
    said = one_line(carepod("--help").stdout)
    looking = ("trace", "undelivered", "parked", "quarantine", "digest")
    for word in (
        "serve",
        "demo",
        "push",
        "validate",
        *looking,
        "resend",
        "backfill",
        "restored",
        "migrate",
        "topology",
    ):
        assert word in said
        assert carepod(word, "--help").exit_code == 0
    assert "Exit codes: 0 done; 1" in said
    assert "3 an engine or server does not answer" in said
    assert carepod("nonsense").exit_code == 2


def test_the_version_is_the_distributions(carepod: Command) -> None:
    result = carepod("version")
    assert (result.exit_code, result.stdout.strip()) == (0, importlib.metadata.version("carepod"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAREPOD_PARTITIONS", "many"),
        ("CAREPOD_SITE", "/nowhere/site.yaml"),
        ("CAREPOD_PEERS", "intake"),
    ],
)
def test_a_wrong_setting_is_named(carepod: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    result = carepod("migrate")
    assert result.exit_code == 2
    assert name in result.stderr or value in result.stderr


# validate


# migrate, topology, clients


def test_migrating_twice_changes_nothing(carepod: Command, environment: Path) -> None:
    assert carepod("migrate").exit_code == 0
    tables = _tables(environment / "intake.db")
    assert carepod("migrate").exit_code == 0
    assert _tables(environment / "intake.db") == tables
    assert len(tables) > 10


def _tables(path: Path) -> list[Any]:
    with sqlite3.connect(path) as connection:
        return connection.execute("select name, sql from sqlite_master order by name").fetchall()


def test_an_engine_that_does_not_answer_is_exit_3(carepod: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("CAREPOD_DATABASE_URL", f"postgresql://user:hidden@127.0.0.1:{port}/x")
    monkeypatch.setenv("CAREPOD_AMQP_URL", f"amqp://user:hidden@127.0.0.1:{port}/x")
    for command in (("migrate",), ("topology",), ("parked",), ("trace", "in-1"), ("serve", "--port", "0")):
        result = carepod(*command)
        assert result.exit_code == 3, (command, result.output)
        assert "hidden" not in result.output
        assert "Traceback" not in result.output


def test_topology_needs_a_broker(carepod: Command) -> None:
    result = carepod("topology")
    assert result.exit_code == 2
    assert "CAREPOD_AMQP_URL" in result.stderr


def test_a_key_is_made_once_and_only_its_public_half_is_shown(carepod: Command, tmp_path: Path) -> None:
    key = tmp_path / "k" / "ehr.pem"
    first = carepod("clients", "key", key)
    assert (first.exit_code, carepod("clients", "key", key).stdout) == (0, first.stdout)
    assert "d" not in json.loads(first.stdout)["keys"][0]
    other = tmp_path / "other.pem"
    other.write_text("no key")
    assert carepod("clients", "key", other).exit_code == 2


@pytest.mark.parametrize(("change", "words"), [
    (["bad id"], "client id"), ([OURSELVES], "client id"), (["ehr", "--scopes", "patient/*.rs"], "scope"),
    (["ehr", "--scopes", ""], "scope"), (["ehr", "--name", "two\nlines"], "name"),
])  # fmt: skip
def test_a_client_that_cannot_be_registered_is_told_why(
    carepod: Command, tmp_path: Path, change: list[str], words: str
) -> None:
    jwks = tmp_path / "jwks.json"
    jwks.write_text(carepod("clients", "key", tmp_path / "k.pem").stdout)
    result = carepod("clients", "add", *change, "--jwks", jwks)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("content", [None, "", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'])
def test_keys_that_prove_nothing_are_refused(carepod: Command, tmp_path: Path, content: str | None) -> None:
    jwks = tmp_path / "jwks.json"
    if content is not None:
        jwks.write_text(content)
    result = carepod("clients", "add", "ehr", "--jwks", jwks)
    assert result.exit_code == 2
    assert "jwks" in result.stderr
    assert "c2VjcmV0" not in result.output


# Looking at what there is


def test_looking_where_nothing_has_run_makes_nothing(carepod: Command, environment: Path) -> None:
    quarantined = (("quarantine",), ("quarantine", "--body", "x"))
    repairs = (("resend",), ("backfill", "nursing"), ("restored", "nursing"), ("digest",), ("parked", "replay", "x"))
    for command in (("trace", "in-1"), ("parked",), ("undelivered",), *quarantined, *repairs):
        result = carepod(*command)
        assert result.exit_code == 2, command
        assert "CAREPOD_FOLDER" in result.stderr
    assert not environment.exists() or {f.name for f in environment.iterdir()} <= {"lock"}


def test_an_empty_carepod_has_nothing_to_show(carepod: Command) -> None:
    carepod("migrate")
    assert (carepod("parked").exit_code, carepod("parked").stdout.strip()) == (0, "nothing is parked")
    assert (carepod("undelivered").exit_code, carepod("undelivered").stdout.strip()) == (0, "everything has arrived")
    assert (carepod("quarantine").exit_code, carepod("quarantine").stdout) == (0, "")
    assert "drift" in carepod("digest").stdout
    assert carepod("resend").stdout.splitlines()[0] == "intake: 0 messages sent again"
    assert carepod("backfill", "nursing").stdout.splitlines() == [
        f"{owner}: 0 messages to nursing, 0 resources" for owner in ("intake", "auth", "scheduling")
    ]
    assert carepod("quarantine", "--body", "x").exit_code == 1
    assert carepod("trace", "in-1").exit_code == 1


def test_what_is_parked_is_shown_with_its_reason(carepod: Command, environment: Path) -> None:
    carepod("migrate")
    with sqlite3.connect(environment / "auth.db") as connection:
        connection.execute(
            "insert into inbox (id, producer, lane, seq, reason, status, attempt, problem, received_at, headers, body) "
            "values ('m-1', 'intake', 'l', 1, 'r', 'parked', 6, 'KeyError rules.py:7', '2026-11-21', '{}', '')"
        )
        connection.execute(
            "insert into outbox (id, lane, seq, partition, reason, keys, headers, body, created_at, problem) "
            "values ('m-2', 'l', 1, 0, 'benefit-asked', '[]', '{}', '', '2026-11-21T00:00:00Z', 'unroutable')"
        )
    result = carepod("parked")
    assert result.exit_code == 1
    said = result.stdout
    assert "auth: message m-1" in said
    assert "KeyError rules.py:7 (intake, 6 attempts)" in said
    assert "auth: unsent m-2" in said


def test_a_parked_message_is_put_back_and_what_cannot_be_read_is_not(carepod: Command, environment: Path) -> None:
    carepod("migrate")
    columns = "(id, producer, lane, seq, reason, status, attempt, next_at, problem, received_at, headers, body)"
    with sqlite3.connect(environment / "auth.db") as connection:
        for id_, lane, status in (("m-1", "patient/1", "parked"), ("m-2", "", "parked"), ("m-3", "patient/1", "done")):
            row = (id_, "intake", lane, 1, "r", status, 6, "", "profile", "2026-11-21", "{}", "")
            connection.execute(f"insert into inbox {columns} values ({', '.join('?' * 12)})", row)
    assert [carepod("parked", "--retry", id_).exit_code for id_ in ("m-1", "m-2", "m-3", "m-4")] == [0, 1, 1, 1]
    with sqlite3.connect(environment / "auth.db") as connection:
        found = dict(connection.execute("select id, status from inbox").fetchall())
    assert found == {"m-1": "retry", "m-2": "parked", "m-3": "done"}


def test_a_line_of_a_result_is_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    text = "word " * 100 + "[bold]not markup[/bold]"
    say(text)
    failed(2, text)
    assert out.is_terminal is errors.is_terminal is False
    captured = capsys.readouterr()
    assert captured.out.splitlines() == captured.err.splitlines() == [text]


# Serving and the demo: what is wrong before anything runs


def test_a_port_that_is_taken_is_exit_2(carepod: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = carepod("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "--port" in result.stderr
    assert carepod("serve", "--port", "99999").exit_code == 2
    assert carepod("serve", "--host", "203.0.113.7", "--port", "0").exit_code == 2


def test_one_service_alone_needs_engines_and_an_unknown_one_is_named(carepod: Command) -> None:
    alone = carepod("serve", "intake", "--port", "0")
    assert alone.exit_code == 2
    assert "CAREPOD_DATABASE_URL" in alone.stderr
    unknown = carepod("serve", "billing", "--port", "0")
    assert unknown.exit_code == 2
    assert "intake" in unknown.stderr


def test_the_demo_empties_no_folder_but_its_own(carepod: Command, tmp_path: Path) -> None:
    precious = tmp_path / "home"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    result = carepod("demo", "--once", "--folder", precious)
    assert result.exit_code == 2
    assert (precious / "thesis.txt").read_text() == "years"


def test_the_demo_leaves_a_running_one_alone(carepod: Command, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with folder_lock(folder):
        (folder / "intake.db").write_text("running")
        result = carepod("demo", "--once", "--folder", folder)
        assert result.exit_code == 2
        assert "in use" in result.stderr
        assert (folder / "intake.db").exists()


# push


def test_pushing_what_cannot_be_tried_is_exit_2(carepod: Command, clinic: Path, tmp_path: Path) -> None:
    where = ["--to", "http://127.0.0.1:9", "--client", "mercy-ehr"]
    assert carepod("push", tmp_path / "absent.json", *where, "--key", clinic).exit_code == 2
    assert carepod("push", GOOD, *where, "--key", tmp_path / "absent.pem").exit_code == 2
    assert not (tmp_path / "absent.pem").exists()
    assert carepod("push", GOOD, *where, "--key", GOOD).exit_code == 2
    assert carepod("push", GOOD, "--to", "127.0.0.1", "--client", "x", "--key", clinic).exit_code == 2


def test_pushing_where_nobody_answers_is_exit_3(carepod: Command, clinic: Path) -> None:
    result = carepod("push", GOOD, "--to", "http://127.0.0.1:9", "--client", "mercy-ehr", "--key", clinic)
    assert result.exit_code == 3
    assert "no answer" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_a_referral_is_pushed_traced_and_a_refused_one_is_in_quarantine(
    carepod: Command, served: str, clinic: Path, referral_file: Callable[..., Path]
) -> None:
    to = ["--to", served, "--client", "mercy-ehr", "--key", clinic]
    good = carepod("push", referral_file(), *to)
    assert good.exit_code == 0, good.output
    assert good.stdout.startswith("referral.json: 200 Patient/in-")
    task = good.stdout.split()[-1]
    assert task.startswith("Task/in-")

    def broken(bundle: dict[str, Any]) -> None:
        bundle["entry"][0]["resource"]["gender"] = "banana"

    refused = carepod("push", referral_file(broken, "broken.json"), referral_file(), *to)
    assert refused.exit_code == 1
    assert refused.stdout.splitlines()[0] == "broken.json: 422 "
    assert "Bundle.entry[0].resource.gender: code-invalid" in refused.stdout
    assert "referral.json: 200" in refused.stdout
    stranger = carepod("push", referral_file(), "--to", served, "--client", "nobody", "--key", clinic)
    assert stranger.exit_code == 3

    listed = carepod("quarantine").stdout.splitlines()
    assert len([line for line in listed if "POST /fhir" in line]) == 1
    item = listed[0].split()[0]
    assert "mercy-ehr" in listed[0]
    body = carepod("quarantine", "--body", item)
    assert json.loads(body.stdout)["entry"][0]["resource"]["gender"] == "banana"

    _traced(carepod, task)


def _traced(carepod: Command, task: str) -> None:
    for named in (task, task.partition("/")[2], f"http://x.example/fhir/{task}/_history/1-1", "REF-2026-104417"):
        told = carepod("trace", named, "--json")
        assert told.exit_code == 0, named
    steps = [json.loads(line) for line in told.stdout.splitlines()]
    first = steps[0]
    assert (first["service"], first["event"], first["source"]) == ("intake", "referral-received", "mercy-ehr")
    assert first["message"]
    assert any(task in saved for saved in first["saves"])
    assert steps == sorted(steps, key=lambda s: s["at"])
    text = carepod("trace", task).stdout
    for step in steps[:1]:
        assert f"{step['at']}  {step['service']}: {step['reason']}" in text
        assert step["message"] in text
        for name in ("evidence", "saves", "refusals"):
            assert all(value in text for value in step[name])
