"""What the seeds plan: every therapy and payer, every kind of weather, and referrals intake calls complete."""

from __future__ import annotations

from datetime import date

import pytest

from benchmarks.cases import Template
from benchmarks.simulation.plan import WEATHER, planned
from benchmarks.simulation.therapies import COVERAGES, example_of, paid_by, payer_of, therapies, therapy_of, treated
from services.auth.answers import validator
from services.intake.rules import ANY, RULES
from shared.fhir.json import decode
from shared.fhir.outcomes import errors

SERVICES = ("intake", "auth", "scheduling", "nursing")
PLANS = [planned(seed, SERVICES) for seed in range(1, 51)]


def test_the_seeds_of_a_test_run_bring_every_therapy_of_the_requirements_from_every_payer() -> None:
    referrals = [r for plan in PLANS for r in plan.of("r")]
    assert {therapy_of(r.what) for r in referrals} == set(RULES) - {ANY}
    assert {payer_of(r.what, r.payer) for r in referrals} == {*COVERAGES, "none"}
    for therapy in therapies():
        assert {r.payer for r in referrals if r.what == therapy} == set(COVERAGES)


def test_the_seeds_of_a_test_run_bring_everything_that_can_go_wrong() -> None:
    items = [item for plan in PLANS for item in plan.items]
    assert {i.kind for i in items} == set("rucftkjowd")
    assert {i.what for i in items if i.kind == "w"} == set(WEATHER)
    assert any(i.amount < 0 for i in items if i.kind == "k")
    assert any(i.amount > 20 for i in items if i.kind == "f")
    assert any(i.what.endswith("-2") for i in items if i.kind == "c")


@pytest.mark.parametrize("therapy", therapies())
@pytest.mark.parametrize("payer", COVERAGES)
def test_a_referral_made_of_an_example_is_legal(therapy: str, payer: str) -> None:
    today = date(2026, 12, 1)
    changes = [*treated(therapy, 1, today), *paid_by(payer)]

    def changed(bundle: dict[str, object]) -> None:
        for change in changes:
            change(bundle)

    body = Template(today, example_of(therapy), changed).referral(17)
    bundle = decode(body)
    assert errors(validator().check(bundle)) == []
    assert b"424242" not in body
    urls = [e["fullUrl"] for e in bundle["entry"]]
    assert len(set(urls)) == len(urls)
