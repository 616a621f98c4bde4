"""Runs seeds in processes of their own, as many at once as there are cores, each forked from one that is warm."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from typing import Any

from benchmarks.simulation.plan import Item, Plan
from benchmarks.simulation.seed import Result, run

LONGEST = 600.0
"""Seconds of real time after which a seed counts as hung."""

Job = tuple[Any, Plan, dict[str, Any]]
"""(what the caller knows it by, plan, options of `seed.run`)."""


def warm() -> None:
    """Runs a little of everything once, so that what is compiled at its first use is there in every fork."""
    kept = os.urandom, random._urandom, time.monotonic  # type: ignore[attr-defined]
    cases = ("iron-meets-criteria", "infliximab-pended", "opat-vancomycin-home", "ivig-pidd-medicare-home")
    items = tuple(Item(f"r{n}", 0.0, case, n, site="riverside") for n, case in enumerate(cases, 1))
    run(Plan(0, datetime(2026, 12, 1, 15, tzinfo=UTC), items), disturbed=5.0)
    os.urandom, random._urandom, time.monotonic = kept  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()


def results(
    jobs: Iterable[Job], at_once: int, until: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Any, Result]]:
    """What came of each job, as they end; none is begun any more once `until` says so."""
    context = multiprocessing.get_context("fork")
    running: dict[Connection, tuple[Any, Plan, Any, float]] = {}
    waiting = iter(jobs)
    exhausted = False
    while running or not exhausted:
        while not exhausted and len(running) < at_once:
            job = None if until() else next(waiting, None)
            if job is None:
                exhausted = True
                break
            name, plan, options = job
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_one, args=(theirs, plan, options), daemon=True)
            process.start()
            theirs.close()
            running[ours] = (name, plan, process, time.monotonic())
        for ready in wait(list(running), timeout=5.0):
            assert isinstance(ready, Connection)
            name, plan, process, _ = running.pop(ready)
            try:
                yield name, ready.recv()
            except EOFError:
                yield name, Result(plan.seed, ["the process of this seed ended by itself"])
            ready.close()
            process.join()
        for connection, (name, plan, process, since) in list(running.items()):
            if time.monotonic() - since > LONGEST:
                del running[connection]
                process.kill()
                yield name, Result(plan.seed, ["hung"])


def _one(connection: Connection, plan: Plan, options: dict[str, Any]) -> None:
    logging.disable(logging.CRITICAL)
    # A world is thrown away whole: looking through it for garbage is an eighth of its time.
    gc.disable()
    result = run(plan, **options)
    connection.send(replace(result))
    connection.close()
    # Nothing of the world is finalised: half of its coroutines died in the middle.
    os._exit(0)
