"""Which engines a run gets: those named by its settings, else containers, else this machine's own packages."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.engines import compose, packages
from benchmarks.engines.model import URLS, Engines


@contextmanager
def provided(environment: Mapping[str, str] = os.environ) -> Iterator[Engines]:
    """The engines of this run; what was started here is stopped and its data removed when the block ends.

    First that holds: all three of `CAREPOD_DATABASE_URL`, `CAREPOD_AMQP_URL`, `CAREPOD_REDIS_URL` are set; a Docker
    daemon answers; the engines are installed, or can be (root on Debian). Raises EnginesError saying what to install.
    """
    if all(environment.get(name) for name in URLS.values()):
        yield Engines.of_environment(environment)
        return
    _warn_of_half_named(environment)
    began = time.monotonic()
    starting = compose.started if compose.available() else packages.started
    with starting() as engines:
        say(f"{engines.provider}: RabbitMQ, PostgreSQL and Redis answer after {time.monotonic() - began:.1f} s")
        yield engines


def say(line: str) -> None:
    """One line of progress, on standard error."""
    print(f"engines: {line}", file=sys.stderr, flush=True)


def _warn_of_half_named(environment: Mapping[str, str]) -> None:
    if named := [name for name in URLS.values() if environment.get(name)]:
        missing = sorted(set(URLS.values()) - set(named))
        say(f"{', '.join(named)} set but {', '.join(missing)} not: starting all three here")
