"""Works the periods of an authorization one after another: each by the same rules as the first, once it is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.auth.case import Case
from services.auth.decision.charges import terms_of
from services.auth.decision.ledger import Grant
from services.auth.decision.rechecks import doses_moved_in
from services.auth.questions import overtaken
from services.auth.renewal.calendar import Calendar, calendar, dose_days
from services.auth.rules import stage_of
from services.auth.stage import Stage
from services.auth.wire.withdrawing import withdrawn
from services.auth.words import STATUS, concept, period_of, unversioned
from shared.core import Resource


@dataclass(frozen=True, slots=True)
class Renewal:
    """A period after the first: its case, where it stands, when it is worked, and what is granted before it."""

    case: Case
    stage: Stage
    calendar: Calendar
    before: tuple[Grant, ...]

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What the payer granted for it."""
        return granted(self.case, self.stage)


def granted(case: Case, stage: Stage) -> tuple[Grant, ...]:
    """What is granted for one period."""
    return terms_of(case, stage).grants


def renewals(case: Case, stage: Stage) -> tuple[Renewal, ...]:
    """Every period after the first that is worked or will be: the next after each that is granted."""
    found: list[Renewal] = []
    grants = granted(case, stage)
    new = grants
    while new and (dates := calendar(case, _end(case, grants))) is not None:
        later = replace(case, period=len(found) + 2, begins=dates.begins, doses=dates.doses)
        found.append(Renewal(later, _stage(later, dates), dates, grants))
        new = found[-1].grants
        if new and _end(case, new) <= _end(case, grants):
            break
        grants += new
    return tuple(found)


def _end(case: Case, grants: tuple[Grant, ...]) -> date:
    """The last day of the drug itself; what goes with it may be granted for longer."""
    own = {b.code for b in case.drug.billing} if case.drug else set()
    return max([g.end for g in grants if g.code in own] or [g.end for g in grants])


def _stage(case: Case, dates: Calendar) -> Stage:
    """Where a period stands: nothing is asked of anybody before its day, and the payer not before it is due."""
    if case.claim is None and not case.ended and case.on < dates.asks_on:
        return Stage("investigating", "renewal-due")
    stage = stage_of(case)
    if stage.status == "submitted" and case.claim is None and case.on < dates.starts_on:
        return Stage("investigating", "renewal-due", outputs=stage.outputs, note=stage.note, judged=True)
    moved = doses_moved_in(case, case.claim) if case.claim is not None and stage.status in ASKED else None
    return replace(stage, questions=(*stage.questions, moved)) if moved else stage


ASKED = ("submitted", "pended", "approved", "partly-approved")
"""Where the payer has a request and has not denied it."""


def case_of_period(case: Case, period: int) -> Case:
    """The case of one period; the first where that one is not worked."""
    if period == 1:
        return case
    later = (r.case for r in renewals(case, stage_of(case)))
    return next((c for c in later if c.period == period), case)


CANCELLED = concept(STATUS, "cancelled")
NO_MORE = {"text": "No dose is left for this period."}
OVER = ("cancelled", "denied", "not-required", "not-covered")


def given_up(case: Case, stage: Stage, later: Sequence[Renewal]) -> Iterator[Resource]:
    """The Tasks of periods that will not come any more, cancelled, and their undecided requests withdrawn."""
    worked = {r.case.task_id for r in later}
    for task in case.facts.tasks(case.order, "renewal"):
        if task["id"] in worked:
            continue
        period, gone = replace(case, period=period_of(task)), bool(granted(case, stage) and dose_days(case))
        over = gone or stage.status in OVER
        if over and task["status"] != "cancelled":
            yield {**unversioned(task), "status": "cancelled", "businessStatus": CANCELLED, "statusReason": NO_MORE}
        if over:
            yield from overtaken(period, ())
        yield from withdrawn(period, over=over)
