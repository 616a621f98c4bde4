"""Says until when a visit may take place although the payer has not decided: a change of plan, haste, a first supply.

Law of this file: an allowance is the payer's by its policy or by law, never ours; it ends with the payer's decision,
and a decision that covers the day counts what was given under it.
Source of the figures: `policies/allowances.yaml`, and the payer's clock in `decision-clocks.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.decision.ledger import Allowed
from services.auth.decision.urgency import EXPEDITED, urgency
from services.auth.stage import Stage, output
from services.auth.wire.responses import FINAL, authorized, cancels, standing
from services.auth.words import days_after, local_day, order_of, period_of, target
from shared.core import Resource, reference
from shared.policy import Figure

UNDECIDED = ("investigating", "needs-information", "question", "submitted", "pended")
"""Statuses in which the payer has neither granted nor refused."""

TRANSITION, RETROACTIVE = "transition-of-coverage", "retroactive-window"
NOTE = "Allowed "


Found = tuple[Allowed, Figure]
"""An allowance, and the figure that says so."""


def allowance(case: Case, stage: Stage) -> Found | None:
    """The allowance that lasts longest, while the payer has not decided."""
    if case.period > 1 or stage.status not in UNDECIDED or case.ended or case.coverage is None or case.payer is None:
        return None
    if any(standing(c, a) in FINAL for c in _own_claims(case) for a in case.answers_to(c)):
        return None
    asked = next((s for s in stage.saves if s["resourceType"] == "Claim"), case.claim)
    at = None if asked is None else datetime.fromisoformat(asked["created"])
    found = [a for rule in RULES if (a := rule(case, at)) is not None]
    return max(found, key=lambda a: a[0].end, default=None)


def _own_claims(case: Case) -> Iterable[Resource]:
    """What this plan was asked for of this order and period."""
    own = reference(case.coverage) if case.coverage else ""
    mine = (c for c in case.facts.of("Claim") if order_of(c) == reference(case.order) and not cancels(c))
    return (c for c in mine if period_of(c) == case.period and target(c["insurance"][0]["coverage"]) == own)


def told(allowed: Allowed | None) -> list[dict[str, Any]]:
    """The Task's output `allowed-until`: first and last day."""
    if allowed is None:
        return []
    days = {"start": allowed.start.isoformat(), "end": allowed.end.isoformat()}
    return [output("allowed-until", valuePeriod=days)]


def notes(case: Case, stage: Stage) -> list[str]:
    """By whose rule a visit may take place before the decision."""
    found = allowance(case, stage)
    if found is None:
        return []
    allowed, figure = found
    days = f"from {allowed.start} until {allowed.end} before the payer's decision"
    return [f"{NOTE}{days} ({allowed.reason}): {case.policy.stands_by(figure)}"]


def _transition(case: Case, asked: datetime | None) -> Found | None:
    """A course begun under another plan goes on for so many days, the first of the new Coverage included."""
    figure = _figure(case, TRANSITION)
    begins = local_day(((case.coverage or {}).get("period") or {}).get("start"), case.zone)
    if figure is None or begins is None or not _begun_before(case, begins):
        return None
    return Allowed(begins, days_after(begins, int(figure.value["days"]) - 1), TRANSITION), figure


def _begun_before(case: Case, begins: date) -> bool:
    """Whether a dose was given before this day, or another plan had authorized one."""
    visits = case.facts.visits(case.order)
    given = (local_day(v.get("start"), case.zone) for v in visits if v["status"] == "fulfilled")
    return any(on is not None and on < begins for on in (*given, *_granted_elsewhere(case)))


def _granted_elsewhere(case: Case) -> Iterable[date]:
    """First days of what another plan authorized for this order."""
    own = reference(case.coverage) if case.coverage else ""
    for claim in case.facts.of("Claim"):
        if order_of(claim) == reference(case.order) and target(claim["insurance"][0]["coverage"]) != own:
            yield from (a.start for answer in case.answers_to(claim) for a in authorized(claim, answer))


def _emergency(case: Case, asked: datetime | None) -> Found | None:
    """A first supply for so many hours after an expedited request was made, by the row of the payer's clock."""
    if case.payer is None or asked is None or urgency(case) != EXPEDITED:
        return None
    clock = case.policy.clocks.decision(case.payer, "medical", "drug", EXPEDITED, case.on)
    hours = clock.value.get("emergency_supply_hours") if clock is not None else None
    if clock is None or hours is None:
        return None
    ends = asked + timedelta(hours=int(hours))
    return Allowed(asked.astimezone(case.zone).date(), ends.astimezone(case.zone).date(), "emergency-supply"), clock


def _retroactive(case: Case, asked: datetime | None) -> Found | None:
    """Urgent care begun so many days, or fewer, before the request is made is decided as if asked before."""
    figure = _figure(case, RETROACTIVE)
    if figure is None or urgency(case) != EXPEDITED:
        return None
    last = days_after(case.starts, int(figure.value["days"]))
    late = asked is not None and asked.astimezone(case.zone).date() > last
    return None if late else (Allowed(case.starts, last, RETROACTIVE), figure)


def _figure(case: Case, kind: str) -> Figure | None:
    return case.policy.clocks.allowance(kind, case.payer, case.on) if case.payer else None


RULES: tuple[Callable[[Case, datetime | None], Found | None], ...] = (_transition, _emergency, _retroactive)
"""Each looks at the case, and at when the payer was asked; the longest allowance counts."""
