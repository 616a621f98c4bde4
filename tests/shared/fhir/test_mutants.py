"""One defect is enough: every single-defect mutant of a good resource is refused, and the good one is not."""

from __future__ import annotations

import pytest

from shared.fhir.definitions import r4 as definitions
from shared.fhir.json import decode, encode
from shared.fhir.profiles import r4

from .mutants import mutants
from .resources import GOOD

LEAST = {"ServiceRequest": 500, "Task": 100, "Patient": 150, "Observation": 150, "Bundle": 400}


@pytest.mark.parametrize("name", GOOD)
def test_every_single_defect_is_refused(name: str) -> None:
    made = list(mutants(GOOD[name](), definitions()))
    assert [defect for defect, mutant in made if not r4().check(mutant)] == []
    assert len(made) > LEAST[name]


@pytest.mark.parametrize("name", GOOD)
def test_what_the_mutants_are_made_of_passes_the_gate_and_the_check(name: str) -> None:
    assert r4().check(decode(encode(GOOD[name]()))) == []


def test_every_kind_of_defect_is_among_them() -> None:
    kinds = {defect.partition(" at ")[0] for make in GOOD.values() for defect, _ in mutants(make(), definitions())}
    assert len(kinds) == 12
