"""What more a payer wants before it decides: asked for beside a pended answer, and taken by `$submit-attachment`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from partners.payer.facts import Facts
from partners.wire import refuse

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
LOINC = "http://loinc.org"
REPORT_TYPE = "https://codesystem.x12.org/005010/755"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request for more: the number it is tracked by, the LOINC code wanted, the last day to send it."""

    tracking: str
    loinc: str
    report: str
    by: str

    def stored(self) -> dict[str, str]:
        return asdict(self)


def wanted(rules: Mapping[str, Any], facts: Facts, number: str, on: date) -> tuple[Request, ...]:
    """What the rules want of this request and it does not hold: documents, by plan group."""
    asked = (w for w in rules.get("information", ()) if facts.groups & set(w["groups"]))
    lacking = [w for w in asked if w["loinc"] not in facts.document_codes]
    return tuple(
        Request(f"{number}-M{n}", w["loinc"], w["report"], (on + timedelta(days=w["within_days"])).isoformat())
        for n, w in enumerate(lacking, 1)
    )


def communication_request(request: Request, payer: str, lines: Iterable[int]) -> Json:
    """A request for more as PAS has it, about these items."""
    return {
        "resourceType": "CommunicationRequest",
        "id": request.tracking.lower(),
        "meta": {"profile": [PAS + "profile-communicationrequest"]},
        "extension": [{"url": PAS + "extension-serviceLineNumber", "valuePositiveInt": n} for n in lines],
        "identifier": [{"system": f"urn:partners:payer:{payer}:tracking", "value": request.tracking}],
        "status": "active",
        "category": [{"coding": [{"system": REPORT_TYPE, "code": request.report}]}],
        "payload": [{"contentString": request.loinc}],
        "occurrencePeriod": {"end": request.by},
    }


@dataclass(frozen=True, slots=True)
class Attached:
    """What came by `$submit-attachment`: for which number, under which codes, which resources."""

    tracking: str
    codes: frozenset[str]
    resources: tuple[Json, ...]


def attached(parameters: Json) -> Attached:
    """What one call brings. Raises Refused (400) where it lacks what CDex demands."""
    said = parameters.get("parameter", [])
    named = {p["name"]: p for p in said}
    tracking = named.get("TrackingId", {}).get("valueIdentifier", {}).get("value")
    sender = {"OrganizationId", "ProviderId"} & set(named)
    parts = [p.get("part", []) for p in said if p["name"] == "Attachment"]
    resources = [q["resource"] for part in parts for q in part if q["name"] == "Content" and "resource" in q]
    demands = (
        ("TrackingId", bool(tracking)),
        ("AttachTo", named.get("AttachTo", {}).get("valueCode") == "preauthorization"),
        ("MemberId", "valueIdentifier" in named.get("MemberId", {})),
        ("OrganizationId", bool(sender)),
        ("Attachment", bool(parts) and len(resources) == len(parts)),
    )
    for name, met in demands:
        if not met:
            refuse(400, "required", f"CDex demands {name}", f"Parameters.parameter.where(name = '{name}')")
    concepts = [q.get("valueCodeableConcept", {}) for part in parts for q in part if q["name"] == "Code"]
    codes = {c["code"] for concept in concepts for c in concept.get("coding", []) if c.get("system") == LOINC}
    return Attached(str(tracking), frozenset(codes), tuple(resources))


def with_attachments(bundle: Json, resources: Iterable[Json]) -> Json:
    """A request Bundle with what was attached to it, as the reviewer reads it."""
    more = [{"fullUrl": f"urn:partners:attachment:{n}", "resource": r} for n, r in enumerate(resources, 1)]
    return {**bundle, "entry": [*bundle["entry"], *more]}
