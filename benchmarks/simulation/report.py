"""What many seeds came to, as one document and in a few lines, and what their journeys must have reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.simulation.seed import Result

SHOWN = (
    "referrals", "crashes", "freezes", "booked", "pended", "denied", "moved", "cancelled", "incomplete", "answered",
    "wrong_answers", "on a changing day",
)  # fmt: skip
REACHED: Mapping[str, float] = {"booked": 0.5, "pended": 0.1, "denied": 0.1, "moved": 0.1, "cancelled": 0.1}
"""The least part of all journeys that must come to each: seeds that never get there show nothing of it."""
ENOUGH = 200
"""Referrals from which on parts of them say something."""


def report_of(found: Sequence[Result], first: int, processes: int, seconds: float) -> dict[str, Any]:
    """The report as JSON."""
    total: Counter[str] = sum((r.counts for r in found), Counter())
    return {
        "seeds": len(found),
        "first": first,
        "counts": {name: total[name] for name in SHOWN},
        "therapies": {n.partition(" ")[2]: total[n] for n in sorted(total) if n.startswith("therapy ")},
        "payers": {n.partition(" ")[2]: total[n] for n in sorted(total) if n.startswith("payer ")},
        "fewest": {name: min((r.counts[name] for r in found), default=0) for name in ("referrals", "crashes")},
        "steps": sum(r.steps for r in found),
        "simulated_hours": round(sum(r.simulated for r in found) / 3600, 1),
        "cpu_seconds": round(sum(r.seconds for r in found), 1),
        "seconds": round(seconds, 1),
        "processes": processes,
        "compared_alone": sum(bool(r.shapes) for r in found),
        "seeds_broken": sum(bool(r.wrong) for r in found),
    }


def told(document: Mapping[str, Any]) -> str:
    """The report in a few lines."""
    counts = document["counts"]
    whole = max(1, counts["referrals"])
    shares = ", ".join(f"{counts[n]} {n} ({counts[n] / whole:.0%})" for n in (*REACHED, "incomplete"))
    return (
        f"{document['seeds']} seeds, {counts['referrals']} referrals, {counts['crashes']} crashes, "
        f"{counts['freezes']} freezes, {counts['wrong_answers']} wrong answers, "
        f"{document['steps']} steps in {document['simulated_hours']} simulated hours: {shares}; "
        f"{counts['answered']} questions answered, {counts['on a changing day']} visits on a day clocks change\n"
        f"therapies: {_listed(document['therapies'])}; payers: {_listed(document['payers'])}\n"
        f"{document['seconds']} s on {document['processes']} processes, {document['cpu_seconds']} s of CPU; "
        f"{document['seeds_broken']} seeds broke an invariant"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {c}" for n, c in counts.items())


def short_of(document: Mapping[str, Any]) -> Iterator[str]:
    """What too few of the journeys came to; nothing is said of a few referrals."""
    counts = document["counts"]
    if counts["referrals"] >= ENOUGH:
        for name, least in REACHED.items():
            if counts[name] < least * counts["referrals"]:
                yield f"only {counts[name] / counts['referrals']:.1%} of the journeys {name}; at least {least:.0%} must"
