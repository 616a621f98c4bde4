"""Sees one order as a Case, under the Coverage that pays first of those that could pay its drug."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.auth.benefit.coverages import competing, in_force, in_order, pays_in_chairs
from services.auth.case import Case
from services.auth.criteria.findings import is_refuted
from services.auth.facts import Facts
from services.auth.policy import AuthPolicy
from services.auth.words import ICD_10_CM, site_of_care, starts_on, target
from shared.catalogue import recognised
from shared.core import Resource


def case_of(order: Resource, facts: Facts, policy: AuthPolicy, at: datetime) -> Case:
    """The case of one order as the facts stand, under the Coverage that pays first of those that could pay the drug.

    It is in force on the first date of service; where none is any more, today: a plan that followed in mid-course.
    """
    today = policy.local_date(at)
    on = starts_on(order) or today
    coverages: list[Resource | None] = [*(in_force(order, facts, on) or in_force(order, facts, max(on, today)))]
    cases = [_under(c, order, facts, policy, at) for c in coverages or [None]]
    paying = [c for c in cases if _is_paid(c)] or cases[:1]
    if len(paying) == 1:
        return paying[0]
    meant = competing([c.coverage for c in paying if c.coverage], order, facts)
    asked = [(c.coverage, c.payer) for c in paying if c.coverage and c.coverage["id"] in meant]
    found = in_order(asked, order, facts, policy, on)
    first = next(c for c in paying if c.coverage is found.plans[0].coverage)
    return replace(first, precedence=found)


def _is_paid(case: Case) -> bool:
    benefit = case.home_benefit
    if benefit is None:
        return site_of_care(case.order) == "home" or pays_in_chairs(case.payer)
    return case.policy.pays(case.payer, benefit.value["drug"], case.starts)


def _under(coverage: Resource | None, order: Resource, facts: Facts, policy: AuthPolicy, at: datetime) -> Case:
    payers = (facts.at(target(p)) for p in (coverage or {}).get("payor", ()))
    organizations = [o for o in payers if o is not None]
    return Case(
        order=order,
        facts=facts,
        policy=policy,
        at=at,
        coverage=coverage,
        payer=policy.payer_of(coverage, organizations) if coverage else None,
        drug=recognised((order.get("code") or {}).get("coding", ())),
        diagnoses=tuple(dict.fromkeys(_diagnoses(order, facts))),
    )


def _diagnoses(order: Resource, facts: Facts) -> Iterable[str]:
    conditions = (facts.at(target(r)) for r in order.get("reasonReference", ()))
    standing = (c for c in conditions if c is not None and not is_refuted(c))
    coded = [c.get("code") or {} for c in standing] + list(order.get("reasonCode", ()))
    for concept in coded:
        yield from (c["code"] for c in concept.get("coding", ()) if c.get("system") == ICD_10_CM and "code" in c)
