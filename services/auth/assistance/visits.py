"""Carries visits into the balance of a programme: each dose of its drugs with its date and the patient's share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from services.auth.assistance.balance import Balance, Dose, balanced
from services.auth.assistance.eligibility import FEDERAL_PAYER, NOT_DOCUMENTED, NOT_MET, Applicant, no_federal_payer
from services.auth.assistance.entered import SHARE, amount_of, latest, shares_by_visit
from services.auth.assistance.household import insured
from services.auth.assistance.standing import Enrolment, programme_id, span_of
from services.auth.benefit.benefits import benefits_in, deciding
from services.auth.decision.charges import site_of, visit_kind
from services.auth.words import DOSE, local_day, part
from shared.catalogue import recognised
from shared.core import Resource, reference

TAKES_PLACE = ("booked", "arrived", "checked-in")
INFUSION = (None, "infusion")
"""Visits that give a dose: to a chair, and a nurse's at home for the infusion itself."""


def balance_of(enrolment: Enrolment) -> Balance | None:
    """The balance on the day of the event, over every order of the patient for the programme's drugs."""
    if enrolment.programme.limits is None or enrolment.span is None:
        return None
    same = [t for t in enrolment.tasks if programme_id(t) == enrolment.programme.id]
    spans = [s for t in same if (s := span_of(t, enrolment.programme))]
    return balanced(enrolment.programme.limits, spans, _doses(enrolment), enrolment.case.on)


def _doses(enrolment: Enrolment) -> Iterator[Dose]:
    shares, each = shares_by_visit(enrolment.tasks), _share(enrolment)
    for visit in _visits(enrolment):
        on = local_day(visit.get("start"), site_of(enrolment.case, visit).time_zone)
        if on is not None:
            given = visit["status"] == "fulfilled"
            share = shares.get(reference(visit), each)
            yield Dose(reference(visit), on, given, share, _barred(enrolment, on, given))


def _barred(enrolment: Enrolment, on: date, given: bool) -> str:
    """What keeps help from a dose; of one that was given, only a payer known to be federal on its day.

    What was given before a payer came that nobody knows, or before the gate was shut, stays counted: it is used up.
    """
    verdict = no_federal_payer(enrolment.programme, Applicant(insurance=insured(enrolment.case, on)))
    if verdict is not None and verdict.verdict in ((NOT_MET,) if given else (NOT_MET, NOT_DOCUMENTED)):
        return FEDERAL_PAYER
    return "" if given else enrolment.gate.shut or ""


def _visits(enrolment: Enrolment) -> Iterator[Resource]:
    facts = enrolment.case.facts
    for order in facts.orders:
        drug = recognised((order.get("code") or {}).get("coding", ()))
        if drug is None or drug.key not in enrolment.programme.drugs:
            continue
        for visit in facts.visits(order):
            known = visit["status"] in (*TAKES_PLACE, "fulfilled") and visit_kind(visit) in INFUSION
            if known and isinstance(part(visit, DOSE, "number"), int):
                yield visit


def _share(enrolment: Enrolment) -> Decimal | None:
    """The patient's share of one dose: as entered last, else the copay the payer told of the drug."""
    said = latest(enrolment.tasks, SHARE)
    return amount_of(said.value) if said else _copay(enrolment)


def _copay(enrolment: Enrolment) -> Decimal | None:
    case = enrolment.case
    benefit = deciding(benefits_in(case.benefit, case.hcpcs)) if case.benefit else None
    for cost in benefit.costs if benefit else ():
        if cost.kind == "copay" and isinstance(cost.allowed, Mapping) and cost.allowed.get("currency") == "USD":
            return amount_of(cost.allowed)
    return None
