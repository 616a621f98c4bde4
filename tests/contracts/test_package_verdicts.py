"""Our verdict on every example of the US Core and PAS packages is the HL7 validator's, or a reason is listed."""

from __future__ import annotations

import pytest

from contracts.conformance import recorded, rounds

pytestmark = pytest.mark.slow

_, VERDICTS = recorded.read(recorded.FOLDER / "packages.yaml")
LISTED = recorded.disagreements()["packages"]
COUNTS = {rounds.US_CORE_6: 183, rounds.US_CORE: 228, rounds.PAS: 47}


@pytest.mark.parametrize("package", COUNTS)
def test_both_validators_agree_on_the_examples_of_a_package(package: str) -> None:
    asked = list(rounds.of_package(package))
    assert {a.name: a.digest for a in asked} == {
        n: kept.digest for n, kept in VERDICTS.items() if n.startswith(f"{package} ")
    }
    disagree = {a.name for a in asked if VERDICTS[a.name].valid != (not rounds.ours_says(a))}
    assert disagree == {name for name in LISTED if name.startswith(f"{package} ")}
    assert len(asked) == COUNTS[package]
