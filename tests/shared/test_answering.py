"""The site file says in order how a referrer is answered, and what is wrong with it is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.answering import Way
from shared.settings import ROOT, SettingsError, Site, load_site

DEMO = ROOT / "deploy" / "sites" / "demo.yaml"


def site_with(tmp_path: Path, referrer: dict[str, Any], partner: dict[str, Any] | None = None) -> Site:
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    document["referrers"]["elm"] = {"name": "Elm", **referrer}
    if partner is not None:
        document["partners"]["elm"] = partner
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_site(path, partners_url="http://p.test", base_url="http://c.test", folder=Path("/srv/carepod"))


def test_ways_keep_their_order(tmp_path: Path) -> None:
    site = site_with(tmp_path, {"answers": [{"file": "fax-willow"}, {"task": "ehr-mercy"}]})
    assert site.referrers["elm"].answers == (Way("file", "fax-willow"), Way("task", "ehr-mercy"))
    assert site.referrers["elm"].patience is None


def test_answers_to_alone_means_tasks_and_nothing_means_that_it_reads_here(tmp_path: Path) -> None:
    assert site_with(tmp_path, {"answers_to": "ehr-mercy"}).referrers["elm"].answers == (Way("task", "ehr-mercy"),)
    assert site_with(tmp_path, {}).referrers["elm"].answers == ()


def test_a_referrer_may_have_a_time_of_its_own(tmp_path: Path) -> None:
    assert site_with(tmp_path, {"answers_wait_seconds": 90}).referrers["elm"].patience == timedelta(seconds=90)


def test_a_folder_stands_in_the_place_of_an_address(tmp_path: Path) -> None:
    partner = site_with(tmp_path, {}, {"folder": "{folder}/out"}).partners["elm"]
    assert (partner.folder, partner.base) == (Path("/srv/carepod/out"), "")


@pytest.mark.parametrize(
    "referrer, partner, said",
    [
        ({"answers": [{"pigeon": "ehr-mercy"}]}, None, "task, document, notification, file would be right"),
        ({"answers": [{"task": "nobody"}]}, None, "a partner of answers: nobody"),
        ({"answers": [{"task": "ehr-mercy"}, {"task": "ehr-cedar"}]}, None, "each way at most once"),
        ({}, {"base": "http://e.test", "content": "empty"}, "id-only, full-resource would be right"),
    ],
)
def test_what_is_wrong_is_said(
    referrer: dict[str, Any], partner: dict[str, Any] | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=said):
        site_with(tmp_path, referrer, partner)
