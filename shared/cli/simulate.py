"""`carepod simulate`: journeys under faults on a simulated clock, many seeds or one that is looked at again."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from shared.cli.common import NOT_TRIED, failed


def simulate(
    seeds: Annotated[int, typer.Option(help="How many seeds to run.")] = 500,
    first: Annotated[int, typer.Option(help="The first of them.")] = 1,
    minutes: Annotated[float, typer.Option(help="No seed is begun after so many minutes; 0: all are run.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="One seed alone, with what is planned in it.")] = None,
    only: Annotated[str, typer.Option(help="Of its plan these items alone, as a failing run prints them.")] = "",
    referrals: Annotated[int, typer.Option(help="Referrals of each seed.")] = 20,
    crashes: Annotated[int, typer.Option(help="At least so many deaths of a process in each seed.")] = 3,
    processes: Annotated[int, typer.Option(help="Seeds at once.")] = os.cpu_count() or 1,
    report: Annotated[Path | None, typer.Option(help="Write the result as JSON to this file.")] = None,
) -> None:
    """Runs every service, its partners and engines in simulated time; a seed decides what happens and what fails.

    Exit 0 where no invariant was broken, 1 where one was: the shortest command that shows it again is printed.
    """
    given = {"first": first, "minutes": minutes, "referrals": referrals, "crashes": crashes, "processes": processes}
    arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    arguments += ["--seed", str(seed)] if seed is not None else ["--seeds", str(seeds)]
    arguments += ["--only", only] if only else []
    arguments += ["--report", str(report)] if report is not None else []
    raise typer.Exit(simulated("benchmarks.simulation", *arguments))


def simulated(module: str, *arguments: str) -> int:
    """Runs a module in a process of its own, in which clock and chance are the simulated world's; its exit code."""
    if find_spec(module.partition(".")[0]) is None:
        raise failed(NOT_TRIED, "the simulation is not installed: a checkout, or the whole package, would be right")
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run([sys.executable, "-m", module, *arguments], env=environment, check=False).returncode  # noqa: S603
