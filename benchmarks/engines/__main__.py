"""`python -m benchmarks.engines -- COMMAND...` runs a command with the engines provided and ends with its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from benchmarks.engines import EnginesError, provided

NOT_PROVIDED = 3
"""Exit code when there are no engines to run with."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str]) -> int:
    """Exit code of the command; 2 without a command, 3 without engines, 128 + n after signal n."""
    command = list(arguments[1:] if arguments and arguments[0] == "--" else arguments)
    if not command:
        print("usage: python -m benchmarks.engines -- COMMAND...", file=sys.stderr)
        return 2
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        with provided() as engines:
            return _run(command, {**os.environ, **engines.environment()})
    except EnginesError as error:
        print(f"engines: {error}", file=sys.stderr)
        return NOT_PROVIDED


def _stop(number: int, _: FrameType | None) -> None:
    """The first signal ends the run; later ones must not disturb the stopping of the engines."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as child:
        try:
            return child.wait()
        except SystemExit as stop:
            _let_end(child, told=stop.code == 128 + signal.SIGINT)
            raise


def _let_end(child: subprocess.Popen[bytes], *, told: bool) -> None:
    """Gives the child time to clean up; a Ctrl-C has reached it already, so it is told again only when it stays."""
    for number, seconds in ((None if told else signal.SIGINT, 10), (signal.SIGINT, 10), (signal.SIGKILL, 5)):
        if number is not None:
            child.send_signal(number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
