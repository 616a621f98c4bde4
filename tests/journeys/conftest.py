"""A deployment in each mode: everything in one process with nothing installed, and a process each on the engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.engines import Engines
from benchmarks.harness import fresh
from tests.journeys.deployment import Deployment


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment in one process, not yet started; stopped at the end."""
    made = Deployment(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def deployed(engines: Engines, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A process for each service on engines of its own, not yet started; stopped at the end."""
    async with fresh(engines) as addresses:
        made = Deployment(tmp_path, addresses)
        yield made
        await made.stop()


@pytest.fixture(params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """A deployment in either mode."""
    made: Deployment = request.getfixturevalue(request.param)
    return made
