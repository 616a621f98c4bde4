"""The engines as containers of deploy/compose.yaml, under a project name and ports of this run alone."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.engines.model import ROOT, Engine, Engines, EnginesError
from benchmarks.engines.probes import free_ports
from benchmarks.engines.processes import watching

FILE = ROOT / "deploy" / "compose.yaml"
"""Its services are named as our engines are, with ports taken from `CAREPOD_<ENGINE>_PORT`."""


def available() -> bool:
    """Whether a Docker daemon with the Compose plugin answers."""
    if shutil.which("docker") is None:
        return False
    return all(_quiet(command) for command in (("docker", "info"), ("docker", "compose", "version")))


@contextmanager
def started() -> Iterator[Engines]:
    """Containers that answer; they and their volumes are removed when the block ends."""
    project, password = f"carepod-{secrets.token_hex(4)}", secrets.token_hex(12)
    ports = dict(zip(("postgresql", "rabbitmq", "rabbitmq-management", "redis"), free_ports(4), strict=True))
    variables = variables_of(ports, password)
    command = ("docker", "compose", "--project-name", project, "--file", str(FILE))
    settings = ("env", *(f"{key}={value}" for key, value in variables.items()))
    down = (*settings, *command, "down", "--volumes", "--timeout", "0")
    folder = Path(tempfile.mkdtemp(prefix="carepod-engines-"))
    with watching(folder, down) as cleared:
        try:
            _run((*settings, *command, "up", "--detach", "--wait"))
            yield engines_of((*settings, *command), ports, password)
        finally:
            _run(down)
            shutil.rmtree(folder, ignore_errors=True)
            cleared()


def variables_of(ports: Mapping[str, int], password: str) -> dict[str, str]:
    """What deploy/compose.yaml reads."""
    named = {f"CAREPOD_{name.upper().replace('-', '_')}_PORT": str(port) for name, port in ports.items()}
    return {**named, "CAREPOD_ENGINES_PASSWORD": password}


def engines_of(command: tuple[str, ...], ports: Mapping[str, int], password: str) -> Engines:
    """The engines of a Compose project that listens on these ports; `command` addresses the project."""
    user = f"carepod:{password}@127.0.0.1"
    engines = {
        name: Engine(
            name,
            "127.0.0.1",
            ports[name],
            killing=(*command, "kill", "--signal", "SIGKILL", name),
            starting=(*command, "up", "--detach", "--wait", name),
        )
        for name in ("postgresql", "rabbitmq", "redis")
    }
    return Engines(
        provider="docker compose",
        database_url=f"postgresql://{user}:{ports['postgresql']}/carepod",
        amqp_url=f"amqp://{user}:{ports['rabbitmq']}/",
        redis_url=f"redis://:{password}@127.0.0.1:{ports['redis']}/0",
        management_url=f"http://{user}:{ports['rabbitmq-management']}",
        engines=engines,
    )


def _quiet(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=15).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: tuple[str, ...]) -> None:
    """Runs a Compose command, its progress on standard error."""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=dict(os.environ), check=False)
    if ended.returncode:
        raise EnginesError(f"docker compose {command[-1]} ended with {ended.returncode}; its words stand above")
