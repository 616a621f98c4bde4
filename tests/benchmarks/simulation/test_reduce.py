"""A failing plan becomes the shortest that still fails."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.simulation.plan import CRASHES, REFERRALS, Plan, planned
from benchmarks.simulation.reduce import reduced

SERVICES = ("intake", "auth", "scheduling", "nursing")


def test_what_does_not_matter_is_left_out() -> None:
    plan, tried = planned(3, SERVICES), list[int]()

    def fails(plans: Sequence[Plan]) -> list[bool]:
        tried.extend(len(p.items) for p in plans)
        return [{"r3", "c2"} <= {i.id for i in p.items} for p in plans]

    assert {i.id for i in reduced(plan, fails).items} == {"r3", "c2"}
    assert len(tried) < 80


def test_what_referrals_alone_show_takes_few_attempts() -> None:
    plan, tried = planned(3, SERVICES), list[int]()

    def fails(plans: Sequence[Plan]) -> list[bool]:
        tried.extend(len(p.items) for p in plans)
        return [{"r3", "r9"} <= {i.id for i in p.items} for p in plans]

    assert {i.id for i in reduced(plan, fails).items} == {"r3", "r9"}
    assert tried[0] == len(plan.of("r"))
    assert len(tried) < 40


def test_a_plan_is_the_seeds_and_has_what_it_must() -> None:
    for seed in range(1, 30):
        plan = planned(seed, SERVICES)
        assert plan == planned(seed, SERVICES)
        assert len(plan.of("r")) == REFERRALS
        assert len(plan.of("c")) >= CRASHES
        assert len({i.id for i in plan.items}) == len(plan.items)
