"""`carepod contracts diff`: what a newer version of the contracts changes, and whom it breaks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from contracts.changes import ADDS, between
from contracts.demands import r4
from contracts.lock import LockError, loaded
from shared.cli.common import NOT_RIGHT, NOT_TRIED, failed, say

contracts = typer.Typer(no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="A compiled table (carepod.json.gz) or a lock file (lock.json).")]


@contracts.callback()
def root() -> None:
    """Keeps `diff` a command of its own, though it is the only one."""


@contracts.command()
def diff(
    old: _File,
    new: _File,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Says every change of a demand, by profile and element, with its class.

    adds: something optional more, breaks nobody; tightened: breaks who writes; loosened: breaks who reads and relied
    on it; replaced: breaks both. Reworded texts are no change.

    Exit 0 nothing breaks (a minor version is enough), 1 something does (a new major version is needed), 2 a file
    cannot be read.
    """
    try:
        base = r4()
        changes = between(loaded(old, base), loaded(new, base), base)
    except LockError as error:
        raise failed(NOT_TRIED, str(error)) from None
    for change in changes:
        say(orjson.dumps(asdict(change)).decode() if as_json else str(change))
    if any(change.kind != ADDS for change in changes):
        raise typer.Exit(NOT_RIGHT)
