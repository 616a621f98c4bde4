"""What clients were told: every push with its answer, and what may be concluded from the answers alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Told:
    """One push of one referral: when it began and was answered (seconds of one clock), and what was said.

    status   of HTTP; 0 where no answer came: then nobody knows whether it was taken.
    task     `Task/<id>` of the referral as the answer names it, "" where it names none.
    cut      whether the server had the connection and ended it without an answer.
    """

    number: int
    began: float
    ended: float
    status: int
    task: str = ""
    cut: bool = False

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the client was told that it will never be taken as it is."""
        return 400 <= self.status < 500 and self.status not in (401, 408, 425, 429)


@dataclass(slots=True)
class History:
    """Every push of a run in the order of the answers."""

    told: list[Told] = field(default_factory=list)

    def accepted(self) -> dict[int, float]:
        """Number of each referral that was taken -> when its client first knew."""
        found: dict[int, float] = {}
        for told in self.told:
            if told.taken:
                found.setdefault(told.number, told.ended)
        return found

    def began(self) -> dict[int, float]:
        """Number of each referral that was pushed at all -> when first."""
        found: dict[int, float] = {}
        for told in sorted(self.told, key=lambda t: t.began):
            found.setdefault(told.number, told.began)
        return found

    def between(self, begin: float, end: float) -> Sequence[Told]:
        """Answers given from one instant to another."""
        return [t for t in self.told if begin <= t.ended < end]


def contradictions(told: Sequence[Told]) -> Iterator[str]:
    """One referral answered with two cases, and one refused after it was taken or taken after it was refused."""
    tasks: dict[int, set[str]] = {}
    verdicts: dict[int, set[bool]] = {}
    for answer in told:
        if answer.taken and answer.task:
            tasks.setdefault(answer.number, set()).add(answer.task)
        if answer.taken or answer.refused:
            verdicts.setdefault(answer.number, set()).add(answer.taken)
    yield from (f"referral {n} was answered with {len(t)} cases" for n, t in sorted(tasks.items()) if len(t) > 1)
    yield from (f"referral {n} was both taken and refused" for n, v in sorted(verdicts.items()) if len(v) > 1)
