"""`carepod serve` and `carepod demo` as real processes: asked to stop under load, and the nine referrals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.harness import free_port
from shared.cli.push import Sender
from shared.settings import ROOT
from shared.smart.keys import key_file
from tests.shared.cli.conftest import Command
from tests.shared.web.stack import referral, renamed

pytestmark = pytest.mark.slow


@pytest.fixture
def port() -> int:
    return free_port()


class Process:
    """`carepod serve` on a folder."""

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "CAREPOD_FOLDER": str(folder), "CAREPOD_BASE_URL": self.url, "CAREPOD_PARTNERS_URL": "http://127.0.0.1:9",
        }  # fmt: skip
        command = [sys.executable, "-m", "services", "serve", "--port", str(port)]
        with log.open("ab") as file:
            self.popen = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=ROOT)

    def ready(self) -> Process:
        limit = time.monotonic() + 60
        while not self._is_ready():
            assert self.popen.poll() is None
            assert time.monotonic() < limit, "not ready within a minute"
            time.sleep(0.05)
        return self

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def serving(environment: Path, clinic: Path, port: int, tmp_path: Path) -> Iterator[Process]:
    process = Process(environment, port, tmp_path / "serve.log").ready()
    yield process
    process.popen.kill()
    process.popen.wait()


async def _pushed_until_stopped(process: Process, key: Path) -> tuple[list[int], list[str], list[str]]:
    """Eight clients push patient after patient; SIGTERM comes amid. Statuses, failures, and the Tasks acknowledged."""
    statuses: list[int] = []
    failures: list[str] = []
    tasks: list[str] = []
    senders = [Sender(process.url, "mercy-ehr", key_file(key)) for _ in range(8)]
    for sender in senders:
        await sender.get("Task")

    async def work(number: int, sender: Sender) -> None:
        for n in range(1000):
            body = json.dumps(renamed(referral(), f"-{number}-{n}")).encode()
            try:
                pushed = await sender.post("x", body)
            except httpx.ConnectError:
                return  # not taken: the listener is closed, the client goes to another process
            except httpx.TransportError as error:
                failures.append(type(error).__name__)
                return
            statuses.append(pushed.status)
            tasks.extend(place for place in pushed.locations if place.startswith("Task/"))

    works = [asyncio.create_task(work(number, sender)) for number, sender in enumerate(senders)]
    await asyncio.sleep(1.5)
    process.popen.send_signal(signal.SIGTERM)
    await asyncio.wait_for(asyncio.gather(*works), 40)
    for sender in senders:
        await sender.close()
    return statuses, failures, tasks


async def test_asked_to_stop_under_load_it_fails_no_request_and_loses_nothing(
    serving: Process, clinic: Path, carepod: Command, tmp_path: Path
) -> None:
    statuses, failures, tasks = await _pushed_until_stopped(serving, clinic)
    code = await asyncio.to_thread(serving.popen.wait, 40)
    log = (tmp_path / "serve.log").read_text()
    assert code in (0, -signal.SIGTERM, 128 + signal.SIGTERM), log
    assert failures == [], log
    assert set(statuses) == {200}
    assert "Traceback" not in log
    assert len(tasks) == len(statuses) > 0
    for task in tasks:
        assert (await asyncio.to_thread(carepod, "trace", task)).exit_code == 0


def test_the_demo_ends_with_a_report_of_nine_outcomes(carepod: Command, tmp_path: Path, port: int) -> None:
    report, folder = tmp_path / "report.json", tmp_path / "demo"
    command = ["demo", "--once", "--report", str(report), "--port", str(port), "--folder", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "services", *command], cwd=ROOT, capture_output=True, text=True, timeout=75, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(report.read_text())
    outcomes = {r["file"].removesuffix(".json"): r["outcome"] for r in found["referrals"]}
    assert outcomes == {
        "iron-meets-criteria": "scheduled",
        "iron-criteria-not-met": "needs-information",
        "infliximab-pended": "scheduled",
        "denied": "not-authorized",
        "incomplete": "needs-information",
        "duplicate": "duplicate",
        "broken": "invalid",
        "opat-vancomycin-home": "scheduled",
        "ivig-pidd-medicare-home": "scheduled",
    }
    keys = {"file", "http_status", "outcome", "reasons", "authorization", "appointments", "open_tasks", "seconds"}
    assert all(set(r) == keys for r in found["referrals"])
    assert found["messages"]["parked"] == 0
    assert found["messages"]["sent"] > 0
    for outcome in set(outcomes.values()):
        assert outcome in done.stdout
