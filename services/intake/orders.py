"""Builds our filler order of one referral, and says where the placer's order stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from services.intake.codes import (
    BSER,
    CALLED_OFF,
    NPI,
    ORDER_ID,
    SITE_ID,
    SITE_OF_CARE,
    SITES_OF_CARE,
    THERAPY,
    code_of,
    concept,
)
from services.intake.facts import Case
from services.intake.held import held_authorizations
from services.intake.records import day, literal, stands
from services.intake.requirements.gap import Gap
from services.intake.rules import npi_holds
from shared.catalogue import DRUG, HCPCS, Drug
from shared.core import Resource, reference

SUPPORTING = ("Observation", "MedicationStatement", "AllergyIntolerance", "DocumentReference", "Consent")
"""Kinds that stand in the order's supportingInfo behind its MedicationRequests."""


def called_off(case: Case) -> str | None:
    """The word that ended the referral, the placer's or of `ENDINGS`, or None; what was cancelled stays cancelled."""
    before = case.stored["status"] if case.stored else None
    if before == "cancelled" or is_ending(case.stored):
        return "cancelled"
    said = case.placed and case.referral.get("status") != before
    sent = [case.request, case.medication, *([case.referral] if said else [])]
    words = (s["status"] for s in sent if s and s.get("status") in CALLED_OFF[s["resourceType"]])
    return next(words, None) or ("revoked" if case.called else _overtaken(case))


ENDINGS = {
    "deceased": "The patient has died",
    "declined": "Another referral for the same therapy goes on instead",
    "replaced": "Another order of the placer has replaced this one",
}
"""What ends a referral besides the placer's word -> what he is told."""


def _overtaken(case: Case) -> str | None:
    if case.request.get("status") == "completed":
        return None
    found = {"deceased": case.deceased, "declined": case.declined, "replaced": case.replaced}
    return next((word for word, holds in found.items() if holds), None)


def is_ending(task: Resource | None) -> bool:
    """Whether the placer called a referral off (BSeR 5.2) and its visits are still being cancelled."""
    return code_of((task or {}).get("businessStatus"), BSER) == "5.2"


def order_status(case: Case, gaps: Iterable[Gap]) -> str:
    """draft until clinically complete, active from then on; a gap that opens later puts it on hold."""
    if called_off(case):
        return "revoked"
    if case.request.get("status") == "completed":
        return "completed"
    if case.on_hold:
        return "on-hold"
    if case.rivals:
        return "draft"
    if any(g.clinical for g in gaps):
        return "on-hold" if case.activated else "draft"
    return "active"


def filler_orders(case: Case, gaps: tuple[Gap, ...], at: datetime) -> tuple[Resource, ...]:
    """Our order for the therapy asked for, first, and those of another therapy, which are revoked."""
    present = _filler(case, gaps, at)
    others = tuple({**o, "status": "revoked"} for o in case.orders if o["id"] != case.order_id)
    return (*((present,) if present else ()), *others)


def _filler(case: Case, gaps: tuple[Gap, ...], at: datetime) -> Resource | None:
    status = order_status(case, gaps)
    if case.drug is None or not case.request or case.handed or (status == "revoked" and case.order is None):
        return None
    elements = {**_identity(case, status), **_content(case, case.drug), "authoredOn": _authored(case, status, at)}
    elements["supportingInfo"] = [{"reference": r} for r in _supporting(case, status)]
    return {name: value for name, value in elements.items() if value}


def _identity(case: Case, status: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": case.order_id,
        "identifier": [{"system": ORDER_ID, "value": case.order_id}],
        "basedOn": [{"reference": reference(case.request)}],
        "replaces": case.request.get("replaces"),
        "status": status,
        "intent": "filler-order",
    }


def _content(case: Case, drug: Drug) -> dict[str, Any]:
    """What is asked for, for whom, by whom, from when, where and why."""
    return {
        "category": [concept(THERAPY, drug.therapy)],
        "priority": case.request.get("priority", "routine"),
        "code": ordered_drug(case, drug),
        "subject": {"reference": f"Patient/{case.facts.patient}"},
        "occurrencePeriod": {"start": case.start} if case.start else {},
        "requester": prescriber(case),
        "performer": _performers(case),
        "locationCode": _location(case),
        "reasonReference": case.request.get("reasonReference") or case.medication.get("reasonReference"),
        "reasonCode": case.request.get("reasonCode") or case.medication.get("reasonCode"),
        "insurance": [{"reference": reference(c)} for c in case.coverages],
    }


def ordered_drug(case: Case, drug: Drug) -> dict[str, Any]:
    """The drug as ordered, with our own key and the HCPCS code of the start date (else of today) beside it."""
    written = case.codings(case.medication) or case.request.get("code", {}).get("coding", ())
    billing = drug.billing_on((day(case.start) if case.start else None) or case.at)
    ours = [{"system": DRUG, "code": drug.key, "display": drug.name}]
    ours += [{"system": HCPCS, "code": billing.code}] if billing else []
    own_systems = (DRUG, HCPCS)
    return {"coding": [*(c for c in written if c.get("system") not in own_systems), *ours], "text": drug.name}


def prescriber(case: Case) -> Mapping[str, Any]:
    """The prescriber's reference, with his NPI beside it so that nobody needs his record to name him."""
    npi = next((n for n in case.prescriber_npis if npi_holds(n)), None)
    named = npi is None or "identifier" in case.requester
    return case.requester if named else {**case.requester, "identifier": {"system": NPI, "value": npi}}


def _authored(case: Case, status: str, at: datetime) -> str:
    """The instant the order was drafted, became active or was renewed: the day its requirements are judged by."""
    stored = case.order
    moved = stored is None or (stored["status"] == "draft" and status != "draft") or case.renewed
    return at.isoformat(timespec="seconds") if moved or stored is None else str(stored["authoredOn"])


def _performers(case: Case) -> list[dict[str, Any]]:
    sites = ((s, case.site.site(s)) for s in dict.fromkeys(case.performer_sites))
    return [{"identifier": {"system": SITE_ID, "value": s}, "display": site.name} for s, site in sites if site]


def _location(case: Case) -> list[dict[str, Any]]:
    kinds = [code_of(c, SITE_OF_CARE) for c in case.request.get("locationCode", ())]
    known = [k for k in kinds if k in SITES_OF_CARE] or (["aic"] if _performers(case) else [])
    return [concept(SITE_OF_CARE, str(k)) for k in known]


def _supporting(case: Case, status: str) -> list[str]:
    """MedicationRequests first, then what came with the referral, by kind: a lab that comes later changes no order.

    What no longer stands is not cited, and no document that came with another referral: each is for its own purpose.
    """
    stored = {literal(s) or "" for s in (case.order or {}).get("supportingInfo", ())}
    drafted = status == "draft" or not case.activated
    records = [r for kind in SUPPORTING for r in case.facts.of(kind)]
    mine, others = stored | case.arrived, _of_others(case)
    kept = [r for r in records if reference(r) in mine or (drafted and reference(r) not in others)]
    return [*map(reference, case.medications), *(reference(r) for r in kept if stands(r)), *held_authorizations(case)]


def _of_others(case: Case) -> set[str]:
    """The documents of other referrals: just come with one, or cited by its order; what is replaced is one's own."""
    own = {case.order_id, *(o["id"] for o in case.orders)}
    orders = (o for o in case.facts.of("ServiceRequest") if o.get("intent") == "filler-order" and o["id"] not in own)
    cited = {literal(s) or "" for o in orders for s in o.get("supportingInfo", ())}
    found = set() if case.request.get("replaces") else cited | case.elsewhere
    return {place for place in found if place.startswith("DocumentReference/")}
