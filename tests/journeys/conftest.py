"""A deployment in each mode: everything in one process with nothing installed, and a process each on the engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from benchmarks.disturbed import Deployment
from benchmarks.engines import Engines
from benchmarks.harness import fresh
from shared.settings import ROOT


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


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)]
)
async def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A started deployment in either mode that a module's tests share; each takes patients of its own.

    A module's `practice(site, deployment)`, if it has one, changes the demo's site file for its tests. Such a module is
    marked `pytest.mark.asyncio(loop_scope="module")`.
    """
    folder = tmp_path_factory.mktemp(request.param)
    async with AsyncExitStack() as stack:
        engines = request.param == "deployed" and request.getfixturevalue("engines")
        addresses = await stack.enter_async_context(fresh(engines)) if engines else {}
        made = Deployment(folder, addresses)
        changed = getattr(request.module, "practice", None)
        made.site_file = site_file_of(folder / "site.yaml", lambda site: changed(site, made) if changed else None)
        stack.push_async_callback(made.stop)
        await made.start()
        yield made


def site_file_of(path: Path, changed: Callable[[dict[str, Any]], None]) -> Path:
    """The demo's site file, changed."""
    document = yaml.safe_load((ROOT / "deploy" / "sites" / "demo.yaml").read_text(encoding="utf-8"))
    changed(document)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture(params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """A deployment in either mode."""
    made: Deployment = request.getfixturevalue(request.param)
    return made
