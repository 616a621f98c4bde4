"""Tools that run on Node, installed into `var/` from the lock file beside what they are for, once per lock file."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.settings import ROOT

TOOLS = ROOT / "var" / "contracts"
NODE = 18


class ToolError(Exception):
    """A tool or its sources are missing: what, and what would be right."""


def node() -> str:
    """Where Node is. Raises ToolError when there is none, or an old one."""
    found = shutil.which("node")
    if found is None:
        raise ToolError(f"Node {NODE} or newer is needed, and none is on the PATH (Debian: apt-get install nodejs npm)")
    version = said([found, "--version"], "Node does not start").strip()
    if int(version.lstrip("v").partition(".")[0]) < NODE:
        raise ToolError(f"Node {NODE} or newer is needed; {found} is {version}")
    return found


def installed(project: Path, name: str, scripts: Sequence[str] = ()) -> Path:
    """The folder `var/contracts/<name>`: the packages of a project's lock file and its scripts. Raises ToolError."""
    folder, lock = TOOLS / name, (project / "package-lock.json").read_bytes()
    recorded = folder / "made-from"
    with alone(folder):
        for file in ("package.json", "package-lock.json", *scripts):
            shutil.copyfile(project / file, folder / file)
        if not (recorded.exists() and recorded.read_bytes() == lock):
            recorded.unlink(missing_ok=True)
            print(f"fetching the packages of {name} from npm, once", file=sys.stderr)
            npm = [_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
            said(npm, f"the packages of {name} cannot be fetched from npm (once; then no network is needed)")
            recorded.write_bytes(lock)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The only process at work in a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def said(command: Sequence[str], wrong: str, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints. Raises ToolError, with the end of what it said, when it fails."""
    run = ran(command, environment)
    if run.returncode:
        raise ToolError(f"{wrong}:\n{(run.stderr or run.stdout).strip()[-1500:]}")
    return run.stdout


def ran(command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command at its end, its output as UTF-8."""
    return subprocess.run(  # noqa: S603 (our own commands)
        command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )


def _npm() -> str:
    found = shutil.which("npm")
    if found is None:
        raise ToolError("npm, which comes with Node, is needed once; none is on the PATH")
    return found
