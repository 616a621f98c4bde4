"""Four days over a new year in a whole practice on simulated time, and what its payers were asked about benefits.

python -m tests.journeys.new_year FOLDER    prints one JSON object
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.simulation.days import Weeks
from benchmarks.simulation.seed import own_chance_and_time

BEGINS = datetime(2026, 12, 30, 14, tzinfo=UTC)
DAYS = 3
KINDS = ("CoverageEligibilityRequest", "CoverageEligibilityResponse", "Task")


def main(folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    own_chance_and_time(1)
    sys.stdout, told = sys.stderr, sys.stdout
    weeks = Weeks(folder, DAYS, BEGINS)
    weeks.run()
    sql = "select body from resource where type = $1 order by id"
    found = {kind: [json.loads(row[0]) for row in weeks.world.rows("auth", sql, kind)] for kind in KINDS}
    print(json.dumps({**found, "wrong": [str(w) for w in weeks.watch.wrong]}), file=told, flush=True)
    # The world stops in the middle of things: nothing of it is finalised.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
