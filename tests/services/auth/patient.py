"""A practice with three payers, and everything intake sends of a patient on iron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from services.auth.policy import AuthPolicy
from services.auth.service import declared
from shared.catalogue import HCPCS
from shared.core import CANONICAL, IDENTIFIERS
from shared.fhir.profiles import Validator
from shared.settings import Adoption, InfusionSite, Partner, Payer, Referrer, Site

CHICAGO = ZoneInfo("America/Chicago")
LANE = "patient/in-p"
NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
TODAY = NOW.date()
START = date(2026, 11, 23)
SECRET = "the-secret-agreed-with-prairie"
BASE = "http://prairie.test"
POLICIES = (
    "practice", "appeals", "decision-clocks", "allowances",
    "prairie-health-iv-iron", "prairie-health-infliximab", "lakeland-advantage-iv-iron",
    "lakeland-advantage-infliximab", "arkansas-bcbs-iv-iron", "home-benefits", "prairie-health-opat",
    "prairie-health-immunoglobulin", "lakeland-advantage-opat", "lakeland-advantage-immunoglobulin",
    "channels-and-places", "coordination", "renewals",
)  # fmt: skip
FCM = ("ferric-carboxymaltose", "J1439")
FDI = ("ferric-derisomaltose", "J1437")

DESK = "person"
"""The client of the practice's own people."""

RIVERSIDE = InfusionSite("riverside", "Riverside", CHICAGO, {d: (time(8), time(17)) for d in range(5)}, 4, ())


def payer(payer_id: str, line: str) -> Payer:
    return Payer(payer_id, payer_id.title(), ((IDENTIFIERS + "payer", payer_id),), line, f"payer-{payer_id}")


def practice(*adopted: str) -> Site:
    return Site(
        organization="Prairie Infusion",
        npi="1234567893",
        sites=(RIVERSIDE,),
        payers=(
            payer("prairie-health", "commercial"),
            payer("lakeland-advantage", "medicare-advantage"),
            payer("arkansas-bcbs", "commercial"),
            payer("original-medicare", "medicare"),
            payer("silver-drugs", "medicare-part-d"),
        ),
        partners={
            "payer-prairie-health": Partner("payer-prairie-health", BASE, notification_secret=SECRET),
            "payer-lakeland-advantage": Partner("payer-lakeland-advantage", "http://lakeland.test"),
            "payer-arkansas-bcbs": Partner("payer-arkansas-bcbs", "http://arkansas.test"),
            "payer-original-medicare": Partner("payer-original-medicare", "http://medicare.test"),
            "payer-silver-drugs": Partner("payer-silver-drugs", "http://silver.test"),
        },
        referrers={DESK: Referrer(DESK, "The practice itself", sees_all=True)},
        adopted=tuple(Adoption(f"auth/{name}", "medical director", date(2026, 11, 1)) for name in adopted),
    )


PRACTICE = practice(*POLICIES)


SERVICE = declared(PRACTICE)


def policy(site: Site = PRACTICE) -> AuthPolicy:
    found = (SERVICE if site is PRACTICE else declared(site)).policy
    assert isinstance(found, AuthPolicy)
    return found


@cache
def validator() -> Validator:
    return Validator()


# What intake sends


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def order(drug: tuple[str, str] = FCM, **changes: Any) -> dict[str, Any]:
    key, hcpcs = drug
    codings = [{"system": CANONICAL + "CodeSystem/drug", "code": key}, {"system": HCPCS, "code": hcpcs}]
    return {
        "resourceType": "ServiceRequest",
        "id": "in-order",
        "extension": [{"url": CANONICAL + "StructureDefinition/placer-client", "valueString": "mercy-ehr"}],
        "status": "active",
        "intent": "filler-order",
        "basedOn": [{"reference": "ServiceRequest/in-received"}],
        "code": {"coding": codings},
        "subject": {"reference": "Patient/in-p"},
        "requester": {"reference": "PractitionerRole/in-role"},
        "locationCode": [coded(CANONICAL + "CodeSystem/site-of-care", "aic")],
        "occurrencePeriod": {"start": START.isoformat()},
        "reasonReference": [{"reference": "Condition/in-anemia"}],
        "insurance": [{"reference": "Coverage/in-coverage"}],
        "supportingInfo": [{"reference": "MedicationRequest/in-drug"}, {"reference": "Consent/in-consent"}],
    } | changes


def patient(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "in-p",
        "name": [{"family": "Halvorsen"}],
        "gender": "female",
        "birthDate": "1981-04-09",
    } | changes


def coverage(payer_id: str = "prairie-health", **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": "in-coverage",
        "status": "active",
        "subscriberId": "PHP-482913507",
        "beneficiary": {"reference": "Patient/in-p"},
        "payor": [{"identifier": {"system": IDENTIFIERS + "payer", "value": payer_id}}],
    } | changes


def medication(milligrams: Any = 750, count: int = 2, unit: str = "mg", **changes: Any) -> dict[str, Any]:
    dose = {"value": milligrams, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    repeat = {"count": count, "frequency": 1, "period": 7, "periodUnit": "d"}
    return {
        "resourceType": "MedicationRequest",
        "id": "in-drug",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "the drug"},
        "subject": {"reference": "Patient/in-p"},
        "dosageInstruction": [{"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": dose}]}],
    } | changes


def condition(key: str, icd10: str, clinical: str = "active") -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"in-{key}",
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", clinical),
        "code": coded("http://hl7.org/fhir/sid/icd-10-cm", icd10),
        "subject": {"reference": "Patient/in-p"},
    }


LABS = {"hemoglobin": ("718-7", "g/dL"), "ferritin": ("2276-4", "ng/mL"), "tsat": ("2502-3", "%")}


def lab(analyte: str, value: Any, days_ago: int = 5, **changes: Any) -> dict[str, Any]:
    loinc, unit = LABS[analyte]
    return {
        "resourceType": "Observation",
        "id": f"in-{analyte}",
        "status": "final",
        "code": coded("http://loinc.org", loinc),
        "subject": {"reference": "Patient/in-p"},
        "effectiveDateTime": (TODAY - timedelta(days=days_ago)).isoformat(),
        "valueQuantity": {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"},
    } | changes


def weight(kilograms: Any) -> dict[str, Any]:
    measured = lab("ferritin", kilograms, id="in-weight", code=coded("http://loinc.org", "29463-7"))
    measured["valueQuantity"] |= {"unit": "kg", "code": "kg"}
    return measured


def oral_iron(days: int = 90, status: str = "stopped") -> dict[str, Any]:
    ended = TODAY - timedelta(days=10)
    return {
        "resourceType": "MedicationStatement",
        "id": "in-oral",
        "status": status,
        "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "24947"),
        "subject": {"reference": "Patient/in-p"},
        "effectivePeriod": {"start": (ended - timedelta(days=days)).isoformat(), "end": ended.isoformat()},
    }


PARTIES: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "PractitionerRole",
        "id": "in-role",
        "practitioner": {"reference": "Practitioner/in-doctor"},
        "organization": {"reference": "Organization/in-clinic"},
    },
    {
        "resourceType": "Practitioner",
        "id": "in-doctor",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1548302763"}],
        "name": [{"family": "Vega"}],
        "telecom": [{"system": "phone", "value": "402-555-0117"}],
    },
    {"resourceType": "Organization", "id": "in-clinic", "name": "Mercy Clinic"},
)


def referral(drug: tuple[str, str] = FCM, payer_id: str = "prairie-health") -> list[dict[str, Any]]:
    """Everything intake sends of a referral that meets the payer's criteria."""
    return [
        order(drug), patient(), coverage(payer_id), medication(), condition("anemia", "D50.0"), lab("hemoglobin", 9),
        lab("ferritin", 9), lab("tsat", 7), oral_iron(), *PARTIES,
    ]  # fmt: skip


def complete(resources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same with what US Core asks of each: a category of results and diagnoses, the prescriber of the drug."""
    return [{**ADDED.get(r["resourceType"], {}), **r} for r in resources]


ADDED: Mapping[str, dict[str, Any]] = {
    "Observation": {"category": [coded("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")]},
    "Condition": {"category": [coded("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item")]},
    "MedicationRequest": {"requester": {"reference": "PractitionerRole/in-role"}},
}


def appointment(dose: int = 1, status: str = "pending", hold: int | None = 1, **changes: Any) -> dict[str, Any]:
    """One visit as scheduling says it; `on` gives its local date, `occurrence` tells a moved one apart."""
    on = changes.pop("on", START + timedelta(days=7 * (dose - 1)))
    occurrence = changes.pop("occurrence", 1)
    site = {"identifier": {"system": IDENTIFIERS + "site", "value": "riverside"}}
    number = {"url": "number", "valuePositiveInt": dose}
    extensions = [{"url": CANONICAL + "StructureDefinition/dose", "extension": [number]}]
    if hold is not None:
        number = {"url": "number", "valuePositiveInt": hold}
        extensions.append({"url": CANONICAL + "StructureDefinition/hold", "extension": [number]})
    return {
        "resourceType": "Appointment",
        "id": f"sc-{dose}-{occurrence}",
        "extension": extensions,
        "status": status,
        "basedOn": [{"reference": "ServiceRequest/in-order"}],
        "start": datetime.combine(on, time(10), CHICAGO).isoformat(),
        "end": datetime.combine(on, time(11), CHICAGO).isoformat(),
        "participant": [{"actor": site, "status": "accepted"}],
    } | changes
