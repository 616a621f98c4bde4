"""A whole Carepod on SQLite behind ASGI, with registered clients whose tokens are real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared import app as composition
from shared.fhir.profiles import r4
from shared.settings import Referrer, Settings
from shared.web.app import create_app
from tests.shared.web.stack import Carepod, Client, built


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(folder=tmp_path, secrets=tmp_path / "secrets", base_url="http://carepod.test")


@pytest.fixture
async def carepod(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Carepod]:
    monkeypatch.setattr(composition, "Validator", r4)
    app = await built(settings, {"office": Referrer("office", "Front office", sees_all=True)})
    transport = httpx.ASGITransport(create_app(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://spoofed.example") as http:
        yield Carepod(app, http)
    await app.stop()


@pytest.fixture
def client(carepod: Carepod) -> Client:
    """The EHR that pushes referrals."""
    return carepod.client()
