"""`python -m benchmarks.simulation`: many seeds, or one that is looked at; see `carepod simulate`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.simulation.mutations import MUTATIONS
from benchmarks.simulation.plan import CRASHES, REFERRALS, Plan, harsh, planned, undisturbed
from benchmarks.simulation.processes import Job, results, warm
from benchmarks.simulation.reduce import reduced
from benchmarks.simulation.report import report_of, short_of, told
from benchmarks.simulation.seed import Result

SERVICES = ("intake", "auth", "scheduling", "nursing")
COMPARED = 5
"""Of so many seeds one has a journey run again alone and undisturbed, where its weather allows."""
SHOWN_BY = {"fencing_of_deliveries": "infliximab-pended"}
"""The kind of referral that shows a missing protection best: whose answer comes twice."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 where no invariant was broken, 1 where one was."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of names hangs on it: a seed must mean the same in every process.
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.simulation", *(arguments or sys.argv[1:])], {
            **os.environ, "PYTHONHASHSEED": "0"
        })  # fmt: skip
    asked = _parser().parse_args(arguments)
    logging.disable(logging.CRITICAL)
    warm()
    if asked.mutations is not None:
        return _mutated(asked)
    return _one(asked) if asked.seed is not None else _many(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carepod simulate")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--begins", type=datetime.fromisoformat)
    parser.add_argument("--referrals", type=int, default=REFERRALS)
    parser.add_argument("--crashes", type=int, default=CRASHES)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--mutations", nargs="*", choices=[*MUTATIONS])
    parser.add_argument("--without", choices=[*MUTATIONS])
    parser.add_argument("--report", type=Path)
    return parser


def _plan(asked: Any, seed: int) -> Plan:
    plan = planned(seed, SERVICES, asked.referrals, asked.crashes)
    if asked.without:
        plan = harsh(seed, SERVICES, asked.referrals, SHOWN_BY.get(asked.without, ""))
    if asked.begins:
        plan = replace(plan, begins=asked.begins.astimezone(UTC))
    return plan.only(asked.only.split(",")) if asked.only else plan


def _options(asked: Any) -> dict[str, Any]:
    return {"mutation": MUTATIONS[asked.without]} if asked.without else {}


def _many(asked: Any) -> int:
    """Seeds until they are done, or the time is over; what failed is reduced."""
    begun = time.monotonic()
    ends = begun + asked.minutes * 60 if asked.minutes else float("inf")

    def jobs() -> Iterator[Job]:
        for seed in range(asked.first, asked.first + asked.seeds):
            plan = _plan(asked, seed)
            one = undisturbed(plan) if seed % COMPARED == 0 else None
            yield seed, plan, {**_options(asked), "shapes": (one.number,) if one else ()}

    found: list[Result] = []
    for _, result in results(jobs(), asked.processes, lambda: time.monotonic() > ends):
        found.append(result)
        for wrong in result.wrong:
            print(f"seed {result.seed}: {wrong}", flush=True)
    compared = [r for r in found if r.shapes and not r.wrong]
    _compared_alone(asked, compared)
    document = report_of(found, asked.first, asked.processes, time.monotonic() - begun)
    print(told(document))
    document["short_of"] = list(short_of(document))
    for short in document["short_of"]:
        print(short)
    broken = [r for r in found if r.wrong]
    document["broken"] = [{"seed": r.seed, "wrong": r.wrong, "replay": _replay(asked, r.seed)} for r in broken[:3]]
    for one in document["broken"]:
        print(f"seed {one['seed']}: {one['replay']}")
    _written(asked, document)
    return 1 if broken or document["short_of"] else 0


def _written(asked: Any, document: Any) -> None:
    if asked.report is not None:
        asked.report.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _one(asked: Any) -> int:
    """One seed, with everything planned and everything wrong; one that fails whole is shown as short as it can be."""
    plan = _plan(asked, asked.seed)
    for item in plan.items:
        print(f"  {item.id:<16} {item.at:6.2f} s  {item.what} {item.amount or ''} {item.site} {item.payer}")
    _, result = next(results([(0, plan, _options(asked))], 1))
    print(json.dumps({"counts": dict(result.counts), "trace": result.trace[:16], "steps": result.steps}))
    for wrong in result.wrong:
        print(f"wrong: {wrong}")
    if result.wrong and not asked.only:
        print(_replay(asked, asked.seed))
    return 1 if result.wrong else 0


def _compared_alone(asked: Any, found: Sequence[Result]) -> None:
    """Lets one patient's journey of each of these seeds run alone and undisturbed: it must have ended the same."""
    numbers = {r.seed: next(iter(r.shapes)) for r in found}
    jobs: list[Job] = [(s, _plan(asked, s).only([f"r{n}"]), {"shapes": (n,)}) for s, n in numbers.items()]
    alone = dict(results(jobs, asked.processes))
    for result in found:
        number = numbers[result.seed]
        if alone[result.seed].shapes[number] != result.shapes[number]:
            result.wrong.append(f"referral {number} ends otherwise than alone and undisturbed")
            print(f"seed {result.seed}: {result.wrong[-1]}", flush=True)


def _mutated(asked: Any) -> int:
    """Each protection switched off alone: by which seed that is noticed, and by what."""
    told_of = []
    for name in asked.mutations or MUTATIONS:
        asked.without = name
        found, run = caught(asked)
        said = f"seed {found.seed}, the {run}. that ran: {found.wrong[0]}" if found else f"not caught by {run} seeds"
        print(f"{name}: {said}", flush=True)
        told_of.append({
            "protection": name, "switched_off": " ".join((MUTATIONS[name].__doc__ or "").split()), "seeds_run": run,
            "seed": found.seed if found else None, "caught_by": found.wrong if found else [],
            "shown_by": f"carepod simulate --seed {found.seed}{_size(asked)} --without {name}" if found else "",
        })  # fmt: skip
    _written(asked, told_of)
    return 0 if all(t["caught_by"] for t in told_of) else 1


def caught(asked: Any) -> tuple[Result | None, int]:
    """The first seed that breaks an invariant without a protection, and how many ran."""
    found: list[Result] = []
    jobs = (
        (seed, _plan(asked, seed), {**_options(asked), "until_wrong": True})
        for seed in range(asked.first, asked.first + asked.seeds)
    )
    run = 0
    for _, result in results(jobs, asked.processes, lambda: bool(found)):
        run += 1
        if result.wrong:
            found.append(result)
    return min(found, key=lambda r: r.seed, default=None), run


def _replay(asked: Any, seed: int) -> str:
    """The command that shows a failing seed again, as short as it can be made."""

    def fails(plans: Sequence[Plan]) -> list[bool]:
        jobs: list[Job] = [(n, p, {**_options(asked), "until_wrong": True}) for n, p in enumerate(plans)]
        by_number = dict(results(jobs, asked.processes))
        return [bool(by_number[n].wrong) for n in range(len(plans))]

    shortest = reduced(_plan(asked, seed), fails)
    without = f" --without {asked.without}" if asked.without else ""
    return f"carepod simulate --seed {seed}{_size(asked)}{without} --only {','.join(i.id for i in shortest.items)}"


def _size(asked: Any) -> str:
    size = f" --begins {asked.begins.isoformat()}" if asked.begins else ""
    size += f" --referrals {asked.referrals}" if asked.referrals != REFERRALS else ""
    return size + (f" --crashes {asked.crashes}" if asked.crashes != CRASHES else "")


if __name__ == "__main__":
    raise SystemExit(main())
