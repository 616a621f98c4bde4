"""Carries the ledger between its own words and FHIR: Appointments in, ChargeItems and hold answers out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.ledger import Charge, Grant, HoldAnswer, Key, Ledger, Terms, Visit, settled
from services.auth.responses import authorized
from services.auth.words import (
    CHARGE_ID,
    DOSE,
    HOLD,
    OUTPUT,
    PREFIX,
    SITE_ID,
    code_of,
    concept,
    local_day,
    number,
    part,
    target,
)
from shared.catalogue import HCPCS
from shared.core import Resource, derived_id, reference
from shared.settings import InfusionSite


def ledger_of(case: Case) -> Ledger:
    """An order's ledger as stored."""
    charges = [_charge(c) for c in case.facts.of("ChargeItem") if _of(case, c)]
    outputs = (case.task or {}).get("output", ())
    answers = [_hold_answer(o) for o in outputs if code_of(o.get("type"), OUTPUT) == "hold-answer"]
    return Ledger({(c.dose, c.code): c for c in charges}, {a.visit: a for a in answers})


def terms_of(case: Case, status: str, answer: Resource | None) -> Terms:
    """The terms in force at a stage of the authorization."""
    if status == "not-required":
        return Terms(needed=False)
    claim = case.claim
    if status not in ("approved", "partly-approved") or claim is None or answer is None:
        return Terms()
    return Terms(grants=tuple(Grant(a.code, a.units, a.start, a.end) for a in authorized(claim, answer)))


def moved(case: Case, before: Ledger, terms: Terms) -> Ledger:
    """The ledger after everything the order's Appointments now say."""
    visits = [v for a in case.facts.based_on(case.order, "Appointment") if (v := _visit(case, a))]
    return settled(before, visits, terms, ended=case.ended)


def _visit(case: Case, appointment: Resource) -> Visit | None:
    dose = part(appointment, DOSE, "number")
    if not isinstance(dose, int):
        return None
    start = appointment.get("start")
    on = local_day(start, _site(case, appointment).time_zone)
    regimen = case.regimen
    needs = None if isinstance(regimen, str) or case.drug is None or on is None else regimen.units(case.drug, dose, on)
    return Visit(
        reference=reference(appointment),
        dose=dose,
        status=appointment["status"],
        start=start or "",
        on=on,
        hold=part(appointment, HOLD, "number"),
        needs=needs,
    )


def _site(case: Case, appointment: Resource) -> InfusionSite:
    """The site whose local date counts: the Appointment's, else the practice's first."""
    actors = [(p.get("actor") or {}).get("identifier") or {} for p in appointment.get("participant", ())]
    named = (case.policy.site.site(i.get("value", "")) for i in actors if i.get("system") == SITE_ID)
    return next((s for s in named if s is not None), case.policy.site.sites[0])


def _of(case: Case, charge_item: Resource) -> bool:
    return any(i["value"].startswith(f"{case.order['id']}|") for i in charge_item["identifier"])


def _charge(item: Resource) -> Charge:
    _, dose, code = item["identifier"][0]["value"].split("|")
    return Charge(
        dose=int(dose),
        code=code,
        units=number(item["quantity"]["value"]) or Decimal(0),
        status=item["status"],
        visit=target(item["supportingInformation"][0]) or "",
        start=item.get("occurrenceDateTime", ""),
        hold=part(item, HOLD, "number"),
    )


def charge_items(case: Case, before: Ledger, after: Ledger, answer: Resource | None) -> list[dict[str, Any]]:
    """The ChargeItems that differ, whole."""
    changed = {k: c for k, c in after.charges.items() if before.charges.get(k) != c}
    return [_item(case, key, charge, answer) for key, charge in changed.items()]


def _item(case: Case, key: Key, charge: Charge, answer: Resource | None) -> dict[str, Any]:
    dose, code = key
    item_id = derived_id(PREFIX, "dose", case.order["id"], str(dose), code)
    stored = case.facts.at("ChargeItem/" + item_id) or {}
    proof = [reference(answer)] if answer else [target(i) for i in stored.get("supportingInformation", ())[1:]]
    extensions = [{"url": HOLD, "extension": [{"url": "number", "valuePositiveInt": charge.hold}]}]
    return {
        "resourceType": "ChargeItem",
        "id": item_id,
        **({"extension": extensions} if charge.hold is not None else {}),
        "identifier": [{"system": CHARGE_ID, "value": f"{case.order['id']}|{dose}|{code}"}],
        "status": charge.status,
        "code": concept(HCPCS, code),
        "subject": dict(case.order["subject"]),
        **({"occurrenceDateTime": charge.start} if charge.start else {}),
        "quantity": {"value": int(charge.units), "system": HCPCS, "code": code},
        "supportingInformation": [{"reference": charge.visit}, *({"reference": r} for r in proof if r)],
    }


# On the Task


def hold_answers(ledger: Ledger) -> list[dict[str, Any]]:
    """One output per Appointment: the latest number and its answer."""
    return [_output(a) for a in ledger.answers.values()]


def _output(answer: HoldAnswer) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"url": "number", "valuePositiveInt": answer.hold},
        {"url": "answer", "valueCode": answer.answer},
    ]
    if answer.reason:
        parts.append({"url": "reason", "valueString": answer.reason})
    return {
        "extension": [{"url": HOLD, "extension": parts}],
        "type": concept(OUTPUT, "hold-answer"),
        "valueReference": {"reference": answer.visit},
    }


def _hold_answer(output: Mapping[str, Any]) -> HoldAnswer:
    return HoldAnswer(
        visit=target(output["valueReference"]) or "",
        hold=part(output, HOLD, "number"),
        answer=part(output, HOLD, "answer"),
        reason=part(output, HOLD, "reason"),
    )


def balance(ledger: Ledger, terms: Terms) -> list[dict[str, Any]]:
    """`units` authorized and `units-left` after reservations, by code."""
    left = [(g, g.units - ledger.used(g.code)) for g in terms.grants]
    units = [{"type": concept(OUTPUT, "units"), "valueQuantity": _quantity(g.code, g.units)} for g, _ in left]
    return units + [{"type": concept(OUTPUT, "units-left"), "valueQuantity": _quantity(g.code, u)} for g, u in left]


def _quantity(code: str, units: Decimal) -> dict[str, Any]:
    return {"value": int(units), "system": HCPCS, "code": code}
