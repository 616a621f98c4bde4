"""A chart from a few words: what a YAML case of a payer's policy says of a patient, as resources.

`labs`: analyte -> value, or [value, days ago], or a list of such; `results`: name -> [what it says, days ago];
`conditions`: ICD-10-CM codes, or [code, clinical status, days since onset]; `taken`: medicine -> [days, days since the
last]; `current`: medicines still taken; `intolerances`: medicines; `documents`: LOINC -> days ago, or [days ago, what
it is about]; `prescriber`, `author`: NUCC codes; `doses`: amounts in the drug's measure; `every`: hours between two;
`kg`; `sex`; `born`: `{years, months, days}` ago, where a negative number of days is younger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.auth.criteria.findings import Chart
from tests.services.auth.patient import TODAY, coded, patient

LOINC = "http://loinc.org"
NUCC = "http://nucc.org/provider-taxonomy"
CONDITION = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ANALYTES: Mapping[str, tuple[str, str]] = {
    "hemoglobin": ("718-7", "g/dL"), "ferritin": ("2276-4", "ng/mL"), "tsat": ("2502-3", "%"),
    "hematocrit": ("4544-3", "%"), "igg": ("2465-3", "mg/dL"), "creatinine": ("2160-0", "mg/dL"),
    "bun": ("3094-0", "mg/dL"), "lvef": ("10230-1", "%"), "ldh": ("2532-0", "U/L"), "weight": ("29463-7", "kg"),
    "epo": ("15061-5", "m[IU]/mL"),
    "fn-risk": ("Febrile neutropenia risk of the regimen", "%"),
    "fn-factors": ("Febrile neutropenia risk factors", "1"),
    "pnh-cells": ("PNH cells, flow cytometry", "%"), "gpi-pmn": ("GPI-deficient PMN, flow cytometry", "%"),
    "adamts13": ("ADAMTS13 activity", "%"), "mg-adl": ("MG-ADL total score", "1"), "platelets": ("777-3", "10*9/L"),
    "pn-energy": ("Parenteral energy per kg and day", "kcal/kg/d"),
    "inhibitor": ("Factor VIII inhibitor", "[beth'U]"), "egfr": ("33914-3", "mL/min/{1.73_m2}"),
}  # fmt: skip
"""Analyte -> its LOINC code, or what it is called where the policies go by words; and the unit of the cases."""

RESULTS: Mapping[str, str] = {
    "tb": "71773-6", "hbsag": "5196-1", "anti-hbc": "13952-7", "nyha": "88020-3", "jcv": "JC virus antibody",
    "achr": "Acetylcholine receptor antibody", "mgfa": "MGFA clinical classification", "shiga": "Shiga toxin",
    "ana": "8061-4", "dsdna": "Anti-dsDNA antibody", "vaccine-response": "Pneumococcal vaccine response",
    "iron-stain": "Stainable iron in bone marrow",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ordered:
    """The doses of a case."""

    amounts: tuple[Decimal, ...]
    every: Decimal | None = None


def chart_of(said: Mapping[str, Any], on: date = TODAY) -> Chart:
    """The chart of a case on the day of submission."""
    doses = tuple(Decimal(str(a)) for a in said["doses"]) if "doses" in said else None
    every = Decimal(str(said["every"])) if "every" in said else None
    return Chart(
        patient(gender=said.get("sex", "female"), birthDate=_born(said.get("born", {"years": 45}), on)),
        tuple(_resources(said, on)),
        on,
        requester=_role("in-role", said.get("prescriber")),
        medication={"resourceType": "MedicationRequest", "id": "in-drug"},
        doses=Ordered(doses, every) if doses else None,
    )


def _born(said: Mapping[str, int], on: date) -> str:
    """So many years (or months) and days before a date; a negative number of days is younger."""
    months = 12 * on.year + on.month - 1 - 12 * said.get("years", 0) - said.get("months", 0)
    born = on.replace(year=months // 12, month=months % 12 + 1) - timedelta(days=said.get("days", 0))
    return born.isoformat()


def _resources(said: Mapping[str, Any], on: date) -> Iterator[dict[str, Any]]:
    if "kg" in said:
        yield _observation("weight-0", *ANALYTES["weight"][:1], on, 1) | _quantity(said["kg"], "kg")
    for name, values in said.get("labs", {}).items():
        for at, (value, days_ago, *upper) in enumerate(_several(values)):
            observation = _observation(f"{name}-{at}", ANALYTES[name][0], on, days_ago)
            high = (
                {"referenceRange": [{"high": _quantity(upper[0], ANALYTES[name][1])["valueQuantity"]}]} if upper else {}
            )
            yield observation | _quantity(value, ANALYTES[name][1]) | high
    for name, (words, days_ago) in said.get("results", {}).items():
        yield _observation(name, RESULTS[name], on, days_ago) | {"valueString": words}
    for at, condition in enumerate(said.get("conditions", ())):
        yield _condition(at, *([condition] if isinstance(condition, str) else condition), on=on)
    for name, (days, since) in said.get("taken", {}).items():
        ended = on - timedelta(days=since)
        period = {"start": (ended - timedelta(days=days)).isoformat(), "end": ended.isoformat()}
        yield _statement(name, "stopped", period)
    for name in said.get("current", ()):
        yield _statement(name, "active", {"start": (on - timedelta(days=30)).isoformat()})
    for name in said.get("intolerances", ()):
        yield {"resourceType": "AllergyIntolerance", "id": f"in-{_slug(name)}", "code": {"text": name}}
    for loinc, written in said.get("documents", {}).items():
        days_ago, *about = written if isinstance(written, list) else [written]
        described = {"description": about[0]} if about else {}
        yield {**_document(loinc, on - timedelta(days=days_ago), said.get("author")), **described}
    if role := _role("in-author", said.get("author")):
        yield role


def _several(values: Any) -> list[tuple[Any, ...]]:
    if not isinstance(values, list):
        return [(values, 5)]
    return [tuple(v) for v in values] if isinstance(values[0], list) else [tuple(values)]


def _observation(name: str, code: str, on: date, days_ago: int) -> dict[str, Any]:
    named = {"text": code} if " " in code else coded(LOINC, code)
    taken = (on - timedelta(days=days_ago)).isoformat()
    return {
        "resourceType": "Observation",
        "id": f"in-{name}",
        "status": "final",
        "code": named,
        "effectiveDateTime": taken,
    }


def _quantity(value: Any, unit: str) -> dict[str, Any]:
    return {"valueQuantity": {"value": Decimal(str(value)), "unit": unit, "code": unit}}


def _condition(at: int, icd10: str, status: str = "active", days: int = 100, *, on: date) -> dict[str, Any]:
    return {
        "resourceType": "Condition", "id": f"in-c{at}", "clinicalStatus": coded(CONDITION, status),
        "code": coded("http://hl7.org/fhir/sid/icd-10-cm", icd10),
        "onsetDateTime": (on - timedelta(days=days)).isoformat(),
    }  # fmt: skip


def _statement(name: str, status: str, period: Mapping[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "MedicationStatement", "id": f"in-{_slug(name)}", "status": status,
        "medicationCodeableConcept": {"text": name}, "effectivePeriod": dict(period),
    }  # fmt: skip


def _document(loinc: str, on: date, author: str | None) -> dict[str, Any]:
    written = {"author": [{"reference": "PractitionerRole/in-author"}]} if author else {}
    return {
        "resourceType": "DocumentReference", "id": f"in-{loinc}", "status": "current", "type": coded(LOINC, loinc),
        "date": f"{on.isoformat()}T12:00:00Z", **written,
    }  # fmt: skip


def _role(key: str, nucc: str | None) -> dict[str, Any] | None:
    if nucc is None:
        return None
    return {"resourceType": "PractitionerRole", "id": key, "specialty": [coded(NUCC, nucc)] if nucc else []}


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)[:50]
