"""The report of a run: fault, invariants, recovery, and throughput during the fault beside throughput without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.chaos.checker import KINDS
from benchmarks.chaos.strike import Outcome

WORST = 8
"""How many of the things wrong are told of one fault."""
Row = Mapping[str, Any]
"""One fault as the report has it in JSON."""


def row(outcome: Outcome, made: Mapping[str, Any]) -> dict[str, Any]:
    """What one fault came to; `made` is its own run: at, command, rate, short."""
    return {
        "fault": outcome.fault.key,
        "title": outcome.fault.title,
        **made,
        "seconds": round(outcome.seconds, 1),
        "broken": {kind: sum(w.kind == kind for w in outcome.wrong) for kind in KINDS},
        "recovery_seconds": None if outcome.recovery is None else round(outcome.recovery, 1),
        "recovery_wanted_seconds": outcome.fault.within,
        "busy_while_recovering": round(outcome.busy, 2),
        "quiet_after_seconds": round(outcome.quiet, 1),
        "taken_per_second": {"before": round(outcome.taken_before, 2), "during": round(outcome.taken_during, 2)},
        "ended_per_second": {"before": round(outcome.ended_before, 2), "during": round(outcome.ended_during, 2)},
        "not_taken_during": dict(outcome.refused),
        "deaths": outcome.deaths,
        "load_average": outcome.load_average,
        "parked": [f"{p.where}: {p.what}: {p.reason}" for p in outcome.parked],
        "wrong": [f"{w.kind}: {w.text}" for w in outcome.wrong[:WORST]],
        "notes": list(outcome.notes),
    }


def is_late(found: Row) -> bool:
    """Whether the fault was recovered from later than wanted, or never."""
    took = found["recovery_seconds"]
    return took is None or took > found["recovery_wanted_seconds"]


def missed(rows: Sequence[Row]) -> list[str]:
    """Every invariant broken and every recovery that came late, in words."""
    lines = []
    for found in rows:
        name = f"fault {found['fault']}, {found['title']}"
        lines += [f"{name}: {text}" for text in found["wrong"]]
        if (more := sum(found["broken"].values()) - len(found["wrong"])) > 0:
            lines.append(f"{name}: and {more} more")
        if is_late(found):
            took = "not within patience" if found["recovery_seconds"] is None else f"{found['recovery_seconds']:g} s"
            lines.append(f"{name}: recovery {took}, {found['recovery_wanted_seconds']:g} s wanted")
    return lines


def joined(before: Sequence[Row], now: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """The rows of this run and, of faults that did not strike in it, those of earlier ones, in the table's order."""
    rows = {found["fault"]: found for found in (*before, *now)}
    return [rows[key] for key in order if key in rows]


def as_json(rows: Sequence[Row], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for a program."""
    return {"benchmark": "chaos", **about, "faults": list(rows), "missed": missed(rows)}


def as_markdown(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """Everything, for a reader."""
    return "\n".join(_lines(rows, about)) + "\n"


def _lines(rows: Sequence[Row], about: Mapping[str, Any]) -> Iterator[str]:
    late = [found["fault"] for found in rows if is_late(found)]
    broken = [found["fault"] for found in rows if any(found["broken"].values())]
    yield "# Faults on the real engines"
    yield ""
    yield f"{len(rows)} faults struck. An invariant broke in {_named(broken)}; recovery came late in {_named(late)}."
    yield ""
    yield from _method(about)
    yield ""
    yield from _table(rows)
    yield ""
    yield from _seen(rows)
    yield "## Missed"
    yield ""
    yield from [f"* {line}" for line in missed(rows)] or ["Nothing."]


def _named(keys: Sequence[str]) -> str:
    return f"{len(keys)} ({', '.join(keys)})" if keys else "none"


def _method(about: Mapping[str, Any]) -> Iterator[str]:
    """How the rows were made, and how to read them."""
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    yield f"Every service is a process of its own on engines of this run ({versions}),"
    yield f"all of it with the partners and the load on {about['machine']['cores']} cores. Referrals come at a steady"
    yield "rate; a fault strikes after some calm seconds, lasts, and ends; then the load stops, everything comes to"
    yield "rest, and what clients were told is compared with what the databases and the partners hold. One deployment"
    yield "serves all faults of a command, so each also meets what those before it left. `chaos.json` has each row's"
    yield "own command."
    yield ""
    yield "* **s**: how long the fault lasted; one that an operator repairs with `carepod` ends with his repair."
    yield "  **recovery**: seconds from its end until every referral that was taken by then was booked."
    yield "  **busy**: share of the processors in use until then, by whatever ran on the machine."
    yield "  **rest**: seconds from the last push until nothing was under way anywhere."
    yield "* **taken/s**, **ended/s**: referrals taken, and journeys ended in booked visits, before → during the fault."
    yield "  **offered/s**: the rate at which referrals came."
    yield "* **deaths**: processes of ours that died. **load**: runnable processes, the machine's other work included."
    yield "* The other five: how often an invariant was broken; 0: it held for everything the command had taken so far."
    yield from (f"  **{kind}**: {meaning}." for kind, meaning in KINDS.items())


def _table(rows: Sequence[Row]) -> Iterator[str]:
    kinds = " | ".join(KINDS)
    columns = (
        f"# | fault | s | {kinds} | recovery | busy | rest | taken/s | ended/s | deaths | load | offered/s | struck"
    )
    yield f"| {columns} |"
    yield f"|{'---|' * (columns.count('|') + 1)}"
    yield from map(_line, rows)


def _seen(rows: Sequence[Row]) -> Iterator[str]:
    """What is worth knowing of single faults: what repairs said, what was parked and why."""
    texts = [(found["fault"], text) for found in rows for text in found["notes"]]
    texts += [(found["fault"], f"parked: {text}") for found in rows for text in found["parked"]]
    order = [found["fault"] for found in rows]
    if texts:
        yield "## Seen"
        yield ""
        yield from (f"* {key}: {text}" for key, text in sorted(texts, key=lambda t: order.index(t[0])))
        yield ""


def _line(found: Row) -> str:
    took = "never" if found["recovery_seconds"] is None else f"{found['recovery_seconds']:.1f}"
    took = f"**{took}** (> {found['recovery_wanted_seconds']:g})" if is_late(found) else took
    broken = " | ".join(str(n) if not n else f"**{n}**" for n in found["broken"].values())
    rates = (found["taken_per_second"], found["ended_per_second"])
    taken, ended = (f"{rate['before']:.1f} → {rate['during']:.1f}" for rate in rates)
    return (
        f"| {found['fault']} | {found['title']} | {found['seconds']:.0f} | {broken} | {took} "
        f"| {found['busy_while_recovering']:.0%} | {found['quiet_after_seconds']:.0f} | {taken} | {ended} "
        f"| {found['deaths']} | {found['load_average']:g} | {found['rate']:g} | {found['at']} |"
    )
