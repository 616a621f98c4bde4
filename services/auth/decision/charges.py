"""Carries the ledger between its own words and FHIR: Appointments in, ChargeItems and hold answers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.decision.allowances import allowance
from services.auth.decision.ledger import Charge, Grant, HoldAnswer, Key, Ledger, Terms, Visit, settled
from services.auth.home import units_of_visit
from services.auth.stage import Stage
from services.auth.wire.responses import authorized
from services.auth.words import (
    APPOINTMENT_KIND,
    CHARGE_ID,
    DOSE,
    HOLD,
    HOME_VISIT,
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
from shared.catalogue import billing_system
from shared.core import Resource, derived_id, reference
from shared.settings import InfusionSite


def ledger_of(case: Case) -> Ledger:
    """An order's ledger as stored."""
    charges = [_charge(case, c) for c in case.facts.of("ChargeItem") if _of(case, c)]
    outputs = (case.task or {}).get("output", ())
    answers = [_hold_answer(o) for o in outputs if code_of(o.get("type"), OUTPUT) == "hold-answer"]
    return Ledger({(c.dose, c.code): c for c in charges}, {a.visit: a for a in answers})


def terms_of(case: Case, stage: Stage) -> Terms:
    """The terms in force at a stage of the authorization."""
    status, answer = stage.status, stage.answer
    if status == "not-required":
        return Terms(needed=False)
    claim = case.claim
    if status not in ("approved", "partly-approved") or claim is None or answer is None:
        found = allowance(case, stage)
        return Terms(allowed=found[0] if found is not None else None)
    return Terms(grants=tuple(Grant(a.code, a.units, a.start, a.end) for a in authorized(claim, answer)))


def moved(case: Case, before: Ledger, terms: Terms) -> Ledger:
    """The ledger after everything the order's Appointments now say."""
    visits = [v for a in case.facts.visits(case.order) if (v := _visit(case, a, terms))]
    return settled(before, visits, terms, ended=case.ended)


def _visit(case: Case, appointment: Resource, terms: Terms) -> Visit | None:
    number = part(appointment, DOSE, "number")
    if not isinstance(number, int):
        return None
    start = appointment.get("start")
    on = local_day(start, site_of(case, appointment).time_zone)
    kind = visit_kind(appointment)
    needs = None if on is None else _needs(case, kind, number, on, terms)
    return Visit(
        reference=reference(appointment),
        dose=number if kind in (None, INFUSION) else f"{kind}-{number}",
        status=appointment["status"],
        start=start or "",
        on=on,
        hold=part(appointment, HOLD, "number"),
        needs=needs,
    )


INFUSION = "infusion"


def visit_kind(appointment: Resource) -> str | None:
    """What a nurse does at home; None for a visit to a chair."""
    if not any(code_of(c, APPOINTMENT_KIND) == "home-visit" for c in appointment.get("serviceCategory", ())):
        return None
    return next((k for c in appointment.get("serviceType", ()) if (k := code_of(c, HOME_VISIT))), INFUSION)


def _needs(case: Case, kind: str | None, number: int, on: date, terms: Terms) -> dict[str, Decimal] | None:
    """Units a visit takes: the drug's always, of what goes with it at home as far as it is authorized."""
    if kind is None:
        regimen, drug = case.whole_regimen, case.drug
        return None if isinstance(regimen, str) or drug is None else regimen.units(drug, number, on)
    needs = units_of_visit(case, kind, number, on)
    drug_code = case.drug.billing_on(on) if case.drug else None
    own = drug_code.code if drug_code else None
    return needs and {code: units for code, units in needs.items() if code == own or terms.grant(code, on)}


def site_of(case: Case, appointment: Resource) -> InfusionSite:
    """The site whose local date counts: the Appointment's, else the practice's first."""
    actors = [(p.get("actor") or {}).get("identifier") or {} for p in appointment.get("participant", ())]
    named = (case.policy.site.site(i.get("value", "")) for i in actors if i.get("system") == SITE_ID)
    return next((s for s in named if s is not None), case.policy.site.sites[0])


def _of(case: Case, charge_item: Resource) -> bool:
    return any(i["value"].startswith(f"{case.order['id']}|") for i in charge_item["identifier"])


def _charge(case: Case, item: Resource) -> Charge:
    _, dose, code = item["identifier"][0]["value"].split("|")
    return Charge(
        dose=int(dose) if dose.isdecimal() else dose,
        code=code,
        units=number(item["quantity"]["value"]) or Decimal(0),
        status=item["status"],
        visit=target(item["supportingInformation"][0]) or "",
        start=item.get("occurrenceDateTime", ""),
        hold=part(item, HOLD, "number"),
        on=local_day(item.get("occurrenceDateTime"), case.zone),
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
        "code": concept(billing_system(code), code),
        "subject": dict(case.order["subject"]),
        **({"occurrenceDateTime": charge.start} if charge.start else {}),
        "quantity": _quantity(code, charge.units),
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


def balance(ledger: Ledger, terms: Terms, grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """`units` authorized and `units-left` after reservations, by code, of what one period grants among all `terms`."""
    left = [(g, g.units - ledger.used(g, terms)) for g in grants]
    units = [{"type": concept(OUTPUT, "units"), "valueQuantity": _quantity(g.code, g.units)} for g, _ in left]
    return units + [{"type": concept(OUTPUT, "units-left"), "valueQuantity": _quantity(g.code, u)} for g, u in left]


def _quantity(code: str, units: Decimal) -> dict[str, Any]:
    return {"value": int(units), "system": billing_system(code), "code": code}
