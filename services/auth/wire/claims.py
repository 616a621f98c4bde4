"""Builds what the payer is asked: the benefit request and the Claim; `bundles.py` says what each travels in.

Source of the shapes: Da Vinci Prior Authorization Support 2.2.1, profile-claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.decision.urgency import EXPEDITED, urgency
from services.auth.discovery.findings import hooked
from services.auth.home import prognosis
from services.auth.wire.standing import EVIDENCE_KINDS, may_travel
from services.auth.words import (
    ICD_10_CM,
    NPI,
    OCCASION,
    ORDER,
    PAYER_ID,
    PLACE_OF_SERVICE,
    REGIMEN,
    concept,
    days_after,
    period_said,
    site_of_care,
    target,
)
from shared.catalogue import CPT, billing_system
from shared.core import IDENTIFIERS, Resource, reference
from shared.settings import Payer, Site

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
REQUESTED_SERVICE = PAS + "extension-requestedService"
PAS_CODES = "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes"
X12 = "https://codesystem.x12.org/005010/"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"

PLACES = {"aic": "49", "hopd": "22", "home": "12"}
"""CMS place-of-service code by the order's site of care."""

MEDICAL_CARE, HOME_HEALTH_CARE = "1", "42"
"""X12 1365 service types."""

REPORTS = {"Observation": "LA", "DocumentReference": "OZ"}
"""X12 755 report type of a piece of evidence: LA laboratory results, OZ support data."""

CERTIFIED_AS = {"initial": "I", "renewal": "R"}
"""X12 1322 certification type of a request by its period."""

CERTIFICATION = PAS + "extension-certificationType"
PRIOR = concept(TERMINOLOGY + "ex-relatedclaimrelationship", "prior")

ELIGIBILITY_ID = IDENTIFIERS + "eligibility"
CLAIM_ID = IDENTIFIERS + "claim"


def first_benefit_request(case: Case) -> dict[str, Any]:
    """The first CoverageEligibilityRequest for order, Coverage and drug, as it stands or as it is made now."""
    stored = case.facts.at("CoverageEligibilityRequest/" + case.benefit_request_id)
    return (
        dict(stored)
        if stored is not None
        else benefit_request(case, case.benefit_request_id, "initial", str(case.period))
    )


def benefit_request(case: Case, request_id: str, reason: str, period: str) -> dict[str, Any]:
    """The CoverageEligibilityRequest: is this drug covered here, and must it be authorized; and on which occasion."""
    parts = {"reason": reason, "period": period, "coverage": case.coverage_digest, **hooked(case, reason)}
    occasion = {"url": OCCASION, "extension": [{"url": n, "valueString": v} for n, v in parts.items()]}
    return {
        "resourceType": "CoverageEligibilityRequest",
        "id": request_id,
        "extension": [{"url": ORDER, "valueReference": {"reference": reference(case.order)}}, occasion],
        "identifier": [{"system": ELIGIBILITY_ID, "value": request_id}],
        "status": "active",
        "purpose": ["auth-requirements", "benefits"],
        "patient": dict(case.order["subject"]),
        "servicedDate": case.starts.isoformat(),
        "created": case.at.isoformat(),
        "provider": provider(case.policy.site),
        "insurer": insurer(case, case.payer),
        "insurance": [{"focal": True, "coverage": _literal(case.coverage)}],
        "item": [{"productOrService": _product(case, case.hcpcs or "")}],
    }


def claim_for(case: Case, units: Mapping[str, Decimal], evidence: Iterable[str]) -> dict[str, Any]:
    """The preauthorization Claim: one item a HCPCS code with units for all doses, evidence in stable order."""
    return {
        "resourceType": "Claim",
        "id": case.claim_id,
        "extension": [
            {"url": ORDER, "valueReference": {"reference": reference(case.order)}},
            {"url": REGIMEN, "valueString": case.fingerprint},
            *period_said(case.period),
            *_home_health(case, units),
        ],
        "identifier": [{"system": CLAIM_ID, "value": case.claim_id}],
        "status": "active",
        "type": concept(TERMINOLOGY + "claim-type", "professional"),
        "use": "preauthorization",
        "patient": dict(case.order["subject"]),
        "created": case.at.isoformat(),
        "insurer": insurer(case, case.reviewer),
        "provider": provider(case.policy.site),
        "priority": concept(TERMINOLOGY + "processpriority", "stat" if urgency(case) == EXPEDITED else "normal"),
        **_care_team(case),
        **_supporting_info(case, evidence),
        **_diagnosis(case),
        "insurance": [{"sequence": 1, "focal": True, "coverage": _literal(case.coverage)}],
        "item": [_item(case, n, code, units[code]) for n, code in enumerate(_drug_first(case, units), 1)],
    }


def _drug_first(case: Case, units: Mapping[str, Decimal]) -> list[str]:
    return sorted(units, key=lambda code: (code != case.hcpcs, code))


def _home_health(case: Case, units: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    """Prognosis and start of home health care, where nursing is asked for and the referrer said the prognosis."""
    said = prognosis(case)
    if said is None or not any(billing_system(code) == CPT for code in units):
        return []
    parts = [
        {"url": "prognosis", "valueCodeableConcept": {"coding": list(said["coding"])}},
        {"url": "date", "valueDate": case.starts.isoformat()},
    ]
    return [{"url": PAS + "extension-homeHealthCareInformation", "extension": parts}]


def _diagnosis(case: Case) -> dict[str, Any]:
    coded = [concept(ICD_10_CM, code) for code in case.diagnoses]
    listed = [{"sequence": n, "diagnosisCodeableConcept": c} for n, c in enumerate(coded, 1)]
    return {"diagnosis": listed} if listed else {}


def _item(case: Case, sequence: int, code: str, units: Decimal) -> dict[str, Any]:
    last = days_after(case.starts, case.period_days - 1)
    return {
        "extension": [
            {"url": PAS + "extension-serviceItemRequestType", "valueCodeableConcept": concept(X12 + "1525", "HS")},
            {"url": CERTIFICATION, "valueCodeableConcept": concept(X12 + "1322", CERTIFIED_AS[case.phase])},
            *(_requested(case) if code == case.hcpcs else ()),
        ],
        "sequence": sequence,
        **({"diagnosisSequence": list(range(1, len(case.diagnoses) + 1))} if case.diagnoses else {}),
        "category": concept(X12 + "1365", MEDICAL_CARE if code == case.hcpcs else HOME_HEALTH_CARE),
        "productOrService": _product(case, code),
        "servicedPeriod": {"start": case.starts.isoformat(), "end": last.isoformat()},
        "locationCodeableConcept": concept(PLACE_OF_SERVICE, _place(case.order)),
        "quantity": {"value": int(units), "unit": "unit", "system": X12 + "673", "code": "UN"},
    }


def _requested(case: Case) -> list[dict[str, Any]]:
    """The prescription, where it is what profile-medicationrequest demands; our filler-order is not (intent)."""
    medication = case.medication or {}
    if (medication.get("status"), medication.get("intent")) != ("active", "order") or "requester" not in medication:
        return []
    return [{"url": REQUESTED_SERVICE, "valueReference": {"reference": reference(medication)}}]


def _product(case: Case, code: str) -> dict[str, Any]:
    return concept(billing_system(code), code, case.drug.name if case.drug and code == case.hcpcs else "")


def _place(order: Resource) -> str:
    return PLACES.get(site_of_care(order) or "aic", PLACES["aic"])


def _care_team(case: Case) -> dict[str, Any]:
    """The prescriber, where we hold it (what is cited must travel along) and it is not the patient or a device."""
    requester = target(case.order.get("requester"))
    found = case.facts.at(requester)
    if found is None or found["resourceType"] not in ("Organization", "Practitioner", "PractitionerRole"):
        return {}
    scope = {"url": PAS + "extension-careTeamClaimScope", "valueBoolean": True}
    return {"careTeam": [{"extension": [scope], "sequence": 1, "provider": {"reference": requester}}]}


def _supporting_info(case: Case, evidence: Iterable[str]) -> dict[str, Any]:
    """The evidence, and what the order itself cites and we hold, each once; labs first, by reference within a kind.

    Neither is cited where it may not travel: a restricted record may show that a criterion is met, and stay with us.
    """
    cited = (r for i in case.order.get("supportingInfo", ()) if (r := target(i)))
    ordered = [r for r in cited if (found := case.facts.at(r)) and may_travel(found)]
    ours = [r for r in evidence if (found := case.facts.at(r)) is None or may_travel(found, EVIDENCE_KINDS)]
    kinds = ["Observation", "MedicationRequest"]
    sorted_once = sorted({*ours, *ordered}, key=lambda r: (_rank(r, kinds), r))
    info = [_information(n, literal) for n, literal in enumerate(sorted_once, 1)]
    return {"supportingInfo": info} if info else {}


def _rank(literal: str, kinds: list[str]) -> int:
    kind = literal.partition("/")[0]
    return kinds.index(kind) if kind in kinds else len(kinds)


def _information(sequence: int, literal: str) -> dict[str, Any]:
    report = concept(X12 + "755", REPORTS.get(literal.partition("/")[0], "OZ"))
    return {
        "extension": [
            {
                "url": PAS + "extension-documentInformation",
                "extension": [{"url": "reportTypeCode", "valueCodeableConcept": report}],
            }
        ],
        "sequence": sequence,
        "category": concept(PAS_CODES, "additionalInformation"),
        "valueReference": {"reference": literal},
    }


# Parties


def insurer(case: Case, payer: Payer | None) -> dict[str, Any]:
    """Who is asked: our own name for it and, where it is the Coverage's payor and that is a resource, this one."""
    named = {"identifier": {"system": PAYER_ID, "value": payer.id}, "display": payer.name} if payer else {}
    payors = (target(p) for p in (case.coverage or {}).get("payor", ()))
    known = (r for r in payors if r and r.startswith("Organization/") and case.facts.at(r))
    literal = next(known, None) if payer is case.payer else None
    return {"reference": literal, **named} if literal else named


def provider(site: Site) -> dict[str, Any]:
    """The practice as requesting provider."""
    return {"identifier": {"system": NPI, "value": site.npi}, "display": site.organization}


def _literal(resource: Resource | None) -> dict[str, Any]:
    return {"reference": reference(resource)} if resource is not None else {}
