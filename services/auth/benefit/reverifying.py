"""Says when a benefit is asked about again: a month later, in a new year, when the Coverage changed, before a visit.

Law of this file: an occasion follows from the latest request alone, so each is asked about once; until the payer has
answered, its earlier answer counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.discovery.findings import asked_for, is_about_another
from services.auth.wire.claims import ELIGIBILITY_ID, benefit_request
from services.auth.words import OCCASION, PREFIX, days_after, extension, local_day
from shared.core import Resource, derived_id, reference

VERIFY = "verify-benefit:"
"""Wake of an order, or of a visit: `verify-benefit:<order or Appointment id>`."""

MONTHLY, NEW_YEAR, CHANGED, VISIT = "monthly", "new-year", "coverage-changed", "visit"
ORDER_CHANGED = "order-changed"
"""Only where a payer's own rules were asked about the order: what they said holds for no other."""
BEGUN = ("draft", "active", "on-hold")
HELD = ("pending", "booked")
TO_COME = ("proposed", "waitlist", *HELD)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why the benefit is asked about again, for which period, and from which day on."""

    reason: str
    period: str
    due: date


def verified_again(case: Case) -> Iterable[Resource]:
    """The request of the occasion that is due, where something is still to come of the order."""
    latest = case.latest_request
    if latest is None or case.payer is None or case.hcpcs is None or not _has_to_come(case):
        return
    if (repeated := _repeated(case, latest)) is not None:
        yield repeated
    elif case.benefit is not None:
        due = [o for o in occasions(case, latest) if o.due <= case.on and _request_id(case, o) not in case.asked_ids]
        if due:
            yield _request(case, min(due, key=lambda o: (o.due, o.reason)), 1)


def occasions(case: Case, latest: Resource) -> Iterator[Occasion]:
    """Every occasion that the latest request leaves open."""
    policy, on = case.policy, local_day(latest["created"], case.zone) or case.on
    days = policy.verification("verify_after_days", case.on)
    if days is not None:
        due = days_after(on, days)
        yield Occasion(MONTHLY, due.isoformat(), due)
        yield Occasion(NEW_YEAR, str(on.year + 1), date(on.year + 1, 1, 1))
    asked_under = (extension(extension(latest, OCCASION) or {}, "coverage") or {}).get("valueString")
    if asked_under not in (None, case.coverage_digest):
        yield Occasion(CHANGED, case.coverage_digest, case.on)
    if is_about_another(case, latest):
        yield Occasion(ORDER_CHANGED, asked_for(case), case.on)
    for visit in case.facts.visits(case.order):
        if visit["status"] in HELD and (occasion := _before(case, visit, on)) is not None:
            yield occasion


def _before(case: Case, visit: Resource, on: date) -> Occasion | None:
    """The occasion before a held or booked visit that finds the latest answer older than the practice wants it."""
    day = local_day(visit.get("start"), case.zone)
    age = case.policy.verification("verified_before_visit_days", case.on)
    ahead = case.policy.verification("verify_ahead_days", case.on)
    if day is None or age is None or ahead is None or day < case.on or (day - on).days <= age:
        return None
    return Occasion(VISIT, day.isoformat(), day - timedelta(days=ahead))


def _has_to_come(case: Case) -> bool:
    """Whether a visit is still to come, or, while none was ever planned, the period asked for is not over."""
    if case.order["status"] not in BEGUN:
        return False
    visits = case.facts.visits(case.order)
    if not visits:
        return case.on <= days_after(case.starts, case.period_days)
    return any(v["status"] in TO_COME for v in visits)


def _repeated(case: Case, latest: Resource) -> Resource | None:
    """A request the payer refused, once more: a person answered `resubmit`. A first one is repeated elsewhere."""
    said = extension(latest, OCCASION) or {}
    reason, period = (_part(said, name) for name in ("reason", "period"))
    if case.answer_to(latest) is not None or "resubmit" not in case.answers_about(latest) or reason == "initial":
        return None
    occasion, number = Occasion(str(reason), str(period), case.on), 2
    while _request_id(case, occasion, number) in case.asked_ids:
        number += 1
    return _request(case, occasion, number)


def _part(said: Mapping[str, Any], name: str) -> str | None:
    part: str | None = (extension(said, name) or {}).get("valueString")
    return part


def _request_id(case: Case, occasion: Occasion, number: int = 1) -> str:
    coverage = case.coverage["id"] if case.coverage else ""
    key = (case.order["id"], coverage, occasion.reason, f"{occasion.period}|{case.hcpcs}")
    return derived_id(PREFIX, "CoverageEligibilityRequest", *key, *([str(number)] if number > 1 else []))


def _request(case: Case, occasion: Occasion, number: int) -> Resource:
    request_id = _request_id(case, occasion, number)
    return {
        **benefit_request(case, request_id, occasion.reason, occasion.period),
        "identifier": [{"system": ELIGIBILITY_ID, "value": request_id}],
        "servicedDate": max(case.on, case.starts).isoformat(),
    }


# When it is looked at again


def verifications(case: Case, saves: Iterable[Resource], stored: Iterable[str]) -> dict[str, datetime | None]:
    """Wakes at the first day of the next month or year, once something was asked; and before each visit just held."""
    known = set(stored)
    new = [r for r in saves if r["resourceType"] == "CoverageEligibilityRequest" and reference(r) not in known]
    latest = new[-1] if new else case.latest_request
    if latest is None or case.benefit is None or case.ended:
        return {}
    told = new or reference(case.benefit) not in known
    calendar = [o.due for o in occasions(case, latest) if o.reason in (MONTHLY, NEW_YEAR)]
    wakes: dict[str, datetime | None] = {}
    if calendar and told:
        wakes[VERIFY + case.order["id"]] = _morning(case, min(calendar))
    on = local_day(latest["created"], case.zone) or case.on
    for visit in case.facts.visits(case.order):
        occasion = _before(case, visit, on) if visit["status"] == "pending" else None
        if occasion is not None and occasion.due > case.on:
            wakes[VERIFY + visit["id"]] = _morning(case, occasion.due)
    return wakes


def _morning(case: Case, day: date) -> datetime:
    """The first moment of a day by the practice's clock."""
    return datetime.combine(day, time(), case.zone).astimezone(UTC)
