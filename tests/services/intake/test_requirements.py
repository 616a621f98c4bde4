"""What each therapy asks of a referral, at, below and above each threshold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from services.intake.records import SUBJECT
from services.intake.rules import ALWAYS, RULES
from shared.catalogue import HCPCS, drugs
from shared.settings import ROOT
from tests.services.intake.conftest import edit

_READ = yaml.safe_load(Path(__file__).with_name("cases").joinpath("therapies.yaml").read_text(encoding="utf-8"))
THERAPIES = json.loads(json.dumps(_READ, default=str), parse_float=Decimal)
CASES = [(therapy, case) for therapy, rows in THERAPIES.items() for case in rows["cases"]]
SITE_OF_CARE = "https://carepod.example/fhir/CodeSystem/site-of-care"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
LABORATORY = {"coding": [{"system": CATEGORY, "code": "laboratory"}]}
IRON = ["Observation", "MedicationStatement", "DocumentReference"]


def referral(base: dict[str, Any], therapy: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """The demo's iron referral turned into one of this therapy, with what the case leaves out or changes."""
    patient = next(e["fullUrl"] for e in base["entry"] if e["resource"]["resourceType"] == "Patient")
    order = {"occurrencePeriod": {"start": "2026-12-01"}}
    order |= therapy.get("order", {}) | case.get("order", {})
    prescribed = {"medicationCodeableConcept": "DRUG"} | therapy.get("prescription", {}) | case.get("prescription", {})
    code = case.get("diagnosis") or therapy.get("diagnosis")
    elements = {"ServiceRequest": order, "MedicationRequest": prescribed}
    if code:
        coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}
        elements["Condition"] = {"code": {"coding": [coding]}}
    entries = [_changed(e, elements) for e in edit(base, {"drop": IRON})["entry"]]
    added = [_entry(n, r, patient) for n, r in enumerate(_records(therapy, case))]
    filled = _filled([*entries, *added], case.get("drug") or therapy["drug"])
    return {**base, "entry": filled}


def _changed(entry: dict[str, Any], elements: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    resource = entry["resource"] | elements.get(entry["resource"]["resourceType"], {})
    return {**entry, "resource": {k: v for k, v in resource.items() if v is not None}}


def _records(therapy: Mapping[str, Any], case: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, record in {**therapy.get("records", {}), **case.get("add", {})}.items():
        if name not in case.get("without", ()):
            yield {k: v for k, v in {**record, **case.get("change", {}).get(name, {})}.items() if v is not None}


def _entry(number: int, record: dict[str, Any], patient: str) -> dict[str, Any]:
    about = {SUBJECT.get(record["resourceType"], "subject"): {"reference": patient}}
    request = {"method": "POST", "url": record["resourceType"]}
    marked = {"category": [LABORATORY]} if record["resourceType"] == "Observation" else {}
    return {"fullUrl": UUID(int=number + 1).urn, "resource": record | about | marked, "request": request}


def _filled(value: Any, drug: str) -> Any:
    """The value with the drug and the home by their codes."""
    match value:
        case "DRUG":
            return {"coding": [{"system": HCPCS, "code": _billed(drug)}], "text": drug}
        case "HOME":
            return [{"coding": [{"system": SITE_OF_CARE, "code": "home"}]}]
        case dict():
            return {k: _filled(v, drug) for k, v in value.items()}
        case list():
            return [_filled(v, drug) for v in value]
    return value


def _billed(key: str) -> str:
    return next(d.billing[-1].code for d in drugs() if d.key == key)


@pytest.mark.parametrize(("therapy", "case"), CASES, ids=[f"{t}: {c['name']}" for t, c in CASES])
def test_each_therapy_asks_for_what_it_needs(therapy: str, case: Mapping[str, Any], desk: Any, example: Any) -> None:
    decision = desk.push(referral(example("iron-meets-criteria"), THERAPIES[therapy], case))
    assert list(decision.refusals) == case["gaps"]
    assert desk.order["category"][0]["coding"][0]["code"] == therapy
    active = not case["gaps"] or case.get("active", False)
    assert desk.order["status"] == ("active" if active else "draft")


def test_every_gap_of_a_therapy_says_where_and_what_would_be_right(desk: Any, example: Any) -> None:
    everything = {"without": ["line", "allergy", "creatinine", "labs"], "prescription": {"note": None}}
    desk.push(referral(example("iron-meets-criteria"), THERAPIES["opat"], everything))
    texts = [o["valueCodeableConcept"]["text"] for o in desk.outputs("missing")]
    assert all(re.search(r"\w \([A-Z][A-Za-z]+[.\w(' =):/-]*\)$", text) for text in texts), texts


def test_every_therapy_of_the_catalogue_has_its_requirements() -> None:
    assert {d.therapy for d in drugs()} <= set(RULES)


def test_every_row_of_the_first_table_asks_for_more_than_every_referral() -> None:
    assert all(rules[: len(ALWAYS)] == ALWAYS for rules in RULES.values())
    assert [therapy for therapy, rules in RULES.items() if rules == ALWAYS] == [""]


def test_the_figures_of_requirements_are_all_read() -> None:
    figures = yaml.safe_load((ROOT / "services/intake/policies/requirements.yaml").read_text(encoding="utf-8"))
    source = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "services/intake").rglob("*.py"))
    unread = [f["id"] for f in figures if f'"{f["id"]}"' not in source]
    assert unread == ["meningococcal_acwy_cvx", "meningococcal_b_cvx"]  # read by group
