"""How verdicts are told: the Da Vinci PAS 2.2.1 response Bundle with its ClaimResponse first."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from partners.clock import instant
from partners.payer.facts import CPT, HCPCS
from partners.payer.information import Request, communication_request
from partners.payer.verdicts import CANCELLED, CERTIFIED, MODIFIED, NOT_CERTIFIED, PENDED, Reason, Verdict
from partners.references import literals

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
ACTION = "https://codesystem.x12.org/005010/306"
REASON = "https://codesystem.x12.org/external/886"
ACTIONS = {
    CERTIFIED: "Certified in total",
    NOT_CERTIFIED: "Not Certified",
    PENDED: "Pending",
    MODIFIED: "Modified",
    CANCELLED: "Cancelled",
}
_SUBMITTED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/adjudication", "code": "submitted"}]}
_ECHOED = ("patient", "insurer", "provider")

Json = dict[str, Any]


def response_bundle(
    request: Json,
    verdicts: Sequence[Verdict],
    *,
    number: str,
    version: int,
    payer: str,
    at: datetime,
    wanted: Sequence[Request] = (),
) -> Json:
    """The whole answer to a request Bundle.

    `number` is the payer's number of this Claim; `version` counts its answers from 1 (pended, then decided); `wanted`
    is what it asks for besides.
    """
    claim = request["entry"][0]["resource"]
    response = _claim_response(claim, verdicts, number, version, payer, at)
    url = _beside(request["entry"][0]["fullUrl"], response["id"])
    asked = [communication_request(w, payer, (v.sequence for v in verdicts)) for w in wanted]
    if asked:
        response["communicationRequest"] = [{"reference": f"CommunicationRequest/{a['id']}"} for a in asked]
    more = [{"fullUrl": url.replace(f"ClaimResponse/{response['id']}", _type_id(a)), "resource": a} for a in asked]
    return {
        "resourceType": "Bundle",
        "id": f"answer-{response['id']}",
        "meta": {"profile": [PAS + "profile-pas-response-bundle"]},
        "identifier": request.get("identifier", {"system": _own(payer, "answer"), "value": response["id"]}),
        "type": "collection",
        "timestamp": instant(at),
        "entry": [{"fullUrl": url, "resource": response}, *more, *_echoed(request, claim)],
    }


def _claim_response(
    claim: Json, verdicts: Sequence[Verdict], number: str, version: int, payer: str, at: datetime
) -> Json:
    begins = {i["sequence"]: _begins(i, claim) for i in claim["item"]}
    named = {i["sequence"]: i for i in claim["item"]}
    response: Json = {
        "resourceType": "ClaimResponse",
        "id": f"{number.lower()}-{version}",
        "meta": {"profile": [PAS + "profile-claimresponse"]},
        "identifier": [claim["identifier"][0], {"system": _own(payer, "answer"), "value": f"{number}-{version}"}],
        "status": "active",
        "type": claim["type"],
        "use": "preauthorization",
        "patient": claim["patient"],
        "created": instant(at),
        "insurer": claim["insurer"],
        "requestor": claim["provider"],
        "request": {"reference": f"Claim/{claim['id']}", "identifier": claim["identifier"][0]},
        "outcome": "complete",
        "disposition": "; ".join(sorted({ACTIONS[v.action] for v in verdicts})),
        "item": [_item(v, named[v.sequence], begins[v.sequence], number, at) for v in verdicts],
    }
    response |= _authorized(verdicts, begins, number)
    added = [_added(v, named[v.sequence], begins[v.sequence], number, at) for v in verdicts if v.action == MODIFIED]
    notes = [{"number": n, "text": r.text} for n, r in enumerate(_reasons(verdicts), 1)]
    return response | ({"addItem": added} if added else {}) | ({"processNote": notes} if notes else {})


def _authorized(verdicts: Sequence[Verdict], begins: Mapping[int, date], number: str) -> Json:
    """The authorization as a whole: its number and the days it spans; nothing where nothing is authorized."""
    periods = [_period(v, begins[v.sequence]) for v in verdicts if v.action in {CERTIFIED, MODIFIED}]
    if not periods:
        return {}
    whole = {"start": min(p["start"] for p in periods), "end": max(p["end"] for p in periods)}
    return {"preAuthRef": number, "preAuthPeriod": whole}


def _item(verdict: Verdict, item: Json, begins: date, number: str, at: datetime) -> Json:
    """The requested detail stays on `item`; where it is modified, the authorized detail stands in `addItem`."""
    extensions = []
    if serviced := _serviced(item):
        extensions.append({"url": PAS + "extension-itemRequestedServiceDate", **serviced})
    match verdict.action:
        case "A1":
            extensions += [*_issued(verdict, begins, at), _detail(verdict, item)]
        case "A4":
            pended = f"{number}-{verdict.sequence}"
            extensions.append({"url": PAS + "extension-administrationReferenceNumber", "valueString": pended})
    found = {"itemSequence": verdict.sequence, "adjudication": [_adjudication(verdict, number)]}
    return ({"extension": extensions} if extensions else {}) | found


def _added(verdict: Verdict, item: Json, begins: date, number: str, at: datetime) -> Json:
    return {
        "extension": _issued(verdict, begins, at),
        "itemSequence": [verdict.sequence],
        "productOrService": item["productOrService"],
        "quantity": {"value": Decimal(verdict.units or 0)},
        "adjudication": [_adjudication(verdict, number)],
    }


def _issued(verdict: Verdict, begins: date, at: datetime) -> list[Json]:
    return [
        {"url": PAS + "extension-itemPreAuthIssueDate", "valueDate": at.date().isoformat()},
        {"url": PAS + "extension-itemPreAuthPeriod", "valuePeriod": _period(verdict, begins)},
    ]


def _detail(verdict: Verdict, item: Json) -> Json:
    codings = [c for c in item["productOrService"]["coding"] if c.get("system") in (HCPCS, CPT)]
    return {
        "extension": [
            {"url": "productOrServiceCode", "valueCodeableConcept": {"coding": codings}},
            {"url": "quantity", "valueQuantity": {"value": Decimal(verdict.units or 0)}},
        ],
        "url": PAS + "extension-itemAuthorizedDetail",
    }


def _adjudication(verdict: Verdict, number: str) -> Json:
    coding = {"system": ACTION, "code": verdict.action, "display": ACTIONS[verdict.action]}
    review: list[Json] = [{"url": PAS + "extension-reviewActionCode", "valueCodeableConcept": {"coding": [coding]}}]
    if verdict.action in {CERTIFIED, MODIFIED}:
        review.insert(0, {"url": "number", "valueString": number})
    review += [{"url": "reasonCode", "valueCodeableConcept": _coded(r)} for r in verdict.reasons]
    return {"extension": [{"extension": review, "url": PAS + "extension-reviewAction"}], "category": _SUBMITTED}


def _coded(reason: Reason) -> Json:
    own = {"system": "urn:partners:payer:reason", "code": reason.code}
    return {"coding": [{"system": REASON, "code": reason.x12}, own], "text": reason.text}


def _reasons(verdicts: Sequence[Verdict]) -> list[Reason]:
    return list(dict.fromkeys(r for v in verdicts for r in v.reasons))


def _period(verdict: Verdict, begins: date) -> dict[str, str]:
    """The days authorized, the first and the last included."""
    return {
        "start": begins.isoformat(),
        "end": (begins + timedelta(days=(verdict.days or 1) - 1)).isoformat(),
    }


def _begins(item: Json, claim: Json) -> date:
    asked = item.get("servicedDate") or item.get("servicedPeriod", {}).get("start") or claim["created"]
    return date.fromisoformat(asked[:10] if len(asked) >= 10 else claim["created"][:10])


def _serviced(item: Json) -> Json:
    match item:
        case {"servicedPeriod": period}:
            return {"valuePeriod": period}
        case {"servicedDate": on}:
            return {"valueDateTime": on}
    return {}


def _echoed(request: Json, claim: Json) -> list[Json]:
    """Patient, insurer and requestor with all they refer to, so that every reference of the answer resolves."""
    entries = request["entry"][1:]
    named = {name: e for e in entries for name in (_type_id(e["resource"]), e["fullUrl"])}
    waiting = [claim[element].get("reference", "") for element in _ECHOED]
    found: dict[str, Json] = {}
    while waiting:
        entry = named.get(waiting.pop(0).partition("/_history/")[0])
        if entry is not None and entry["fullUrl"] not in found:
            found[entry["fullUrl"]] = {"fullUrl": entry["fullUrl"], "resource": entry["resource"]}
            waiting += [literal for _, literal in literals(entry["resource"], "")]
    return list(found.values())


def _type_id(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource.get('id')}"


def _beside(claim_url: str, response_id: str) -> str:
    """The answer's fullUrl: on the Claim's own base, so that its relative references mean the same resources."""
    base, found, _ = claim_url.rpartition("/Claim/")
    return f"{base}/ClaimResponse/{response_id}" if found else f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, response_id)}"


def _own(payer: str, kind: str) -> str:
    return f"urn:partners:payer:{payer}:{kind}"
