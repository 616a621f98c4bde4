"""What the composition root does before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services import declared
from shared.app import build
from shared.settings import Settings, SettingsError, load_site

DELIVERY = ("id", "channel", "resource", "occurrence", "lane", "state", "fence", "next_at", "lease_until", "created_at")


def settings(folder: Path) -> Settings:
    return Settings(folder=folder, secrets=folder / "secrets")


async def test_a_restarted_laptop_does_not_wait_for_the_lease_of_the_process_that_died(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    site = load_site(chosen.site_file, partners_url=chosen.partners_url, base_url=chosen.base_url)
    first = await build(declared(site), chosen, site)
    row = ("d-1", "placer", "Task/in-1", "1", "patient/in-1", "sending", 3, "", "2999-01-01T00:00:00.000000Z", "")
    async with first.handles["intake"].database.writing() as tx:
        await tx.insert("delivery", DELIVERY, [row])
    await first.stop()
    second = await build(declared(site), chosen, site)
    async with second.handles["intake"].database.reading() as tx:
        rows = await tx.fetch("select state, fence, lease_until from delivery where id = 'd-1'")
    await second.stop()
    assert [tuple(r) for r in rows] == [("sending", 3, "")]


async def test_one_folder_is_one_process(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    site = load_site(chosen.site_file, partners_url=chosen.partners_url, base_url=chosen.base_url)
    first = await build(declared(site), chosen, site)
    with pytest.raises(SettingsError, match="in use by another carepod"):
        await build(declared(site), chosen, site)
    await first.stop()


async def test_a_service_of_its_own_needs_the_engines(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    site = load_site(chosen.site_file, partners_url=chosen.partners_url, base_url=chosen.base_url)
    with pytest.raises(SettingsError, match="CAREPOD_DATABASE_URL"):
        await build(declared(site), chosen, site, ["intake"])
    with pytest.raises(SettingsError, match="one of intake, auth, scheduling"):
        await build(declared(site), chosen, site, ["billing"])


async def test_a_service_whose_profiles_are_not_those_of_the_contracts_does_not_start(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    site = load_site(chosen.site_file, partners_url=chosen.partners_url, base_url=chosen.base_url)
    first, *others = declared(site)
    newer = replace(first, profiles={**first.profiles, "Patient": "patient|1.1"}, reads={"Task#chair": "chair-task|4"})
    with pytest.raises(SettingsError) as refused:
        await build([newer, *others], chosen, site)
    assert str(refused.value) == (
        "intake saves patient|1.1; the contracts hold 1.0; intake reads chair-task|4; the contracts hold 3.0"
    )
