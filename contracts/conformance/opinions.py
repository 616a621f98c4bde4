"""Both validators' verdicts side by side, and what is wrong between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.conformance import definitions
from contracts.conformance.recorded import Recorded, of
from contracts.conformance.rounds import PAS, Asked, ours_says
from contracts.conformance.validator import Question, Verdict, judged
from shared.fhir.outcomes import Issue


@dataclass(frozen=True, slots=True)
class Opinions:
    """What each of the two found wrong with one input."""

    asked: Asked
    theirs: Verdict
    ours: Sequence[Issue]

    @property
    def agree(self) -> bool:
        return bool(self.theirs.errors) == bool(self.ours)

    @property
    def record(self) -> Recorded:
        return of(self.theirs, self.asked.digest)


def opinions(inputs: Sequence[Asked], folder: Path, said: Callable[[int], None]) -> tuple[str, list[Opinions]]:
    """(the other validator and its version, both verdicts on each input); all packages are at hand.

    Raises Unreachable and ToolError.
    """
    known = {name: definitions.of_package(definitions.package(name), folder) for name in _packages(inputs)}
    own, encounter = definitions.ours(folder), definitions.encounter(folder)

    def question(asked: Asked) -> Question:
        files = [known[name] for name in asked.packages]
        files += [own] * asked.ours + [encounter] * (PAS in asked.packages)
        return Question(asked.name, asked.text, asked.profiles, tuple(files))

    validator, verdicts = judged([question(asked) for asked in inputs], said)
    return validator, [Opinions(a, v, ours_says(a)) for a, v in zip(inputs, verdicts, strict=True)]


def at_hand(asked: Asked) -> bool:
    """Whether the packages an input is judged by are there."""
    return all(definitions.package(name).exists() for name in asked.packages)


def _packages(inputs: Sequence[Asked]) -> list[str]:
    return sorted({name for asked in inputs for name in asked.packages})


def wrong(found: Sequence[Opinions], listed: Mapping[str, str], *, whole: bool = True) -> Iterator[str]:
    """In words: what is not as it should be, each disagreement without a reason, each reason without a disagreement.

    whole  whether everything of the round was judged, so that a reason for anything else is too many.
    """
    for each in found:
        name, wanted = each.asked.name, each.asked.wanted
        reason = listed.get(name)
        if reason is not None and each.agree:
            yield f"{name}: disagreements.yaml gives a reason, but both agree"
        if reason is None and not each.agree:
            yield f"{name}: {_sides(each)}"
        if reason is None and each.agree and wanted is not None and wanted == bool(each.ours):
            yield f"{name}: should be {'valid' if wanted else 'invalid'}; {_sides(each)}"
    unknown = listed.keys() - {each.asked.name for each in found} if whole else ()
    yield from (f"{name}: disagreements.yaml names what is not there" for name in unknown)


def _sides(each: Opinions) -> str:
    theirs = "; ".join(f"{error.expression}: {error.rule}" for error in each.theirs.errors) or "valid"
    ours = "; ".join(f"{issue.expression}: {issue.rule or issue.code}" for issue in each.ours) or "valid"
    return f"theirs: {theirs} | ours: {ours}"
