"""Whether a member is insured and a product needs authorization: the CoverageEligibilityResponse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from partners.clock import instant
from partners.payer.facts import member_of, product_of
from partners.payer.verdicts import in_force
from partners.references import found_in, target
from partners.wire import refuse, resource_model

Json = dict[str, Any]
_NETWORK = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/benefit-network", "code": "in"}]}


def eligibility(rules: Mapping[str, Any], body: Json, at: datetime) -> Json:
    """Answers a CoverageEligibilityRequest, alone or first in a collection Bundle beside its Coverage.

    Raises Refused (400) when R4B refuses it or nothing in it says the member id.
    """
    model = resource_model(body, "CoverageEligibilityRequest", "Bundle")
    request, raw, named = _opened(model, body)
    member = _member(request, named)
    if member is None:
        text = "the Coverage must be contained or in the Bundle, or insurance.coverage.identifier must be the member id"
        refuse(400, "required", text, "CoverageEligibilityRequest.insurance[0].coverage")
    return _response(rules, request, raw, in_force(rules, member), at)


def _opened(model: Any, body: Json) -> tuple[Any, Json, dict[str, Any]]:
    """The request as model and as sent, and what its references may mean."""
    if model.get_resource_type() == "Bundle":
        first = model.entry[0].resource if model.entry else None
        if first is None or first.get_resource_type() != "CoverageEligibilityRequest":
            refuse(400, "invalid", "the first entry must be a CoverageEligibilityRequest", "Bundle.entry[0]")
        return first, body["entry"][0]["resource"], found_in(model)
    return model, body, {f"#{r.id}": r for r in model.contained or ()}


def _member(request: Any, named: Mapping[str, Any]) -> str | None:
    insurances = sorted(request.insurance or (), key=lambda i: not i.focal)
    if not insurances:
        return None
    reference = insurances[0].coverage
    said = reference.identifier.value if reference.identifier else None
    return member_of(target(reference, named)) or (str(said) if said else None)


def _response(rules: Mapping[str, Any], request: Any, raw: Json, insured: bool, at: datetime) -> Json:
    insurance: Json = {"coverage": _coverage(raw), "inforce": insured}
    if insured and (
        items := [_item(rules, i, r) for i, r in zip(request.item or (), raw.get("item", ()), strict=True)]
    ):
        insurance["item"] = items
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": f"answer-{raw.get('id', 'unnamed')}",
        "status": "active",
        "purpose": raw["purpose"],
        "patient": raw["patient"],
        "created": instant(at),
        "request": {"reference": f"CoverageEligibilityRequest/{raw['id']}"} if "id" in raw else {"display": "as sent"},
        "outcome": "complete",
        "disposition": f"{rules['name']}: coverage is {'in force' if insured else 'not in force'}",
        "insurer": raw["insurer"],
        "insurance": [insurance],
    } | ({"identifier": raw["identifier"]} if "identifier" in raw else {})


def _coverage(raw: Json) -> Json:
    """The Coverage as the request names it; a contained one by its member id alone."""
    reference: Json = raw["insurance"][0]["coverage"]
    if not str(reference.get("reference", "")).startswith("#"):
        return reference
    return {"display": "as sent"}


def _item(rules: Mapping[str, Any], item: Any, raw: Json) -> Json:
    product = product_of(item.productOrService)
    told = rules["eligibility"]
    found: Json = {"productOrService": raw["productOrService"]} if product else {}
    if product in told["not_covered"]:
        return found | {"excluded": True}
    return found | {"network": _NETWORK, "authorizationRequired": product not in told["authorization_not_required"]}
