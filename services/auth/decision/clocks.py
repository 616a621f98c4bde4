"""Until when a payer must decide what it pended, when a person looks before that, and what is asked when it is late.

Law of this file: hours are elapsed hours; days are dates of the practice, the last one whole (domain table K1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.decision.urgency import EXPEDITED, STANDARD, statement_rule
from services.auth.facts import Facts
from services.auth.questions import OPEN, TEXTS, Question
from services.auth.wire.responses import PENDED as ACTION_PENDED
from services.auth.wire.responses import reviews, standing
from services.auth.words import answer_of, days_after, instant, question_code, target
from shared.catalogue import billed
from shared.core import Resource, reference
from shared.policy import Figure

DUE, LATE = "decision-due", "payer-late"
EXTENDED = "extended"
PHARMACY = ("part-d", "pharmacy")
"""Benefits of the home under which a drug is asked for as a pharmacy drug."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One payer's clock on one Claim: its row, what it is for, and from when to when it runs.

    shown    its end as FHIR says it: the last day of days, the instant of hours.
    ends     the first instant that is too late.
    """

    figure: Figure
    urgency: str
    begins: datetime
    ends: datetime
    shown: str

    @property
    def unit(self) -> str:
        return "hours" if "hours" in self.figure.value else "days"

    @property
    def words(self) -> str:
        """`72 hours, expedited`."""
        return f"{self.figure.value[self.unit]} {self.unit}, {self.urgency}"


def clock_of(case: Case) -> Clock | None:
    """The clock that ends first among those of the items still open; None where none is in force or nothing pended."""
    claim = case.claim
    if claim is None or case.payer is None or not is_pended(case):
        return None
    urgency, begins = urgency_asked(claim), _begins(case, claim)
    at_home = case.home_benefit is not None and case.home_benefit.value["drug"] in PHARMACY
    benefit = "pharmacy" if at_home or case.manager is not None else "medical"
    on = begins.astimezone(case.zone).date()
    found = (case.policy.clocks.decision(case.payer, benefit, i, urgency, on) for i in set(_open_items(case, claim)))
    clocks = [_clock(case, figure, urgency, begins) for figure in found if figure is not None]
    return min(clocks, key=lambda c: c.ends, default=None)


def is_pended(case: Case) -> bool:
    """Whether the payer has the Claim that stands and says no more than that."""
    claim = case.claim
    return claim is not None and {standing(claim, a) for a in case.answers_to(claim)} == {"pended"}


def awaits_payer(case: Case, status: str) -> bool:
    """Whether the payer's written decision is still awaited: nothing stands yet, or only what it said by telephone."""
    return status == "pended" or (status in ("approved", "partly-approved") and is_pended(case))


def urgency_asked(claim: Resource) -> str:
    """`expedited` where the Claim was sent as such."""
    coded = {c.get("code") for c in claim["priority"]["coding"]}
    return EXPEDITED if "stat" in coded else STANDARD


def _open_items(case: Case, claim: Resource) -> Iterator[str]:
    """`drug` or `service` for each item the payer has not decided."""
    decided = {r.sequence for r in reviews(case.answers_to(claim)[-1]) if r.action != ACTION_PENDED}
    for item in claim["item"]:
        if item["sequence"] not in decided:
            yield "drug" if billed(item["productOrService"]) == case.hcpcs else "service"


def _begins(case: Case, claim: Resource) -> datetime:
    """When the payer took the request: as first kept on the Task, else as it says, else when we learned of it."""
    made = datetime.fromisoformat(claim["created"])
    kept = datetime.fromisoformat(kept_since) if (kept_since := _kept(case)) else None
    if kept is not None and made <= kept:
        return kept
    said = case.answers_to(claim)[0].get("created", "")
    told = instant(said, case.zone) if "T" in said else None
    return told if told is not None and made <= told <= case.at else case.at


def _kept(case: Case) -> str | None:
    period = ((case.task or {}).get("restriction") or {}).get("period") or {}
    found: str | None = period.get("start")
    return found


def _clock(case: Case, figure: Figure, urgency: str, begins: datetime) -> Clock:
    if "hours" in figure.value:
        ends = begins.astimezone(UTC) + timedelta(hours=figure.value["hours"])
        return Clock(figure, urgency, begins, ends, ends.astimezone(case.zone).isoformat(timespec="seconds"))
    days = figure.value["days"] + (figure.value.get("extension_days", 0) if _is_extended(case) else 0)
    last = days_after(begins.astimezone(case.zone).date(), days)
    return Clock(figure, urgency, begins, datetime.combine(days_after(last, 1), time(), case.zone), last.isoformat())


def _is_extended(case: Case) -> bool:
    return any(answer_of(q) == EXTENDED for q in _asked(case, DUE, LATE))


def _asked(case: Case, *codes: str) -> list[Resource]:
    """The questions of these codes about the Claim that stands."""
    about = "Claim/" + case.claim_id
    return [q for q in case.questions if question_code(q) in codes and target(q["focus"]) == about]


# On the Task


def restriction(case: Case) -> dict[str, Any]:
    """`Task.restriction`: from when to when the payer's clock runs; empty while none does."""
    clock = clock_of(case)
    if clock is None:
        return {}
    return {"restriction": {"period": {"start": clock.begins.isoformat(), "end": clock.shown}}}


NOTE = "Clock "


def clock_notes(case: Case) -> list[str]:
    """By which row the payer's clock runs."""
    clock = clock_of(case)
    if clock is None:
        return []
    figure = statement_rule(case) if clock.urgency == EXPEDITED else None
    bound = "" if figure is None else BINDING[figure.value["binding"]]
    return [f"{NOTE}of {clock.words}, by {case.policy.stands_by(clock.figure)}{bound}"]


BINDING = {
    True: ". The prescriber's statement binds the payer.",
    False: ". The payer may find that its standard clock does.",
}
"""What a statement that a request is expedited is worth, by whether it binds the payer."""


# What a person is asked


def overdue(case: Case) -> Question | None:
    """What the hour asks for: to look before the clock runs out, or to press a payer that is late."""
    claim, clock = case.claim, clock_of(case)
    if claim is None or not is_pended(case):
        return None
    if clock is None or clock.ends <= case.at:
        before = [q for q in _asked(case, LATE) if answer_of(q)]
        return Question(LATE, reference(claim), _late(clock), f"{reference(claim)}|{len(before)}")
    if _lead(case, clock) <= case.at:
        until = f"The payer's decision is due by {clock.shown} ({clock.words}). "
        return Question(
            DUE, reference(claim), until + TEXTS[DUE] + _more(clock), f"{reference(claim)}|{clock.shown}", clock.shown
        )
    return None


def _late(clock: Clock | None) -> str:
    if clock is None:
        return TEXTS[LATE]
    return f"{TEXTS[LATE]} Its clock ({clock.words}) ran out: {clock.shown}." + _more(clock)


def _more(clock: Clock) -> str:
    """What else the row grants."""
    value, told = clock.figure.value, ""
    if "extension_days" in value:
        told += f" It may take {value['extension_days']} days more where it says so: answer `extended`."
    if "emergency_supply_hours" in value:
        told += f" An emergency supply of {value['emergency_supply_hours']} hours may be given meanwhile."
    if "ask_hours" in value:
        asks, answers = value["ask_hours"], value["answer_hours"]
        told += f" What it lacks it asks for within {asks} hours, and gives {answers} hours to answer."
    return told


def _lead(case: Case, clock: Clock) -> datetime:
    lead = case.policy.clocks.lead(clock.unit, clock.urgency, case.on)
    return clock.ends.astimezone(UTC) - lead


def next_look(case: Case) -> datetime | None:
    """When the clock asks for a person next; None while one has the question that the payer is late."""
    clock, late = clock_of(case), _asked(case, LATE)
    if any(q["status"] in OPEN for q in late):
        return None
    if late and (clock is None or clock.ends <= case.at):
        urgency = clock.urgency if clock else STANDARD
        return case.at.astimezone(UTC) + case.policy.clocks.inquire_again(urgency, case.on)
    if clock is None:
        return case.at
    due = Question(DUE, "Claim/" + case.claim_id, "", f"Claim/{case.claim_id}|{clock.shown}").id_for(case.order)
    return clock.ends if any(q["id"] == due for q in _asked(case, DUE)) else _lead(case, clock)


def looked_at(case: Case, facts: Facts) -> bool:
    """Whether one of these questions was asked or answered just now."""
    return any(facts.status(reference(q)) != q["status"] for q in _asked(case, DUE, LATE))
