"""Puts what the payer is asked into the Bundle it travels in, every resource as the PAS profiles demand it.

Source: Da Vinci Prior Authorization Support 2.2.1, profile-pas-request-bundle, -pas-inquiry-request-bundle, -claim,
-beneficiary, -coverage, -insurer, -requestor, -practitionerrole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.auth.claims import PAS, TERMINOLOGY, X12
from services.auth.words import NPI, PATIENT_ID, PREFIX, code_of, concept, references, target
from shared.borders import undeclared
from shared.core import CANONICAL, Resource, derived_id, reference
from shared.settings import Payer, Site

Known = Mapping[str, Resource]

IDENTIFIER_TYPE = TERMINOLOGY + "v2-0203"
RELATIONSHIP = TERMINOLOGY + "subscriber-relationship"
SELF = {"system": X12 + "1069", "code": "18"}
DOCUMENT_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"

CITABLE = {
    "AllergyIntolerance", "Bundle", "Condition", "DeviceRequest", "DiagnosticReport", "DocumentReference",
    "Immunization", "MedicationRequest", "NutritionOrder", "Observation", "Procedure", "QuestionnaireResponse",
    "ServiceRequest",
}  # fmt: skip
"""What supportingInfo may cite (slice AdditionalInformation); anything else is cited inside a Bundle of its own."""


def request_bundle(claim: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The PAS request: the Claim first, then every resource it cites, each once, every reference resolving inside."""
    asked = {**claim, "meta": {"profile": [PAS + "profile-claim"]}}
    return _bundle(asked, known, site, payer, PAS + "profile-pas-request-bundle")


def inquiry_bundle(claim: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The PAS inquiry after a Claim by its identifier: the Claim without its evidence."""
    kept = {k: v for k, v in claim.items() if k not in ("supportingInfo", "careTeam", "diagnosis")}
    items = [{k: v for k, v in i.items() if k not in ("diagnosisSequence", "extension")} for i in claim["item"]]
    inquiry = {**kept, "status": "active", "item": items, "meta": {"profile": [PAS + "profile-claim-inquiry"]}}
    return _bundle(inquiry, known, site, payer, PAS + "profile-pas-inquiry-request-bundle")


def eligibility_bundle(request: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The benefit request first, then every resource it cites."""
    return _bundle(request, known, site, payer, None)


def _bundle(first: Resource, known: Known, site: Site, payer: Payer, profile: str | None) -> dict[str, Any]:
    """A collection whose identifier is the first resource's own: a retry sends the same Bundle again."""
    insurer, provider = _insurer(payer), _provider(site)
    asked = {**first, "insurer": _naming(first["insurer"], insurer), "provider": _naming(first["provider"], provider)}
    made = (insurer, provider, asked, *_roles(first), *_enclosures(first, known))
    inside = _closure(reference(first), {**known, **{reference(r): r for r in made}}, insurer)
    return {
        "resourceType": "Bundle",
        **({"meta": {"profile": [profile]}} if profile else {}),
        "identifier": dict(first["identifier"][0]),
        "type": "collection",
        "timestamp": first["created"],
        "entry": [{"fullUrl": CANONICAL + r, "resource": _resolving(v, inside)} for r, v in inside.items()],
    }


def _closure(first: str, available: Known, insurer: Resource) -> dict[str, dict[str, Any]]:
    """Everything the first resource leads to, breadth first, as it is sent."""
    inside: dict[str, dict[str, Any]] = {}
    waiting = [first]
    for literal in waiting:
        if literal in available and literal not in inside:
            inside[literal] = _sent(available[literal], available, insurer)
            waiting += references(inside[literal])
    return inside


def _sent(resource: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """A resource in the shape its profile demands, without our own extensions, versions and narrative."""
    shape = SHAPES.get(resource["resourceType"])
    shaped = shape(resource, available, insurer) if shape else resource
    profile = undeclared(resource.get("meta") or {}).get("profile")
    head = {"resourceType": resource["resourceType"], "id": resource["id"]}
    kept = {k: v for k, v in shaped.items() if k not in ("resourceType", "id", "meta", "text")}
    sent: dict[str, Any] = _without_ours(head | ({"meta": {"profile": profile}} if profile else {}) | kept)
    return sent


def _without_ours(value: Any) -> Any:
    """An element without the extensions that are our own."""
    match value:
        case Mapping():
            return {k: _without_ours(v) for k, v in value.items()}
        case list() | tuple():
            return [_without_ours(v) for v in value if not _is_ours(v)]
        case _:
            return value


def _is_ours(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("url", "")).startswith(CANONICAL)


def _resolving(value: Any, inside: Known) -> Any:
    """An element without literal references that lead outside, and without what is empty then."""
    match value:
        case Mapping():
            literal = target(value)
            gone = literal is not None and literal not in inside and not literal.startswith("#")
            kept = {k: _resolving(v, inside) for k, v in value.items() if not (gone and k in ("reference", "type"))}
            if literal is not None and not gone:
                kept["reference"] = literal
            whole = {k: v for k, v in kept.items() if v not in ({}, [])}
            return {} if set(whole) == {"url"} else whole
        case list() | tuple():
            return [kept for v in value if (kept := _resolving(v, inside)) not in ({}, [])]
        case _:
            return value


# In the shape a profile demands


def _claim(claim: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """Its care team in roles (a Practitioner alone may not be cited), its evidence as something that may be cited."""
    shaped = dict(claim)
    if "careTeam" in claim:
        shaped["careTeam"] = [{**m, "provider": _in_role(m["provider"])} for m in claim["careTeam"]]
    if "supportingInfo" in claim:
        cited = [{**i, "valueReference": _cited(i["valueReference"])} for i in claim["supportingInfo"]]
        shaped["supportingInfo"] = cited
    return shaped


def _patient(patient: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With an identifier and a gender; a birth date only where it is whole."""
    identifiers = _whole(patient, "identifier", "system", "value")
    own = {"system": PATIENT_ID, "value": patient["id"]}
    kept = {k: v for k, v in patient.items() if k != "birthDate" or len(v) == len("2000-01-01")}
    telecom = {"telecom": _whole(patient, "telecom", "system", "value")}
    return {**kept, **telecom, "identifier": identifiers or [own], "gender": patient.get("gender", "unknown")}


def _whole(resource: Resource, element: str, *parts: str) -> list[Any]:
    """The repetitions of an element that have all these parts."""
    return [e for e in resource.get(element, ()) if all(p in e for p in parts)]


def _coverage(coverage: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With one member identifier, the relationship to the subscriber, and the payer as its payor."""
    identifiers = list(coverage.get("identifier", ()))
    members = [i for i in identifiers if code_of(i.get("type"), IDENTIFIER_TYPE) == "MB"]
    number = coverage.get("subscriberId") or next((i["value"] for i in identifiers if "value" in i), None)
    if not members and number is not None:
        members = [{"type": concept(IDENTIFIER_TYPE, "MB"), "value": number}]
    return {
        **coverage,
        "identifier": [*members[:1], *(i for i in identifiers if i not in members)],
        "relationship": _relationship(coverage),
        "payor": [{"reference": reference(insurer)}],
    }


def _relationship(coverage: Resource) -> dict[str, Any]:
    """As received; unsaid, the beneficiary is the subscriber unless another is named. `self` also in X12's code."""
    subscriber = target(coverage.get("subscriber"))
    own = subscriber is None or subscriber == target(coverage["beneficiary"])
    said: Mapping[str, Any] = coverage.get("relationship") or concept(RELATIONSHIP, "self" if own else "other")
    if code_of(said, RELATIONSHIP) != "self" or code_of(said, SELF["system"]) is not None:
        return dict(said)
    return {**said, "coding": [*said["coding"], SELF]}


def _organization_as_active(organization: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    return {"active": True, **organization}


def _role(role: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With a telecom (pd-1): its own, else the practitioner's, else the organization's."""
    cited = (available.get(target(role.get(k)) or "", {}) for k in ("practitioner", "organization"))
    telecom = next((t for r in (role, *cited) if (t := _whole(r, "telecom", "system", "value"))), [])
    return {**role, "telecom": telecom}


def _document(document: Resource, available: Known, insurer: Resource) -> dict[str, Any]:
    """With the one category US Core 8.0.0 knows, where its author gave none."""
    return {**document, "category": document.get("category") or [concept(DOCUMENT_CATEGORY, "clinical-note")]}


SHAPES: Mapping[str, Callable[[Resource, Known, Resource], dict[str, Any]]] = {
    "Claim": _claim,
    "Coverage": _coverage,
    "DocumentReference": _document,
    "Organization": _organization_as_active,
    "Patient": _patient,
    "PractitionerRole": _role,
}
"""Resource type -> its shape, given what else is known and who the insurer is; any other goes as received."""


# Made for the Bundle


def _roles(claim: Resource) -> Iterable[Resource]:
    """A PractitionerRole for every Practitioner of the care team who is cited without one."""
    for member in claim.get("careTeam", ()):
        if _kind(member["provider"]) == "Practitioner":
            role_id = _in_role(member["provider"])["reference"].partition("/")[2]
            yield {"resourceType": "PractitionerRole", "id": role_id, "practitioner": dict(member["provider"])}


def _in_role(provider: Mapping[str, Any]) -> dict[str, Any]:
    if _kind(provider) != "Practitioner":
        return dict(provider)
    return {"reference": "PractitionerRole/" + derived_id(PREFIX, "PractitionerRole", target(provider) or "")}


def _enclosures(claim: Resource, known: Known) -> Iterable[Resource]:
    """A Bundle around each piece of evidence that may not be cited alone."""
    for info in claim.get("supportingInfo", ()):
        evidence = known.get(target(info["valueReference"]) or "")
        if evidence is not None and evidence["resourceType"] not in CITABLE:
            kept = {k: v for k, v in evidence.items() if k not in ("meta", "text")}
            yield {
                "resourceType": "Bundle",
                "id": _cited(info["valueReference"])["reference"].partition("/")[2],
                "type": "collection",
                "entry": [{"fullUrl": CANONICAL + reference(evidence), "resource": kept}],
            }


def _cited(evidence: Mapping[str, Any]) -> dict[str, Any]:
    if _kind(evidence) in CITABLE:
        return dict(evidence)
    return {"reference": "Bundle/" + derived_id(PREFIX, "Bundle", target(evidence) or "")}


def _kind(cited: Mapping[str, Any]) -> str:
    return (target(cited) or "").partition("/")[0]


def _naming(named: Mapping[str, Any], organization: Resource) -> dict[str, Any]:
    return {**named, "reference": reference(organization)}


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
