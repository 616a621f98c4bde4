"""Builds what the payer is asked: the benefit request, the Claim, and the Bundle each travels in.

Source of the shapes: Da Vinci Prior Authorization Support 2.2.1, profile-claim, profile-pas-request-bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.words import (
    ICD_10_CM,
    NPI,
    ORDER,
    PAYER_ID,
    PREFIX,
    REGIMEN,
    SITE_OF_CARE,
    code_of,
    concept,
    references,
    target,
)
from shared.catalogue import HCPCS
from shared.core import CANONICAL, IDENTIFIERS, Resource, derived_id, reference
from shared.settings import Payer, Site

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
PAS_CODES = "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes"
X12 = "https://codesystem.x12.org/005010/"
PLACE_OF_SERVICE = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"

PLACES = {"aic": "49", "hopd": "22", "home": "12"}
"""CMS place-of-service code by the order's site of care."""

REPORTS = {"Observation": "LA", "DocumentReference": "OZ"}
"""X12 755 report type of a piece of evidence: LA laboratory results, OZ support data."""

ELIGIBILITY_ID = IDENTIFIERS + "eligibility"
CLAIM_ID = IDENTIFIERS + "claim"


def benefit_request(case: Case) -> dict[str, Any]:
    """The CoverageEligibilityRequest: is this drug covered here, and must it be authorized."""
    request_id = case.benefit_request_id
    stored = case.facts.at("CoverageEligibilityRequest/" + request_id)
    return dict(stored) if stored is not None else {
        "resourceType": "CoverageEligibilityRequest",
        "id": request_id,
        "extension": [{"url": ORDER, "valueReference": {"reference": reference(case.order)}}],
        "identifier": [{"system": ELIGIBILITY_ID, "value": request_id}],
        "status": "active",
        "purpose": ["auth-requirements", "benefits"],
        "patient": dict(case.order["subject"]),
        "servicedDate": case.starts.isoformat(),
        "created": case.at.isoformat(),
        "provider": provider(case.policy.site),
        "insurer": insurer(case),
        "insurance": [{"focal": True, "coverage": _literal(case.coverage)}],
        "item": [{"productOrService": _product(case, case.hcpcs or "")}],
    }  # fmt: skip


def claim_for(case: Case, units: Mapping[str, Decimal], evidence: Iterable[str]) -> dict[str, Any]:
    """The preauthorization Claim: one item a HCPCS code with units for all doses, evidence in stable order."""
    return {
        "resourceType": "Claim",
        "id": case.claim_id,
        "meta": {"profile": [PAS + "profile-claim"]},
        "extension": [
            {"url": ORDER, "valueReference": {"reference": reference(case.order)}},
            {"url": REGIMEN, "valueString": case.fingerprint},
        ],
        "identifier": [{"system": CLAIM_ID, "value": case.claim_id}],
        "status": "active",
        "type": concept(TERMINOLOGY + "claim-type", "professional"),
        "use": "preauthorization",
        "patient": dict(case.order["subject"]),
        "created": case.at.isoformat(),
        "insurer": insurer(case),
        "provider": provider(case.policy.site),
        "priority": concept(TERMINOLOGY + "processpriority", _priority(case.order)),
        **_care_team(case.order),
        **_supporting_info(case, evidence),
        **_diagnosis(case),
        "insurance": [{"sequence": 1, "focal": True, "coverage": _literal(case.coverage)}],
        "item": [_item(case, n, code, units[code]) for n, code in enumerate(sorted(units), 1)],
    }


def _diagnosis(case: Case) -> dict[str, Any]:
    coded = [concept(ICD_10_CM, code) for code in case.diagnoses]
    listed = [{"sequence": n, "diagnosisCodeableConcept": c} for n, c in enumerate(coded, 1)]
    return {"diagnosis": listed} if listed else {}


def _item(case: Case, sequence: int, code: str, units: Decimal) -> dict[str, Any]:
    last = case.starts + timedelta(days=case.period_days - 1)
    return {
        "extension": [
            {"url": PAS + "extension-serviceItemRequestType", "valueCodeableConcept": concept(X12 + "1525", "HS")},
            {"url": PAS + "extension-certificationType", "valueCodeableConcept": concept(X12 + "1322", "I")},
            {"url": PAS + "extension-requestedService", "valueReference": {"reference": reference(case.order)}},
        ],
        "sequence": sequence,
        **({"diagnosisSequence": list(range(1, len(case.diagnoses) + 1))} if case.diagnoses else {}),
        "category": concept(X12 + "1365", "1"),
        "productOrService": _product(case, code),
        "servicedPeriod": {"start": case.starts.isoformat(), "end": last.isoformat()},
        "locationCodeableConcept": concept(PLACE_OF_SERVICE, _place(case.order)),
        "quantity": {"value": int(units), "unit": "unit", "system": X12 + "673", "code": "UN"},
    }


def _product(case: Case, code: str) -> dict[str, Any]:
    return concept(HCPCS, code, case.drug.name if case.drug else "")


def _place(order: Resource) -> str:
    site = next((c for place in order.get("locationCode", ()) if (c := code_of(place, SITE_OF_CARE))), "aic")
    return PLACES.get(site, PLACES["aic"])


def _priority(order: Resource) -> str:
    return "stat" if order.get("priority") in ("urgent", "asap", "stat") else "normal"


def _care_team(order: Resource) -> dict[str, Any]:
    requester = target(order.get("requester"))
    if requester is None:
        return {}
    scope = {"url": PAS + "extension-careTeamClaimScope", "valueBoolean": True}
    return {"careTeam": [{"extension": [scope], "sequence": 1, "provider": {"reference": requester}}]}


def _supporting_info(case: Case, evidence: Iterable[str]) -> dict[str, Any]:
    """The evidence, and what the order itself cites and we hold, each once; labs first, by reference within a kind."""
    cited = [r for i in case.order.get("supportingInfo", ()) if (r := target(i)) and case.facts.at(r)]
    kinds = ["Observation", "MedicationRequest"]
    sorted_once = sorted({*evidence, *cited}, key=lambda r: (_rank(r, kinds), r))
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


def insurer(case: Case) -> dict[str, Any]:
    """The payer as reviewing organization: the Coverage's payor where it is a resource, and our own name for it."""
    payer = case.payer
    named = {"identifier": {"system": PAYER_ID, "value": payer.id}, "display": payer.name} if payer else {}
    payors = (target(p) for p in (case.coverage or {}).get("payor", ()))
    literal = next((r for r in payors if r and r.startswith("Organization/") and case.facts.at(r)), None)
    return {"reference": literal, **named} if literal else named


def provider(site: Site) -> dict[str, Any]:
    """The practice as requesting provider."""
    return {"identifier": {"system": NPI, "value": site.npi}, "display": site.organization}


def _literal(resource: Resource | None) -> dict[str, Any]:
    return {"reference": reference(resource)} if resource is not None else {}


# Bundles


def request_bundle(claim: Resource, known: Mapping[str, Resource], site: Site, payer: Payer) -> dict[str, Any]:
    """The PAS request: the Claim first, then every resource it cites, each once, every reference resolving inside."""
    return _bundle(claim, known, site, payer, PAS + "profile-pas-request-bundle")


def inquiry_bundle(claim: Resource, known: Mapping[str, Resource], site: Site, payer: Payer) -> dict[str, Any]:
    """The PAS inquiry after a Claim by its identifier: the Claim without its evidence."""
    kept = {k: v for k, v in claim.items() if k not in ("supportingInfo", "careTeam", "diagnosis")}
    items = [{k: v for k, v in i.items() if k not in ("diagnosisSequence", "extension")} for i in claim["item"]]
    inquiry = {**kept, "status": "active", "item": items, "meta": {"profile": [PAS + "profile-claim-inquiry"]}}
    return _bundle(inquiry, known, site, payer, PAS + "profile-pas-inquiry-request-bundle")


def eligibility_bundle(request: Resource, known: Mapping[str, Resource], site: Site, payer: Payer) -> dict[str, Any]:
    """The benefit request first, then every resource it cites."""
    return _bundle(request, known, site, payer, None)


def _bundle(
    first: Resource, known: Mapping[str, Resource], site: Site, payer: Payer, profile: str | None
) -> dict[str, Any]:
    """A collection whose identifier is the first resource's own: a retry sends the same Bundle again."""
    organizations = {"insurer": _insurer(payer), "provider": _provider(site)}
    named = {r: {"reference": reference(o)} for r, o in organizations.items()}
    asked = {**first, **{r: {**named[r], **first[r]} for r in organizations if r in first}}
    available = {**{reference(o): o for o in organizations.values()}, **known, reference(first): asked}
    inside = _closure(reference(first), available)
    meta = {"meta": {"profile": [profile]}} if profile else {}
    return {
        "resourceType": "Bundle",
        **meta,
        "identifier": dict(first["identifier"][0]),
        "type": "collection",
        "timestamp": first["created"],
        "entry": [{"fullUrl": CANONICAL + r, "resource": _enclosed(available[r], inside)} for r in inside],
    }


def _closure(first: str, available: Mapping[str, Resource]) -> list[str]:
    """Everything the first resource leads to, breadth first."""
    inside = [first]
    for literal in inside:
        inside += [r for r in dict.fromkeys(references(available[literal])) if r in available and r not in inside]
    return inside


def _enclosed(resource: Resource, inside: list[str]) -> dict[str, Any]:
    """A copy whose references all resolve inside; our own versions and what was not sent are left out."""
    profile = (resource.get("meta") or {}).get("profile")
    kept = {k: v for k, v in resource.items() if k not in ("meta", "text")}
    copy: dict[str, Any] = _kept(kept, frozenset(inside))
    head = {"resourceType": copy.pop("resourceType"), "id": copy.pop("id")}
    return head | ({"meta": {"profile": profile}} if profile else {}) | copy


def _kept(value: Any, inside: frozenset[str]) -> Any:
    """An element without literal references that lead outside, our own extensions, and what is empty then."""
    match value:
        case Mapping() if str(value.get("url", "")).startswith(CANONICAL):
            return {}
        case Mapping():
            literal = target(value)
            gone = literal is not None and literal not in inside and not literal.startswith("#")
            kept = {k: _kept(v, inside) for k, v in value.items() if not (gone and k in ("reference", "type"))}
            if literal is not None and not gone:
                kept["reference"] = literal
            whole = {k: v for k, v in kept.items() if v not in ({}, [])}
            return {} if set(whole) == {"url"} else whole
        case list() | tuple():
            return [kept for v in value if (kept := _kept(v, inside)) not in ({}, [])]
        case _:
            return value


def _insurer(payer: Payer) -> dict[str, Any]:
    identifiers = [{"system": s, "value": v} for s, v in payer.identifiers]
    return _organization("payer", payer.id, payer.name, identifiers, "PR")


def _provider(site: Site) -> dict[str, Any]:
    return _organization("practice", site.npi, site.organization, [{"system": NPI, "value": site.npi}], "1P")


def _organization(kind: str, key: str, name: str, identifiers: list[dict[str, str]], role: str) -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "id": derived_id(PREFIX, "Organization", kind, key),
        "identifier": identifiers,
        "active": True,
        "type": [concept(X12 + "98", role)],
        "name": name,
    }
