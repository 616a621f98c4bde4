"""Makes referrals of every therapy and payer out of the examples: another drug, other records, another coverage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from shared.cli.demo import WRITTEN_ON
from shared.cli.push import shifted
from shared.settings import ROOT

Change = Callable[[dict[str, Any]], None]

HCPCS, ICD, UCUM = (
    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://unitsofmeasure.org",
)
PAYER, NUMBER = "https://carepod.example/id/payer", "424242"
EXAMPLES: Mapping[str, str] = {
    "denied": "anti-tnf", "incomplete": "iv-iron", "infliximab-pended": "anti-tnf", "iron-criteria-not-met": "iv-iron",
    "iron-meets-criteria": "iv-iron", "ivig-pidd-medicare-home": "immunoglobulin", "opat-vancomycin-home": "opat",
}  # fmt: skip
"""Therapy of each example."""
COVERAGES: Mapping[str, tuple[str, str, str]] = {
    "prairie-health": ("Prairie Health Plan", "https://prairie-health.example/member", f"PHP-517{NUMBER}"),
    "lakeland-advantage": ("Lakeland Advantage", "https://lakeland-advantage.example/member", f"LKA-517{NUMBER}"),
    "original-medicare": ("Original Medicare (Part B)", "http://hl7.org/fhir/sid/us-mbi", "3HN5-RJ4-QW82"),
}
"""Payer -> its name, system and number of a member."""


@cache
def _read() -> Mapping[str, Mapping[str, Any]]:
    text = Path(__file__).with_name("therapies.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


@cache
def _drugs() -> Mapping[str, Mapping[str, Any]]:
    text = (ROOT / "shared" / "catalogue" / "drugs.yaml").read_text(encoding="utf-8")
    return {d["key"]: d for d in yaml.safe_load(text)}


def therapies() -> tuple[str, ...]:
    """The therapies that are made here."""
    return tuple(_read())


def therapy_of(case: str) -> str:
    """The therapy of an example, or the therapy itself."""
    return EXAMPLES.get(case, case)


def payer_of(case: str, payer: str) -> str:
    """Who pays for a referral of this case."""
    return payer or {"incomplete": "none", "ivig-pidd-medicare-home": "original-medicare"}.get(case, "prairie-health")


def example_of(case: str) -> str:
    """The example a referral is made from."""
    return str(_read()[case]["like"]) if case in _read() else case


def treated(case: str, number: int, today: date) -> list[Change]:
    """What makes the example a referral of this therapy; of its drugs each second number has the other."""
    if case not in _read():
        return []
    wanted = json.loads(shifted(json.dumps(_read()[case]).encode(), WRITTEN_ON, today))
    keys = list(wanted["drugs"])
    key = keys[number % len(keys)]

    def changed(bundle: dict[str, Any]) -> None:
        order, prescription = _first(bundle, "ServiceRequest"), _first(bundle, "MedicationRequest")
        order.update(wanted.get("order", {}))
        _first(bundle, "Condition")["code"] = {"coding": [{"system": ICD, "code": wanted["diagnosis"]}]}
        _prescribed(prescription, _drugs()[key], wanted["drugs"][key], wanted.get("mixed"))
        for place, record in enumerate(wanted["records"], 1):
            _added(bundle, order, record, place)

    return [changed]


def paid_by(payer: str) -> list[Change]:
    """What makes the patient a member of this payer; nothing where the example's own is meant."""
    if not payer:
        return []
    name, system, member = COVERAGES[payer]

    def changed(bundle: dict[str, Any]) -> None:
        coverage = _first(bundle, "Coverage")
        coverage["identifier"][0].update(system=system, value=member)
        coverage["subscriberId"] = member
        coverage.pop("class", None)
        organization = _at(bundle, coverage["payor"][0]["reference"])
        organization.update(name=name, identifier=[{"system": PAYER, "value": payer}])

    return [changed]


def _first(bundle: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def _at(bundle: Mapping[str, Any], url: str) -> dict[str, Any]:
    return next(e["resource"] for e in bundle["entry"] if e["fullUrl"] == url)


def _prescribed(prescription: dict[str, Any], drug: Mapping[str, Any], dose: Mapping[str, Any], mixed: Any) -> None:
    coding = {"system": HCPCS, "code": drug["hcpcs"][-1]["code"]}
    concept = {"coding": [coding], "text": drug["name"]}
    prescription["medicationCodeableConcept"] = concept
    if mixed:
        del prescription["medicationCodeableConcept"]
        prescription["contained"] = [{"resourceType": "Medication", "id": "bag", "code": concept, "ingredient": mixed}]
        prescription["medicationReference"] = {"reference": "#bag"}
    for instruction in prescription["dosageInstruction"]:
        quantity = {"system": UCUM, "code": dose.get("code", dose["unit"]), **dose}
        instruction["doseAndRate"] = [{"doseQuantity": quantity}]
        del instruction["text"]


def _added(bundle: dict[str, Any], order: dict[str, Any], record: Mapping[str, Any], place: int) -> None:
    """A record beside the others, of the same patient, named by the order."""
    kind, url = record["resourceType"], f"urn:uuid:{place:08}-7e4a-4c1e-9a3b-{NUMBER}000000"
    patient = {"reference": order["subject"]["reference"]}
    subject = "patient" if kind in ("Immunization", "RelatedPerson") else "subject"
    identifier = {"system": "https://ehr.mercy.example/id/record", "value": f"{NUMBER}-{place}"}
    resource = {**record, "identifier": [identifier], subject: patient}
    bundle["entry"].append({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}})
    order["supportingInfo"] = [*order.get("supportingInfo", ()), {"reference": url}]
