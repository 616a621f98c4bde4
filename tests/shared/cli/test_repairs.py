"""The commands that mend a loss say what they did, and what is wrong with what they were given."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from shared.cli.repair import moment
from shared.cli.undelivered import age
from shared.footing import folder_lock
from tests.shared.cli.conftest import Command

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 2, 14, tzinfo=UTC)


@pytest.mark.parametrize(("text", "at"), [
    ("90s", NOW - timedelta(seconds=90)), ("15m", NOW - timedelta(minutes=15)), ("2h", NOW - timedelta(hours=2)),
    ("30d", NOW - timedelta(days=30)), ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
])  # fmt: skip
def test_a_moment_is_an_age_or_an_instant(text: str, at: datetime) -> None:
    assert moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2 h", "-1h", "9999999d"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(typer.Exit) as refused:
        moment(text, NOW)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (172_800, "2d")])
def test_an_age_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    assert age(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("arguments", [
    ("resend", "billing"), ("resend", "--to", "billing"), ("resend", "--since", "soon"), ("backfill", "billing"),
    ("backfill", "nursing", "--from", "billing"), ("restored", "billing"), ("digest", "billing"),
    ("undelivered", "--over", "long"),
])  # fmt: skip
def test_what_is_not_there_is_named_with_what_would_be_right(carepod: Command, arguments: tuple[str, ...]) -> None:
    carepod("migrate")
    result = carepod(*arguments)
    assert result.exit_code == 2
    assert "would be right" in result.stderr


def test_a_running_carepod_is_not_restored(carepod: Command, environment: Path) -> None:
    carepod("migrate")
    with folder_lock(environment):
        result = carepod("restored", "nursing")
    assert result.exit_code == 2
    assert "in use" in result.stderr


def test_a_restore_without_a_loss_begins_an_epoch_and_says_so(carepod: Command, environment: Path) -> None:
    carepod("migrate")
    result = carepod("restored", "nursing")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "nursing: epoch 2; 0 versions, 0 messages came back"
    assert carepod("restored", "nursing", "--epoch", "7").stdout.startswith("nursing: epoch 7;")


def _with_loss(environment: Path) -> None:
    """auth has a parked delivery, and a copy of an Observation that intake does not have."""
    at = "2026-03-02T13:00:00.000000Z"
    with sqlite3.connect(environment / "auth.db") as connection:
        connection.execute(
            "insert into delivery (id, channel, resource, occurrence, lane, state, attempt, next_at, created_at, "
            f"problem) values ('d-1', 'payer', 'Claim/au-1', '1', 'patient/1', 'parked', 200, '{at}', '{at}', 'busy')"
        )
        connection.execute(
            "insert into resource (id, type, lane, owner, epoch, version, updated, body) "
            f"values ('in-1', 'Observation', 'patient/1', 'intake', 1, 3, '{at}', '{{}}')"
        )


def test_a_parked_delivery_is_replayed_once_however_often_it_is_said(carepod: Command, environment: Path) -> None:
    carepod("migrate")
    _with_loss(environment)
    told = carepod("undelivered")
    assert told.exit_code == 1
    assert "auth: delivery d-1" in told.stdout
    assert "Claim/au-1 to payer: parked: busy (200 attempts)" in told.stdout
    (line,) = carepod("undelivered", "--json").stdout.splitlines()
    assert json.loads(line)["since"] == "2026-03-02T13:00:00.000000Z"
    assert [carepod("parked", "replay", "d-1").exit_code for _ in range(2)] == [0, 1]
    with sqlite3.connect(environment / "auth.db") as connection:
        assert connection.execute("select state, attempt from delivery").fetchall() == [("in-doubt", 0)]


def test_drift_is_named_by_id_with_the_command_that_mends_it(carepod: Command, environment: Path) -> None:
    carepod("migrate")
    _with_loss(environment)
    told = carepod("digest", "auth", "--settle", "0")
    assert told.exit_code == 1
    assert "auth: 1 copies of intake, 1 drift" in told.stdout
    assert "Observation in-1: intake has none, auth 1-3: carepod restored intake" in told.stdout
    (line,) = carepod("digest", "--settle", "0", "--json").stdout.splitlines()
    assert json.loads(line)["id"] == "in-1"
