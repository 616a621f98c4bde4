"""The command line of a benchmark that needs no engine: measures, shows a table, prints one JSON object."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.referrals import MISSED, rounded

Report = dict[str, Any]
"""What was measured; `targets` (figure, wanted, measured, met) and `missed` among it."""


def run(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    measured: Callable[[bool], Report],
    table: Callable[[Report], Table],
) -> int:
    """0 measured; 1 with `--check` when a target is missed. `measured` is told whether some seconds are enough."""
    parser = argparse.ArgumentParser(name, description=about)
    parser.add_argument("--quick", action="store_true", help="some seconds")
    parser.add_argument("--check", action="store_true", help="exit 1 naming each target missed")
    parser.add_argument("--report", type=Path, help="also write the report to this file")
    asked = parser.parse_args(arguments)
    report = measured(asked.quick)
    Console(stderr=True).print(table(report))
    text = json.dumps(rounded({**report, "quick": asked.quick}), indent=2)
    print(text)
    if asked.report:
        asked.report.write_text(text + "\n", encoding="utf-8")
    for target in report["targets"] if asked.check else ():
        if not target["met"]:
            print(f"missed: {target['figure']}: {target['measured']:.4g}, {target['wanted']}", file=sys.stderr)
    return MISSED if asked.check and report["missed"] else 0
