"""Every requirement at, below and above its threshold, told all at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.intake.rules import npi_holds

_READ = yaml.safe_load(Path(__file__).with_name("cases").joinpath("gaps.yaml").read_text(encoding="utf-8"))
CASES = json.loads(json.dumps(_READ, default=str), parse_float=Decimal)


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_the_placer_is_told_every_gap(case: Mapping[str, Any], desk: Any, example: Any, edited: Any) -> None:
    decision = desk.push(edited(example(case["file"]), case))
    assert list(decision.refusals) == case["gaps"]
    assert desk.missing == case["gaps"]
    assert desk.referral["status"] == ("on-hold" if case["gaps"] else "accepted")


def test_every_gap_says_where_and_what_would_be_right(desk: Any, example: Callable[[str], Any]) -> None:
    desk.push(example("incomplete"))
    texts = [o["valueCodeableConcept"]["text"] for o in desk.outputs("missing")]
    assert texts == [
        "The diagnosis as a Condition with an ICD-10-CM code (ServiceRequest.reasonReference)",
        "An active Coverage of the patient (ServiceRequest.insurance)",
        "A final weight result with value and date (Observation.where(code.coding.code = '29463-7'))",
    ]


def test_a_draft_figure_nobody_adopted_decides_nothing(desk: Any, example: Any, edited: Any) -> None:
    old = {"set": {"Observation/718-7": {"effectiveDateTime": "2020-01-01"}}}
    desk.policy = replace(desk.policy, figures=replace(desk.policy.figures, adopted=frozenset()))
    decision = desk.push(edited(example("iron-meets-criteria"), old))
    assert "hemoglobin-out-of-date" not in decision.refusals


def test_an_intolerance_of_oral_iron_documents_it(desk: Any, example: Any, edited: Any) -> None:
    bundle = edited(example("iron-meets-criteria"), {"drop": ["MedicationStatement"]})
    patient = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    intolerance = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": system, "code": "active"}]},
        "code": {"text": "Ferrous sulfate"},
        "patient": {"reference": patient},
    }
    entry = {
        "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "resource": intolerance,
        "request": {"method": "POST", "url": "AllergyIntolerance"},
    }
    bundle["entry"].append(entry)
    assert desk.push(bundle).refusals == ()


@pytest.mark.parametrize(
    "npi, holds",
    [
        ("1234567893", True),
        ("1234567890", False),
        ("1548302763", True),
        ("3234567893", False),
        ("123456789", False),
        ("12345678930", False),
        ("12345678X3", False),
    ],
)
def test_the_check_digit_of_a_provider_identifier(npi: str, holds: bool) -> None:
    assert npi_holds(npi) is holds


def test_every_single_wrong_digit_breaks_the_check_digit() -> None:
    right = "1548302763"
    wrong = [right[:n] + d + right[n + 1 :] for n in range(1, 10) for d in "0123456789" if d != right[n]]
    assert not any(npi_holds(w) for w in wrong)
