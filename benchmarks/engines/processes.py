"""Engine processes of one run, each recorded in the run's folder, so that whoever is left can stop them all."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.engines import probes
from benchmarks.engines.model import ROOT, EnginesError

_STOPPING = {"postgresql": signal.SIGQUIT, "initdb": signal.SIGTERM}
"""PostgreSQL returns its shared memory itself; SIGQUIT is its immediate shutdown, which its workers follow."""

_started: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Program:
    """One process to run: `ports` are asked, in the protocol named by the key, whether it is up."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    user: str | None
    ports: Mapping[str, int]

    def log(self, folder: Path) -> Path:
        """The file its output goes to."""
        return folder / f"{self.name}.log"


def begin(program: Program, folder: Path) -> int:
    """Records the program in the run's folder, starts it in a session of its own and returns its process id."""
    (folder / f"{program.name}.json").write_text(json.dumps(asdict(program)), encoding="utf-8")
    identity = pwd.getpwnam(program.user) if program.user else None
    with program.log(folder).open("ab") as log:
        process = subprocess.Popen(
            program.argv,
            env=dict(program.environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=identity.pw_uid if identity else None,
            group=identity.pw_gid if identity else None,
            extra_groups=[] if identity else None,
        )
    (folder / f"{program.name}.pid").write_text(str(process.pid), encoding="utf-8")
    _started[process.pid] = process
    # A killed engine must be collected at once: PostgreSQL does not start beside the remains of its predecessor.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


def finish(pid: int) -> int:
    """Waits for a program of this process to end by itself; its exit code."""
    return _started[pid].wait()


def check(program: Program, folder: Path) -> None:
    """Raises EnginesError with the end of its log when the program has ended."""
    if not lives(_pid(folder, program.name)):
        raise EnginesError(f"{program.name} ended by itself:\n{ending(program.log(folder))}")


def ending(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def kill(folder: Path, name: str) -> None:
    """Ends a program and everything in its process group at once."""
    pid = _pid(folder, name)
    (folder / f"{name}.pid").unlink(missing_ok=True)
    _signal(pid, signal.SIGKILL)
    if not _until(lambda: not _exists(pid), 10):
        raise EnginesError(f"{name} was killed, but its parent does not collect it")


def restart(folder: Path, name: str) -> None:
    """Starts a killed program again, as it was, and waits until it answers."""
    recorded = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    program = Program(**{**recorded, "argv": tuple(recorded["argv"])})
    begin(program, folder)
    probes.wait(dict(program.ports), 60, lambda: check(program, folder))


def clear(folder: Path) -> None:
    """Stops every program recorded in the run's folder and removes the folder."""
    programs = {path.stem: _pid(folder, path.stem) for path in folder.glob("*.pid")}
    for name, pid in programs.items():
        _signal(pid, _STOPPING.get(name, signal.SIGKILL))
    for pid in programs.values():
        if not _until(partial(_ended, pid), 5):
            _signal(pid, signal.SIGKILL)
    _sweep(folder)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def watching(folder: Path, ending: Sequence[str] = ()) -> Iterator[Callable[[], None]]:
    """Clears the folder and runs the command `ending` unless the block calls what it is given, "all is cleared".

    It holds for any end of this process, kill -9 and a second Ctrl-C included.
    """
    command = [sys.executable, "-m", "benchmarks.engines.control", "watch", str(folder), *ending]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd=ROOT)
    words: list[bytes] = []
    try:
        yield lambda: words.append(b"cleared")
    finally:
        watcher.communicate(b"".join(words))


def _sweep(folder: Path) -> None:
    """Ends what engines started in sessions of their own, as Erlang does with its port mapper while it boots."""

    def swept(number: int) -> bool:
        left = _at_home_in(folder)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return not left

    if not _until(partial(swept, signal.SIGTERM), 2):
        _until(partial(swept, signal.SIGKILL), 5)


def _at_home_in(folder: Path) -> list[int]:
    """Processes whose HOME lies in the run's folder: engines of the run and nothing else. Empty without /proc."""
    home, found = f"\0HOME={folder}/".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if home in b"\0" + path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _pid(folder: Path, name: str) -> int | None:
    path = folder / f"{name}.pid"
    return int(path.read_text(encoding="utf-8")) if path.exists() else None


def _signal(pid: int | None, number: int) -> None:
    if pid is None:
        return
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        _started.pop(pid, None)


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _exists(pid: int | None) -> bool:
    """Whether there is such a process, be it one that ended and was not yet collected."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _ended(pid: int | None) -> bool:
    return not lives(pid)


def lives(pid: int | None) -> bool:
    """Whether the process runs; one that ended but was not yet collected does not (told apart where there is /proc)."""
    if pid in _started:
        return _started[pid].poll() is None
    if not _exists(pid):
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self").exists()
