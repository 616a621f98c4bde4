"""kill -9 of any one process at every point where it hurts, under 200 referrals at once: all end, one effect each."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from benchmarks.cases import Template, placer, roomy_site
from benchmarks.disturbed import Deployment
from benchmarks.truth import all_booked, faults, gathered, quiet
from shared.clock import system_clock
from tests.journeys.pushes import all_pushed

pytestmark = pytest.mark.slow

REFERRALS = 200
LONGEST = 150.0
"""Seconds after which a journey that has not ended counts as lost."""

Plan = tuple[tuple[str, ...], ...]
"""Process and the points at which it dies, one life after the other."""

EMBEDDED: Plan = (
    (
        "all", "loop.before_commit:60", "consumer.before_ack:2", "relay.before_publish:2", "relay.before_mark:2",
        "delivery.before_send:20", "delivery.before_store:20",
    ),
)  # fmt: skip
ENGINES: tuple[Plan, ...] = (
    (
        ("intake", "loop.before_commit:60", "relay.before_publish:3"),
        ("auth", "consumer.before_ack:3", "delivery.before_send:30"),
        ("scheduling", "relay.before_mark:3", "loop.before_commit:20"),
    ),
    (
        ("intake", "relay.before_mark:3", "delivery.before_send:30"),
        ("auth", "delivery.before_store:30", "relay.before_publish:3"),
        ("scheduling", "consumer.before_ack:3", "delivery.before_store:10"),
    ),
)


def named(plan: Plan) -> str:
    """A plan as the name of a test."""
    return "; ".join(f"{name} at {', '.join(points)}" for name, *points in plan)


def deaths(plan: Plan) -> Counter[tuple[str, int]]:
    """How often each process is to die, and by which exit code."""
    return Counter((name, -signal.SIGKILL) for name, *points in plan for _ in points)


async def died(deployment: Deployment, plan: Plan) -> Counter[tuple[str, int]]:
    """Runs 200 referrals to their end while processes are killed as planned; which died, and by which exit code."""
    deployment.site_file = deployment.folder / "site.yaml"
    sites = roomy_site(deployment.site_file)
    await deployment.start({name: points for name, *points in plan})
    deployment.keep_alive()
    template, sender = Template(system_clock().date()), deployment.sender()
    bodies = [(placer(n), template.referral(n, sites[n % len(sites)])) for n in range(REFERRALS)]
    await all_pushed(sender, bodies)
    await sender.close()
    await all_booked(deployment, 2 * REFERRALS, LONGEST)
    await quiet(deployment, LONGEST)
    assert all(d.booked < 2 * REFERRALS for d in deployment.deaths), "it died when all was over"
    return Counter((d.name, d.code) for d in deployment.deaths)


async def harm(deployment: Deployment) -> list[str]:
    """Every fault there is at the end."""
    return faults(await gathered(deployment), {placer(n) for n in range(REFERRALS)})


async def test_the_one_process_is_killed_at_every_point_and_every_referral_ends_once(embedded: Deployment) -> None:
    assert await died(embedded, EMBEDDED) == deaths(EMBEDDED)
    assert await harm(embedded) == []


@pytest.mark.engines
@pytest.mark.parametrize("plan", ENGINES, ids=named)
async def test_every_service_is_killed_and_every_referral_ends_once(plan: Plan, deployed: Deployment) -> None:
    assert await died(deployed, plan) == deaths(plan)
    assert await harm(deployed) == []
