"""Finds the Coverages of an order that could pay it, and what is documented of the order in which they do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256

from services.auth.benefit.coordination import Circumstances, Plan, Precedence, precedence
from services.auth.criteria.findings import codes, is_refuted
from services.auth.facts import Facts
from services.auth.policy import AuthPolicy
from services.auth.words import ANSWER, PREFIX, code_of, day, target
from shared.core import Resource, derived_id
from shared.memo import of_each
from shared.settings import Payer

FIGURES = ("medicare_age_years", "aged_employees", "disabled_employees", "renal_months")
END_STAGE = ("N18.6",)
ASKED = "coverage-order"


def in_force(order: Resource, facts: Facts, on: date) -> list[Resource]:
    """The Coverages in force on the first date of service: the order's in its order, then the patient's others."""
    named = [facts.at(target(i)) for i in order.get("insurance", ())]
    subject = target(order["subject"])
    others = [c for c in facts.of("Coverage") if target(c.get("beneficiary")) == subject]
    found = {c["id"]: c for c in (*named, *others) if c is not None and _covers(c, on)}
    return list(found.values())


def _covers(coverage: Resource, on: date) -> bool:
    period = coverage.get("period") or {}
    first, last = day(period.get("start")) or date.min, day(period.get("end")) or date.max
    return coverage.get("status") == "active" and first <= on <= last


@of_each
def digest(coverage: Resource) -> str:
    """What a benefit rests on in a Coverage, as one short line: changes with it, and with nothing else of it."""
    kept = {k: coverage[k] for k in RESTS_ON if k in coverage}
    return sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


RESTS_ON = (
    "status", "type", "subscriber", "subscriberId", "beneficiary", "dependent", "relationship", "period", "payor",
    "class", "network",
)  # fmt: skip


def competing(coverages: Iterable[Resource], order: Resource, facts: Facts) -> set[str]:
    """Ids of those the placer means to be billed: named in his own request, else in ours, else all of the patient."""
    known = {f"Coverage/{c['id']}": c["id"] for c in coverages}
    placers = (facts.at(target(b)) or {} for b in order.get("basedOn", ()))
    for said in (*placers, order):
        if found := {known[n] for i in said.get("insurance", ()) if (n := target(i) or "") in known}:
            return found
    return set(known.values())


def in_order(
    known: Iterable[tuple[Resource, Payer | None]], order: Resource, facts: Facts, policy: AuthPolicy, on: date
) -> Precedence:
    """The order in which these Coverages pay; of several of one payer the one listed first stands."""
    plans: dict[str, Plan] = {}
    for coverage, payer in known:
        line = payer.line_of_business if payer else ""
        plans.setdefault(
            payer.id if payer else coverage["id"], Plan(coverage, line, _subscribers_birth(coverage, facts))
        )
    listed = tuple(plans.values())
    return (
        precedence(listed, _circumstances(listed, order, facts, policy, on)) if len(listed) > 1 else Precedence(listed)
    )


def question_key(plans: Iterable[Plan]) -> str:
    """What keeps the question about these Coverages apart from one about others."""
    return "|".join(sorted(p.coverage["id"] for p in plans))


def _circumstances(
    plans: tuple[Plan, ...], order: Resource, facts: Facts, policy: AuthPolicy, on: date
) -> Circumstances:
    patient: Mapping[str, str] = facts.at(target(order["subject"])) or {}
    asked = derived_id(PREFIX, "authorization-question", order["id"], ASKED, question_key(plans))
    given = facts.at("Task/" + asked) or {}
    outputs = given.get("output", ()) if given.get("status") == "completed" else ()
    return Circumstances(
        on=on,
        born=day(patient.get("birthDate")),
        renal=any(codes(c, END_STAGE) for c in facts.of("Condition") if not is_refuted(c)),
        answers=frozenset(c for o in outputs if (c := code_of(o.get("type"), ANSWER))),
        figures={name: f.value for name in FIGURES for f in policy.figures.all(name, on)},
    )


def _subscribers_birth(coverage: Resource, facts: Facts) -> date | None:
    subscriber = target(coverage.get("subscriber"))
    if subscriber is None or subscriber == target(coverage.get("beneficiary")):
        return None
    return day((facts.at(subscriber) or {}).get("birthDate"))


def pays_in_chairs(payer: Payer | None) -> bool:
    """Whether a payer pays a drug a nurse infuses at the practice: a Part D plan alone does not (table B1, row 1)."""
    return payer is None or payer.line_of_business != "medicare-part-d"
