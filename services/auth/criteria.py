"""Evaluates a payer's criteria, written as data, on a patient's chart: verdict, proof, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from services.auth.findings import KINDS, Chart, Rule
from shared.catalogue import drug
from shared.core import reference
from shared.policy import Figure, PolicyError


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
    verdicts = {c["id"]: _verdict(c, chart) for c in _leaves(rule)}
    order = list(verdicts)

    def cost(wanted: frozenset[str]) -> tuple[int, int, list[int]]:
        against = sum(verdicts[c].verdict == "not-met" for c in wanted)
        return against, len(wanted), sorted(order.index(c) for c in wanted)

    least = min(_options(rule, verdicts), key=cost)
    return Judgement(tuple(verdicts.values()), tuple(v for c, v in verdicts.items() if c in least))


def check_criteria(figures: Iterable[Figure]) -> None:
    """A criteria file that names no drug of the catalogue, or looks at nothing we know, would decide in silence.

    Raises PolicyError with the policy and the place.
    """
    for figure in figures:
        if figure.id != "criteria":
            continue
        if unknown := [key for key in figure.applies_to.get("drugs", [""]) if drug(key) is None]:
            raise PolicyError(f"{figure.policy}: drugs {unknown}: keys of shared/catalogue/drugs.yaml would be right")
        rule = figure.value.get("rule")
        for leaf in _leaves(rule) if rule else ():
            if len(KINDS.keys() & leaf.keys()) != 1:
                raise PolicyError(f"{figure.policy}: {leaf.get('id', leaf)}: one of {sorted(KINDS)} would be right")


def _leaves(rule: Rule) -> Iterator[Rule]:
    if branches := rule.get("all") or rule.get("any"):
        for branch in branches:
            yield from _leaves(branch)
    else:
        yield rule


def _options(rule: Rule, verdicts: Mapping[str, Verdict]) -> list[frozenset[str]]:
    """Every set of unmet criteria whose meeting would meet the rule."""
    match rule:
        case {"all": branches}:
            every = product(*(_options(b, verdicts) for b in branches))
            return list({frozenset().union(*chosen) for chosen in every})
        case {"any": branches}:
            return [o for b in branches for o in _options(b, verdicts)]
        case _:
            met = verdicts[rule["id"]].verdict == "met"
            return [frozenset() if met else frozenset({rule["id"]})]


def _verdict(criterion: Rule, chart: Chart) -> Verdict:
    for kind, judge in KINDS.items():
        if kind in criterion:
            verdict, evidence, gap = judge(criterion[kind], chart)
            met = verdict == "met"
            proof = None if evidence is None else reference(evidence)
            return Verdict(criterion["id"], verdict, proof, None if met else gap, criterion["text"])
    raise ValueError(f"criterion {criterion['id']}: one of {sorted(KINDS)} would be right")
