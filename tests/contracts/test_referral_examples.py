"""The nine demo referrals: legal FHIR by two judges, and intake's first decision on each as the demo promises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from services.intake.coordinator import Policy, coordinate
from services.intake.doors import bundles
from services.intake.doors.entries import faults
from services.intake.facts import Facts
from services.intake.service import declared
from shared.core import Decision, Event
from shared.fhir.json import decode
from shared.fhir.profiles import r4
from shared.settings import ROOT, load_site

FOLDER = ROOT / "contracts" / "examples" / "referrals"
FIRST = {
    "iron-meets-criteria": ("referral-completed", ()),
    "iron-criteria-not-met": ("referral-completed", ()),
    "infliximab-pended": ("referral-completed", ()),
    "denied": ("referral-completed", ()),
    "incomplete": ("referral-accepted", ("diagnosis-missing", "coverage-missing", "weight-missing")),
    "duplicate": ("referral-completed", ()),
    "opat-vancomycin-home": ("referral-completed", ()),
    "ivig-pidd-medicare-home": ("referral-completed", ()),
}
AT = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    demo = ROOT / "deploy" / "sites" / "demo.yaml"
    policy: Policy = declared(load_site(demo, partners_url="http://p.test", base_url="http://c.test")).policy
    return policy


def body(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def first_decision(name: str, policy: Policy) -> Decision:
    arrival = bundles.resolved(decode(body(name)), "mercy-ehr")
    assert isinstance(arrival, bundles.Arrival)
    event = Event("command", "referral-received", arrival.lane, AT, AT, arrival.resources, arrival.focus, "mercy-ehr")
    decision = coordinate(event, Facts(arrival.lane.removeprefix("patient/"), {}), policy)
    assert isinstance(decision, Decision)
    return decision


def resources(name: str, kind: str) -> list[dict[str, Any]]:
    entries = json.loads(body(name))["entry"]
    return [e["resource"] for e in entries if e["resource"]["resourceType"] == kind]


def test_every_file_has_its_expected_decision() -> None:
    assert {path.stem for path in Path(FOLDER).glob("*.json")} == {*FIRST, "broken"}


@pytest.mark.parametrize("name", sorted(FIRST))
def test_both_judges_find_nothing_wrong(name: str) -> None:
    assert r4().check(decode(body(name))) == []
    assert Bundle.model_validate_json(body(name)).type == "transaction"


@pytest.mark.parametrize("name", sorted(FIRST))
def test_intake_decides_first_as_the_demo_promises(name: str, policy: Policy) -> None:
    decision = first_decision(name, policy)
    assert (decision.reason, decision.refusals) == FIRST[name]


def test_every_fault_of_the_broken_one_is_named() -> None:
    bundle = decode(body("broken"))
    found = {i.expression for i in (*r4().check(bundle), *faults(bundle))}
    at = {e["resource"]["resourceType"]: n for n, e in enumerate(bundle["entry"])}
    promised = {
        f"Bundle.entry[{at['Patient']}].resource.id",
        f"Bundle.entry[{at['ServiceRequest']}].resource.id",
        f"Bundle.entry[{at['ServiceRequest']}].fullUrl",
        f"Bundle.entry[{at['Task']}].resource.status",
        f"Bundle.entry[{at['Coverage']}].resource.status",
        f"Bundle.entry[{at['Task']}].resource.focus.reference",
        f"Bundle.entry[{at['MedicationRequest']}].resource.basedOn[0].reference",
    }
    assert promised <= found
    assert any(e.startswith(f"Bundle.entry[{at['MedicationRequest']}].resource.dosageInstruction[0]") for e in found)


def test_the_second_judge_refuses_the_broken_one_too() -> None:
    with pytest.raises(ValidationError) as refused:
        Bundle.model_validate_json(body("broken"))
    assert {error["loc"][-1] for error in refused.value.errors()} == {"id", "text "}


def test_the_duplicate_says_the_same_bit_by_bit() -> None:
    assert body("duplicate") == body("iron-meets-criteria")


def test_the_iron_cases_differ_in_what_payers_ask() -> None:
    values = {
        name: {o["code"]["coding"][0]["code"]: o["valueQuantity"]["value"] for o in resources(name, "Observation")}
        for name in ("iron-meets-criteria", "iron-criteria-not-met")
    }
    assert (values["iron-criteria-not-met"]["2276-4"], values["iron-criteria-not-met"]["2502-3"]) == (85, 18)
    assert (values["iron-meets-criteria"]["2276-4"], values["iron-meets-criteria"]["2502-3"]) == (9, 7)
    assert [s["status"] for s in resources("iron-criteria-not-met", "MedicationStatement")] == ["not-taken"]
    assert [s["status"] for s in resources("iron-meets-criteria", "MedicationStatement")] == ["stopped"]


def test_the_home_cases_bring_what_their_therapy_asks_for() -> None:
    """Six weeks to the day, twice a day by PICC; 0.4 g/kg rounded up to vials for a primary immune deficiency."""
    (opat,) = resources("opat-vancomycin-home", "MedicationRequest")
    bounds = opat["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"]
    start, end = (datetime.fromisoformat(bounds[k]) for k in ("start", "end"))
    assert (end - start).days + 1 == 42
    assert [u["status"] for u in resources("opat-vancomycin-home", "DeviceUseStatement")] == ["active"]
    (ivig,) = resources("ivig-pidd-medicare-home", "MedicationRequest")
    codes = {o["code"]["coding"][0]["code"] for o in resources("opat-vancomycin-home", "Observation")}
    assert {"2160-0", "29463-7", "75328-5"} <= codes
    labs = resources("ivig-pidd-medicare-home", "Observation")
    kilograms = next(o["valueQuantity"]["value"] for o in labs if o["code"]["coding"][0]["code"] == "29463-7")
    grams = ivig["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"]
    assert 0 <= grams - kilograms * 0.4 < 5
    (condition,) = resources("ivig-pidd-medicare-home", "Condition")
    assert condition["code"]["coding"][0]["code"] == "D83.9"


def test_only_the_denied_plan_asks_for_step_therapy() -> None:
    groups = {
        name: [c["value"] for r in resources(name, "Coverage") for c in r.get("class", ()) if c["value"] == "STEP"]
        for name in FIRST
    }
    assert {name for name, found in groups.items() if found} == {"denied"}
