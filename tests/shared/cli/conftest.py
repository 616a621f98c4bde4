"""The command line on a folder of its own, and a Carepod served from it by a real HTTP server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from partners.app import create_app as partners_app
from services import declared
from shared.app import build
from shared.cli import command_line
from shared.cli.serve import listening, server_of
from shared.settings import Settings, load_site
from shared.web.app import create_app
from tests.shared.web.stack import referral

Command = Callable[..., Result]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of a laptop with a folder of its own."""
    for name in ("DATABASE_URL", "AMQP_URL", "REDIS_URL", "SITE", "SECRETS", "PEERS", "BASE_URL"):
        monkeypatch.delenv(f"CAREPOD_{name}", raising=False)
    monkeypatch.setenv("CAREPOD_FOLDER", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def carepod(environment: Path) -> Command:
    """Runs `carepod ARGUMENTS`, without a terminal."""
    app, runner = command_line(declared, partners_app), CliRunner()
    return lambda *arguments: runner.invoke(app, [str(a) for a in arguments])


@pytest.fixture
def clinic(carepod: Command, tmp_path: Path) -> Path:
    """The private key of the registered client `mercy-ehr`."""
    key = tmp_path / "ehr.pem"
    jwks = tmp_path / "ehr.jwks"
    jwks.write_text(carepod("clients", "key", key).stdout)
    assert carepod("clients", "add", "mercy-ehr", "--jwks", jwks).exit_code == 0
    return key


class Served:
    """An embedded Carepod behind uvicorn, in a thread with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self._listener = listening("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._settings = Settings(folder=folder, secrets=folder / "secrets", base_url=self.url)
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run)
        self._started = threading.Event()

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._started.wait(20)
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(60)
        self._listener.close()
        assert not self._thread.is_alive(), "it does not stop"

    def _run(self) -> None:
        asyncio.run(self._served())

    async def _served(self) -> None:
        s = self._settings
        site = load_site(s.site_file, partners_url=s.partners_url, base_url=s.base_url)
        self._server = server_of(create_app(await build(declared(site), s, site)))
        self._started.set()
        await self._server.serve([self._listener])


@pytest.fixture
def served(environment: Path, clinic: Path) -> Iterator[str]:
    """The address of a running Carepod that knows the clinic."""
    with Served(environment) as running:
        yield running.url


@pytest.fixture
def referral_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a referral (changed by a function) to a file."""

    def write(change: Callable[[dict[str, Any]], None] = lambda _: None, name: str = "referral.json") -> Path:
        bundle = referral()
        change(bundle)
        (tmp_path / name).write_text(json.dumps(bundle))
        return tmp_path / name

    return write
