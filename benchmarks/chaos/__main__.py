"""`python -m benchmarks.chaos [--fault 9,10] [--short] [--rate 3] [--report FOLDER]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.chaos.report import Row, as_json, as_markdown, joined, missed, row
from benchmarks.chaos.stage import staged
from benchmarks.chaos.strike import Fault, Outcome, struck
from benchmarks.chaos.table import FAULTS
from benchmarks.engines import EnginesError, packages
from benchmarks.referrals import machine, versions
from shared.clock import stamp, system_clock

RATE = 1.0
MISSED, NOT_PROVIDED = 1, 3


def say(line: str) -> None:
    """One line of progress, on standard error."""
    print(f"chaos: {system_clock():%H:%M:%S} {line}", file=sys.stderr, flush=True)


About = dict[str, Any]
"""What a report says of its run: machine and versions."""


async def run(
    faults: Sequence[Fault],
    rate: float,
    *,
    short: bool,
    logs: Path | None = None,
    done: Callable[[Sequence[Outcome], About], None] = lambda outcomes, about: None,
) -> tuple[list[Outcome], About]:
    """Strikes with each fault in turn on one deployment, with engines of this run alone; `done` hears after each."""
    outcomes: list[Outcome] = []
    with packages.started() as engines, tempfile.TemporaryDirectory(prefix="carepod-chaos-") as name:
        about = {"machine": machine(), "versions": await versions(engines)}
        async with staged(engines, Path(name), rate) as stage:
            for fault in faults:
                say(f"{fault.key}: {fault.title}")
                outcomes.append(await struck(stage, fault, short=short))
                say(_told(outcomes[-1]))
                done(outcomes, about)
        if logs:
            await asyncio.to_thread(shutil.copytree, name, logs, ignore=_all_but_logs, dirs_exist_ok=True)
    return outcomes, about


def _all_but_logs(_: str, names: list[str]) -> list[str]:
    return [n for n in names if not n.endswith(".log")]


def _told(outcome: Outcome) -> str:
    recovery = "never" if outcome.recovery is None else f"{outcome.recovery:.1f} s"
    during = f"{outcome.ended_before:.1f} -> {outcome.ended_during:.1f} ended/s"
    wrong = "; ".join(f"{w.kind}: {w.text}" for w in outcome.wrong[:5])
    return f"   {len(outcome.wrong)} wrong, recovery {recovery}, {during} {wrong} {'; '.join(outcome.notes)}"


def chosen(keys: str, *, short: bool) -> list[Fault]:
    """The faults of these keys (all when none), or those of the short form."""
    wanted = {key.strip() for key in keys.split(",") if key.strip()}
    if unknown := wanted - {fault.key for fault in FAULTS}:
        raise SystemExit(f"--fault: no fault {', '.join(sorted(unknown))}")
    if wanted:
        return [f for f in FAULTS if f.key in wanted]
    return [f for f in FAULTS if f.short is not None] if short else [f for f in FAULTS if f.key != "payer-short"]


def reported(folder: Path, rows: Sequence[Row], about: About) -> None:
    """Writes `chaos.md` and `chaos.json`; faults that did not strike keep the row of an earlier run there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "chaos.json"
    before = json.loads(path.read_text(encoding="utf-8"))["faults"] if path.exists() else []
    found = joined(before, rows, [fault.key for fault in FAULTS])
    path.write_text(json.dumps(as_json(found, about), indent=1) + "\n", encoding="utf-8")
    (folder / "chaos.md").write_text(as_markdown(found, about), encoding="utf-8")


def _again(asked: argparse.Namespace) -> str:
    """The command that strikes the same again."""
    words = ["python -m benchmarks.chaos", *(["--short"] if asked.short else ()), f"--rate {asked.rate:g}"]
    return " ".join([*words, *([f"--fault {asked.fault}"] if asked.fault else ())])


def main(arguments: Sequence[str] | None = None) -> int:
    """0 every invariant held; 1 one was broken, or with --check a recovery came late; 3 without engines."""
    parser = argparse.ArgumentParser("benchmarks.chaos", description=__doc__)
    parser.add_argument("--fault", default="", help="numbers, separated by commas; none: all")
    parser.add_argument("--short", action="store_true", help="a few faults, briefly")
    parser.add_argument("--rate", type=float, default=RATE, help="referrals a second")
    parser.add_argument("--logs", type=Path, help="folder for what the processes said")
    parser.add_argument("--check", action="store_true", help="exit 1 also when a recovery came late")
    parser.add_argument("--report", type=Path, help="folder for chaos.md and chaos.json")
    asked = parser.parse_args(arguments)
    for name in ("aiormq", "asyncpg"):  # that engines are away is what the run is about
        logging.getLogger(name).setLevel(logging.CRITICAL)
    made = {"at": stamp(system_clock())[:10], "command": _again(asked), "rate": asked.rate, "short": asked.short}

    def written(outcomes: Sequence[Outcome], about: About) -> None:
        """After every fault: a run that is cut short has its report too."""
        if asked.report:
            reported(asked.report, [row(o, made) for o in outcomes], about)

    faults = chosen(asked.fault, short=asked.short)
    try:
        outcomes, about = asyncio.run(run(faults, asked.rate, short=asked.short, logs=asked.logs, done=written))
    except EnginesError as error:
        print(f"engines: {error}", file=sys.stderr)
        return NOT_PROVIDED
    rows = [row(o, made) for o in outcomes]
    print(as_markdown(rows, about))
    broken = any(o.wrong for o in outcomes)
    return MISSED if broken or (asked.check and missed(rows)) else 0


if __name__ == "__main__":
    raise SystemExit(main())
