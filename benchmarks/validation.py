"""Validation on one core, beside `fhir.resources` in the same run: microseconds a resource, start-up; one JSON report.

`python -m benchmarks.validation [--quick] [--check] [--report FILE]`. Every figure is the best of many repeats, ours
and theirs in turn, because other work on a machine only ever adds time; no two checks in a row are of the same ids,
references and texts, so that what is remembered of values helps no more than it does in use.
"""

from __future__ import annotations

import importlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import resources
from benchmarks.program import run
from benchmarks.referrals import Target, machine
from shared.fhir.json import encode
from shared.fhir.profiles import Validator, carepod, r4
from shared.version import VERSION

INPUTS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "ServiceRequest": resources.service_request,
    "Task": resources.task,
    "Bundle": resources.bundle,
}
TARGETS = (
    Target("ServiceRequest.profile_us", at_most=15),
    Target("Task.profile_us", at_most=80),
    Target("Bundle.profile_us", at_most=1000),
    *(Target(f"{name}.times_faster", at_least=5) for name in INPUTS),
    Target("compile.seconds", at_most=1.5),
)
COMPILED = """
import json, sys, time
found = [json.loads(line) for line in sys.stdin]
begun = time.perf_counter()
from shared.fhir import profiles
imported = time.perf_counter()
times = []
for _ in range(2):
    started = time.perf_counter()
    for resource in found:
        profiles.carepod().check(resource, claimed=True)
    times.append(time.perf_counter() - started)
print(json.dumps([imported - begun, *times]))
"""
"""A fresh process that checks an example of every profile, by which every profile is compiled, and then all again."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How often a figure is taken, how long each time in seconds, and how many processes are started."""

    repeats: int = 40
    seconds: float = 0.05
    starts: int = 5


QUICK = Extent(repeats=8, seconds=0.02, starts=2)


def microseconds(calls: Sequence[Callable[[], object]], extent: Extent) -> list[float]:
    """The best time of each of several calls, taken in turn."""
    loops = [_loops(call, extent.seconds) for call in calls]
    best = [float("inf")] * len(calls)
    for _ in range(extent.repeats):
        for at, (call, count) in enumerate(zip(calls, loops, strict=True)):
            best[at] = min(best[at], _timed(call, count) / count)
    return [seconds * 1e6 for seconds in best]


def _loops(call: Callable[[], object], seconds: float) -> int:
    """How many calls fill so many seconds; the first call, which compiles, does not count."""
    call()
    return max(1, round(seconds / max(_timed(call, 3) / 3, 1e-9)))


def _timed(call: Callable[[], object], count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - begun


def compared(resource: dict[str, Any], extent: Extent, ours: Validator) -> dict[str, Any]:
    """One resource: base R4, its profile with all invariants, and `fhir.resources`. Raises ValueError when refused."""
    base, kind = r4(), resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    profile = resource["meta"]["profile"][0]
    wrong = [i for i in ours.check(resource, (profile,), claimed=True) if i.severity != "information"]
    if wrong:
        raise ValueError(f"{kind}: {wrong[0].expression}: {wrong[0].diagnostics}")
    each = cycle(resources.variants(resource))
    base_us, profile_us, other_us = microseconds(
        (
            lambda: base.check(next(each)),
            lambda: ours.check(next(each), claimed=True),
            lambda: model.model_validate(next(each)),
        ),
        extent,
    )
    return {
        "bytes": len(encode(resource)),
        "profile": profile,
        "base_us": base_us,
        "profile_us": profile_us,
        "fhir_resources_us": other_us,
        "times_faster": other_us / profile_us,
    }


def compile_figures(starts: int) -> dict[str, Any]:
    """The best of so many fresh processes: every profile compiled, and its example checked again."""
    examples = resources.one_of_each()
    text = b"\n".join(encode(example) for example in examples)
    runs = [_started(text) for _ in range(starts)]
    imported, seconds, cached = (min(column) for column in zip(*runs, strict=True))
    return {"profiles": len(examples), "import_seconds": imported, "seconds": seconds, "cached_seconds": cached}


def _started(text: bytes) -> list[float]:
    run = subprocess.run([sys.executable, "-c", COMPILED], input=text, capture_output=True, check=True)
    found: list[float] = json.loads(run.stdout)
    return found


def measured(extent: Extent, show: bool = False) -> dict[str, Any]:
    """Every figure, one after the other."""
    report: dict[str, Any] = {"benchmark": "validation", "machine": machine(), "versions": versions()}
    steps = track([*INPUTS, "compile"], console=Console(stderr=True), description="validating", disable=not show)
    for step in steps:
        made = step in INPUTS
        report[step] = compared(INPUTS[step](), extent, carepod()) if made else compile_figures(extent.starts)
    report["targets"] = [judged(report, target) for target in TARGETS]
    report["missed"] = [t["figure"] for t in report["targets"] if not t["met"]]
    return report


def judged(report: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """One target with what was measured."""
    part, _, figure = target.figure.partition(".")
    value = report[part][figure]
    return {"figure": target.figure, "wanted": target.words, "measured": value, "met": not target.missed(value)}


def versions() -> dict[str, str]:
    """Versions of everything that counts."""
    libraries = {name: version(name) for name in ("fhir.resources", "pydantic", "fhirpathpy")}
    return {"python": platform.python_version(), **libraries, "carepod": VERSION}


def table(report: Mapping[str, Any]) -> Table:
    """The report for people."""
    shown = Table(title="Validation on one core, microseconds")
    for column in ("resource", "bytes", "base R4", "profile", "fhir.resources", "times faster"):
        shown.add_column(column, justify="left" if column == "resource" else "right")
    for name in INPUTS:
        found = report[name]
        figures = (f"{found[key]:,.1f}" for key in ("base_us", "profile_us", "fhir_resources_us", "times_faster"))
        shown.add_row(name, f"{found['bytes']:,}", *figures)
    made = report["compile"]
    shown.caption = f"{made['profiles']} profiles compiled and used in {made['seconds']:.2f} s"
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """0 measured; 1 with `--check` when a target is missed."""
    return run(
        "benchmarks.validation",
        __doc__,
        arguments,
        lambda quick: measured(QUICK if quick else Extent(), show=True),
        table,
    )


if __name__ == "__main__":
    raise SystemExit(main())
