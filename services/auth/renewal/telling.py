"""Builds the Task `renewal`: where a later period stands, when its request is due, which next doses nothing covers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.decision.charges import balance
from services.auth.decision.ledger import Ledger, Terms
from services.auth.facts import Facts
from services.auth.renewal.calendar import NEXT, Calendar, dose_days
from services.auth.renewal.periods import Renewal
from services.auth.stage import output
from services.auth.tasks import RISK, told_by
from services.auth.words import OUTPUT, code_of, days_after, local_day, period_said, unversioned
from shared.core import Resource

RENEW = "renewal:"
"""Wake of a period that is to be worked: `renewal:<Task id>:<what for>`."""

STANDING = ("number", "period")
"""Outputs of a granted period that stand on the Task `preauthorization` as well."""


def renewal_task(renewal: Renewal, ledger: Ledger, terms: Terms) -> dict[str, Any]:
    """The Task of one period after the first."""
    dates = output("start-by", valueDate=renewal.calendar.starts_on.isoformat())
    told = [dates, *_gap(renewal, terms), *balance(ledger, terms, renewal.grants)]
    task = told_by(renewal.case, renewal.stage, "renewal", told, _words(renewal, terms))
    return {**task, "extension": period_said(renewal.case.period)}


def standing_outputs(later: Iterable[Renewal]) -> Iterator[dict[str, Any]]:
    """Number and period of every later period that is granted."""
    for renewal in later:
        if renewal.grants:
            yield from (o for o in renewal.stage.outputs if code_of(o["type"], OUTPUT) in STANDING)


def uncovered(case: Case, terms: Terms) -> list[tuple[int, date]]:
    """Number and day of those of the next two doses that no period covers."""
    to_come = sorted((on, n) for n, on in enumerate(dose_days(case), 1) if on >= case.on)[:NEXT]
    return [(n, on) for on, n in to_come if not any(g.covers(on) for g in terms.grants)]


def _gap(renewal: Renewal, terms: Terms) -> list[dict[str, Any]]:
    days = [on.isoformat() for _, on in uncovered(renewal.case, terms)]
    return [output("gap-risk", valuePeriod={"start": days[0], "end": days[-1]})] if days else []


def _words(renewal: Renewal, terms: Terms) -> list[str]:
    """Which doses are at risk, and by when the payer usually answers."""
    doses = [f"dose {n} on {on}" for n, on in uncovered(renewal.case, terms)]
    if not doses:
        return []
    claim = next((r for r in renewal.stage.saves if r["resourceType"] == "Claim"), renewal.case.claim)
    asked = local_day(claim["created"], renewal.case.zone) if claim else renewal.calendar.starts_on
    by = (asked or renewal.calendar.starts_on) + timedelta(days=renewal.calendar.turnaround)
    usual = f"; asked on {asked}, the payer usually answers by {by}" if renewal.stage.status != "denied" else ""
    return [f"{RISK}{' and '.join(doses)} covered by no authorization{usual}."]


def renewal_wakes(renewal: Renewal, task: Resource, facts: Facts) -> dict[str, datetime | None]:
    """When the response is asked for, the request is due and the next doses are at risk, once these days change."""
    stored = facts.at("Task/" + task["id"])
    if stored is not None and unversioned(stored) == unversioned(task):
        return {}
    dates, case = renewal.calendar, renewal.case
    days = {"asks": dates.asks_on, "starts": dates.starts_on, "risk": _risk(case, dates)}
    return {f"{RENEW}{task['id']}:{what}": _morning(case, on) for what, on in days.items() if on > case.on}


def _risk(case: Case, dates: Calendar) -> date:
    """The next day on which other doses are the next two, once one of these is uncovered."""
    after = (days_after(on, 1) for on in sorted(dose_days(case)) if on >= dates.at_risk)
    return next((on for on in after if on > case.on), case.on)


def _morning(case: Case, on: date) -> datetime:
    return datetime.combine(on, time(), case.zone).astimezone(UTC)
