"""Says where one enrolment stands: what a person entered, then payers, criteria, and last the gate of the consent.

Law of this file: nothing but a person's answer enrols anybody; while the gate is shut, or a payer that is or may be
federal bars the programme, nothing asks for an enrolment and one that was made is stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from services.auth.assistance.balance import Span
from services.auth.assistance.consent import Gate, gate
from services.auth.assistance.eligibility import (
    FEDERAL_PAYER,
    MET,
    NOT_DOCUMENTED,
    NOT_MET,
    Applicant,
    Verdict,
    judged,
    overall,
)
from services.auth.assistance.entered import DECLINED, NOT_WANTED, NUMBER, PERIOD, entered, kind_of
from services.auth.assistance.programmes import REENROL_DAYS, Programme
from services.auth.case import Case
from services.auth.words import PREFIX, day, days_after
from shared.core import IDENTIFIERS, Resource, derived_id

CODE = "hub-enrolment"
PROGRAMME_ID = IDENTIFIERS + "assistance-programme"
ENDED = ("expired", "declined", "not-wanted")
"""Where an enrolment stands for good."""
HOPEFUL = ("consent-needed", "to-enrol", "enrolled")
"""Where a programme the patient may have is named on the Tasks of the others."""
EVERY = date.max
"""The last day of an enrolment that has none."""


@dataclass(frozen=True)
class Enrolment:
    """The enrolment of this number in one programme for one order; `tasks` are the patient's of all programmes."""

    case: Case
    programme: Programme
    number: int
    tasks: tuple[Resource, ...]
    applicant: Applicant

    @property
    def identifier(self) -> str:
        """Order, programme and number: what its id is derived from."""
        return f"{self.case.order['id']}|{self.programme.id}|{self.number}"

    @cached_property
    def task_id(self) -> str:
        return derived_id(PREFIX, CODE, *self.identifier.split("|"))

    @cached_property
    def stored(self) -> Resource:
        """The Task as it stands; empty before the first."""
        return self.case.facts.at("Task/" + self.task_id) or {}

    @cached_property
    def span(self) -> Span | None:
        """First and last day of the enrolment a person entered."""
        return span_of(self.stored, self.programme)

    @property
    def next_from(self) -> date | None:
        """The day from which the next enrolment is asked for: so many days, by policy, before this one has ended."""
        if self.span is None or self.span[1] == EVERY:
            return None
        ahead = self.case.policy.verification(REENROL_DAYS, self.case.on) or 0
        return days_after(self.span[1], 1) - timedelta(days=ahead)

    @cached_property
    def gate(self) -> Gate:
        """Whether anything about the patient may go to this programme."""
        return gate(self.case.facts.of("Consent"), self.programme.recipient, self.case.on, self.case.zone)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict on every criterion of the programme."""
        return judged(self.programme, self.applicant)

    @property
    def barred(self) -> str:
        """Why a federal payer, or one that nobody knows to be none, keeps the patient out; empty where none does."""
        federal = (v for v in self.verdicts if v.criterion == FEDERAL_PAYER and v.verdict != MET)
        return next((v.why for v in federal), "")

    @cached_property
    def standing(self) -> tuple[str, str]:
        """hub-enrolment-status, and why in words."""
        said = {kind_of(o): o for o in entered(self.stored)}
        if NOT_WANTED in said:
            return "not-wanted", "The patient does not want it."
        if DECLINED in said:
            return "declined", f"The programme declined: {said[DECLINED]['valueString']}"
        return _enrolled(self, self.span) if self.span else _to_enrol(self)


def span_of(task: Resource, programme: Programme) -> Span | None:
    """First and last day of the enrolment entered on a Task; where no last day was, as long as the programme says."""
    said = {kind_of(o): o for o in entered(task)}
    if NUMBER not in said or PERIOD not in said or said.keys() & {DECLINED, NOT_WANTED}:
        return None
    period = said[PERIOD]["valuePeriod"]
    start = day(period["start"]) or date.min
    return start, day(period.get("end")) or programme.ends(start) or EVERY


def programme_id(task: Resource) -> str:
    """The programme a Task is about."""
    named = (i.get("valueIdentifier") or {} for i in task.get("input", ()))
    return next((str(i["value"]) for i in named if i.get("system") == PROGRAMME_ID), "")


def _enrolled(enrolment: Enrolment, span: Span) -> tuple[str, str]:
    if span[1] < enrolment.case.on:
        return "expired", ""
    if enrolment.barred:
        return "stopped", f"Stopped: {enrolment.barred}."
    return ("stopped", enrolment.gate.why) if enrolment.gate.shut else ("enrolled", "")


def _to_enrol(enrolment: Enrolment) -> tuple[str, str]:
    result = overall(enrolment.verdicts)
    if result == NOT_MET:
        return "not-eligible", _in_words(v for v in enrolment.verdicts if v.verdict == NOT_MET)
    if result != MET:
        return "needs-information", _in_words(v for v in enrolment.verdicts if v.verdict == NOT_DOCUMENTED)
    return ("consent-needed", enrolment.gate.why) if enrolment.gate.shut else ("to-enrol", "")


def _in_words(verdicts: Iterable[Verdict]) -> str:
    return "; ".join(f"{v.criterion}: {v.why}" for v in verdicts)
