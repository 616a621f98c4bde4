"""The figures of the road and of the licences decide once the practice has adopted them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.nursing.planner import earliest
from services.nursing.roads import roads_of
from shared.policy import Figures, PolicyError, load_figures
from shared.settings import ROOT, load_site
from tests.services.nursing.test_planner import MONDAY, at, wish

FOLDER = ROOT / "services" / "nursing" / "policies"


def test_the_figures_of_the_road_decide_once_the_practice_has_adopted_them() -> None:
    adopted = load_figures("nursing", FOLDER, ["nursing/roads", "nursing/licences"])
    roads = roads_of(adopted, MONDAY)
    assert (roads.most_minutes_per_leg, roads.most_visits_per_day) == (45, 6)
    assert {"NE", "IA"} <= roads.compact
    assert not {"MA", "CA", "NY"} & roads.compact
    with pytest.raises(PolicyError, match="detour_factor"):
        roads_of(Figures(adopted.figures), MONDAY)


def test_the_demo_practice_has_a_nurse_for_lincoln_on_every_day() -> None:
    site = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://p", base_url="http://b")
    assert site.home is not None
    roads = roads_of(
        load_figures("nursing", ROOT / "services" / "nursing" / "policies", (a.policy for a in site.adopted)), MONDAY
    )
    for n in range(7):
        on = MONDAY + timedelta(days=n)
        asked = replace(wish(not_before=at(on, 0), last=on), competencies=frozenset({"ivig", "assessment", "teaching"}))
        assert earliest(site.home, asked, (), roads) is not None
