"""Says of each requirement of a visit whether it is met, by which resource, or why not and who has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.scheduling.authorization import (
    ANSWERED,
    GRANTED,
    authorized_days,
    eligibility,
    hold_answer,
    is_granted,
    preauthorization,
    preauthorization_status,
)
from services.scheduling.elements import any_refers, code_of, is_task, refers
from services.scheduling.facts import Case, Visit
from services.scheduling.policy import Practice
from services.scheduling.records import days_of, denies, first_coverage, latest_result, treatment_consent, written_on
from services.scheduling.rivals import rival
from services.scheduling.series import months_later
from shared.core import Resource, reference
from shared.policy import Figure


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
    """The order's first coverage is in force on the day, and its payer has said so."""
    coverage = first_coverage(look.case)
    if coverage is None:
        return unmet("coverage-missing", "referrer")
    if (reason := _out_of_force(look, coverage)) is not None:
        return unmet(reason, "referrer", coverage)
    answer = eligibility(look.case)
    if answer is None:
        return met(preauthorization(look.case)) if is_granted(look.case) else unmet("benefit-unknown", "payer")
    known = [i for i in answer.get("insurance", ()) if refers(i.get("coverage"), reference(coverage))]
    if not known:
        return unmet("benefit-unknown", "payer", answer)
    inforce = any(i.get("inforce") for i in known)
    return met(answer) if inforce else unmet("coverage-not-in-force", "payer", answer)


def _out_of_force(look: Look, coverage: Resource) -> str | None:
    first, last = days_of(coverage.get("period", {}), look.case.site.time_zone)
    if coverage.get("status") != "active" or (last is not None and last < look.on):
        return "coverage-ended"
    return "coverage-not-begun" if first is not None and look.on < first else None


def authorized(look: Look) -> Finding:
    """The payer's authorization covers the day, and a dose of it is reserved for this very hold."""
    task = preauthorization(look.case)
    if task is None:
        return unmet("authorization-unknown", "authorization")
    status = preauthorization_status(task)
    if status not in GRANTED:
        return unmet(f"authorization-{status}", _AUTHORIZATION_HOLDERS.get(status, "authorization"), task)
    if not _in_period(look):
        return unmet("outside-authorized-period", "authorization", task)
    answer = hold_answer(look.case, look.visit)
    if answer in ANSWERED:
        return met(task, authorized_days(look.case)[1])
    return unmet("hold-refused" if answer == "refused" else "hold-unanswered", "authorization", task)


_AUTHORIZATION_HOLDERS = {"needs-information": "referrer", "submitted": "payer", "pended": "payer"}


def order_current(look: Look) -> Finding:
    """The order is active, asks for this dose as it stands, and was written no longer ago than the policy allows."""
    order, case = look.case.order, look.case
    if order["status"] != "active":
        return unmet(f"order-{order['status']}", "referrer", order)
    if case.problem is not None:
        return unmet(case.problem, "referrer", order)
    if look.visit in case.unordered:
        return unmet("dose-not-ordered", "referrer", order)
    if look.visit.changed:
        return unmet("order-changed-since-booking", "scheduling", order)
    if (other := rival(case)) is not None:
        return unmet("drug-ordered-twice", "referrer", other)
    written = written_on(case)
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
    """The patient's latest word on the treatment, in force on the day, is a consent."""
    latest = treatment_consent(look.case, look.on)
    if latest is not None:
        return unmet("consent-refused", "patient", latest) if denies(latest) else met(latest)
    other = next(look.case.facts.of("Consent"), None)
    return unmet("consent-not-active", "patient", other) if other else unmet("consent-missing", "patient")


def labs_current(look: Look) -> Finding:
    """Every result the therapy needs is no older on the day of the visit than the policy allows."""
    figures = _labs(look)
    if not figures:
        return NOT_NEEDED
    latest = [(f, latest_result(look.case, f.applies_to["loinc"], min(look.on, look.today))) for f in figures]
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
            there = dispense.get("status") in ("in-progress", "completed")
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
    may_ask = is_granted(look.case) and _in_period(look)
    return tuple(
        r for r in readiness(look) if r.unmet and r.deadline == "book" and not (r.name == "authorized" and may_ask)
    )


def last_day(look: Look) -> date | None:
    """The last day on which everything met for this day still holds."""
    covered = first_coverage(look.case) or {}
    limits = (authorized_days(look.case)[1], days_of(covered.get("period", {}), look.case.site.time_zone)[1])
    ends = [*(r.finding.until for r in readiness(look)), *limits]
    return min((e for e in ends if e), default=None)


def _in_period(look: Look) -> bool:
    first, last = authorized_days(look.case)
    return (first is None or first <= look.on) and (last is None or look.on <= last)


# What the rules read


def _verifies(task: Resource, order: Resource) -> bool:
    asks = (code_of(i.get("type"), "question") for i in task.get("input", ()))
    of_order = any_refers((task.get("focus", {}), *task.get("basedOn", ())), reference(order))
    return is_task(task, "intake-question") and of_order and "order-verification" in asks


def _labs(look: Look) -> tuple[Figure, ...]:
    """The figures for the therapy of the drug, in force today."""
    therapy = look.case.drug.therapy if look.case.drug else ""
    figures = look.practice.figures.all("labs_valid_for_days", look.today)
    return tuple(f for f in figures if f.applies_to.get("therapy") == therapy)
