"""A payer's CDS services: what an order needs, as Da Vinci CRD has it, told to whoever proves who calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from partners.clock import Clock
from partners.payer.facts import member_of
from partners.payer.verdicts import in_force, rules_of
from partners.store import Store
from partners.tokens import Keys, OAuthError, Tokens
from partners.wire import decoded, refuse, resource_model

Json = dict[str, Any]
INFORMATION = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
HOOKS = ("order-sign", "order-dispatch", "appointment-book")
DEMANDED: Mapping[str, tuple[str, ...]] = {
    "order-sign": ("userId", "patientId", "draftOrders"),
    "order-dispatch": ("patientId", "dispatchedOrders", "performer"),
    "appointment-book": ("userId", "patientId", "appointments"),
}
"""What the context of a hook must say."""
ORDERED = ("MedicationRequest", "ServiceRequest")
PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "coverage": "Coverage?patient={{context.patientId}}&status=active",
    "orders": "MedicationRequest?patient={{context.patientId}}&_include=MedicationRequest:requester",
    "history": "ClaimResponse?patient={{context.patientId}}",
}
"""The last is what a practice need not have."""


class Requirements:
    """`proofs`: hook -> who may call that service, each proof good for one call of it."""

    def __init__(self, rules: Mapping[str, Any], proofs: Mapping[str, Tokens], store: Store, now: Clock) -> None:
        self._rules, self._proofs, self._store, self._now = rules, proofs, store, now

    def discovery(self) -> Json:
        """The services there are."""
        return {"services": [self._service(hook) for hook in HOOKS]}

    def _service(self, hook: str) -> Json:
        text = f"What {self._rules['name']} wants before it pays."
        return {"hook": hook, "id": f"{hook}-requirements", "title": hook, "description": text, "prefetch": PREFETCH}

    async def answered(self, hook: str, authorization: str, body: bytes) -> Response:
        """Coverage information as updates of the orders. 401 without proof, 400 or 412 where a call lacks something."""
        kind, _, proof = authorization.partition(" ")
        try:
            if kind != "Bearer":
                raise OAuthError("invalid_client", "a JWT as Bearer is required")
            await self._proofs[hook].proven(proof)
        except OAuthError as error:
            return JSONResponse({"error": error.code, "error_description": error.description}, 401)
        return JSONResponse(self._told(hook, decoded(body)))

    def _told(self, hook: str, called: Json) -> Json:
        context, prefetch = called.get("context"), called.get("prefetch")
        if called.get("hook") != hook or not called.get("hookInstance") or not isinstance(context, dict):
            refuse(400, "required", "hook, hookInstance and context are required")
        if missing := [name for name in DEMANDED[hook] if not context.get(name)]:
            refuse(400, "required", f"context must say {', '.join(missing)}")
        given = prefetch if isinstance(prefetch, dict) else {}
        orders = list(_orders(hook, context, given))
        if "coverage" not in given or "patient" not in given or not orders:
            refuse(412, "required", "patient, coverage and the orders must be prefetched")
        return {"cards": [], "systemActions": [self._updated(hook, order, given["coverage"]) for order in orders]}

    def _updated(self, hook: str, order: Json, coverages: Json) -> Json:
        resource_model(order, *ORDERED)
        resource_model(coverages, "Bundle")
        coverage = coverages["entry"][0]["resource"]
        said = self._said(order, coverage, self._now())
        kept = [e for e in order.get("extension", ()) if e["url"] != INFORMATION]
        told = {"url": INFORMATION, "extension": [{"url": "coverage", "valueReference": _named(coverage)}, *said]}
        text = f"{hook}: what {self._rules['name']} says of this order."
        return {"type": "update", "description": text, "resource": {**order, "extension": [*kept, told]}}

    def _said(self, order: Json, coverage: Json, at: datetime) -> list[Json]:
        """The parts of the coverage information: by the first row that fits, else an authorization is needed."""
        member = member_of(resource_model(coverage, "Coverage"))
        number = f"{self._rules['number_prefix']}-CRD-{self._store.count('statement'):06d}"
        kept = [
            _text("date", "valueDate", at.date().isoformat()),
            _text("coverage-assertion-id", "valueString", number),
        ]
        if member is None or not in_force(self._rules, member, at.date()):
            return [_text("covered", "valueCode", "not-covered"), *kept]
        groups = {str(c.get("value")).upper() for c in coverage.get("class", ())}
        row: Json = next((r for r in self._rules.get("requirements", ()) if _fits(r, _products(order), groups)), {})
        needed = _text("pa-needed", "valueCode", row.get("needed", "auth-needed"))
        satisfied = [_text("satisfied-pa-id", "valueString", row["number"])] if "number" in row else []
        wanted = [_text("info-needed", "valueCode", code) for code in row.get("information", ())]
        return [_text("covered", "valueCode", row.get("covered", "covered")), needed, *wanted, *kept, *satisfied]


def requirements(payer: str, base: str, store: Store, callers: Mapping[str, Keys], now: Clock) -> Requirements:
    """The CDS services of one payer; `base` is its own address, which a proof must name."""
    proofs = {hook: Tokens(store, now, f"{base}/cds-services/{hook}-requirements", callers) for hook in HOOKS}
    return Requirements(rules_of(payer), proofs, store, now)


def _orders(hook: str, context: Json, prefetch: Json) -> Iterable[Json]:
    """The orders a call is about: those it brings, or those prefetched that it names."""
    brought = context.get("draftOrders") or prefetch.get("orders") or {}
    named = context.get("dispatchedOrders")
    for entry in brought.get("entry", ()):
        order = entry["resource"]
        if order["resourceType"] in ORDERED and (named is None or f"{order['resourceType']}/{order['id']}" in named):
            yield order


def _named(coverage: Json) -> Json:
    return {"reference": f"Coverage/{coverage['id']}"}


def _text(name: str, kind: str, value: str) -> Json:
    return {"url": name, kind: value}


def _products(order: Json) -> set[str]:
    coded = order.get("medicationCodeableConcept") or order.get("code") or {}
    return {c["code"] for c in coded.get("coding", ()) if c.get("system") == HCPCS}


def _fits(row: Mapping[str, Any], products: set[str], groups: set[str]) -> bool:
    return (not row.get("hcpcs") or bool(products & set(row["hcpcs"]))) and (
        not row.get("groups") or bool(groups & set(row["groups"]))
    )
