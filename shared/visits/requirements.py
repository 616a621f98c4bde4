"""Says of each requirement any visit has whether it is met, by which resource, or why not and who has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic

from shared.core import Resource, reference
from shared.dates import months_later
from shared.policy import Figure
from shared.visits.authorization import (
    ANSWERED,
    GRANTED,
    allowed_days,
    coverage_of,
    eligibility,
    hold_answer,
    is_authorized_day,
    is_granted,
    payer_until,
    preauthorization,
    preauthorization_status,
)
from shared.visits.case import AnyCase, AnyVisit, VisitT
from shared.visits.elements import any_refers, code_of, day, is_task, refers
from shared.visits.practice import Practice
from shared.visits.records import (
    contains,
    days_of,
    denies,
    latest_result,
    treatment_consent,
    written_on,
)
from shared.visits.rivals import rival


@dataclass(frozen=True, slots=True)
class Look:
    """One visit looked at for one local day."""

    case: AnyCase
    visit: AnyVisit
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


@dataclass(frozen=True, slots=True)
class Seen(Generic[VisitT]):
    """A visit with its requirements; once it has begun it is only kept."""

    visit: VisitT
    requirements: tuple[Requirement, ...]
    begun: bool

    @property
    def focus(self) -> str:
        return f"Appointment/{self.visit.id}"

    def unmet(self, *deadlines: str) -> tuple[Requirement, ...]:
        return () if self.begun else tuple(r for r in self.requirements if r.unmet and r.deadline in deadlines)


NOT_NEEDED = Finding("not-needed")


def met(evidence: Resource | None, until: date | None = None) -> Finding:
    return Finding("met", evidence, until=until)


def unmet(reason: str, holder: str, evidence: Resource | None = None) -> Finding:
    return Finding("unmet", evidence, reason, holder)


def benefit_verified(look: Look) -> Finding:
    """The coverage asked of is in force, and its payer has said so, since 1 January.

    A day of the next year is unverified until the payer is asked again then, also where the coverage ends with this
    year, as plans do: it may be booked all the same, and the finding says so.
    """
    answer = eligibility(look.case)
    coverage = coverage_of(look.case)
    if coverage is None:
        return unmet("coverage-missing", "referrer")
    if (reason := _out_of_force(look, coverage)) is not None:
        return unmet(reason, "referrer", coverage)
    if answer is None:
        return met(preauthorization(look.case)) if is_granted(look.case) else unmet("benefit-unknown", "payer")
    known = [i for i in answer.get("insurance", ()) if refers(i.get("coverage"), reference(coverage))]
    if not known:
        return unmet("benefit-unknown", "payer", answer)
    if not any(i.get("inforce") for i in known):
        return unmet("coverage-not-in-force", "payer", answer)
    if _of_a_past_year(look, answer):
        return unmet("benefit-unknown", "payer", answer)
    return replace(met(answer), reason=UNVERIFIED) if look.on.year > look.today.year else met(answer)


UNVERIFIED = "unverified-new-year"
"""Of a day in the next year nobody knows yet whether it is covered."""


def _of_a_past_year(look: Look, answer: Resource) -> bool:
    """Whether the answer came before the latest 1 January: plans begin anew then, and the payer is asked again."""
    said = (answer.get("created"), answer.get("meta", {}).get("lastUpdated"))
    days = [d for text in said if (d := day(text, look.case.site.time_zone))]
    return bool(days) and max(days).year < look.today.year


def _out_of_force(look: Look, coverage: Resource) -> str | None:
    first, last = days_of(coverage.get("period", {}), look.case.site.time_zone)[0], _last_covered(look, coverage)
    if coverage.get("status") != "active" or (last is not None and last < look.on):
        return "coverage-ended"
    return "coverage-not-begun" if first is not None and look.on < first else None


def _last_covered(look: Look, coverage: Resource) -> date | None:
    """The last day of the coverage, None where it ends with this year: a plan that is renewed ends so as well."""
    last = days_of(coverage.get("period", {}), look.case.site.time_zone)[1]
    return None if last == date(look.today.year, 12, 31) else last


def authorized(look: Look) -> Finding:
    """The payer's authorization covers the day, and a dose of it is reserved for this very hold."""
    task = preauthorization(look.case)
    if task is None:
        return unmet("authorization-unknown", "authorization")
    status, allowed = preauthorization_status(task), _is_allowed(look)
    if status not in GRANTED and not allowed:
        return unmet(f"authorization-{status}", _AUTHORIZATION_HOLDERS.get(status, "authorization"), task)
    if not allowed and not _in_period(look):
        return unmet("outside-authorized-period", "authorization", task)
    answer = hold_answer(look.case, look.visit)
    if answer in ANSWERED:
        return met(task, payer_until(look.case, look.on))
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
        return unmet("order-changed-since-booking", look.practice.name, order)
    if (task := _unsigned(case)) is not None:
        return unmet("countersignature-missing", "referrer", task)
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


Rules = tuple[tuple[str, str, Callable[[Any], Finding]], ...]
"""(name, deadline, rule) of every requirement a service's visits have."""


def found(look: Look, rules: Rules) -> tuple[Requirement, ...]:
    """Every requirement of a visit, in the order of the rules."""
    return tuple(Requirement(name, deadline, rule(look)) for name, deadline, rule in rules)


def obstacles(look: Look, requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """What stands against holding a time on this day: unmet `book` requirements and a missing authorization."""
    may_ask = _is_allowed(look) or (is_granted(look.case) and _in_period(look))
    return tuple(
        r for r in requirements if r.unmet and r.deadline == "book" and not (r.name == "authorized" and may_ask)
    )


def last_day(look: Look, requirements: Iterable[Requirement]) -> date | None:
    """The last day on which everything met for this day still holds."""
    limits = (payer_until(look.case, look.on), _last_covered(look, coverage_of(look.case) or {}))
    ends = [*(r.finding.until for r in requirements), *limits]
    return min((e for e in ends if e), default=None)


def _in_period(look: Look) -> bool:
    return is_authorized_day(look.case, look.on)


def _is_allowed(look: Look) -> bool:
    """Whether the day is one on which a visit may take place before the payer's decision."""
    days = allowed_days(look.case)
    return days is not None and contains(days, look.on)


# What the rules read


def _verifies(task: Resource, order: Resource) -> bool:
    return _asks(task, order, "order-verification")


def _unsigned(case: AnyCase) -> Resource | None:
    """The open question about a spoken order that its prescriber has not signed in time."""
    waiting = (t for t in case.facts.of("Task") if t["status"] == "requested")
    return next((t for t in waiting if _asks(t, case.order, "countersignature-missing")), None)


def _asks(task: Resource, order: Resource, code: str) -> bool:
    asked = (code_of(i.get("type"), "question") for i in task.get("input", ()))
    of_order = any_refers((task.get("focus", {}), *task.get("basedOn", ())), reference(order))
    return is_task(task, "intake-question") and of_order and code in asked


def _labs(look: Look) -> tuple[Figure, ...]:
    """The figures for the therapy of the drug, in force today."""
    therapy = look.case.drug.therapy if look.case.drug else ""
    figures = look.practice.figures.all("labs_valid_for_days", look.today)
    return tuple(f for f in figures if f.applies_to.get("therapy") == therapy)
