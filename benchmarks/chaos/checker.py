"""Judges a history and an end: pure, after Jepsen. What clients were told must be what is held, once and in order."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import placer
from benchmarks.chaos.history import Told, contradictions
from benchmarks.truth import Truth, Wrong, wrongs

KINDS: Mapping[str, str] = {
    "lost": "I1 what was accepted is never lost",
    "double": "I2 one effect per business key",
    "order": "I3 each patient's messages in order",
    "stuck": "I4 nothing stuck, what is parked is listed with its reason",
    "overbooked": "I7 no chair, nurse or ratio overbooked",
}


EPOCH = 40
"""Bits of a lane's sequence within an epoch: a restored database goes on above what it can have said before."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Something that waits for a person: where, what, and the reason that is shown."""

    where: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a service in a lane, in the order made: versions of resources it rested on, as `Type/id/e-n`."""

    service: str
    lane: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a service in a lane by its sequence: the sequence of each producer's latest it rests on."""

    service: str
    lane: str
    seq: int
    causes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class End:
    """What is held when all is quiet."""

    truth: Truth
    steps: Sequence[Step] = ()
    said: Sequence[Said] = ()
    parked: Sequence[Parked] = field(default=())


def checked(told: Sequence[Told], end: End, expected: Collection[str] = (), doses: int = 2) -> list[Wrong]:
    """Everything wrong; `expected` are the reasons for which a fault may leave something parked.

    A push that nobody answered may have been taken or not: it counts as taken where there is a case of it.
    """
    taken = {placer(t.number) for t in told if t.taken}
    perhaps = {placer(t.number) for t in told if t.status == 0} - taken
    held = {p for p in perhaps if _has_case(end.truth, p)}
    return [
        *(Wrong("double", text) for text in contradictions(told)),
        *_told_and_held(told, end.truth),
        *wrongs(end.truth, taken | held, doses),
        *_backwards(end.steps),
        *_forgotten(end.said),
        *_parked(end.parked, expected),
    ]


def _has_case(truth: Truth, name: str) -> bool:
    return any(i.get("value") == name for t in truth.tasks("intake", "referral") for i in t["identifier"])


def _told_and_held(told: Sequence[Told], truth: Truth) -> Iterator[Wrong]:
    """A case that a client was told of is there, and what a client was refused is not."""
    tasks = {t["id"] for t in truth.tasks("intake", "referral")}
    named = {(t.number, t.task) for t in told if t.taken and t.task}
    for number, task in sorted(named):
        if task.partition("/")[2] not in tasks:
            yield Wrong("lost", f"referral {number}: its client was told of a case that is not held")
    for number in sorted({t.number for t in told if t.refused}):
        if _has_case(truth, placer(number)):
            yield Wrong("double", f"referral {number} was refused and is held all the same")


_VERSION = re.compile(r"^(?P<id>[^/]+/[^/]+)/_history/(?P<epoch>\d+)-(?P<number>\d+)$")


def _backwards(steps: Sequence[Step]) -> Iterator[Wrong]:
    """A decision that rests on an older version than an earlier decision of its lane did."""
    seen: dict[tuple[str, str, str], tuple[int, int]] = {}
    for step in steps:
        for name in step.evidence:
            if (found := _VERSION.match(name)) is None:
                continue
            key, version = (step.service, step.lane, found["id"]), (int(found["epoch"]), int(found["number"]))
            if version < seen.get(key, version):
                yield Wrong("order", f"{step.service}: a decision rests on an older {found['id']} than one before it")
            seen[key] = max(version, seen.get(key, version))


def _forgotten(said: Sequence[Said]) -> Iterator[Wrong]:
    """A message that rests on less than an earlier one of its lane, and a lane with a number missing or twice."""
    latest: dict[tuple[str, str], Said] = {}
    for message in sorted(said, key=lambda s: (s.service, s.lane, s.seq)):
        before = latest.get((message.service, message.lane))
        begins_epoch = message.seq >> EPOCH > (before.seq >> EPOCH if before else 0)
        if not begins_epoch and message.seq != (before.seq + 1 if before else 1):
            yield Wrong("order", f"{message.service}: number {message.seq} of a lane follows {before and before.seq}")
        for producer, seq in (before.causes if before else {}).items():
            if message.causes.get(producer, 0) < seq:
                yield Wrong("order", f"{message.service}: a message rests on less of {producer} than the one before it")
        latest[message.service, message.lane] = message


def _parked(parked: Sequence[Parked], expected: Collection[str]) -> Iterator[Wrong]:
    for item in parked:
        if not item.reason:
            yield Wrong("stuck", f"{item.where}: {item.what} is parked without a reason")
        elif item.reason not in expected:
            yield Wrong("stuck", f"{item.where}: {item.what} is parked: {item.reason}")
