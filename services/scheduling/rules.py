"""Says of each requirement of a visit whether it is met, by which resource, or why not and who has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.scheduling.elements import any_refers, code_of, day, extended, extension_value, is_task, refers
from services.scheduling.facts import Case, Visit
from services.scheduling.policy import Practice
from services.scheduling.series import months_later
from shared.core import Resource, reference
from shared.policy import Figure

GRANTED = frozenset({"approved", "partly-approved", "not-required"})
"""Preauthorization statuses on which a time may be held."""

ANSWERED = frozenset({"reserved", "not-needed"})
"""Answers to a hold that let it be booked."""

LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Look:
    """One visit looked at for one local day."""

    case: Case
    visit: Visit
    on: date
    at: datetime
    practice: Practice

    @property
    def today(self) -> date:
        """The site's local day of the decision: it selects the practice's own figures."""
        return self.at.astimezone(self.case.site.time_zone).date()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found. `until` is the last day on which a met requirement still holds, where it ends."""

    status: str
    evidence: Resource | None = None
    reason: str | None = None
    holder: str | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """A finding under its name and deadline (book, prepare or start)."""

    name: str
    deadline: str
    finding: Finding

    @property
    def unmet(self) -> bool:
        return self.finding.status == "unmet"


NOT_NEEDED = Finding("not-needed")


def met(evidence: Resource | None, until: date | None = None) -> Finding:
    return Finding("met", evidence, until=until)


def unmet(reason: str, holder: str, evidence: Resource | None = None) -> Finding:
    return Finding("unmet", evidence, reason, holder)


def benefit_verified(look: Look) -> Finding:
    """The payer has said that the coverage is in force, and it has not ended before the visit."""
    if (ended := _ended_coverage(look)) is not None:
        return unmet("coverage-ended", "intake", ended)
    answer = eligibility(look.case)
    if answer is None:
        task = preauthorization(look.case)
        known = task is not None and preauthorization_status(task) in GRANTED
        return met(task) if known else unmet("benefit-unknown", "payer")
    inforce = any(i.get("inforce") for i in answer.get("insurance", ()))
    return met(answer) if inforce else unmet("coverage-not-in-force", "payer", answer)


def authorized(look: Look) -> Finding:
    """The payer's authorization covers the day, and a dose of it is reserved for this very hold."""
    task = preauthorization(look.case)
    if task is None:
        return unmet("authorization-unknown", "authorization")
    status = preauthorization_status(task)
    if status not in GRANTED:
        return unmet(f"authorization-{status}", _AUTHORIZATION_HOLDERS.get(status, "authorization"), task)
    first, last = authorized_days(look.case)
    if (first and look.on < first) or (last and look.on > last):
        return unmet("outside-authorized-period", "authorization", task)
    answer = hold_answer(look.case, look.visit)
    if answer in ANSWERED:
        return met(task, last)
    return unmet("hold-refused" if answer == "refused" else "hold-unanswered", "authorization", task)


_AUTHORIZATION_HOLDERS = {"needs-information": "referrer", "submitted": "payer", "pended": "payer"}


def order_current(look: Look) -> Finding:
    """The order is active, asks for this dose, and was written no longer ago than the policy allows."""
    order, case = look.case.order, look.case
    if order["status"] != "active":
        return unmet(f"order-{order['status']}", "referrer", order)
    if case.problem is not None:
        return unmet(case.problem, "referrer", order)
    if look.visit in case.unordered:
        return unmet("dose-not-ordered", "referrer", order)
    written = day(order.get("authoredOn") or (case.request or {}).get("authoredOn"), case.site.time_zone)
    if written is None:
        return unmet("order-undated", "referrer", order)
    until = months_later(written, look.practice.number("order_valid_for_months", look.today))
    return met(order, until) if look.on <= until else unmet("order-out-of-date", "referrer", order)


def order_verified(look: Look) -> Finding:
    """A pharmacist has confirmed the order."""
    task = next((t for t in look.case.facts.of("Task") if _verifies(t, look.case.order)), None)
    if task is None or task["status"] != "completed":
        return unmet("order-not-verified", "pharmacist", task)
    confirmed = any(code_of(o.get("type"), "answer") == "confirmed" for o in task.get("output", ()))
    return met(task) if confirmed else unmet("order-rejected-by-pharmacist", "referrer", task)


def consented(look: Look) -> Finding:
    """The patient's consent is active."""
    consents = list(look.case.facts.of("Consent"))
    active = next((c for c in consents if c["status"] == "active"), None)
    if active is not None:
        return met(active)
    return unmet("consent-not-active", "patient", consents[0]) if consents else unmet("consent-missing", "patient")


def labs_current(look: Look) -> Finding:
    """Every result the therapy needs is no older on the day of the visit than the policy allows."""
    figures = _labs(look)
    if not figures:
        return NOT_NEEDED
    latest = [(f, _latest(look, frozenset(f.applies_to["loinc"]))) for f in figures]
    if any(found is None for _, found in latest):
        return unmet("labs-missing", "referrer")
    until, oldest = min(
        ((found[1] + timedelta(days=int(f.value)), found[0]) for f, found in latest if found), key=lambda pair: pair[0]
    )
    return met(oldest, until) if look.on <= until else unmet("labs-out-of-date", "referrer", oldest)


def drug_on_hand(look: Look) -> Finding:
    """The pharmacy has said that the drug for this visit is there."""
    target = f"Appointment/{look.visit.id}"
    for dispense in look.case.facts.of("MedicationDispense"):
        if any_refers(dispense.get("supportingInformation", ()), target):
            there = dispense["status"] in ("in-progress", "completed")
            return met(dispense) if there else unmet("drug-not-dispensed", "pharmacy", dispense)
    return unmet("drug-not-on-hand", "pharmacy")


RULES: tuple[tuple[str, str, Callable[[Look], Finding]], ...] = (
    ("benefit-verified", "book", benefit_verified),
    ("authorized", "book", authorized),
    ("order-current", "book", order_current),
    ("order-verified", "book", order_verified),
    ("consented", "book", consented),
    ("labs-current", "book", labs_current),
    ("drug-on-hand", "prepare", drug_on_hand),
    ("premedication-ordered", "prepare", lambda _: NOT_NEEDED),
    ("access-suitable", "start", lambda _: NOT_NEEDED),
    ("nurse-competent", "book", lambda _: NOT_NEEDED),
    ("rems-cleared", "book", lambda _: NOT_NEEDED),
)


def readiness(look: Look) -> tuple[Requirement, ...]:
    """Every requirement of a visit, in the order of `RULES`."""
    return tuple(Requirement(name, deadline, rule(look)) for name, deadline, rule in RULES)


def obstacles(look: Look) -> tuple[Requirement, ...]:
    """What stands against holding a time on this day: unmet `book` requirements and a missing authorization."""
    task = preauthorization(look.case)
    granted = task is not None and preauthorization_status(task) in GRANTED
    return tuple(
        r
        for r in readiness(look)
        if r.unmet and r.deadline == "book" and not (r.name == "authorized" and granted and _in_period(look))
    )


def last_day(look: Look) -> date | None:
    """The last day on which everything met for this day still holds."""
    _, authorized_until = authorized_days(look.case)
    ends = [r.finding.until for r in readiness(look) if r.finding.until] + [authorized_until]
    return min((e for e in ends if e), default=None)


def _in_period(look: Look) -> bool:
    first, last = authorized_days(look.case)
    return (first is None or first <= look.on) and (last is None or look.on <= last)


# What the authorization says


def preauthorization(case: Case) -> Resource | None:
    """The latest Task `preauthorization` of the order."""
    target = reference(case.order)
    tasks = (t for t in case.facts.of("Task") if is_task(t, "preauthorization"))
    return next((t for t in tasks if any_refers((*t.get("basedOn", ()), t.get("focus", {})), target)), None)


def preauthorization_status(task: Resource) -> str:
    """investigating, needs-information, ..., approved, ... ; empty where it does not say."""
    return code_of(task.get("businessStatus"), "preauthorization-status") or ""


def authorized_days(case: Case) -> tuple[date | None, date | None]:
    """First and last day of the authorization, None where it names none."""
    period: dict[str, str] = next((o.get("valuePeriod", {}) for o in outputs(case, "period")), {})
    return day(period.get("start"), case.site.time_zone), day(period.get("end"), case.site.time_zone)


def hold_answer(case: Case, visit: Visit) -> str | None:
    """reserved, not-needed or refused for the visit's current hold number; an answer to another number is none."""
    for output in outputs(case, "hold-answer"):
        if refers(output.get("valueReference"), f"Appointment/{visit.id}"):
            hold = extended(output, "hold") or extended(output["valueReference"], "hold")
            if visit.hold.number and hold.get("number") == visit.hold.number:
                return str(hold.get("answer"))
    return None


def outputs(case: Case, type_: str) -> Iterable[dict[str, Any]]:
    """Outputs of the preauthorization Task of one type."""
    task = preauthorization(case) or {}
    return [o for o in task.get("output", ()) if code_of(o.get("type"), "preauthorization-output") == type_]


def fingerprint(case: Case) -> str:
    """Stands for what the authorization grants: changes with its status, number, period or units, nothing else."""
    task = preauthorization(case) or {}
    granted = [outputs(case, type_) for type_ in ("number", "period", "units", "units-left")]
    status = code_of(task.get("businessStatus"), "preauthorization-status")
    text = json.dumps((status, granted), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# What else the rules read


def eligibility(case: Case) -> Resource | None:
    """The latest CoverageEligibilityResponse for the order."""
    target = reference(case.order)
    answers = case.facts.of("CoverageEligibilityResponse")
    return next((a for a in answers if refers(extension_value(a, "order"), target)), None)


def _ended_coverage(look: Look) -> Resource | None:
    """The order's first coverage, where it is cancelled or ends before the day."""
    insurance = look.case.order.get("insurance", ())
    coverage = look.case.facts.find(insurance[0].get("reference")) if insurance else None
    if coverage is None:
        return None
    end = day(coverage.get("period", {}).get("end"), look.case.site.time_zone)
    ended = coverage["status"] in ("cancelled", "entered-in-error") or (end is not None and end < look.on)
    return coverage if ended else None


def _verifies(task: Resource, order: Resource) -> bool:
    asks = (code_of(i.get("type"), "question") for i in task.get("input", ()))
    of_order = any_refers((task.get("focus", {}), *task.get("basedOn", ())), reference(order))
    return is_task(task, "intake-question") and of_order and "order-verification" in asks


def _labs(look: Look) -> tuple[Figure, ...]:
    """The figures for the therapy of the drug, in force today."""
    therapy = look.case.drug.therapy if look.case.drug else ""
    figures = look.practice.figures.all("labs_valid_for_days", look.today)
    return tuple(f for f in figures if f.applies_to.get("therapy") == therapy)


def _latest(look: Look, codes: frozenset[str]) -> tuple[Resource, date] | None:
    """The latest final result of one of these LOINC codes taken by the day and by today, with the day it was taken."""
    found = [
        (observation, taken)
        for observation in look.case.facts.of("Observation")
        if observation["status"] in ("final", "amended", "corrected")
        and any(c.get("system") == LOINC and c.get("code") in codes for c in observation["code"].get("coding", ()))
        and (taken := _taken_on(observation, look)) is not None
        and taken <= min(look.on, look.today)
    ]
    return max(found, key=lambda pair: pair[1], default=None)


def _taken_on(observation: Resource, look: Look) -> date | None:
    period: dict[str, str] = observation.get("effectivePeriod", {})
    text = observation.get("effectiveDateTime") or period.get("end") or period.get("start") or observation.get("issued")
    return day(text, look.case.site.time_zone)
