"""One defect is enough for a profile too: each mutant of an example that meets it is refused."""

from __future__ import annotations

import pytest

from shared.fhir import profiles as validators
from shared.fhir.definitions import carepod as definitions

from .examples import PROFILE, examples, profiles
from .profile_mutants import Mutants

FEW = ("referral-task", "chair-appointment", "preauthorization-claim", "coverage", "decision-message")


def survivors(profile: str) -> tuple[int, list[str]]:
    """(how many mutants were made, those that were let in)."""
    validator, structure = validators.carepod(), definitions().profile(PROFILE + profile)
    assert structure is not None
    made, let_in = 0, []
    for name, good in examples(profile).items():
        for defect, mutant in Mutants(validator.overlays, structure, good):
            made += 1
            found = validator.check(mutant, profiles=[PROFILE + profile])
            if not any(issue.severity == "error" for issue in found):
                let_in.append(f"{name}: {defect}")
    return made, let_in


@pytest.mark.parametrize("profile", FEW)
def test_every_single_defect_of_some_profiles_is_refused(profile: str) -> None:
    made, let_in = survivors(profile)
    assert let_in == []
    assert made > 5


@pytest.mark.slow
@pytest.mark.parametrize("profile", profiles())
def test_every_single_defect_of_every_profile_is_refused(profile: str) -> None:
    assert survivors(profile)[1] == []
