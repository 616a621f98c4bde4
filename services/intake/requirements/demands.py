"""What our profiles of a referral's records demand beyond base R4: a demand not met is a gap, never a refusal.

The profiles are `referral-*`; `contracts/profiles/gaps.yaml` says which gap each of their demands is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.intake.codes import (
    FERRITIN,
    HEMOGLOBIN,
    HEPATITIS_B,
    IGG,
    JCV_ANTIBODY,
    NEUTROPHILS,
    RENAL_FUNCTION,
    TB_SCREEN,
    TSAT,
)
from services.intake.facts import Case
from services.intake.paper import being_read
from services.intake.requirements.gap import Gap
from shared.borders import PROFILE, Check
from shared.core import Resource
from shared.fhir import definitions
from shared.memo import of_each
from shared.yaml_files import read_yaml

LABS = (HEMOGLOBIN, FERRITIN, TSAT, TB_SCREEN, HEPATITIS_B, IGG, JCV_ANTIBODY, NEUTROPHILS, RENAL_FUNCTION)
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Demands:
    """What referrals are held to.

    check  the process's validator.
    gaps   profile -> invariant or element -> (gap code, what would be right).
    """

    check: Check
    gaps: Mapping[str, Mapping[str, tuple[str, str]]]


def demands_of(path: Path, check: Check) -> Demands:
    """The demands a file like `contracts/profiles/gaps.yaml` names. Raises ValueError for an unknown profile."""
    read = read_yaml(path.read_text(encoding="utf-8"))
    if unknown := [name for name in read if definitions.carepod().profile(PROFILE + name) is None]:
        raise ValueError(f"{path.name}: no profile is called {', '.join(unknown)}")
    return Demands(of_each(check), {p: {k: (d["gap"], d["text"]) for k, d in keys.items()} for p, keys in read.items()})


def shortfalls(case: Case, demands: Demands) -> tuple[Gap, ...]:
    """One gap for each demand the records of a referral do not meet; they withhold nothing."""
    if being_read(case):
        return ()
    found = (gap for profile, resource in _records(case) for gap in _unmet(resource, profile, demands))
    return tuple({(gap.code, gap.expression): gap for gap in found}.values())


def _records(case: Case) -> Iterator[tuple[str, Resource]]:
    """The records a referral rests on, each with the profile it should meet."""
    yield from (("referral-order", r) for r in (case.request,) if r)
    yield from (("referral-medication-request", r) for r in (case.medication,) if r)
    yield from (("referral-patient", r) for r in (case.patient,) if r)
    yield from (("referral-coverage", r) for r in case.coverages[:1])
    yield from (("referral-condition", r) for r in case.conditions)
    yield from (("referral-prescriber", r) for r in case.prescribers)
    yield from (("referral-lab", r) for codes in LABS for r in case.results(codes)[:1])


def _unmet(resource: Resource, profile: str, demands: Demands) -> Iterator[Gap]:
    for issue in demands.check(resource, PROFILE + profile):
        place = _INDEX.sub("", issue.expression)
        known = demands.gaps[profile].get(issue.rule) or demands.gaps[profile].get(place)
        if known is not None and issue.severity == "error":
            yield Gap(known[0], place, known[1], clinical=False, formal=True)
