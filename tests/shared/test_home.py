"""Home nursing in the site file: what is wrong is said with its place and what would be right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.build import read
from shared.core import CANONICAL
from shared.home import COMPETENCIES, HomeNursing
from shared.settings import ROOT, SettingsError, load_site

DEMO = yaml.safe_load((ROOT / "deploy" / "sites" / "demo.yaml").read_text(encoding="utf-8"))


def loaded(folder: Path, document: dict[str, Any]) -> HomeNursing | None:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_site(path, partners_url="http://partners", base_url="http://us").home


def test_the_demo_practice_visits_homes_and_knows_whom_to_ask(tmp_path: Path) -> None:
    home = loaded(tmp_path, DEMO)
    assert home is not None
    assert [n.id for n in home.nurses] == ["rn-castellano", "rn-novak", "rn-haddad"]
    assert [a.id for a in home.agencies] == ["valley-home", "plains-visiting"]
    assert home.nurses[0].base == home.place("68502-1234")
    assert home.place("00000") is None
    assert (home.agency("valley-home"), home.agency("nobody")) == (home.agencies[0], None)


def test_a_practice_need_not_visit_homes(tmp_path: Path) -> None:
    assert loaded(tmp_path, {k: v for k, v in DEMO.items() if k != "home_nursing"}) is None


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown competence": (
        lambda h: h["nurses"][0].update(competencies=["juggling"]),
        r"nurses\[0\].competencies: juggling: some of assessment",
    ),
    "base not on the map": (lambda h: h["nurses"][1].update(base="99999"), r"nurses\[1\].base: a ZIP code of"),
    "no licence": (lambda h: h["nurses"][0].update(licences=[]), r"nurses\[0\].licences: at least one"),
    "state as a truth value": (
        lambda h: h["nurses"][0].update(licences=[{"state": True}]),
        r"licences: a state of two capital letters, in quotes",
    ),
    "misspelt key": (lambda h: h["nurses"][0].update(shifts="08:00-16:00"), r"nurses\[0\]: unknown shifts"),
    "missing key": (lambda h: h["nurses"][0].pop("shift"), r"nurses\[0\]: shift is missing"),
    "shift backwards": (lambda h: h["nurses"][0].update(shift="17:00-08:00"), r"shift 17:00-08:00: the first time"),
    "no days": (lambda h: h["nurses"][0].update(days=[]), r"days: some of mon"),
    "unknown day": (lambda h: h["nurses"][0].update(days=["monday"]), r"days: some of mon"),
    "no range": (lambda h: h["nurses"][0].update(range_miles=0), r"range_miles: a number of miles"),
    "range beyond reason": (lambda h: h["nurses"][0].update(range_miles=301), r"range_miles: a number of miles"),
    "one id for two": (lambda h: h["nurses"][0].update(id="rn-novak"), r"nurses: each id once"),
    "ZIP as a number": (
        lambda h: h["places"].update({68502: h["places"]["68502"]}),
        r"places.68502: a ZIP code of five digits in quotes",
    ),
    "latitude of nowhere": (lambda h: h["places"]["68502"].update(latitude=91), r"places.68502: degrees"),
    "agency without a partner": (lambda h: h["agencies"][0].update(partner="x"), r"agencies\[0\].partner: one of"),
    "agency without a client": (lambda h: h["agencies"][1].update(client="x"), r"agencies\[1\].client: one of"),
    "unknown key": (lambda h: h.update(nurse=[]), r"home_nursing: unknown nurse"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_is_wrong_is_said_with_its_place(name: str, tmp_path: Path) -> None:
    document = copy.deepcopy(DEMO)
    change, said = WRONG[name]
    change(document["home_nursing"])
    with pytest.raises(SettingsError, match=said):
        loaded(tmp_path, document)


@pytest.mark.parametrize("miles", [0.5, 300])
def test_a_range_is_some_miles_and_not_too_many(miles: float, tmp_path: Path) -> None:
    document = copy.deepcopy(DEMO)
    document["home_nursing"]["nurses"][0]["range_miles"] = miles
    home = loaded(tmp_path, document)
    assert home is not None
    assert home.nurses[0].range_miles == miles


def test_every_competence_of_a_nurse_is_a_code_of_the_contracts() -> None:
    known = read()["codeSystems"][CANONICAL + "CodeSystem/nurse-competency"]
    assert set(known) == COMPETENCIES
