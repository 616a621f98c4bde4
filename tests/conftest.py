"""What tests of real engines stand on: a database, a RabbitMQ vhost and a Redis database of each module's own."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import hypothesis
import pytest
import redis

from benchmarks.engines import Engines, EnginesError
from contracts.conformance.fetch import CASES
from shared.fhir.json import decode_own
from shared.store import texts

# Time never decides a test: a busy machine makes an example slow, not wrong.
hypothesis.settings.register_profile(
    "carepod", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("carepod")

_REFERENCE = Path(__file__).resolve().parents[1].parent / "shared"

collect_ignore = [] if CASES.is_file() else ["contracts/test_fhir_test_cases.py"]
"""The published cases of the HL7 validator, where they could be fetched (`make conformance-files`)."""

collect_ignore += (
    []
    if _REFERENCE.is_dir()
    else [
        "contracts/test_examples.py",
        "contracts/test_expressions.py",
        "contracts/test_package_verdicts.py",
        "contracts/test_packages.py",
        "contracts/test_us_core_referrals.py",
        "partners/payer/test_submissions.py",
        "services/auth/test_pas_profiles.py",
        "shared/web/test_examples_pushed.py",
        "shared/web/test_examples_referred.py",
    ]
)
"""Tests on the published FHIR examples and packages, which may stand beside the checkout and are not part of it."""

_ENDING = 120.0
"""Seconds that may pass between the last test and the end of the process."""

_ENDED = 5.0
"""Seconds a thread may take to end once its module has."""

_OF_ENGINES = {"engines", "database_url", "amqp_url", "redis_url"}
"""Fixtures that make a test one of `-m engines`."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was not run, and why."""
    for name in collect_ignore:
        terminalreporter.write_line(f"not run: tests/{name} (what it reads is not at hand)")


def pytest_unconfigure() -> None:
    """A run that cannot end says where it stands, and ends."""
    faulthandler.dump_traceback_later(_ENDING, exit=True)


@pytest.fixture(scope="module", autouse=True)
def _threads_ended() -> Iterator[None]:
    """No module leaves a thread that the interpreter would wait for: the run would never end."""
    before = set(threading.enumerate())
    yield
    left = [t for t in set(threading.enumerate()) - before if _is_waited_for(t)]
    for thread in left:
        thread.join(_ENDED)
    assert [t for t in left if t.is_alive()] == []


@pytest.fixture(scope="module", autouse=True)
def _stored_unchanged() -> Iterator[None]:
    """Nobody changes what the store has decoded: it is one object for all who read that version."""
    kept, given = texts._kept, dict[str | bytes, dict[str, Any]]()

    def noted(text: str | bytes) -> dict[str, Any]:
        found = given[text] = kept(text)
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(texts, "_kept", noted)
        yield
    assert [text for text, resource in given.items() if decode_own(text) != resource] == []


def _is_waited_for(thread: threading.Thread) -> bool:
    """Whether it keeps the interpreter from ending; workers of executors are told to go when it does."""
    return thread.is_alive() and not thread.daemon and not thread.name.startswith(("asyncio_", "ThreadPoolExecutor"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _OF_ENGINES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.engines)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test of engines fails where there are none; it is never skipped."""
    if item.get_closest_marker("engines"):
        _engines()


@pytest.fixture(scope="session")
def engines() -> Engines:
    """The engines of this run, with what it takes to kill and restart one."""
    return _engines()


@pytest.fixture(scope="module")
def database_url(engines: Engines) -> Iterator[str]:
    """A fresh PostgreSQL database, dropped with all its connections when the module ends."""
    name = _name()
    _execute(engines.database_url, f'CREATE DATABASE "{name}"')
    yield _with_path(engines.database_url, name)
    _execute(engines.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def amqp_url(engines: Engines) -> Iterator[str]:
    """A fresh RabbitMQ vhost, deleted with everything in it when the module ends."""
    name, user = _name(), urlsplit(engines.amqp_url).username or "guest"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    with httpx.Client(base_url=engines.management_url, timeout=30) as management:
        management.put(f"/api/vhosts/{name}").raise_for_status()
        management.put(f"/api/permissions/{name}/{user}", json=everything).raise_for_status()
    yield _with_path(engines.amqp_url, name)
    with httpx.Client(base_url=engines.management_url, timeout=30) as management:
        management.delete(f"/api/vhosts/{name}").raise_for_status()


@pytest.fixture(scope="module")
def redis_url(engines: Engines) -> Iterator[str]:
    """An empty Redis database: number 1 and up, one for each worker, emptied again when the module ends."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = _with_path(engines.redis_url, str(1 + int(worker)))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


def _engines() -> Engines:
    try:
        return Engines.of_environment(os.environ)
    except EnginesError as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)


def _name() -> str:
    return f"carepod_test_{secrets.token_hex(6)}"


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    # A loop of its own, never the current one, which belongs to the tests.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(execute())
