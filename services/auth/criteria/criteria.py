"""Evaluates a payer's criteria, written as data, on a patient's chart: verdict, proof, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from services.auth.criteria.findings import Chart, Rule
from services.auth.criteria.kinds import KINDS
from shared.core import reference

NOTHING: Rule = {"all": ()}
"""The rule of a payer that asks for nothing."""

Wanted = frozenset[str]
"""Criteria that are not met, whose meeting would meet a rule."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one criterion came to. `gap` says what is wrong where it is not met, `text` what would satisfy it."""

    criterion: str
    verdict: Literal["met", "not-met", "not-documented"]
    evidence: str | None = None
    gap: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every criterion's verdict, and the smallest set of criteria whose meeting would make the request complete."""

    verdicts: tuple[Verdict, ...]
    missing: tuple[Verdict, ...]

    @property
    def met(self) -> bool:
        """Whether the request may be submitted as it is."""
        return not self.missing


def judged(rule: Rule, chart: Chart) -> Judgement:
    """Judges a tree of `all`, `any` and criteria.

    The smallest set takes a document that is lacking before a value that speaks against the criterion.
    """
    verdicts = {c["id"]: _verdict(c, chart) for c in leaves(rule)}
    options = _options(rule, verdicts)
    if options == [frozenset()]:
        return Judgement(tuple(verdicts.values()), ())
    order = {c: at for at, c in enumerate(verdicts)}

    def cost(wanted: Wanted) -> tuple[int, int, list[int]]:
        against = sum(verdicts[c].verdict == "not-met" for c in wanted)
        return against, len(wanted), sorted(order[c] for c in wanted)

    least = min(options, key=cost)
    return Judgement(tuple(verdicts.values()), tuple(v for c, v in verdicts.items() if c in least))


def leaves(rule: Rule) -> Iterator[Rule]:
    """The criteria of a rule, in the order they are written."""
    branches = rule.get("all", rule.get("any"))
    if branches is None:
        yield rule
    else:
        for branch in branches:
            yield from leaves(branch)


def _options(rule: Rule, verdicts: Mapping[str, Verdict]) -> list[Wanted]:
    """Every set of unmet criteria whose meeting would meet the rule, but those that ask for more than another does."""
    match rule:
        case {"all": branches}:
            chosen: list[Wanted] = [frozenset()]
            for branch in branches:
                options = _options(branch, verdicts)
                chosen = _least(c | o for c in chosen for o in options)
            return chosen
        case {"any": branches}:
            return _least(o for b in branches for o in _options(b, verdicts))
        case _:
            met = verdicts[rule["id"]].verdict == "met"
            return [frozenset() if met else frozenset({rule["id"]})]


def _least(options: Iterable[Wanted]) -> list[Wanted]:
    """The sets that hold no other whole: who asks for more is never the smallest, whatever else is asked for."""
    kept: list[Wanted] = []
    for option in sorted(set(options), key=len):
        if not any(k <= option for k in kept):
            kept.append(option)
    return kept


def _verdict(criterion: Rule, chart: Chart) -> Verdict:
    for kind, judge in KINDS.items():
        if kind in criterion:
            verdict, evidence, gap = judge(criterion[kind], chart)
            met = verdict == "met"
            proof = None if evidence is None else reference(evidence)
            return Verdict(criterion["id"], verdict, proof, None if met else gap, criterion["text"])
    raise ValueError(f"criterion {criterion['id']}: one of {sorted(KINDS)} would be right")
