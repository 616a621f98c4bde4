"""Authorization and scheduling, each restored to an earlier point, while referrals run: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest

from benchmarks.cases import Template, placer, roomy_site
from benchmarks.disturbed import Deployment
from benchmarks.truth import all_booked, faults, gathered, quiet
from shared.clock import system_clock
from shared.settings import ROOT
from tests.journeys.pushes import all_pushed
from tests.shared.repair import copying

pytestmark = pytest.mark.slow

BEFORE, AFTER = 4, 4
"""Referrals before the copies are taken, and after."""
LONGEST = 90.0


async def carepod(deployment: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of the practice's operator."""
    command = [sys.executable, "-m", "services", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, env=deployment.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


async def referred(deployment: Deployment, numbers: Sequence[int], sites: Sequence[str]) -> None:
    """Pushes these referrals and waits until all is booked and quiet."""
    template, sender = Template(system_clock().date()), deployment.sender()
    await all_pushed(sender, [(placer(n), template.referral(n, sites[n % len(sites)])) for n in numbers])
    await sender.close()
    await all_booked(deployment, 2 * (max(numbers) + 1), LONGEST)
    assert await quiet(deployment, LONGEST)


async def restored(deployment: Deployment, service: str) -> str:
    """Puts the earlier store of a service back and has it recover; what `carepod restored` said."""
    stopped = [service] if deployment.engines else ["all"]
    for name in stopped:
        deployment.processes[name].terminate()
        await asyncio.to_thread(deployment.processes[name].wait, 30)
    if deployment.engines:
        await copying.put_schema_back(deployment.engines["CAREPOD_DATABASE_URL"], service)
    else:
        await deployment.let_go(service)
        copying.put_file_back(deployment.folder / f"{service}.db")
    result = await carepod(deployment, "restored", service)
    for name in stopped:
        deployment.launch(name)
        await deployment.answering(name)
    assert result.returncode in (0, 1), result.stderr
    return result.stdout


async def test_two_restored_services_take_back_what_they_lost(deployment: Deployment) -> None:
    deployment.site_file = deployment.folder / "site.yaml"
    sites = roomy_site(deployment.site_file)
    await deployment.start()
    await referred(deployment, range(BEFORE), sites)
    for service in ("auth", "scheduling"):
        if deployment.engines:
            await copying.keep_schema(deployment.engines["CAREPOD_DATABASE_URL"], service)
        else:
            copying.keep_file(deployment.folder / f"{service}.db")
    await referred(deployment, range(BEFORE, BEFORE + AFTER), sites)
    said = {}
    for service in ("auth", "scheduling"):
        said[service] = await restored(deployment, service)
        assert await quiet(deployment, LONGEST)
    assert all(f"{service}: epoch 2" in text for service, text in said.items()), said
    assert not [text for text in said.values() if " 0 versions" in text], "the copies lacked nothing"
    found = faults(await gathered(deployment), {placer(n) for n in range(BEFORE + AFTER)})
    # What nobody heard is said anew, under numbers of the new epoch.
    assert [f for f in found if "lanes with a gap" not in f] == [], said
    digest = await carepod(deployment, "digest")
    assert digest.returncode == 0, digest.stdout
