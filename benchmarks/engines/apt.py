"""Installs what is missing of the engines with Debian's own packages, without letting Debian start them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.engines.model import EnginesError

PACKAGES = {
    "postgresql": "postgresql",
    "rabbitmq": "rabbitmq-server",
    "redis": "redis-server",
    "faketime": "libfaketime",
}
"""Engine, or what else a run of faults needs -> Debian package."""

_GATE = Path("/usr/sbin/policy-rc.d")
"""Asked by Debian's package scripts before they start a service; 101 forbids it."""


def install(engines: Sequence[str]) -> None:
    """Installs these engines. Raises EnginesError, saying what to install, where this is not root on Debian."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise EnginesError(advice(engines, sys.platform))
    packages = [PACKAGES[engine] for engine in engines]
    print(f"engines: installing {', '.join(packages)}", file=sys.stderr, flush=True)
    waiting = ("-o", "DPkg::Lock::Timeout=300")
    with _no_service_starts():
        _run(("apt-get", *waiting, "update", "-q"))
        _run(("apt-get", *waiting, "install", "-q", "-y", "--no-install-recommends", *packages))


def advice(engines: Sequence[str], platform: str) -> str:
    """What to do where we may not install: the exact command for this platform."""
    brew = {"postgresql": "postgresql@15", "rabbitmq": "rabbitmq", "redis": "redis"}
    packages = " ".join((brew if platform == "darwin" else PACKAGES)[engine] for engine in engines)
    command = f"brew install {packages}" if platform == "darwin" else f"sudo apt-get install {packages}"
    return (
        f"{', '.join(engines)} missing. One of these provides the engines: start Docker (with Compose); "
        f"or `{command}`; or name running ones in CAREPOD_DATABASE_URL, CAREPOD_AMQP_URL and CAREPOD_REDIS_URL"
    )


@contextmanager
def _no_service_starts(gate: Path = _GATE) -> Iterator[None]:
    if gate.exists():
        yield
        return
    gate.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    gate.chmod(0o755)
    try:
        yield
    finally:
        gate.unlink()


def _run(command: Sequence[str]) -> None:
    environment: Mapping[str, str] = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if ended.returncode:
        raise EnginesError(f"`{' '.join(command)}` ended with {ended.returncode}; its words stand above")
