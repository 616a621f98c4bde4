"""The worlds the runtime is tried in: on SQLite always, on PostgreSQL where there are engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared import refused
from tests.shared.world import World, postgres_world, sqlite_world


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.engines)])
def engine(request: pytest.FixtureRequest) -> str | None:
    """The address of PostgreSQL, or None for SQLite."""
    return request.getfixturevalue("database_url") if request.param == "postgres" else None


@pytest.fixture
async def world(engine: str | None, tmp_path: Path) -> AsyncIterator[World]:
    """A world on each engine, empty."""
    async with postgres_world(engine) if engine else sqlite_world(tmp_path) as world:
        yield world


@pytest.fixture
def asking(world: World) -> World:
    """beta declares what it saves and reads, the question among it."""
    world.profiles = {"Claim": "claim|1.0", refused.KIND: refused.PROFILE}
    world.reads = {"ServiceRequest": "order|1", "Task": "task|1"}
    return world
