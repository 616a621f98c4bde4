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
BENEFIT = "http://terminology.hl7.org/CodeSystem/benefit-"
SERVICE_TYPE = "https://codesystem.x12.org/005010/1365"
BENEFIT_INFORMATION = "https://codesystem.x12.org/005010/1390"
CHANNELS = "https://carepod.example/fhir/CodeSystem/acquisition-channel"
SIDES = {"medical": "1", "pharmacy": "88"}
"""X12 service type of each benefit."""


def eligibility(rules: Mapping[str, Any], body: Json, at: datetime) -> Json:
    """Answers a CoverageEligibilityRequest, alone or first in a collection Bundle beside its Coverage.

    Raises Refused (400) when R4B refuses it or nothing in it says the member id.
    """
    model = resource_model(body, "CoverageEligibilityRequest", "Bundle")
    request, raw, named = _opened(model, body)
    member, groups = _member(request, named), _groups(request, named)
    if member is None:
        text = "the Coverage must be contained or in the Bundle, or insurance.coverage.identifier must be the member id"
        refuse(400, "required", text, "CoverageEligibilityRequest.insurance[0].coverage")
    return _response(rules, request, raw, in_force(rules, member, at.date()), at, groups)


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


def _groups(request: Any, named: Mapping[str, Any]) -> frozenset[str]:
    """The member's groups, where his Coverage came along."""
    coverages = (target(i.coverage, named) for i in request.insurance or ())
    classes = (c for found in coverages for c in getattr(found, "class_fhir", None) or ())
    return frozenset(str(c.value).upper() for c in classes)


def _response(
    rules: Mapping[str, Any], request: Any, raw: Json, insured: bool, at: datetime, groups: frozenset[str]
) -> Json:
    insurance: Json = {"coverage": _coverage(raw), "inforce": insured}
    if insured and (
        items := [
            told
            for i, r in zip(request.item or (), raw.get("item", ()), strict=True)
            for told in _items(rules, i, r, _network(rules, request), at, groups)
        ]
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


def _network(rules: Mapping[str, Any], request: Any) -> Json:
    """Whether the provider who asks has a contract with this payer."""
    asking = getattr(getattr(request.provider, "identifier", None), "value", None)
    return _coded(BENEFIT + "network", "out" if str(asking) in rules["eligibility"].get("out_of_network", ()) else "in")


def _coverage(raw: Json) -> Json:
    """The Coverage as the request names it; a contained one by its member id alone."""
    reference: Json = raw["insurance"][0]["coverage"]
    if not str(reference.get("reference", "")).startswith("#"):
        return reference
    return {"display": "as sent"}


def _items(
    rules: Mapping[str, Any], item: Any, raw: Json, network: Json, at: datetime, groups: frozenset[str]
) -> list[Json]:
    """What is said of one product: once by each benefit that may pay it."""
    product, told = product_of(item.productOrService), rules["eligibility"]
    found: Json = {"productOrService": raw["productOrService"]} if product else {}
    if product in told["not_covered"]:
        return [found | {"excluded": True}]
    needed = {"authorizationRequired": product not in _unasked(told, at)}
    channel = told.get("channels", {}).get(product)
    by = {"modifier": [_coded(CHANNELS, channel)]} if channel else {}
    plain: Json = {**found, **by, "network": network, **needed}
    sides = _paying(told, product, groups)
    if "terms" not in told:
        return [plain]
    return [_priced(plain, side, told["terms"][side], at) for side in sides]


def _paying(told: Mapping[str, Any], product: str, groups: frozenset[str]) -> list[str]:
    """The benefits that pay a product: of some groups the pharmacy one alone, or both."""
    of_groups = told.get("groups", {})
    sides = next((of_groups[g] for g in sorted(groups) if g in of_groups), None)
    both = ["medical", "pharmacy"] if product in told.get("by_pharmacy_too", ()) else ["medical"]
    return both if sides is None else list(sides)


def _unasked(told: Mapping[str, Any], at: datetime) -> set[str]:
    """Products that need no authorization on a day: those listed, but not from the day on which the plan changes."""
    changes = told.get("authorization_required_from", {})
    return {p for p in told["authorization_not_required"] if p not in changes or at.date() < changes[p]}


def _priced(item: Json, side: str, terms: Mapping[str, Any], at: datetime) -> Json:
    """The item with the member's share under one benefit, which a modifier names: R4 allows a product no category."""
    named = {"unit": _coded(BENEFIT + "unit", "individual"), "term": _coded(BENEFIT + "term", "annual")}
    costs = [_cost(kind, amount, terms, at) for kind, amount in terms["share"].items()]
    by = {"modifier": [_coded(SERVICE_TYPE, SIDES[side]), *item.get("modifier", ())]}
    return {**item, **by, **named, "benefit": costs}


def _cost(kind: str, amount: int, terms: Mapping[str, Any], at: datetime) -> Json:
    if kind == "coinsurance":
        return {"type": _coded(BENEFIT + "type", "copay-percent"), "allowedUnsignedInt": amount}
    if kind == "copay":
        return {"type": _coded(BENEFIT + "type", "copay"), "allowedMoney": _dollars(amount)}
    used = {"usedMoney": _dollars(min(amount, terms["spent_each_month"] * (at.month - 1)))}
    named = _coded(BENEFIT + "type", kind) if kind == "deductible" else _coded(BENEFIT_INFORMATION, "G")
    return {"type": named, "allowedMoney": _dollars(amount), **used}


def _dollars(amount: int) -> Json:
    return {"value": amount, "currency": "USD"}


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}
