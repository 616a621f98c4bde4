"""What a run knows of its three engines, and how that knowledge travels to child processes through the environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
"""The checkout: where `python -m benchmarks.engines.control` is run."""

URLS = {
    "postgresql": "CAREPOD_DATABASE_URL",
    "rabbitmq": "CAREPOD_AMQP_URL",
    "redis": "CAREPOD_REDIS_URL",
}
"""Engine -> the setting that names it."""

MANAGEMENT = "CAREPOD_RABBITMQ_MANAGEMENT_URL"
DETAILS = "CAREPOD_TEST_ENGINES"


class EnginesError(Exception):
    """No engines for this run: what is missing and what would provide it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine: where it listens and, when it was started for this run, how to take it down and bring it back.

    pid    process at the start of the run, leader of its own process group; None in a container or when not ours.
    log, data   file and folder; empty when not ours.
    killing     command that ends it as kill -9 does; starting: command that brings it back on the same port with the
                same data and returns when it answers. Both empty when the engine is not ours.
    """

    name: str
    host: str
    port: int
    pid: int | None = None
    log: str = ""
    data: str = ""
    killing: tuple[str, ...] = ()
    starting: tuple[str, ...] = ()

    def kill(self) -> None:
        """Ends the engine at once, as a power failure of its machine would. Raises EnginesError when it is not ours."""
        self._run(self.killing)

    def start(self) -> None:
        """Brings a killed engine back and waits until it answers. Raises EnginesError when it is not ours."""
        self._run(self.starting)

    def _run(self, command: tuple[str, ...]) -> None:
        if not command:
            raise EnginesError(f"{self.name} was named by {URLS[self.name]}: only an engine started here is killed")
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, cwd=ROOT, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise EnginesError(f"{self.name}: {ended.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class Engines:
    """The three engines of one run. `management_url` is RabbitMQ's HTTP API, `http://user:password@host:port`."""

    provider: str
    database_url: str
    amqp_url: str
    redis_url: str
    management_url: str
    engines: Mapping[str, Engine] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Engine:
        return self.engines[name]

    def environment(self) -> dict[str, str]:
        """The variables a child process needs to find the engines."""
        details = {"provider": self.provider, "engines": [asdict(engine) for engine in self.engines.values()]}
        return {
            URLS["postgresql"]: self.database_url,
            URLS["rabbitmq"]: self.amqp_url,
            URLS["redis"]: self.redis_url,
            MANAGEMENT: self.management_url,
            DETAILS: json.dumps(details),
        }

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Engines:
        """The engines these variables name. Raises EnginesError naming every variable that is missing."""
        if missing := [name for name in URLS.values() if not environment.get(name)]:
            raise EnginesError(f"{', '.join(missing)} not set: `make test` provides the engines and sets them")
        details = json.loads(environment.get(DETAILS) or "{}")
        engines = [_engine(row) for row in details.get("engines", ())] or [
            _named(name, environment[variable]) for name, variable in URLS.items()
        ]
        return cls(
            provider=details.get("provider", "environment"),
            database_url=environment[URLS["postgresql"]],
            amqp_url=environment[URLS["rabbitmq"]],
            redis_url=environment[URLS["redis"]],
            management_url=environment.get(MANAGEMENT) or _management(environment[URLS["rabbitmq"]]),
            engines={engine.name: engine for engine in engines},
        )


_PORTS = {"postgresql": 5432, "rabbitmq": 5672, "redis": 6379}


def _named(name: str, url: str) -> Engine:
    parts = urlsplit(url)
    return Engine(name, parts.hostname or "127.0.0.1", parts.port or _PORTS[name])


def _engine(row: Mapping[str, Any]) -> Engine:
    return Engine(**{**row, "killing": tuple(row["killing"]), "starting": tuple(row["starting"])})


def _management(amqp_url: str) -> str:
    """RabbitMQ's own default: the same host and user, port 15672."""
    parts = urlsplit(amqp_url)
    user = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
    return f"http://{user}@{parts.hostname or '127.0.0.1'}:15672"
