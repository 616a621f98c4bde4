"""The commands that engines of a run are driven with from other processes: kill one, start one, watch over all."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engines import processes
from benchmarks.engines.model import EnginesError


def main(arguments: Sequence[str]) -> int:
    """`kill FOLDER NAME`, `start FOLDER NAME` or `watch FOLDER [COMMAND...]`; 1 when it could not be done."""
    verb, folder, *rest = arguments
    try:
        return {"kill": _kill, "start": _start, "watch": _watch}[verb](Path(folder), rest)
    except EnginesError as error:
        print(error, file=sys.stderr)
        return 1


def _kill(folder: Path, rest: Sequence[str]) -> int:
    processes.kill(folder, rest[0])
    return 0


def _start(folder: Path, rest: Sequence[str]) -> int:
    processes.restart(folder, rest[0])
    return 0


def _watch(folder: Path, command: Sequence[str]) -> int:
    """Waits for the word that all is cleared; when its starter dies the pipe closes without one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read():
        return 0
    processes.clear(folder)
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode if command else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
