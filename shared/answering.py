"""How a referrer is answered: the ways its system can take, the best first, as the site file names them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

WAYS = ("task", "document", "notification", "file")
"""Task pushed to its EHR, DocumentReference posted there, Subscription notification, PDF into a folder."""

CONTENTS = ("id-only", "full-resource")
"""What a notification carries: where to read the Task, or the Task."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer a referrer: which of `WAYS`, and the partner that takes it."""

    by: str
    partner: str


def ways(referrer: Mapping[str, Any], partners: Collection[str]) -> tuple[Way, ...]:
    """`answers: [{task: <partner>}, {file: <partner>}]`, in order; `answers_to: <partner>` alone means its Tasks.

    Raises ValueError with what would be right.
    """
    listed = referrer.get("answers")
    if listed is None:
        listed = [{"task": referrer["answers_to"]}] if referrer.get("answers_to") else []
    found = tuple(Way(by, str(partner)) for one in listed for by, partner in one.items())
    for way in found:
        _known("a way of answers", way.by, WAYS)
        _known("a partner of answers", way.partner, partners)
    if len({way.by for way in found}) < len(found):
        raise ValueError("answers: each way at most once would be right")
    return found


def patience(referrer: Mapping[str, Any]) -> timedelta | None:
    """How long a way may stay unreached before the next one is tried, where this referrer has a time of its own."""
    seconds = referrer.get("answers_wait_seconds")
    return timedelta(seconds=float(seconds)) if seconds is not None else None


def content(partner: Mapping[str, Any]) -> str:
    """What notifications to a partner carry. Raises ValueError."""
    said = str(partner.get("content", CONTENTS[0]))
    _known("content", said, CONTENTS)
    return said


def _known(what: str, said: str, names: Iterable[str]) -> None:
    if said not in names:
        raise ValueError(f"{what}: {said}: one of {', '.join(names)} would be right")
