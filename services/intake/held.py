"""An authorization a referral brings already: a ClaimResponse with its number, cited in our order; auth verifies it."""

from __future__ import annotations

from services.intake.facts import Case
from services.intake.records import literal
from shared.core import Resource, reference


def held_authorizations(case: Case) -> list[str]:
    """The received authorizations of this referral that have a number: named by its order, or come with it."""
    named = {literal(r) for name in ("insurance", "supportingInfo") for r in case.request.get(name, ())}
    stored = {literal(r) for r in (case.order or {}).get("supportingInfo", ())}
    mine = named | stored | case.arrived
    return [reference(r) for r in case.facts.of("ClaimResponse") if reference(r) in mine and _is_held(r)]


def _is_held(response: Resource) -> bool:
    granted = response.get("use") == "preauthorization" and response.get("status") == "active"
    return bool(granted and response.get("preAuthRef") and response.get("outcome") in ("complete", "partial"))
