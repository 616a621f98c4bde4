"""What our profiles demand of a referral's records: each demand not met is one gap, and nothing is held up by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.intake.requirements.demands import demands_of
from services.intake.service import GAPS
from shared.borders import checking
from shared.fhir.profiles import carepod
from shared.settings import ROOT

EXAMPLES = ROOT / "contracts" / "examples"
DEMANDS = demands_of(GAPS, checking(carepod()))


@pytest.mark.parametrize("folder", sorted(EXAMPLES.glob("referral-*/")), ids=lambda p: p.name)
def test_every_demand_of_a_referral_profile_is_a_gap(folder: Path) -> None:
    if folder.name == "referral-task":
        assert folder.name not in DEMANDS.gaps, "the referral Task is ours"
        return
    cases = yaml.safe_load((folder / "invalid.yaml").read_text(encoding="utf-8"))
    known = DEMANDS.gaps[folder.name]
    places = [(c.get("rule", ""), re.sub(r"\[\d+\]", "", c["expression"])) for c in cases]
    assert [p for p in places if p[0] not in known and p[1] not in known] == []


def test_every_gap_of_the_profiles_stands_in_the_code_system() -> None:
    known = carepod_gaps()
    named = {code for keys in DEMANDS.gaps.values() for code, _ in keys.values()}
    assert named <= known


def carepod_gaps() -> set[str]:
    """The codes of our code system `gap`, from its source."""
    source = (ROOT / "contracts" / "profiles" / "input" / "fsh" / "codes-gap.fsh").read_text(encoding="utf-8")
    return set(re.findall(r"^\* #([a-z0-9-]+)", source, re.MULTILINE))


def test_a_formal_gap_is_told_and_withholds_nothing(desk: Any, example: Any, edited: Any) -> None:
    change = {"Patient": {"gender": None}, "Coverage": {"relationship": None}}
    desk.push(edited(example("iron-meets-criteria"), {"set": change}))
    assert sorted(desk.missing) == ["coverage-relationship-missing", "patient-gender-missing"]
    assert desk.order["status"] == "active"
    referral = desk.task("referral")
    assert referral["status"] == "accepted"
    told = [o["valueCodeableConcept"]["text"] for o in referral["output"] if "valueCodeableConcept" in o]
    assert "The patient's administrative gender, unknown included (Patient.gender)" in told


def test_what_a_rule_names_already_is_not_said_again(desk: Any, example: Any, edited: Any) -> None:
    change = {"Observation/2276-4": {"effectiveDateTime": None}, "Coverage": {"subscriberId": None, "identifier": None}}
    desk.push(edited(example("iron-meets-criteria"), {"set": change}))
    assert desk.missing == ["member-id-missing", "ferritin-undated"]


def test_a_record_mended_is_a_gap_less(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"set": {"Patient": {"birthDate": None}}}))
    assert desk.missing == ["patient-birth-date-missing"]
    desk.push(example("iron-meets-criteria"))
    assert desk.missing == []
