"""The stand-ins as they run: over real sockets, mounted under a prefix, by their own timers, killed and restarted."""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from benchmarks.harness import free_port
from partners.__main__ import _parser, application, main
from partners.app import create_app
from partners.arrangements import ArrangementError, arrangements
from partners.keys import own_key, private_key
from partners.store import Store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SUBMIT = "/payer/prairie-health/Claim/$submit"


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The app on a real socket; yields its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="critical", lifespan="on"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def test_a_connection_is_cut_after_the_claim_is_stored(tmp_path: Path, case: Any) -> None:
    app = create_app(tmp_path, "http://127.0.0.1:9", debug=True)
    async with served(app) as address, httpx.AsyncClient(base_url=address) as http:
        order = {"operation": "submit", "kind": "disconnect-after-store"}
        await http.post("/payer/prairie-health/debug/fail", json=order)
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(SUBMIT, json=case.bundle())
        found = await http.post("/payer/prairie-health/Claim/$inquire", json=case.bundle())
        assert found.json()["entry"][0]["resource"]["resourceType"] == "ClaimResponse"


async def test_a_connection_cut_before_storing_leaves_nothing(tmp_path: Path, case: Any) -> None:
    app = create_app(tmp_path, "http://127.0.0.1:9", debug=True)
    async with served(app) as address, httpx.AsyncClient(base_url=address) as http:
        order = {"operation": "submit", "kind": "disconnect-before-store"}
        await http.post("/payer/prairie-health/debug/fail", json=order)
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(SUBMIT, json=case.bundle())
        assert (await http.get("/payer/prairie-health/debug/claims")).json() == []


async def test_mounted_in_the_practices_own_app_it_tells_by_itself(tmp_path: Path, case: Any) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    practice = FastAPI()

    @practice.post("/notifications/pas/{payer}")
    async def notified(payer: str) -> None:
        heard.put_nowait(payer)

    async with served(practice) as address:
        app = create_app(tmp_path, address, address=address + "/partners", debug=True)
        practice.mount("/partners", app)
        app.state.partners.start()
        async with httpx.AsyncClient(base_url=address + "/partners") as http:
            await http.post(SUBMIT, json=case.infliximab().bundle())
            await http.post("/payer/prairie-health/debug/release/claim-1")
        assert await asyncio.wait_for(heard.get(), 30) == "prairie-health"
        await app.state.partners.stop()


async def test_a_prefix_moves_every_route(tmp_path: Path) -> None:
    app = application(_parser().parse_args(["--prefix", "/partners", "--folder", str(tmp_path)]))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as http:
        assert (await http.get("/partners/pharmacy/.well-known/jwks.json")).status_code == 200
        assert (await http.get("/pharmacy/.well-known/jwks.json")).status_code == 404
    await app.state.partners.stop()


async def test_the_command_can_change_how_long_things_take(tmp_path: Path) -> None:
    arguments = ["--release-after", "0.5", "--lead-time", "7", "--folder", str(tmp_path)]
    app = application(_parser().parse_args(arguments))
    partners = app.state.partners
    assert partners.payers["prairie-health"]._release_after.total_seconds() == 0.5
    assert partners.pharmacy._lead_time.total_seconds() == 7
    await partners.stop()


def test_a_wrong_arrangements_file_ends_the_command_with_2(tmp_path: Path, capsys: Any) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("payers: {}\n")
    assert main(["--arrangements", str(wrong), "--folder", str(tmp_path)]) == 2
    assert "wrong.yaml" in capsys.readouterr().err
    with pytest.raises(ArrangementError):
        arrangements("http://x", tmp_path / "absent.yaml")


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key.pem"
    first, second = own_key(path), own_key(path)
    assert first.private_numbers() == second.private_numbers()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="PEM"):
        private_key(b"no key")


def test_every_commit_is_on_the_disk(tmp_path: Path, start: Any) -> None:
    store = start().partners.stores[0]
    assert [store.row(f"PRAGMA {p}")[0] for p in ("journal_mode", "synchronous")] == ["wal", 2]
    with pytest.raises(sqlite3.IntegrityError):
        _add_twice(store)
    assert store.count("a") == 1


def _add_twice(store: Store) -> None:
    with store.transaction():
        for _ in range(2):
            store.run("INSERT INTO counter VALUES ('a', 1)")


def test_the_stand_ins_share_no_code_with_carepod() -> None:
    for path in (ROOT / "partners").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imported = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
        imported |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
        assert not {i for i in imported if i.split(".")[0] in {"shared", "services"}}, path


@contextmanager
def process(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "partners", "--port", str(port), "--folder", str(folder), "--debug"]
    running = subprocess.Popen([*command, "--carepod", "http://127.0.0.1:9"], cwd=ROOT)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def reached(http: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            http.get("/pharmacy/.well-known/jwks.json").raise_for_status()
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.mark.slow
def test_a_killed_process_still_knows_its_claims(tmp_path: Path, case: Any) -> None:
    port = free_port()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        with process(tmp_path, port) as first:
            reached(http)
            answer = http.post(SUBMIT, json=case.bundle())
            assert answer.status_code == 200
            os.kill(first.pid, signal.SIGKILL)
        with process(tmp_path, port):
            reached(http)
            assert http.post(SUBMIT, json=case.bundle()).json() == answer.json()
            claims = http.get("/payer/prairie-health/debug/claims").json()
            assert [(c["number"], c["received"]) for c in claims] == [("PH0000001", 2)]
